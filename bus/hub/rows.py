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
INDEX = ("to_index", "fact_rows", "observables")
"""The tables of the index (`bus.hub.picture.index`) that name a bulletin by its row; `words` does by its rowid."""
_BY_ROW = (*SITUATION, "calendars", "announced_heads", "holdings", *INDEX)


def take_out(db: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Delete what the picture's tables and `holdings` say of these bulletins, inside a transaction.

    What FTS5 keeps of deleted words is merged away by the turns of the index that follow.
    """
    keys = [(row,) for row in rows]
    for table in _BY_ROW:
        db.executemany(f"DELETE FROM {table} WHERE row = ?", keys)
    if db.executemany("DELETE FROM words WHERE rowid = ?", keys).rowcount > 0:
        db.execute("INSERT INTO words_deleted VALUES (1, 0) ON CONFLICT DO UPDATE SET is_begun = 0")
