"""Rows written with few statements: of a short row, half the cost is the statement's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

AT_ONCE = 32
"""So many rows are one statement; with more of them nothing is gained."""


def insert_rows(db: sqlite3.Connection, into: str, values: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows in their order. Where it fails some may stand, and the caller undoes the transaction.

    Give `int`, `float`, `str` and `bytearray`: for anything else, None too, `sqlite3` looks for an adapter.

    Args:
        db: a connection, on an open transaction.
        into: the statement up to its values, as `INSERT INTO places (channel, seq)`.
        values: those of one row, as `(?, ?)`.
        rows: what stands at the question marks.
    """
    whole = len(rows) // AT_ONCE * AT_ONCE
    for start in range(0, whole, AT_ONCE):
        db.execute(_many(into, values), [*chain.from_iterable(rows[start : start + AT_ONCE])])
    if whole < len(rows):
        db.executemany(f"{into} VALUES {values}", rows[whole:])


@cache
def _many(into: str, values: str) -> str:
    return f"{into} VALUES {', '.join([values] * AT_ONCE)}"
