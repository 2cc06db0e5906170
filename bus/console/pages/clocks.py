"""Clocks: what is owed by when and by whom, as the engine of the deadlines says; what is late first."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from bus import sheets
from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.reading import Shelf
from bus.console.rows import Row
from bus.hub import clocks as ringing
from bus.hub.clocks import ACKNOWLEDGEMENT
from bus.hub.picture import Owed, events, owed_as_of, owed_by, owed_within
from bus.languages import marked
from bus.policy import Clearance, narrowest

T = TypeVar("T")
KEPT_S = 30
"""Seconds for which a result is kept, if nothing comes and nothing is acknowledged."""
MOST_OURS = 300
"""So many of each sort of what this hub owes are looked through for what is told: acknowledgements, others, late or not."""
LISTED, MOST = 50, 150
"""So many clocks that are late, so many that are not, and so many that were met are listed; so many where all are asked for, and in files."""
GROUPS = (
    ("late", marked("Too late")),
    ("soon", marked("In the next 6 hours")),
    ("later", marked("Later")),
    ("met", marked("Met")),
)
_GROUP = {"late": "late", "due_soon": "soon", "running": "later", "met": "met", "met_late": "met"}
WORDS = {
    "rfi": marked("Answer a request for information"),
    "question": marked("Answer a question"),
    "lesson": marked("Act on a lesson"),
    "comply-by": marked("Comply with a decision"),
    ACKNOWLEDGEMENT: marked("Read and acknowledge"),
}
"""What a clock asks for that is not of a law; an action says its own name."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One clock in words.

    After `ends` it is late. `share` is how much of its time is over, from 0 to 1. `place` tells it from others of its rule and
    bulletin.
    """

    what: str
    rule: str
    about: str
    id: str
    issuer: str
    who: tuple[str, ...]
    is_ours: bool
    start: dt.datetime
    due: dt.datetime
    latest: dt.datetime | None
    ends: dt.datetime
    met: dt.datetime | None
    standing: str
    share: float
    tlp: str
    audience: str
    place: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Clocks that stand alike."""

    key: str
    title: str
    clocks: tuple[Due, ...]


class Clocks(Content, frozen=True, kw_only=True):
    """The page.

    Attributes:
        more: how many are known and not listed.
        most: so many of each sort are listed.
        longer: so many would be where all are asked for; 0 where that lists no more.
    """

    groups: tuple[Group, ...]
    counts: dict[str, int]
    show: str
    more: int
    most: int
    longer: int


def look(asked: Asked) -> Clocks:
    """The page, of what its reader may read."""
    show = asked.first("show") if asked.first("show") in ("ours", "met") else "all"
    every, mine = owed(asked), owed(asked, ours=True)
    met = [each for each in owed(asked, met=True) if each.met is not None] if show == "met" else []
    wanted = {"all": every, "ours": mine, "met": met}[show]
    parts = (
        [each for each in wanted if each.standing == "late"],
        [each for each in wanted if each.standing != "late"],
    )
    most = MOST if asked.most or asked.first("all") == "1" else LISTED
    listed = tuple(told(asked, each) for each in (*parts[0][-most:], *parts[1][:most]))
    return Clocks(
        marking=str(narrowest(each.tlp for each in listed) or "clear"),
        groups=tuple(_groups(asked, listed)),
        counts={"all": len(every), "ours": len(mine)},
        show=show,
        more=(more := sum(map(len, parts)) - len(listed)),
        most=most,
        longer=MOST if more and most < MOST else 0,
    )


def owed(asked: Asked, *, ours: bool = False, met: bool = False, most: int = MOST + 1) -> tuple[Owed, ...]:
    """The clocks of what the reader may read, those of this hub's acknowledgements too.

    Args:
        asked: who asks.
        ours: only what this hub owes.
        met: also what was met.
        most: so many of each sort.

    Returns:
        The clocks, the first due first.
    """
    return _kept(asked.db, asked.shelf, asked.clearance, asked.now, ours=ours, every=met, most=most)


def duties(db: sqlite3.Connection, shelf: Shelf, clearance: Clearance, now: dt.datetime) -> tuple[Owed, ...]:
    """What this hub owes and has not done, the first due first: from each author by turns, acknowledgements apart.

    Args:
        db: the hub's store, inside a read.
        shelf: whose hub it is, the registry, and what is kept.
        clearance: whose limits.
        now: the present.
    """
    return _kept(db, shelf, clearance, now, ours=True, by_author=True, most=MOST_OURS)


def _kept(
    db: sqlite3.Connection,
    shelf: Shelf,
    clearance: Clearance,
    now: dt.datetime,
    *,
    ours: bool,
    most: int,
    every: bool = False,
    by_author: bool = False,
) -> tuple[Owed, ...]:
    """Clocks, worked out once for all who may read the same."""
    registry = shelf.registry()
    stamp = (events.newest(db), owed_as_of(db), int(now.timestamp()) // KEPT_S, registry.version)
    return shelf.memo.once(
        (clearance, "owed", ours, every, by_author, most),
        stamp,
        lambda: owed_within(
            db,
            clearance,
            now,
            registry,
            shelf.authority,
            every=every,
            ours=shelf.authority if ours else None,
            by_author=by_author,
            most=most,
        ),
    )


def of_rows(asked: Asked, rows: Iterable[int]) -> tuple[Owed, ...]:
    """The clocks of these bulletins, met or not."""
    return owed_by(asked.db, asked.clearance, asked.now, asked.registry, asked.hub, rows)


def running(asked: Asked, most: int) -> tuple[Due, ...]:
    """So many clocks that run, the first due first: of those that are late, the last ones."""
    return tuple(told(asked, each) for each in owed(asked, most=most))


def ours(asked: Asked) -> tuple[Owed, ...]:
    """What this hub owes and has not done, as far as the reader may read it; see `duties`."""
    return duties(asked.db, asked.shelf, asked.clearance, asked.now)


def with_duties(asked: Asked, listed: Sequence[Row]) -> tuple[Row, ...]:
    """Rows of a list, each with the time until which this hub has to acknowledge it."""
    due = {(each.id, each.issuer): each.due for each in ours(asked) if each.rule == ACKNOWLEDGEMENT}
    return tuple(
        msgspec.structs.replace(row, acknowledge_by=due[row.id, row.issuer])
        if (row.id, row.issuer) in due and row.named == row.id
        else row
        for row in listed
    )


def by_turns(some: Iterable[Owed], rank: Callable[[Owed], int] = lambda _: 0) -> list[Owed]:
    """Clocks by a rank; of one rank of each author one before the second of any, so that a flood of one hides nothing of another."""
    turns, found = Counter[tuple[int, str]](), list[tuple[int, int, Owed]]()
    for each in some:
        lane = rank(each), each.issuer
        turns[lane] += 1
        found.append((lane[0], turns[lane], each))
    return [each for *_, each in sorted(found, key=lambda one: one[:2])]


def fairly(some: Iterable[T], author: Callable[[T], str], few: int) -> list[T]:
    """The same in their order, but what goes beyond so many of one author after all others.

    An author who asks for much, and calls all of it grave, does not push others off a list that is cut.
    """
    seen, beyond = Counter[str](), list[tuple[bool, T]]()
    for each in some:
        seen[author(each)] += 1
        beyond.append((seen[author(each)] > few, each))
    return [each for _, each in sorted(beyond, key=lambda one: one[0])]


def told(asked: Asked, each: Owed) -> Due:
    """A clock in words."""
    whole = max(1.0, (each.due - each.start).total_seconds())
    is_ours = ringing.is_owner(asked.hub, each.owner, asked.registry.document)
    return Due(
        what=_what(asked, each.rule),
        rule=each.rule,
        about=each.headline,
        id=each.id,
        issuer=each.issuer,
        who=tuple(_who(asked, name) for name in each.owner),
        is_ours=is_ours,
        start=each.start,
        due=each.due,
        latest=each.latest,
        ends=each.due if each.latest is None else max(each.due, each.latest),
        met=each.met,
        standing=str(each.standing),
        share=min(1.0, max(0.0, (asked.now - each.start).total_seconds() / whole)),
        tlp=each.tlp,
        audience=each.audience,
        place=each.place,
    )


def _what(asked: Asked, rule: str) -> str:
    """What a clock asks for, in words."""
    if rule in WORDS:
        return asked.say.plain(WORDS[rule])
    kind = rule.removeprefix(ringing.ACTION)
    if kind != rule:
        return asked.say("Action: %(kind)s", kind=asked.words.word("action-kind", kind))
    return sheets.clock_in_words(asked.words, rule)


def _who(asked: Asked, name: str) -> str:
    """Who owes, in words: an authority, the members of an audience, or authorities of a kind."""
    known = asked.registry.document
    if name in known.authorities:
        return known.authorities[name].name
    if name in known.audiences:
        return asked.say("members of %(name)s", name=name)
    return asked.words.word("authority-kind", name)


def _groups(asked: Asked, listed: Sequence[Due]) -> Iterator[Group]:
    for key, title in GROUPS:
        mine = tuple(each for each in listed if _GROUP[each.standing] == key)
        if mine:
            yield Group(key=key, title=asked.say.plain(title), clocks=mine)
