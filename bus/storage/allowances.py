"""Allowances: how much one authority may make others do, in rows that survive a restart.

An allowance is a bucket that fills evenly: `burst` at once, then `per_day` each day. Its state is the moment at which
it is full again (GCRA, ITU-T I.371, annex A). A full bucket has no row, so a table has at most one row for each recent
spender.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from bus.storage.layout import Layout

DAY_S = 86_400.0
AHEAD_S = 3600.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS allowances (
  purpose TEXT NOT NULL, who TEXT NOT NULL, full_at REAL NOT NULL, PRIMARY KEY (purpose, who)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS allowances_by_time ON allowances (full_at);
"""
LAYOUT = Layout("allowances", SCHEMA)
ALL = "*"
"""The name of the bucket of all together; no authority's id is a star."""


class Allowance(NamedTuple):
    """An amount at once and an amount a day after, in bytes or pieces, depending on the purpose."""

    burst: int
    per_day: int

    @property
    def span_s(self) -> float:
        """Seconds in which an empty bucket is full again."""
        return self.burst / self.per_day * DAY_S


def spend(
    db: sqlite3.Connection, purpose: str, charged: Mapping[str, Allowance], amount: int, moment: float
) -> bool:
    """Charge an amount to all of several buckets or to none, inside a transaction.

    An amount larger than a whole bucket passes if the bucket is full. What was charged by a clock that was more than an
    hour ahead is forgotten: else it would be refused until that time has come.

    Args:
        db: the file with the table.
        purpose: the kind of work.
        charged: the buckets by payer: one authority, and `ALL`.
        amount: bytes or pieces.
        moment: the present, in seconds since the epoch.

    Returns:
        True if the work may be done.
    """
    db.execute("DELETE FROM allowances WHERE full_at <= ?", (moment,))
    sql = "SELECT full_at FROM allowances WHERE purpose = ? AND who = ?"
    after: dict[str, float] = {}
    for who, allowance in charged.items():
        row = db.execute(sql, (purpose, who)).fetchone()
        if row is not None and row[0] > moment + allowance.span_s + AHEAD_S:
            row = None
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
