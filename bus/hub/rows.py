"""The tables of a hub's store that name a bulletin by the number of its row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from schemas.vocab import Status

SITUATION = ("actual", "exercise", "test_and_system")
"""The tables of the picture with what is in force, by the status of the bulletins."""
TABLE_OF = {
    Status.ACTUAL: "actual",
    Status.EXERCISE: "exercise",
    Status.TEST: "test_and_system",
    Status.SYSTEM: "test_and_system",
    Status.BEAT: "test_and_system",
}
"""In which of them a bulletin of a status stands."""
_BY_ROW = (*SITUATION, "calendars", "announced_heads", "holdings")


def take_out(db: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Delete what the picture's tables and `holdings` say of these bulletins, inside a transaction."""
    keys = [(row,) for row in rows]
    for table in _BY_ROW:
        db.executemany(f"DELETE FROM {table} WHERE row = ?", keys)
