"""Reads drafts from JSON or TOML files, as a person or a program wrote them."""

from __future__ import annotations

import datetime as dt
import re
import secrets
import sys
import tomllib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cache

import msgspec

from bus import toml
from bus.cli.frame.errors import InputFileError
from bus.cli.frame.files import read_bounded
from schemas.bulletin import Bulletin, Defaults, Draft, new_id, stamp
from schemas.codec import MAX_PAYLOAD_BYTES, decode_draft, encode_time, time_names
from schemas.errors import SchemaError
from schemas.parts import Authority

STANDARD_INPUT = "-"


def read_draft(name: str) -> Draft:
    """The draft in the file `name`; `-` is standard input.

    Raises:
        InputFileError: `file-missing`, `file-unreadable`, `empty` or `too-large`.
        SchemaError: the content is no draft, with the path of what is wrong.
    """
    raw = _bytes(name)
    return _read(name, lambda: raw.strip() if raw.lstrip()[:1] == b"{" else _from_toml(raw))


def draft_in(table: Mapping[str, object], where: str) -> Draft:
    """The draft that a table of a TOML file is.

    Raises:
        SchemaError: it is none, with the path of what is wrong.
    """
    return _read(where, lambda: msgspec.json.encode(table, enc_hook=str))


def stamped(draft: Draft, issuer: Authority, given: Defaults, now: dt.datetime) -> Bulletin:
    """The draft as the first bulletin of its channel, unsigned, for checks before it is published.

    Raises:
        SchemaError: what is stamped breaks a bound.
    """
    return stamp(
        draft,
        id=new_id(now, secrets.token_bytes(10)),
        seq=1,
        prev=None,
        issuer=issuer,
        issued=now,
        defaults=given,
    )


@cache
def _timed() -> re.Pattern[bytes]:
    """A member that is a time, as RFC 3339 lets it be written."""
    names = "|".join(sorted(time_names())).encode()
    return re.compile(
        rb'("(?:' + names + rb')"\s*:\s*")'
        rb"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,6})?)([Zz]|[+-]\d\d:\d\d)(?=\")"
    )


def _as_wire(raw: bytes) -> bytes:
    """A draft whose times end in Z: drafts take any time of RFC 3339, the wire has one form (SPEC, section 1)."""
    return _timed().sub(_in_utc, raw)


def _in_utc(found: re.Match[bytes]) -> bytes:
    name, day, clock, zone = found.groups()
    try:
        moment = dt.datetime.fromisoformat((day + b"T" + clock + zone.upper()).decode())
        return name + encode_time(moment).encode()
    except (ValueError, OverflowError):  # there is no such time; the decoder says so
        return found[0]


def _read(name: str, raw: Callable[[], bytes]) -> Draft:
    try:
        return decode_draft(_as_wire(raw()))
    except SchemaError as exc:
        where = f"{name}, {exc.path}" if exc.path and exc.path not in str(exc) else name
        raise SchemaError(f"{where}: {exc}", reason=exc.reason, path=exc.path) from None


def _bytes(name: str) -> bytes:
    stdin = nullcontext(sys.stdin.buffer) if name == STANDARD_INPUT else None
    raw = read_bounded(name, MAX_PAYLOAD_BYTES, opened=stdin)
    if not raw.strip():
        raise InputFileError(
            f"{name} is empty", remedy="begin with: tocsin bulletin draft KIND", reason="empty"
        )
    return raw


def _from_toml(raw: bytes) -> bytes:
    try:
        return msgspec.json.encode(toml.loads(raw), enc_hook=str)
    except UnicodeDecodeError:
        raise SchemaError("a draft is JSON or TOML; this is no text", reason="malformed-payload") from None
    except tomllib.TOMLDecodeError as exc:
        raise SchemaError(
            f"neither a JSON object nor valid TOML: {exc}", reason="malformed-payload"
        ) from None
