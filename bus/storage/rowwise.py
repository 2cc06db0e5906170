"""Inserts many rows with few statements: for a short row the statement is half the cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

AT_ONCE = 32
"""Most rows of one statement; more bring no gain."""


def insert_rows(db: sqlite3.Connection, into: str, values: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows in their order. After an error some rows may be there; the caller undoes the transaction.

    Values should be `int`, `float`, `str` or `bytearray`: for any other type, also None, `sqlite3` looks for an
    adapter.

    Args:
        db: a connection, on an open transaction.
        into: the statement up to its values, as `INSERT INTO places (channel, seq)`.
        values: the placeholders of one row, as `(?, ?)`.
        rows: the values of each row.
    """
    whole = len(rows) // AT_ONCE * AT_ONCE
    for start in range(0, whole, AT_ONCE):
        db.execute(_many(into, values), [*chain.from_iterable(rows[start : start + AT_ONCE])])
    if whole < len(rows):
        db.executemany(f"{into} VALUES {values}", rows[whole:])


@cache
def _many(into: str, values: str) -> str:
    return f"{into} VALUES {', '.join([values] * AT_ONCE)}"
