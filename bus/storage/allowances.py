"""Allowances: how much one may have done at another's word, in rows that a restart does not empty.

An allowance is a bucket that fills evenly: `burst` at once, and `per_day` in each day after. Its state is one moment, that
at which it is full again (GCRA, ITU-T I.371, annex A). A bucket that is full has no row, so a table holds at most one row
for each that has lately spent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from bus.storage.layout import Layout

DAY_S = 86_400.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS allowances (
  purpose TEXT NOT NULL, who TEXT NOT NULL, full_at REAL NOT NULL, PRIMARY KEY (purpose, who)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS allowances_by_time ON allowances (full_at);
"""
LAYOUT = Layout("allowances", SCHEMA)
ALL = "*"
"""Who stands for all together; no authority's id is a star."""


class Allowance(NamedTuple):
    """So much at once, and so much a day after; bytes or pieces, as the purpose says."""

    burst: int
    per_day: int

    @property
    def span_s(self) -> float:
        """Seconds in which an empty bucket is full again."""
        return self.burst / self.per_day * DAY_S


def spend(
    db: sqlite3.Connection, purpose: str, charged: Mapping[str, Allowance], amount: int, moment: float
) -> bool:
    """Charge an amount to each of several buckets, inside a transaction; to all or to none.

    What is larger than a whole bucket passes when that is full. A clock that was set back makes nobody wait longer than an
    empty bucket would.

    Args:
        db: the file with the table.
        purpose: what is done.
        charged: the buckets, by who pays: one, and `ALL`.
        amount: bytes or pieces.
        moment: the present, in seconds since the epoch.

    Returns:
        Whether it may be done.
    """
    db.execute("DELETE FROM allowances WHERE full_at <= ?", (moment,))
    sql = "SELECT full_at FROM allowances WHERE purpose = ? AND who = ?"
    after: dict[str, float] = {}
    for who, allowance in charged.items():
        row = db.execute(sql, (purpose, who)).fetchone()
        full_at = moment if row is None else min(row[0], moment + allowance.span_s)
        after[who] = full_at + amount / allowance.per_day * DAY_S
        if row is not None and after[who] > moment + allowance.span_s:
            return False
        after[who] = min(after[who], moment + allowance.span_s)
    db.executemany(
        "REPLACE INTO allowances VALUES (?, ?, ?)",
        [(purpose, who, full_at) for who, full_at in after.items()],
    )
    return True
