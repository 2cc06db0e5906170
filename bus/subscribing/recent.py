"""The newest bulletins of a store, unchecked and fast, for completion in a shell."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

LOOKED_THROUGH = 5_000
"""Most of the newest rows to look at, since all of them may be heartbeats and receipts."""

_NEWEST = """
SELECT p.id, b.admitted_at, b.payload FROM bodies b
JOIN places p ON p.channel = b.channel AND p.seq = b.seq AND p.row = b.row
WHERE NOT b.is_talk AND b.row > (SELECT max(row) FROM bodies) - ? ORDER BY b.row DESC LIMIT ?
"""


class Recent(NamedTuple):
    """A bulletin's row: its id, the time of admission in seconds since 1970, its payload."""

    id: str
    at: float
    payload: bytes


def admitted(db: sqlite3.Connection, count: int) -> list[Recent]:
    """The newest bulletins of a store that are for people, newest first.

    Raises:
        sqlite3.Error: the file has other tables, or is damaged.
    """
    return [Recent(*row) for row in db.execute(_NEWEST, (LOOKED_THROUGH, count))]
