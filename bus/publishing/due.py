"""Selects the rows to send next, inside a transaction of the outbox."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from bus.publishing.handover import Handover
from bus.publishing.outbox_table import Row, rows, set_damaged

# A channel with a parked row waits behind it.
_DUE = """
WITH first_parked AS (
  SELECT p.channel AS channel, min(p.seq) AS seq FROM aside a CROSS JOIN bulletins p ON p.n = a.n WHERE a.state = 'parked'
  GROUP BY p.channel
)
SELECT b.n, b.digest, b.attempted_at, length(b.payload) FROM unsent u CROSS JOIN bulletins b ON b.n = u.n
WHERE u.status = ? AND NOT EXISTS (SELECT 1 FROM first_parked f WHERE f.channel = b.channel AND f.seq < b.seq)
ORDER BY u.n LIMIT ?
"""


class Due(NamedTuple):
    """A row to send, and whether the table has marked it as perhaps sent."""

    row: Row
    is_marked: bool


class Found(NamedTuple):
    """The rows to send, and whether all other due rows of the status wait in memory (`Handover`)."""

    rows: list[Due]
    is_all: bool


def due(
    db: sqlite3.Connection, status: str, most: int, most_bytes: int, fresh: int, handover: Handover
) -> Found:
    """Due rows of a status, oldest first and within the bounds (except for a large first row), inside a transaction.

    At most `fresh` of them were never sent before. A row with changed bytes is set aside as `damaged` and logged.
    """
    try:
        found = db.execute(_DUE, (status, most)).fetchall()
    except sqlite3.OperationalError:  # a text column is no longer valid UTF-8
        _set_aside_unreadable(db, status, most)
        found = db.execute(_DUE, (status, most)).fetchall()
    taken: list[Due] = []
    left = most_bytes
    for n, digest, attempted_at, size in found:
        left -= size
        fresh -= attempted_at is None or handover.holds(n, digest)
        if (taken and left < 0) or fresh < 0:
            return Found(taken, is_all=_is_handed_over(db, status, n, handover))
        row = handover.take(n, digest) or _whole_row(db, n)
        if row is not None:
            taken.append(Due(row, attempted_at is not None))
    is_all = len(found) < most or _is_handed_over(db, status, found[-1][0] + 1, handover)
    return Found(taken, is_all=is_all)


def _is_handed_over(db: sqlite3.Connection, status: str, first: int, handover: Handover) -> bool:
    """Whether all due rows of a status from a number on wait in memory.

    If more rows wait than memory holds, some do not, and no row is compared: otherwise each look would compare
    thousands while the sender is behind.
    """
    held = handover.count
    longer = "SELECT count(*) FROM (SELECT 1 FROM unsent WHERE status = ? AND n >= ? LIMIT ?)"
    if db.execute(longer, (status, first, held + 1)).fetchone()[0] > held:
        return False
    sql = "SELECT b.n, b.digest FROM unsent u CROSS JOIN bulletins b ON b.n = u.n WHERE u.status = ? AND u.n >= ? ORDER BY u.n"
    return all(handover.holds(n, digest) for n, digest in db.execute(sql, (status, first)))


def _whole_row(db: sqlite3.Connection, n: int) -> Row | None:
    """A row from the table; None if its bytes have changed, and then it is set aside."""
    try:
        (row,) = rows(db, "SELECT * FROM outbox WHERE n = ?", n)
    except sqlite3.OperationalError:  # a text in it is no longer valid UTF-8
        _set_aside_texts(db, n)
        return None
    if row.is_whole:
        return row
    set_damaged(db, n)
    return None


def _set_aside_unreadable(db: sqlite3.Connection, status: str, most: int) -> None:
    sql = "SELECT n FROM unsent WHERE status = ? ORDER BY n LIMIT ?"
    for (n,) in db.execute(sql, (status, most)).fetchall():
        try:
            db.execute("SELECT * FROM outbox WHERE n = ?", (n,)).fetchall()
        except sqlite3.OperationalError:
            _set_aside_texts(db, n)


def _set_aside_texts(db: sqlite3.Connection, n: int) -> None:
    """Set a row aside; repair invalid texts, so that a person can look at it."""
    for name in ("channel", "id", "digest", "prev", "subject", "headers", "once", "origin"):
        try:
            db.execute(f"SELECT {name} FROM bulletins WHERE n = ?", (n,)).fetchall()
        except sqlite3.OperationalError:
            db.execute(f"UPDATE bulletins SET {name} = hex({name}) WHERE n = ?", (n,))
    try:
        db.execute("SELECT headers FROM outbox WHERE n = ?", (n,)).fetchall()
    except sqlite3.OperationalError:  # the shared opening of its batch
        db.execute("UPDATE bulletins SET opening = NULL WHERE n = ?", (n,))
    set_damaged(db, n)


def is_any_parked(db: sqlite3.Connection) -> bool:
    """Whether some channel waits behind a parked row, inside a transaction."""
    return db.execute("SELECT 1 FROM aside WHERE state = 'parked' LIMIT 1").fetchone() is not None
