"""Structs from the rows of a store."""

from __future__ import annotations

import sqlite3
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def from_row(type_: type[T], row: sqlite3.Row, **given: Any) -> T:
    """A struct from the columns that bear its fields' names, other columns left out; `given` wins over a column."""
    columns = {name: row[name] for name in row.keys() if name in type_.__struct_fields__}  # noqa: SIM118 (a row iterates over values)
    return type_(**{**columns, **given})
