"""What has happened since somebody last looked, and why it is told; grouped, counted, and moved on by that person alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import msgspec

from bus import threads
from bus.console import rows
from bus.console.asked import Asked
from bus.console.rows import Row
from bus.hub.picture import Line, events, of_id, of_rows
from bus.storage import utc
from schemas.vocab import Status

FIRST = dt.timedelta(hours=1)
"""Who has never looked is told what came in this time."""
MOST_EVENTS, MOST_ROWS, MOST_GROUPS = 2000, 300, 5
UPDATED, ESCALATED = "updated", "escalated"
WHY = {
    events.NEW: "new",
    events.UPDATED: UPDATED,
    events.ANSWERED: "answered",
    events.WITHDRAWN: "withdrawn",
    events.RESTORED: "in force again",
}
"""Of which events it is told, and with which word; what is superseded is told by the newer version."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs together: the same incident, else the same thread, else one authority and kind.

    Attributes:
        row: the gravest of it, then the newest.
        count: how many bulletins.
        why: what has happened, each word with how many.
        address: where all of it stands.
    """

    row: Row
    count: int
    why: tuple[tuple[str, int], ...]
    address: str


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened since somebody last looked.

    Attributes:
        at: since when it is told.
        upto: the last event of it: what is marked as seen.
        is_first: whether this person has never marked anything as seen; then the last hour is told.
        is_whole: whether all since then is known; the log reaches back seven days.
        groups: the gravest first, so many at most.
        more: how many groups are not told.
        counts: how many bulletins by what has happened to them.
        alarms: how many alarms of channels have begun.
        returned: what was put aside and is back, filled in by the desk.
    """

    at: dt.datetime
    upto: int
    is_first: bool
    is_whole: bool
    groups: tuple[Group, ...]
    more: int
    counts: dict[str, int]
    alarms: int
    returned: tuple[Returned, ...] = ()


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was put aside and is back: what, why it is back, and who had put it aside."""

    words: str
    address: str
    why: str
    by: str
    at: dt.datetime


def since_looked(asked: Asked) -> Since:
    """What has happened, as far as the person may see it."""
    cursor = asked.session.seen
    last = events.newest(asked.db)
    found = events.lately(
        asked.db,
        asked.clearance,
        after=0 if cursor is None or cursor.n > last else cursor.n,
        since=asked.now - FIRST if cursor is None else None,
        most=MOST_EVENTS,
    )
    happened: dict[int, list[str]] = {}
    for event in found.events:
        if event.of == "actual" and event.what in WHY:
            happened.setdefault(event.row, []).append(WHY[event.what])
    newest = list(reversed(happened))[:MOST_ROWS]
    lines = of_rows(asked.db, asked.clearance, asked.now, Status.ACTUAL, newest)
    why = {line.row: _why(asked, line, happened[line.row]) for line in lines}
    groups = sorted(
        _groups(asked, lines, why), key=lambda each: (each.row.priority, -each.row.at.timestamp())
    )
    counts: dict[str, int] = {}
    for words in why.values():
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    return Since(
        at=asked.now - FIRST if cursor is None else utc(cursor.at),
        upto=last,
        is_first=cursor is None,
        is_whole=cursor is None or (found.is_whole and cursor.n <= last),
        groups=tuple(groups[:MOST_GROUPS]),
        more=max(0, len(groups) - MOST_GROUPS) + max(0, len(happened) - MOST_ROWS),
        counts=counts,
        alarms=sum(event.what == events.SILENT for event in found.events),
    )


def _why(asked: Asked, line: Line, words: Sequence[str]) -> tuple[str, ...]:
    """What has happened to a bulletin, each word once; a newer version that is graver than the one before says so."""
    told = dict.fromkeys(words)
    if UPDATED in told and (before := _before(asked, line)) is not None and line.priority < before.priority:
        told = dict.fromkeys((ESCALATED, *(word for word in told if word != UPDATED)))
    return tuple(told)


def _before(asked: Asked, line: Line) -> Line | None:
    """The version before this one, where the person may see it."""
    members = threads.in_thread(asked.db, threads.Key(line.id, line.issuer, str(Status.ACTUAL)), 2)
    older = next((each.id for each in members if each.id != line.id), None)
    return None if older is None else of_id(asked.db, asked.clearance, asked.now, Status.ACTUAL, older)


def _groups(asked: Asked, lines: Sequence[Line], why: dict[int, tuple[str, ...]]) -> Iterator[Group]:
    by_key: dict[str, list[Line]] = {}
    for line in lines:
        by_key.setdefault(_key(asked, line), []).append(line)
    for key, some in by_key.items():
        gravest = min(some, key=lambda each: (each.priority, -each.issued.timestamp()))
        (row,) = rows.of_lines(asked, [gravest])
        words: dict[str, int] = {}
        for each in some:
            for word in why[each.row]:
                words[word] = words.get(word, 0) + 1
        address = row.address if len(some) == 1 else _address(asked, key, row)
        yield Group(row=row, count=len(some), why=tuple(words.items()), address=address)


def _key(asked: Asked, line: Line) -> str:
    if line.incident:
        return f"incident {line.incident}"
    key = threads.thread_of(asked.db, threads.Key(line.id, line.issuer, str(Status.ACTUAL))).key
    return f"thread {key.id}" if key.id != line.id else f"said {line.issuer} {line.kind}"


def _address(asked: Asked, key: str, gravest: Row) -> str:
    if key.startswith("incident "):
        return f"/i/{gravest.id}"
    if key.startswith("thread "):
        return gravest.address
    return asked.address("/b", q=f"issuer:{gravest.issuer} kind:{gravest.kind}", order=rows.TIME)
