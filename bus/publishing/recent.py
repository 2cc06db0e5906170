"""An authority's newest bulletins, unchecked and fast, for completion in a shell."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

LOOKED_THROUGH = 5_000
"""Most of the newest rows to look at, since all of them may be heartbeats and receipts."""

_NEWEST = """
SELECT id, kept_at, payload FROM bulletins
WHERE status NOT IN ('beat', 'system') AND n > (SELECT max(n) FROM bulletins) - ? ORDER BY n DESC LIMIT ?
"""


class Said(NamedTuple):
    """A bulletin's row: its id, the time of acceptance in seconds since 1970, its payload."""

    id: str
    at: float
    payload: bytes


def accepted(db: sqlite3.Connection, count: int) -> list[Said]:
    """The newest bulletins of an outbox that are for people, newest first.

    Raises:
        sqlite3.Error: the file has other tables, or is damaged.
    """
    return [Said(*row) for row in db.execute(_NEWEST, (LOOKED_THROUGH, count))]
