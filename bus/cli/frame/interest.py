"""What selects bulletins, read from options: topics, countries, elections, statuses, priority."""

from __future__ import annotations

import re

import click

from bus.cli.frame.options import check_shape, must_be_known
from schemas.bodies import KINDS
from schemas.scalars import ElectionId
from schemas.subject import Interest
from schemas.vocab import Domain, Status

_COUNTRY = re.compile(r"[a-z]{2}|int")
_AREA = re.compile(r"[a-z]{2}|multi|intl")


def interest_of(**parts: tuple[str, ...] | str | None) -> Interest:
    """The interest the options describe; topics and countries as the subject grammar writes them."""
    topics = tuple(parts.get("topics") or ())
    known = {*KINDS, *(str(domain) for domain in Domain)}
    for topic in topics:
        must_be_known("topic", topic, sorted(known))
    countries = _words(parts.get("countries"), _COUNTRY, "--country takes two letters, or int")
    areas = _words(parts.get("areas"), _AREA, "--area takes two letters, eu, multi or intl")
    elections = tuple(parts.get("elections") or ())
    for election in elections:
        check_shape(election, ElectionId, f"--election takes an id like xa-parl-2027, not {election!r}")
    statuses = tuple(Status(status) for status in parts.get("statuses") or ()) or (Status.ACTUAL,)
    return Interest(
        topics=topics,
        countries=countries,
        areas=areas,
        elections=elections,
        statuses=statuses,
        min_priority=str(parts["min_priority"]) if parts.get("min_priority") else "p4",
    )


def _words(given: tuple[str, ...] | str | None, shape: re.Pattern[str], remark: str) -> tuple[str, ...]:
    words = tuple(word.lower() for word in given or ())
    for word in words:
        if not shape.fullmatch(word):
            raise click.UsageError(f"{remark}, not {word!r}")
    return words
