"""What is live, counted by what it says; and what was issued in each hour. Kept in the transaction that changes the rows.

`tally` has for each value of a field, each marking, audience and priority how many rows are live: tiles, facets and counters are
sums of a few of its rows, and hold no more than their reader may see. `hourly` counts what was issued, in force or not. What comes is
counted by the code that adds it, for a whole batch; what goes, ends or expires by triggers, whichever code moves it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from bus.hub.picture import tallies
from bus.hub.picture.clearance import NARROWEST, RANK
from bus.hub.picture.tallies import COUNTED
from bus.subscribing import as_json
from schemas.bulletin import Bulletin
from schemas.vocab import TLP_RANK

ALL = "all"
"""The field with one value, empty, under which every row is counted."""
FIELDS = (ALL, "kind", "domain", "dimension", "area", "country", "election", "issuer")
"""What is counted by value. Marking, audience and priority are columns of each count."""
NOWHERE = ("MULTI", "INTL")
"""Areas that are no country."""
_WIDE = ("intl", "eu")
HOUR_S = 3600

COLUMNS = (
    "msg_type TEXT NOT NULL DEFAULT 'alert'",
    "areas TEXT",
    f"tlp_rank INTEGER AS ({RANK.format('tlp')}) VIRTUAL",
    "live INTEGER AS (ended_by IS NULL AND NOT is_over) VIRTUAL",
)
"""What pages need of each row: it costs nothing where it is computed, and `areas` is given for several places alone."""

TABLES = """
CREATE TABLE IF NOT EXISTS tally (
  of TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, tlp_rank INTEGER NOT NULL, audience TEXT NOT NULL,
  priority TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (of, field, value, tlp_rank, audience, priority)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hourly (
  of TEXT NOT NULL, hour INTEGER NOT NULL, dimension TEXT NOT NULL, tlp_rank INTEGER NOT NULL, audience TEXT NOT NULL,
  priority TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (of, hour, dimension, tlp_rank, audience, priority)
) WITHOUT ROWID;
"""


class Cell(NamedTuple):
    """What a row is counted by; `areas` and `dimensions` as JSON, `areas` empty where `area` says all."""

    kind: str
    domain: str
    issuer: str
    country: str
    tlp: str
    audience: str
    priority: str
    area: str
    dimensions: str
    areas: str | None
    election: str | None


Came = tuple[int, bool, tuple[str | None, ...]]
"""Of a row that comes: the hour since the epoch in which it was issued, whether it is live, and its cell as a plain tuple."""
COUNTED_BY = ", ".join(Cell._fields)
Key = tuple[str, str, int, str, str]
"""A field, a value, the rank of a marking, an audience and a priority."""


_RANKS: Mapping[str, int] = {str(tlp): rank for tlp, rank in TLP_RANK.items()}


def areas_of(b: Bulletin, token: str) -> str | None:
    """The places of a bulletin as filters name them, as JSON; None where its area token says them all."""
    if len(b.areas) < 2 and token not in _WIDE:
        return None
    only = token.upper()
    found = {code for area in b.areas if (code := area.country or ("EU" if area.scope == "eu" else None))}
    if only in NOWHERE:
        found.add(only)
    return None if found == {only} else as_json(sorted(found))


def facts_of(cell: Cell) -> Iterator[tuple[str, str]]:
    """The fields and values under which a row is counted."""
    yield ALL, ""
    yield "kind", cell.kind
    yield "domain", cell.domain
    yield "issuer", cell.issuer
    for each in said_in(cell.dimensions):
        yield "dimension", each
    areas = (cell.area.upper(),) if cell.areas is None else said_in(cell.areas)
    for each in areas:
        yield "area", each
    for each in {cell.country, *areas}.difference(NOWHERE):
        yield "country", each
    if cell.election is not None:
        yield "election", cell.election


@lru_cache(maxsize=4096)
def said_in(text: str) -> tuple[str, ...]:
    """The words of a list in JSON; none of a text that is damaged."""
    try:
        return tuple(dict.fromkeys(msgspec.json.decode(text, type=list[str])))
    except msgspec.MsgspecError:
        return ()


def rank_of(tlp: str) -> int:
    """How narrow a marking is; what is none is above everybody's."""
    return _RANKS.get(tlp, NARROWEST)


@lru_cache(maxsize=4096)
def _keys(cell: Cell) -> tuple[Key, ...]:
    rank = rank_of(cell.tlp)
    return tuple((field, value, rank, cell.audience, cell.priority) for field, value in facts_of(cell))


def spread(cells: Mapping[Cell, int]) -> Counter[Key]:
    """Counts of rows as counts of values."""
    found: Counter[Key] = Counter()
    for cell, n in cells.items():
        for key in _keys(cell):
            found[key] += n
    return found


_AT_ONCE = (32, 8, 4, 2, 1)


def sorts(came: Mapping[Came, int]) -> Counter[tallies.Sort]:
    """What came and is live, by what the picture of a terminal counts it by."""
    found: Counter[tallies.Sort] = Counter()
    for (_, is_live, values), n in came.items():
        if is_live:
            cell = Cell(*values)  # type: ignore[arg-type]  # in its order
            found[tallies.Sort(cell.priority, cell.kind, cell.tlp, cell.area, cell.dimensions)] += n
    return found


def add(db: sqlite3.Connection, table: str, came: Mapping[Came, int]) -> None:
    """Count rows that were added to a table of the situation, inside a transaction.

    Args:
        db: the store.
        table: one that is counted; others are left.
        came: how many there are of each; those that are not live are withdrawals.
    """
    if table not in COUNTED or not came:
        return
    cells: Counter[Cell] = Counter()
    hours: Counter[tuple[int, str, int, str, str]] = Counter()
    for (hour, is_live, values), n in came.items():
        if is_live:
            cell = Cell(*values)  # type: ignore[arg-type]  # in its order
            cells[cell] += n
            for dimension in ("", *said_in(cell.dimensions)):
                hours[hour, dimension, rank_of(cell.tlp), cell.audience, cell.priority] += n
    _upsert(db, "tally", [(table, *key, n) for key, n in spread(cells).items()])
    _upsert(db, "hourly", [(table, *key, n) for key, n in hours.items()])


def _upsert(db: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add to counts; several of them are one statement, of which a short row costs half."""
    start = 0
    for size in _AT_ONCE:
        while len(rows) - start >= size:
            marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * size)
            sql = f"INSERT INTO {table} VALUES {marks} ON CONFLICT DO UPDATE SET n = n + excluded.n"
            db.execute(sql, [*chain.from_iterable(rows[start : start + size])])
            start += size


def is_due(db: sqlite3.Connection) -> bool:
    """Whether anything is counted to nothing."""
    sql = "SELECT EXISTS (SELECT 1 FROM tally WHERE n = 0) OR EXISTS (SELECT 1 FROM hourly WHERE n = 0)"
    return bool(db.execute(sql).fetchone()[0])


def tidy(db: sqlite3.Connection) -> None:
    """Take out what is counted to nothing, inside a transaction."""
    for table in ("tally", "hourly"):
        db.execute(f"DELETE FROM {table} WHERE n = 0")


def clear(db: sqlite3.Connection) -> None:
    """Count from nothing, after the rows are gone."""
    for table in ("tally", "hourly"):
        db.execute(f"DELETE FROM {table}")


# The same as `facts_of`, of a row that SQL has in hand. A row that is damaged must not stop what takes it out.
def _each(text: str) -> str:
    return f"json_each(iif(json_valid({text}), {text}, '[]'))"


_DIMENSIONS = _each("{row}.dimensions")
_AREAS = _each("coalesce({row}.areas, json_array(upper({row}.area)))")
_FACTS = (
    f"SELECT '{ALL}' AS field, '' AS value UNION ALL SELECT 'kind', {{row}}.kind UNION ALL SELECT 'domain', {{row}}.domain "
    f"UNION ALL SELECT 'issuer', {{row}}.issuer UNION ALL SELECT DISTINCT 'dimension', value FROM {_DIMENSIONS} "
    f"UNION ALL SELECT DISTINCT 'area', value FROM {_AREAS} UNION ALL SELECT 'country', value FROM "
    f"(SELECT {{row}}.country AS value UNION SELECT value FROM {_AREAS}) WHERE value NOT IN {NOWHERE} "
    "UNION ALL SELECT 'election', {row}.election WHERE {row}.election IS NOT NULL"
)
_LIVE = "{row}.ended_by IS NULL AND NOT {row}.is_over"
_RANK_OF = RANK.format("{row}.tlp")


def _counts(table: str, row: str, sign: str) -> str:
    """A statement that adds a row of a table to the tally where it is live, or takes it off."""
    return (
        f"INSERT INTO tally SELECT '{table}', field, value, {_RANK_OF}, {{row}}.audience, {{row}}.priority, {sign}1 "
        f"FROM ({_FACTS}) WHERE {_LIVE} ON CONFLICT DO UPDATE SET n = n + excluded.n;"
    ).format(row=row)


def _hours(table: str, row: str) -> str:
    return (
        f"INSERT INTO hourly SELECT '{table}', CAST({{row}}.issued / {HOUR_S} AS INTEGER), value, {_RANK_OF}, {{row}}.audience, "
        f"{{row}}.priority, -1 FROM (SELECT '' AS value UNION ALL SELECT DISTINCT value FROM {_DIMENSIONS}) "
        "WHERE {row}.msg_type != 'cancel' ON CONFLICT DO UPDATE SET n = n + excluded.n;"
    ).format(row=row)


def _triggers(table: str) -> str:
    head = "CREATE TRIGGER IF NOT EXISTS"
    goes, comes = _counts(table, "old", "-"), _counts(table, "new", "")
    return (
        f"{head} {table}_uncounted AFTER DELETE ON {table} BEGIN {goes} {_hours(table, 'old')} END;\n"
        f"{head} {table}_recounted AFTER UPDATE OF ended_by, is_over ON {table} BEGIN {goes} {comes} END;\n"
    )


SCHEMA = (
    TABLES
    + "".join(
        f"CREATE INDEX IF NOT EXISTS {table}_empty ON {table} (n) WHERE n = 0;\n"
        for table in ("tally", "hourly")
    )
    + "".join(
        f"CREATE INDEX IF NOT EXISTS {table}_gravest ON {table} (priority, issued DESC, row DESC, tlp_rank, audience) WHERE live;\n"
        f"CREATE INDEX IF NOT EXISTS {table}_newest ON {table} (tlp_rank, audience, row) WHERE live;\n"
        for table in COUNTED
    )
    + "".join(map(_triggers, COUNTED))
)


def _all_of(table: str) -> str:
    """Statements that count every row of a table."""
    limits = "r.tlp_rank, r.audience, r.priority, count(*)"
    into, by = f"INSERT INTO tally SELECT '{table}'", "GROUP BY 3, 4, 5, 6"
    plain = {ALL: "''"} | {field: f"r.{field}" for field in ("kind", "domain", "issuer", "election")}
    statements = [
        f"{into}, '{field}', {value}, {limits} FROM {table} r WHERE r.live AND {value} IS NOT NULL {by}"
        for field, value in plain.items()
    ]
    statements += [
        f"{into}, '{field}', j.value, {limits} FROM {table} r, {each.format(row='r')} j WHERE r.live {by}"
        for field, each in (("dimension", _DIMENSIONS), ("area", _AREAS))
    ]
    countries = f"SELECT row, country AS value FROM {table} UNION SELECT r.row, j.value FROM {table} r, {_AREAS.format(row='r')} j"
    of_places = f"WHERE r.live AND j.value NOT IN {NOWHERE} {by}"
    hour = f"INSERT INTO hourly SELECT '{table}', CAST(r.issued / {HOUR_S} AS INTEGER)"
    statements += [
        f"{into}, 'country', j.value, {limits} FROM ({countries}) j JOIN {table} r ON r.row = j.row {of_places}",
        f"{hour}, '', {limits} FROM {table} r WHERE r.msg_type != 'cancel' GROUP BY 2, 4, 5, 6",
        f"{hour}, j.value, {limits} FROM {table} r, {_DIMENSIONS.format(row='r')} j WHERE r.msg_type != 'cancel' GROUP BY 2, 3, 4, 5, 6",
    ]
    return "".join(f"{each};\n" for each in statements)


COUNT_ALL = TABLES + "".join(map(_all_of, COUNTED))
"""SQL that counts every row, for a file of before there was a count."""
