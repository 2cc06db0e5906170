"""Rows written with few statements."""

from __future__ import annotations

import sqlite3

import pytest

from bus.storage import insert_rows
from bus.storage.rowwise import AT_ONCE

ROWS = [(n, f"row {n}") for n in range(2 * AT_ONCE + 1)]


@pytest.mark.parametrize("count", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE, 2 * AT_ONCE + 1])
def test_every_row_stands_once_and_in_order(count: int) -> None:
    """Below, at and above the number of rows of one statement."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (place INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER, text TEXT)")
    insert_rows(db, "INSERT INTO t (n, text)", "(?, ?)", ROWS[:count])
    assert db.execute("SELECT n, text FROM t ORDER BY place").fetchall() == ROWS[:count]


def test_a_row_that_does_not_fit_is_refused() -> None:
    """This holds in a statement of many rows as of one; the caller undoes the rows written before."""
    for twice in ([*ROWS[:AT_ONCE], ROWS[3]], [*ROWS[:5], ROWS[3]], [ROWS[3], *ROWS[:AT_ONCE]]):
        db = sqlite3.connect(":memory:")
        db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")
        with pytest.raises(sqlite3.IntegrityError):
            insert_rows(db, "INSERT OR FAIL INTO t (n, text)", "(?, ?)", twice)
