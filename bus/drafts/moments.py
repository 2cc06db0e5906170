"""Times and days as a person writes them: any offset becomes UTC; for a time without zone, the error says what to write."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from bus.drafts.phrases import LIKE_A_DAY, LIKE_A_TIME, shown
from schemas.codec import encode_time

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(\.\d+)?)?[ \t]?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
_WELL_WRITTEN = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Moment(NamedTuple):
    """A parsed time: its wire form, if known; and the fault in how it is written."""

    wire: str | None
    fault: str | None = None


def read_time(value: object) -> Moment:
    """Parse a time: RFC 3339 with any offset, as text or as a TOML time."""
    text = value.isoformat() if isinstance(value, dt.date) else value
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not isinstance(text, str) or found is None:
        return Moment(None, f"{shown(value)} is not {LIKE_A_TIME}")
    day, clock, seconds, part, zone = found.groups()
    whole = f"{day}T{clock or '00:00'}{seconds or ':00'}{(part or '')[:7]}"
    zone = (zone or "").upper()
    zone = f"{zone[:3]}:{zone[3:]}" if len(zone) > 1 and ":" not in zone else zone
    try:
        wire = encode_time(dt.datetime.fromisoformat(whole + (zone or "Z")))
    except (ValueError, OverflowError):
        return Moment(None, f"there is no such time as {shown(text)}")
    if clock is None:
        fault = (
            f"{text} is a day, but a time is needed; write {day}T09:30:00Z in UTC, or {day}T10:30:00+01:00"
        )
    elif not zone:
        fault = (
            f"{text} has no time zone; write {whole}Z if it is UTC, or add the offset of your clock, "
            f"as in {whole}+01:00"
        )
    elif not _WELL_WRITTEN.fullmatch(text):
        fault = f"{text} is not in the form of a time; write {whole}{zone}"
    else:
        return Moment(wire)
    return Moment(wire, fault)


def read_day(value: object) -> Moment:
    """Parse a day, as text or as a TOML date."""
    text = value.isoformat() if isinstance(value, dt.date) else value
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        return Moment(None, f"{shown(text)} is not {LIKE_A_DAY}, without a time")
    try:
        return Moment(dt.date.fromisoformat(text).isoformat())
    except ValueError:
        return Moment(None, f"there is no such day as {text}")
