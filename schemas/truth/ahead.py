"""Times that lie more than a year ahead: a remark, for the year is seldom meant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import msgspec

from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.lint import fields_of
from schemas.vocab import Status

_FAR = dt.timedelta(days=366)
_PLANNED = frozenset({"election-calendar", "sanctions-listing", "post-election-report"})
"""Kinds that speak of the years to come."""
_LASTING = frozenset(
    {
        "expires",
        "retention_until",
        "polling_first",
        "polling_last",
        "final_on",
        "appeal_until",
        "comply_by",
        "started",
    }
)
"""Days that are set by a law or a calendar, and may lie years ahead; what has started is no day ahead (R32)."""


def far_ahead(b: Bulletin) -> Iterator[Violation]:
    """A time that lies more than a year ahead is seldom meant: the year is that of a form, or mistyped."""
    if b.status is Status.EXERCISE or b.kind in _PLANNED:
        return
    for path, moment in _moments(b, "$"):
        ahead = moment - b.issued if isinstance(moment, dt.datetime) else moment - b.issued.date()
        if ahead > _FAR:
            yield Violation(
                "year", path, f"{moment:%Y-%m-%d} lies more than a year ahead; is the year right?"
            )


def _moments(value: object, path: str) -> Iterator[tuple[str, dt.date]]:
    """Every time and day below a value, but those that may lie years ahead."""
    if isinstance(value, dt.date):
        yield path, value
    elif isinstance(value, tuple):
        for n, each in enumerate(value):
            yield from _moments(each, f"{path}[{n}]")
    elif isinstance(value, msgspec.Struct):
        for name, wire_name, _ in fields_of(type(value)):
            if name not in _LASTING:
                yield from _moments(getattr(value, name), f"{path}.{wire_name}")
