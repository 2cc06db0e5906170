"""Options that several commands take: files, spans of time, what selects bulletins."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.cli.frame.text import hint

if TYPE_CHECKING:
    from schemas.subject import Interest


FILE = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
STATUS = click.Choice(["actual", "exercise", "system", "test"])

repeatable = functools.partial(click.option, multiple=True)
yes_option = click.option("--yes", is_flag=True, help="do not ask")

_SINCE = re.compile(r"(\d+)([smhd])")
_COUNTRY = re.compile(r"[a-z]{2}|int")
_AREA = re.compile(r"[a-z]{2}|multi|intl")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType):  # type: ignore[type-arg]  # generic only in its stubs
    """`all`, `now`, or a span such as `2h`: how long ago that was, None for all."""

    name = "span"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.timedelta | None:
        """The span; of `now` it is empty."""
        if value in ("all", "now"):
            return None if value == "all" else dt.timedelta()
        if span := _SINCE.fullmatch(value):
            return dt.timedelta(**{_UNIT[span[2]]: int(span[1])})
        self.fail(f"{value!r} is neither all, now, nor a span such as 30m, 2h or 7d", param, ctx)


def must_be_known(what: str, word: str, known: Collection[str]) -> None:
    """Refuse a word that nobody knows, with the nearest known one."""
    if word not in known:
        raise click.UsageError(f"there is no {what} {word!r}{hint(word, known)}")


def check_shape(text: str, type_: object, refusal: str) -> None:
    """Refuse a word that does not have the shape of its type.

    Raises:
        click.UsageError: with the text `refusal`.
    """
    import msgspec

    try:
        msgspec.convert(text, type_)
    except msgspec.ValidationError:
        raise click.UsageError(refusal) from None


def interest_of(**parts: tuple[str, ...] | str | None) -> Interest:
    """The interest the options describe; topics and countries as the subject grammar writes them."""
    from schemas.bodies import KINDS
    from schemas.scalars import ElectionId
    from schemas.subject import Interest
    from schemas.vocab import Domain, Status

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
