"""Bulletins in lists: the lines of the picture, with the words that a page shows beside them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator

import msgspec

from bus.console.asked import Asked
from bus.console.texts import capital
from bus.filters import Selection
from bus.hub.picture import Key, Line, lists
from bus.subscribing import bodies
from schemas.vocab import Status

EVERYTHING = Selection()
TALK = "feedback"
"""A kind that answers others; it stands beside what it answers."""
GRAVE, TIME = "grave", "time"
LAST = 2**63 - 1
"""No store has a row beyond."""
NOWHERE = frozenset({"MULTI", "INTL"})
_STATES = {"in-force": ""}


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One bulletin in a list; it refers to no other, so no collection need look at it.

    Attributes:
        row: its row in the store.
        named: what addresses call it: its id, or its digest where another that came before has the same id.
        ended: what has become of it: `superseded`, `withdrawn`, `expired`; empty while it is in force.
        is_new: whether it came since its reader last looked.
        is_sealed: whether its words are sealed to others: then the headline is that of its cover.
        incident: the one that its author names.
        joined: the one that it is in, by the id of its page; None for none, and where that was not looked for.
    """

    id: str
    row: int
    named: str
    at: dt.datetime
    expires: dt.datetime
    priority: int
    issuer: str
    name: str
    kind: str
    kind_name: str
    headline: str
    tlp: str
    audience: str
    areas: tuple[str, ...]
    dimensions: tuple[str, ...]
    election: str | None
    incident: str | None
    ended: str = ""
    is_new: bool = False
    is_sealed: bool = False
    labels: tuple[str, ...] = ()
    joined: str | None = None

    @property
    def address(self) -> str:
        """Its page."""
        return f"/b/{self.named}"


def spot_of(text: str) -> Key | None:
    """Where a page of a list has ended, from an address; None where it says no place."""
    parts = text.split("_")
    try:
        spot = Key(parts[0], float(parts[1]), int(parts[2]))
    except (IndexError, ValueError):
        return None
    return spot if 0 <= spot.row <= LAST and math.isfinite(spot.issued) else None


def spelled(key: Key | None) -> str:
    """The place where a page of a list ends, as it stands in an address; empty at the end of the list."""
    return "" if key is None else f"{key.priority}_{key.issued!r}_{key.row}"


def listed(
    asked: Asked,
    selection: Selection = EVERYTHING,
    *,
    most: int,
    order: str = GRAVE,
    after: Key | None = None,
    ended: bool = False,
    status: Status = Status.ACTUAL,
) -> tuple[tuple[Row, ...], Key | None]:
    """The bulletins that are asked for, at most so many, and where the next page begins; None at the end.

    Args:
        asked: the request.
        selection: what is asked for.
        most: so many at most.
        order: `grave`, by priority and then the newest, or `time`.
        after: where the page before has ended.
        ended: also what is not in force any more; then the newest come first.
        status: actual or exercise: the two never stand in one list.
    """
    if order == GRAVE and not ended:
        page = lists.gravest(
            asked.db, asked.clearance, asked.now, status=status, selection=selection, after=after, size=most
        )
    else:
        page = lists.newest(
            asked.db,
            asked.clearance,
            asked.now,
            status=status,
            selection=selection,
            after=after,
            size=most,
            with_ended=ended,
        )
    return tuple(of_lines(asked, page.lines)), page.next


def outstanding(asked: Asked, most: int, selection: Selection = EVERYTHING) -> tuple[Row, ...]:
    """The gravest bulletins that are asked for, without those that only answer others."""
    found, _ = listed(asked, selection, most=most + 20)
    return tuple(row for row in found if row.kind != TALK)[:most]


def of_lines(asked: Asked, lines: Iterable[Line]) -> Iterator[Row]:
    """Lines of the picture as rows of a list."""
    words, some = asked.words, list(lines)
    digests = bodies.not_first(asked.db, [line.id for line in some])
    for line in some:
        yield Row(
            id=line.id,
            row=line.row,
            named=digests.get(line.row, line.id),
            at=line.issued,
            expires=line.expires,
            priority=int(line.priority.removeprefix("p")),
            issuer=line.issuer,
            name=asked.name_of(line.issuer),
            kind=line.kind,
            kind_name=capital(words.word("kind", line.kind)),
            headline=line.headline,
            tlp=line.tlp,
            audience=line.audience,
            areas=_countries(line.areas),
            dimensions=line.dimensions,
            election=line.election,
            incident=line.incident,
            ended=_STATES.get(line.state, line.state),
            is_new=line.row in asked.new_rows,
            is_sealed=line.kind == "sealed",
            labels=line.labels,
        )


def _countries(areas: tuple[str, ...]) -> tuple[str, ...]:
    """The places of a bulletin; a word for several or none stands only where no country does."""
    return areas if len(areas) == 1 else tuple(each for each in areas if each not in NOWHERE) or areas
