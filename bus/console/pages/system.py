"""System: how this hub itself is. Each queue says how much waits, since when, and what happens next."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator

import msgspec

from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages.trust import trusted
from bus.console.step import Step
from bus.languages import marked
from bus.storage import utc
from bus.subscribing import totals

LATE_S = 600.0
FULL = 0.9


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits: how much, the oldest of it, and what happens to it next."""

    name: str
    waits: int
    oldest: dt.datetime | None
    then: str


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream has been read."""

    name: str
    read: int
    behind: int


class System(Content, frozen=True, kw_only=True):
    """The page."""

    queues: tuple[Queue, ...]
    streams: tuple[Stream, ...]
    checks: tuple[Step, ...]
    held: int


_QUEUES = (
    (
        marked("Held back, for one before it"),
        "SELECT count(*), min(until) FROM held_back",
        marked("taken in when that comes, or when its time is up"),
    ),
    (
        marked("Put off, to be judged again"),
        "SELECT count(*), min(retry_at) FROM deferred",
        marked("judged again"),
    ),
    (
        marked("Receipts to give"),
        "SELECT count(*), min(at) FROM receipt_queue WHERE sent = 0",
        marked("sent at the next look"),
    ),
    (
        marked("Asked of other hubs"),
        "SELECT count(*), min(at) FROM requested",
        marked("asked again, or of another hub"),
    ),
    (
        marked("To be indexed for search"),
        "SELECT count(*), NULL FROM to_index",
        marked("indexed while little comes in; search finds it already"),
    ),
    (
        marked("Parked, for the picture could not take it in"),
        "SELECT count(*), min(admitted_at) FROM admitted WHERE tries > 0",
        marked("tried again"),
    ),
)


def look(asked: Asked) -> System:
    """The page; it says nothing of any bulletin."""
    return System(
        marking="green",
        note=asked.say("This page tells of the hub, and of no bulletin."),
        queues=tuple(_queues(asked)),
        streams=tuple(
            Stream(name=row["stream"], read=row["seq"], behind=row["pending"])
            for row in asked.db.execute("SELECT stream, seq, pending FROM cursors ORDER BY stream")
        ),
        checks=(*trusted(asked), *_disk(asked)),
        held=totals.admitted(asked.db),
    )


def _queues(asked: Asked) -> Iterator[Queue]:
    for name, sql, then in _QUEUES:
        count, oldest = asked.db.execute(sql).fetchone()
        yield Queue(
            name=asked.say.plain(name),
            waits=int(count),
            oldest=utc(oldest) if oldest is not None else None,
            then=asked.say.plain(then),
        )


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
