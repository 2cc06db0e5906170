"""From any id of a thread, the beginning of one, or a digest, to the version that lives: as a reader's store has it."""

from __future__ import annotations

import datetime as dt
import sqlite3

from bus import threads
from bus.hub.rows import TABLE_OF
from bus.storage import utc
from bus.subscribing import bodies
from schemas.subject import Channel
from schemas.vocab import Status

_HELD = "SELECT channel, id FROM links WHERE id >= ? AND id < ? ORDER BY received_at, id LIMIT ?"
_OF_ROW = "SELECT l.channel, l.id FROM admitted a CROSS JOIN links l ON l.id = a.id AND l.row = a.row WHERE a.row = ?"
_ERASED = "SELECT channel, id FROM tombstones WHERE digest = ?"


def find(db: sqlite3.Connection, wanted: str) -> threads.Thread | None:
    """The thread of a bulletin; its `living` names the version to act on.

    Args:
        db: a hub's store, inside a read.
        wanted: an id, at least four characters of the beginning of one, or a whole digest. What is erased, or known only because
            another version names it, is found as well.

    Returns:
        The thread; None where nothing here is called so.

    Raises:
        AmbiguousIdError: bulletins of several threads begin so.
    """
    key = threads.meant(wanted, _candidates(db, wanted), lambda each: threads.thread_of(db, each).key)
    if key is None:
        key = _of_digest(db, wanted)
    return None if key is None else threads.thread_of(db, key)


def expiry(db: sqlite3.Connection, thread: threads.Thread) -> dt.datetime | None:
    """Until when the living version of a thread holds; None where it is not held here."""
    sql = (
        f"SELECT expires FROM {TABLE_OF[Status(thread.status)]} "
        "WHERE row IN (SELECT row FROM links WHERE id = ?1) AND id = ?1 AND issuer = ?2 AND status = ?3"
    )
    row = db.execute(sql, thread.key).fetchone()
    return None if row is None else utc(row[0])


def state(db: sqlite3.Connection, thread: threads.Thread, now: dt.datetime) -> str:
    """The state of a thread: `in-force`, `updated`, `withdrawn` or `expired` (`Thread.state`)."""
    return thread.state(now, expiry(db, thread))


def in_thread(db: sqlite3.Connection, thread: threads.Thread, most: int = 50) -> tuple[threads.Version, ...]:
    """The versions and cancels of a thread, the newest first; so many at most. A single bulletin has only itself."""
    return tuple(threads.in_thread(db, thread.key, most))


def _candidates(db: sqlite3.Connection, wanted: str) -> list[threads.Key]:
    if (between := threads.bounds(wanted)) is None:
        return []
    most = threads.MOST + 1
    held = [_key(channel, id_) for channel, id_ in db.execute(_HELD, (*between, most))]
    return list(dict.fromkeys((*held, *threads.named(db, *between, most))))


def _of_digest(db: sqlite3.Connection, digest: str) -> threads.Key | None:
    for row in bodies.rows_of(db, digest):
        if (place := db.execute(_OF_ROW, (row,)).fetchone()) is not None:
            return _key(*place)
    gone = db.execute(_ERASED, (digest,)).fetchone()
    return None if gone is None else _key(*gone)


def _key(channel: str, id_: str) -> threads.Key:
    place = Channel.parse(channel)
    return threads.Key(id_, place.issuer, str(place.status))
