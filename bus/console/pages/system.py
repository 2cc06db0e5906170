"""System: how this hub itself is. Each queue says how much waits, since when, the last problem, and what happens next."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from collections.abc import Callable, Iterator

import msgspec

from bus import desk, health
from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages.trust import trusted
from bus.console.step import Step
from bus.desk import Act
from bus.languages import marked
from bus.storage import utc
from bus.subscribing import totals

FULL = 0.9


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits.

    Attributes:
        name: what waits.
        waits: how much.
        since: since when the oldest of it does; None where that is not on record.
        next: when it is tried next; None where that has no time.
        problem: the sort of the last error; empty where there is none.
        then: what happens to it.
    """

    name: str
    waits: int
    since: dt.datetime | None
    next: dt.datetime | None
    problem: str
    then: str


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream has been read."""

    name: str
    read: int
    behind: int


class System(Content, frozen=True, kw_only=True):
    """The page.

    Attributes:
        queues: what waits in the store.
        unsigned: what people have acknowledged and the hub has not signed, filled in by the desk.
        streams: how far each stream has been read.
        checks: what is checked here.
        health: what `tocsin hub status` says, in its English words.
        held: how many bulletins are held.
    """

    queues: tuple[Queue, ...]
    unsigned: Queue
    streams: tuple[Stream, ...]
    checks: tuple[Step, ...]
    health: tuple[Step, ...]
    held: int


_FAILED = "FROM admitted WHERE tries > 0 AND retry_at IS"
_QUEUES = (
    (
        marked("Held back, for one before it"),
        "SELECT count(*), NULL, min(until), '' FROM held_back",
        marked("taken in when that comes, or when its time is up"),
    ),
    (
        marked("Put off, to be judged again"),
        "SELECT count(*), NULL, min(retry_at), '' FROM deferred",
        marked("judged again"),
    ),
    (
        marked("Receipts to give"),
        "SELECT count(*), min(at), NULL, '' FROM receipt_queue WHERE sent = 0",
        marked("sent at the next look"),
    ),
    (
        marked("Asked of other hubs"),
        "SELECT count(*), min(at), NULL, '' FROM requested",
        marked("asked again, or of another hub"),
    ),
    (
        marked("To be indexed for search"),
        "SELECT count(*), NULL, NULL, '' FROM to_index",
        marked("indexed while little comes in; search finds it already"),
    ),
    (
        marked("To be taken into the picture once more"),
        f"SELECT count(*), min(admitted_at), min(retry_at), max(problem) {_FAILED} NOT NULL",
        marked("tried five times, then set aside"),
    ),
    (
        marked("Set aside, for the picture could not take it in"),
        f"SELECT count(*), min(admitted_at), NULL, max(problem) {_FAILED} NULL",
        marked("tried no more by itself; “tocsin hub rebuild” tries it again"),
    ),
)


def look(asked: Asked) -> System:
    """The page; it says nothing of any bulletin."""
    return System(
        marking="green",
        note=asked.say("This page tells of the hub, and of no bulletin."),
        queues=tuple(_queues(asked)),
        unsigned=Queue(
            name=asked.say("Acknowledged here, without a signed receipt"),
            waits=0,
            since=None,
            next=None,
            problem="",
            then=asked.say("the hub is asked again every ten seconds"),
        ),
        streams=tuple(
            Stream(name=row["stream"], read=row["seq"], behind=row["pending"])
            for row in asked.db.execute("SELECT stream, seq, pending FROM cursors ORDER BY stream")
        ),
        checks=(*trusted(asked), *_disk(asked)),
        health=tuple(_health(asked)),
        held=totals.admitted(asked.db),
    )


def beside(content: Content) -> Callable[[sqlite3.Connection, Act], Content] | None:
    """The question to the desk: the same page, with what waits there for the hub to sign."""
    if not isinstance(content, System):
        return None
    page = content

    def question(db: sqlite3.Connection, _: Act) -> Content:
        waits, since = desk.duty.still_unsigned(db)
        mine = msgspec.structs.replace(page.unsigned, waits=waits, since=_moment(since))
        return msgspec.structs.replace(page, unsigned=mine)

    return question


def _queues(asked: Asked) -> Iterator[Queue]:
    for name, sql, then in _QUEUES:
        count, since, next_, problem = asked.db.execute(sql).fetchone()
        yield Queue(
            name=asked.say.plain(name),
            waits=int(count),
            since=_moment(since),
            next=_moment(next_),
            problem=(problem or "").partition(":")[0],  # what follows may quote a bulletin
            then=asked.say.plain(then),
        )


def _moment(at: float | None) -> dt.datetime | None:
    return None if at is None else utc(at)


_SHAPES = {health.Level.OK: "pass", health.Level.WARNING: "note", health.Level.BAD: "fail"}


def _health(asked: Asked) -> Iterator[Step]:
    """The conditions of the hub and of its programs, the outbox and the messages among them."""
    folder = asked.shelf.files
    if folder is None:
        return
    report = health.report_beside(asked.db, asked.registry, asked.hub, folder, asked.now)
    for each in report.conditions:
        # An error that ended a program or a task may quote a bulletin, which not everybody here may read.
        quotes = each.code in ("task-died", "program-ended")
        told = [] if quotes else [each.detail[:1].upper() + each.detail[1:]]
        told += [f"To do: {each.remedy}"] if each.remedy else []
        name = each.name if each.level is health.Level.OK else f"{each.name}: {each.code}"
        yield Step(state=_SHAPES[each.level], words=name[:1].upper() + name[1:], detail=". ".join(told))


def _disk(asked: Asked) -> Iterator[Step]:
    folder = asked.shelf.files
    if folder is None:
        return
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        yield Step(state="unknown", words=asked.say("Disk"), detail=asked.say("It cannot be looked at."))
        return
    share = usage.used / max(1, usage.total)
    state = "fail" if share > FULL else "pass"
    told = asked.say(
        "%(share)s %% of %(size)s GiB in use",
        share=f"{share:.0%}".rstrip("%"),
        size=f"{usage.total / 1024**3:.0f}",
    )
    yield Step(state=state, words=asked.say("Disk"), detail=told)
