"""Rows of a store: structs from them, and the tables that name a bulletin by the number of its row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

_BY_ROW = ("actual", "exercise", "test_and_system", "calendars", "announced_heads", "holdings")

T = TypeVar("T", bound=msgspec.Struct)


def from_row(type_: type[T], row: sqlite3.Row, **given: Any) -> T:
    """A struct from the columns that bear its fields' names, other columns left out; `given` wins over a column."""
    columns = {name: row[name] for name in row.keys() if name in type_.__struct_fields__}  # noqa: SIM118 (a row iterates over values)
    return type_(**{**columns, **given})


def take_out(db: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Delete what the picture's tables and `holdings` say of these bulletins, inside a transaction."""
    keys = [(row,) for row in rows]
    for table in _BY_ROW:
        db.executemany(f"DELETE FROM {table} WHERE row = ?", keys)
