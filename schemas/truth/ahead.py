"""Times more than a year ahead: a remark, because the year is often mistyped."""

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
"""Kinds about future years."""
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
"""Days set by a law or a calendar, which may lie years ahead; the start of a past event is checked by R32."""


def far_ahead(b: Bulletin) -> Iterator[Violation]:
    """A time more than a year ahead is often an error: the year comes from a form, or is mistyped."""
    if b.status is Status.EXERCISE or b.kind in _PLANNED:
        return
    for path, moment in _moments(b, "$"):
        ahead = moment - b.issued if isinstance(moment, dt.datetime) else moment - b.issued.date()
        if ahead > _FAR:
            yield Violation(
                "year", path, f"{moment:%Y-%m-%d} lies more than a year ahead; is the year right?"
            )


def _moments(value: object, path: str) -> Iterator[tuple[str, dt.date]]:
    """Every time and day inside a value, without those that may lie years ahead."""
    if isinstance(value, dt.date):
        yield path, value
    elif isinstance(value, tuple):
        for n, each in enumerate(value):
            yield from _moments(each, f"{path}[{n}]")
    elif isinstance(value, msgspec.Struct):
        for name, wire_name, _ in fields_of(type(value)):
            if name not in _LASTING:
                yield from _moments(getattr(value, name), f"{path}.{wire_name}")
