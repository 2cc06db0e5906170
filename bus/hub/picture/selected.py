"""The bulletins that a filter finds in a store: by the index, and one by one where they are not indexed yet.

The index narrows down; each bulletin that is shown has been asked itself (`Selection.matches`), so a damaged index shows nothing
that was not asked for.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator

import msgspec

from bus.filters import Selection, question_of
from bus.hub.rows import TABLE_OF
from bus.subscribing import Stored, whole
from schemas.vocab import TALK, Status

_SHORTEST = 13


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """The number of bulletins that a filter finds.

    Attributes:
        number: how many.
        waiting: how many of the store were looked at one by one, as they are not indexed yet.
    """

    number: int
    waiting: int


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a bulletin has ended: `superseded`, `cancelled`, or `withdrawal` if it is one itself; empty if it has not."""

    how: str = ""
    by: str = ""


def ending(db: sqlite3.Connection, row: Stored) -> Ending:
    """How an admitted bulletin has ended."""
    sql = f"SELECT ended_how, ended_by FROM {TABLE_OF[row.bulletin.status]} WHERE row = ?"
    found = db.execute(sql, (row.rowid,)).fetchone()
    return Ending(how=found[0] or "", by=found[1] or "") if found is not None else Ending()


def newest(
    db: sqlite3.Connection, selection: Selection, status: Status, now: dt.datetime
) -> Iterator[Stored]:
    """The admitted bulletins of a status that a filter asks for, newest first; read as they are asked for.

    Those that are damaged are left out.
    """
    for (row,) in db.execute(*_rows(selection, status, now)):
        for kept in whole(db.execute("SELECT * FROM admitted WHERE row = ?", (row,))):
            if kept.bulletin.status is status and selection.matches(kept.bulletin, now):
                yield kept


def count(db: sqlite3.Connection, selection: Selection, status: Status, now: dt.datetime) -> Count:
    """The number of bulletins of a status that a filter finds; those that are not indexed yet are read."""
    if selection.is_any:
        sql = f"SELECT count(*) FROM {TABLE_OF[status]} WHERE status = ?"
        return Count(number=int(db.execute(sql, (str(status),)).fetchone()[0]), waiting=0)
    if status in TALK:
        return Count(number=sum(1 for _ in newest(db, selection, status, now)), waiting=0)
    asked = question_of(selection, now)
    found = db.execute(
        f"SELECT count(*) FROM {TABLE_OF[status]} WHERE status = ? AND row NOT IN (SELECT row FROM to_index) AND {asked.where}",
        (str(status), *asked.arguments),
    ).fetchone()[0]
    waiting, matching = 0, 0
    sql = f"SELECT a.* FROM {TABLE_OF[status]} t JOIN to_index i ON i.row = t.row JOIN admitted a ON a.row = t.row WHERE t.status = ?"
    for kept in whole(db.execute(sql, (str(status),))):
        waiting += 1
        matching += selection.matches(kept.bulletin, now)
    return Count(number=found + matching, waiting=waiting)


def in_force(db: sqlite3.Connection, selection: Selection, now: dt.datetime) -> list[int]:
    """The rows of the actual bulletins in force that a filter asks for; those that are not indexed yet are read."""
    asked, moment = question_of(selection, now), now.timestamp()
    standing = "ended_by IS NULL AND expires > ?"
    rows = db.execute(
        f"SELECT row FROM actual WHERE {standing} AND row NOT IN (SELECT row FROM to_index) AND {asked.where}",
        (moment, *asked.arguments),
    ).fetchall()
    sql = "SELECT a.* FROM actual t JOIN to_index i ON i.row = t.row JOIN admitted a ON a.row = t.row WHERE t.ended_by IS NULL AND t.expires > ?"
    waiting = whole(db.execute(sql, (moment,)))
    return [row for (row,) in rows] + [
        kept.rowid for kept in waiting if selection.matches(kept.bulletin, now)
    ]


def short(db: sqlite3.Connection, wanted: str) -> str:
    """The beginning of an id that no other bulletin of the store has; at least 13 characters, which are the millisecond of its making.

    The 8 of the first group cover 65 seconds: other bulletins of that time would soon make them ambiguous.
    """
    sql = "SELECT id FROM links WHERE id {0} ? ORDER BY id {1} LIMIT 1"
    beside = (db.execute(sql.format(*way), (wanted,)).fetchone() for way in (("<", "DESC"), (">", "ASC")))
    size = max((_alike(wanted, row[0]) + 1 for row in beside if row), default=0)
    return wanted[: max(_SHORTEST, size)].rstrip("-")


def _alike(one: str, other: str) -> int:
    """The number of characters with which both ids begin."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _rows(selection: Selection, status: Status, now: dt.datetime) -> tuple[str, tuple[object, ...]]:
    """SQL for the rows, newest first, that may be asked for: by the index, what waits for it, and what the picture has failed to take in."""
    table = TABLE_OF[status]
    asked = question_of(selection, now) if status not in TALK else question_of(Selection(), now)
    beside = f"SELECT i.row FROM to_index i JOIN {table} t ON t.row = i.row" if status not in TALK else ""
    parts = filter(
        None,
        (
            f"SELECT row FROM {table} WHERE status = ? AND {asked.where}",
            beside,
            "SELECT row FROM admitted WHERE tries > 0",
        ),
    )
    return f"{' UNION '.join(parts)} ORDER BY row DESC", (str(status), *asked.arguments)
