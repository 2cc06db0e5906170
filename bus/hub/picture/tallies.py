"""Counts of the bulletins in force, kept on each change: by priority, kind, marking, area and dimensions.

Triggers on the tables of the situation keep the counts. `roll` moves expired bulletins to another count; a hub calls it
every minute, a part at a time. A query subtracts bulletins that have expired since, so the answer is always current.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

IN_FORCE, OVER, WITHDRAWN = "in-force", "over", "withdrawn"
AT_ONCE = 2000
"""So many bulletins that have expired are moved in one transaction."""
EVERY_S = 60.0
COUNTED = ("actual", "exercise")
"""The tables of the situation that are counted."""


class Sort(NamedTuple):
    """The values by which bulletins are counted; all empty if only their number is needed."""

    priority: str
    kind: str
    tlp: str
    area: str
    dimensions: str


_ANY = Sort("", "", "", "", "")


def _counts(table: str, row: str, sign: str) -> str:
    """A statement that adds a row of a table to its tally, or takes it off."""
    what = (
        f"CASE WHEN {row}.ended_how = 'cancelled' THEN '{WITHDRAWN}' WHEN {row}.ended_by IS NOT NULL THEN NULL "
        f"WHEN {row}.is_over THEN '{OVER}' ELSE '{IN_FORCE}' END"
    )
    # An exercise is only counted; so is what is not in force.
    named = f"w = '{IN_FORCE}'" if table == "actual" else "0"
    sort = ", ".join(f"iif({named}, {row}.{name}, '')" for name in Sort._fields)
    return (
        f"INSERT INTO tallies SELECT '{table}', w, {sort}, {sign}1 FROM (SELECT {what} AS w) WHERE w IS NOT NULL "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count;"
    )


def _triggers(table: str) -> str:
    comes, goes = _counts(table, "new", ""), _counts(table, "old", "-")
    head = "CREATE TRIGGER IF NOT EXISTS"
    return (
        f"{head} {table}_goes AFTER DELETE ON {table} BEGIN {goes} END;\n"
        f"{head} {table}_changes AFTER UPDATE OF ended_by, ended_how, is_over ON {table} BEGIN {goes} {comes} END;\n"
    )


TABLES = """
CREATE TABLE IF NOT EXISTS tallies (
  of TEXT NOT NULL, what TEXT NOT NULL, priority TEXT NOT NULL, kind TEXT NOT NULL, tlp TEXT NOT NULL, area TEXT NOT NULL,
  dimensions TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (of, what, priority, kind, tlp, area, dimensions)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newly_withdrawn (row INTEGER PRIMARY KEY);
"""
SCHEMA = TABLES + "".join(map(_triggers, COUNTED))


def _all_of(table: str) -> str:
    named = f"w = '{IN_FORCE}'" if table == "actual" else "0"
    sort = ", ".join(f"iif({named}, {name}, '')" for name in Sort._fields)
    return (
        f"INSERT INTO tallies SELECT '{table}', w, {sort}, count(*) FROM (SELECT *, CASE WHEN ended_how = 'cancelled' "
        f"THEN '{WITHDRAWN}' ELSE '{IN_FORCE}' END AS w FROM {table} WHERE ended_by IS NULL OR ended_how = 'cancelled') "
        "GROUP BY 1, 2, 3, 4, 5, 6, 7;\n"
    )


# Of a file of version 1, in which nothing is marked as over yet.
COUNT_ALL = TABLES + "".join(map(_all_of, COUNTED))

_EXPIRED = "FROM {table} WHERE ended_by IS NULL AND NOT is_over AND expires <= ?"
_BACK = "FROM {table} WHERE ended_by IS NULL AND is_over AND expires > ?"


_ADD = "INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"


def add(db: sqlite3.Connection, table: str, counts: Mapping[Sort, int]) -> None:
    """Count rows that were added to a table of the situation and are in force, inside a transaction.

    The code that adds rows calls this, once for all of them: a trigger would cost each row more than the row itself. What goes or
    changes is counted by triggers.
    """
    if not counts:
        return
    if table == "actual":
        rows = [(table, IN_FORCE, *sort, count) for sort, count in counts.items()]
    elif table in COUNTED:
        rows = [(table, IN_FORCE, *_ANY, sum(counts.values()))]
    else:
        return
    db.executemany(_ADD, rows)


def is_due(db: sqlite3.Connection, moment: float) -> bool:
    """Whether anything has expired and was not moved."""
    found = (db.execute(f"SELECT 1 {_EXPIRED.format(table=each)} LIMIT 1", (moment,)) for each in COUNTED)
    return any(rows.fetchone() is not None for rows in found)


def roll(db: sqlite3.Connection, moment: float) -> bool:
    """Move what has expired by a moment, in seconds since the epoch, inside a transaction. Returns whether something is left."""
    moved = 0
    for table in COUNTED:
        some = f"SELECT row {_EXPIRED.format(table=table)} ORDER BY expires LIMIT ?"
        moved += db.execute(
            f"UPDATE {table} SET is_over = 1 WHERE row IN ({some})", (moment, AT_ONCE)
        ).rowcount
    db.execute("DELETE FROM tallies WHERE count = 0")
    return moved > 0 and is_due(db, moment)


def in_force(db: sqlite3.Connection, moment: float) -> Counter[Sort]:
    """The number of actual bulletins in force at a moment, by the values that count them."""
    columns = ", ".join(Sort._fields)
    counts: Counter[Sort] = Counter()
    sql = f"SELECT {columns}, count FROM tallies WHERE of = 'actual' AND what = '{IN_FORCE}'"
    for *sort, count in db.execute(sql):
        counts[Sort(*sort)] += count
    for condition, sign in ((_EXPIRED, -1), (_BACK, 1)):
        changed = f"SELECT {columns}, count(*) {condition.format(table='actual')} GROUP BY {columns}"
        for *sort, count in db.execute(changed, (moment,)):
            counts[Sort(*sort)] += sign * count
    return +counts


def number(db: sqlite3.Connection, table: str, what: str, moment: float) -> int:
    """The numbers of bulletins of a table that are in force, over or withdrawn at a moment."""
    sql = "SELECT coalesce(sum(count), 0) FROM tallies WHERE of = ? AND what = ?"
    count = int(db.execute(sql, (table, what)).fetchone()[0])
    if what == WITHDRAWN:
        return count
    expired, back = (
        int(db.execute(f"SELECT count(*) {condition.format(table=table)}", (moment,)).fetchone()[0])
        for condition in (_EXPIRED, _BACK)
    )
    return count + (back - expired if what == IN_FORCE else expired - back)


def first(db: sqlite3.Connection, moment: float, most: int) -> list[sqlite3.Row]:
    """The actual bulletins in force that come first: by priority, then the newest; at most so many."""
    order = "ORDER BY priority, issued DESC, id LIMIT ?"
    rows = db.execute(f"SELECT * FROM actual WHERE live AND expires > ? {order}", (moment, most)).fetchall()
    rows += db.execute(f"SELECT * {_BACK.format(table='actual')} {order}", (moment, most)).fetchall()
    return sorted(rows, key=lambda row: (row["priority"], -row["issued"], row["id"]))[:most]
