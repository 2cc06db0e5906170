"""The tables of a hub's store that refer to a bulletin by its row number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from schemas.vocab import Status

SITUATION = ("actual", "exercise", "test_and_system")
"""The tables of the picture with bulletins in force, by status."""
TABLE_OF = {
    Status.ACTUAL: "actual",
    Status.EXERCISE: "exercise",
    Status.TEST: "test_and_system",
    Status.SYSTEM: "test_and_system",
    Status.BEAT: "test_and_system",
}
"""The table of a status among them."""
INDEX = ("to_index", "fact_rows", "observables")
"""The tables of the index (`bus.hub.picture.index`) that refer to a bulletin by its row; `words` uses its rowid."""
CLOCKS = ("clock_keys", "clocks", "clock_rows")
"""The tables of clocks (`bus.hub.picture.clocked`) that do so."""
_BY_ROW = (*SITUATION, "calendars", "announced_heads", "holdings", *INDEX, *CLOCKS)


def take_out(db: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Delete the rows of these bulletins from the picture's tables and `holdings`, inside a transaction.

    Later turns of the index merge away the deleted words that FTS5 still keeps.
    """
    keys = [(row,) for row in rows]
    for table in _BY_ROW:
        db.executemany(f"DELETE FROM {table} WHERE row = ?", keys)
    if db.executemany("DELETE FROM words WHERE rowid = ?", keys).rowcount > 0:
        db.execute("INSERT INTO words_deleted VALUES (1, 0) ON CONFLICT DO UPDATE SET is_begun = 0")
