"""A filter as conditions on the rows that a page may show, with the way by which the store gets there soonest.

The index says which rows state what (`bus.hub.picture.index`). Where one condition is met by few rows, these are looked up and the
others asked of them; where all are met by many, rows are walked in the order of the page until it is full. What the index holds
is read here without limits, to choose the way, and nothing of it is told: the conditions stand in a statement that has its limits.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from bus.filters import FACTS, Selection, phrase_of
from bus.hub.picture.clearance import ask, within
from bus.hub.picture.lines import LAST, Key, table_of
from bus.policy import Clearance
from bus.subscribing import as_json, whole
from schemas.vocab import Status

FEW = 2000
"""A condition that fewer rows meet is where a search begins; of words so many of the newest matches are looked at, at most."""


AHEAD_S = 3600.0
"""A bulletin that is issued further ahead of the clock waits until it is not (`from-the-future`); the bound there is shorter."""


class Narrowed(NamedTuple):
    """Conditions on a row `s` of a table of the situation.

    Attributes:
        where: SQL; `1` where all is asked for.
        arguments: what stands at its names.
        down_to: the row down to which words were looked for; 0 for all.
        is_few: whether one of them names the rows that are looked at.
    """

    where: str
    arguments: dict[str, object]
    down_to: int = 0
    is_few: bool = False


class _Way(NamedTuple):
    """One condition: how to ask it of a row, and the rows that meet it."""

    asked: str
    rows: str
    size: str


_OF_FACTS = _Way(
    "EXISTS (SELECT 1 FROM fact_rows f WHERE f.fact IN (SELECT value FROM json_each(:{0})) AND f.row = s.row)",
    "SELECT f.row FROM fact_rows f WHERE f.fact IN (SELECT value FROM json_each(:{0}))",
    "SELECT count(*) FROM (SELECT 1 FROM fact_rows f WHERE f.fact IN (SELECT value FROM json_each(:{0})) LIMIT :few)",
)
_OF_OBSERVABLES = _Way(
    "EXISTS (SELECT 1 FROM observables o WHERE o.norm IN (SELECT value FROM json_each(:{0})) AND o.row = s.row)",
    "SELECT o.row FROM observables o WHERE o.norm IN (SELECT value FROM json_each(:{0}))",
    "SELECT count(*) FROM (SELECT 1 FROM observables o WHERE o.norm IN (SELECT value FROM json_each(:{0})) LIMIT :few)",
)
_WORDS = (
    "SELECT w.rowid FROM words w CROSS JOIN {} x ON x.row = w.rowid WHERE w.words MATCH :text AND w.rowid <= :upto AND LIMITS(x) "
    "ORDER BY w.rowid DESC LIMIT :few"
)
"""The newest matches that a person may see: those that he may not see must not show in how far a page reaches."""


def narrow(
    db: sqlite3.Connection,
    clearance: Clearance,
    table: str,
    selection: Selection,
    now: dt.datetime,
    upto: int,
) -> Narrowed:
    """The conditions of a filter; those of them that ask the index do not know what waits for it.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        table: of which the rows are.
        selection: what is asked for.
        now: the present, aware.
        upto: rows above are not asked for.
    """
    arguments: dict[str, object] = {"few": FEW, "upto": upto}
    ways: list[_Way] = []
    for name in FACTS:
        if values := getattr(selection, name):
            arguments[f"a{len(ways)}"] = _facts(db, name, values)
            ways.append(_OF_FACTS)
    if selection.incident:
        arguments[f"a{len(ways)}"] = _incidents(db, selection.incident)
        ways.append(_OF_FACTS)
    if selection.observable:
        arguments[f"a{len(ways)}"] = as_json(list(selection.observable))
        ways.append(_OF_OBSERVABLES)
    where, down_to, is_few = [], 0, bool(selection.text)
    if selection.text:
        # Of what many words are in the newest are looked at, and asked for the rest.
        arguments["text"] = within(clearance, " AND ".join(map(phrase_of, selection.text)))
        words = _WORDS.format(table)
        where.append(f"s.row IN ({words})")
        least = ask(db, clearance, f"SELECT min(rowid), count(*) FROM ({words})", arguments).fetchone()
        down_to = least[0] if least[1] >= FEW else 0
        where += [way.asked.format(f"a{n}") for n, way in enumerate(ways)]
    else:
        sizes = [
            (int(db.execute(way.size.format(f"a{n}"), arguments).fetchone()[0]), n)
            for n, way in enumerate(ways)
        ]
        first = min(sizes, default=(FEW, -1))
        is_few = first[0] < FEW
        for n, way in enumerate(ways):
            is_first = is_few and n == first[1]
            where.append(f"s.row IN ({way.rows.format(f'a{n}')})" if is_first else way.asked.format(f"a{n}"))
    if selection.since_s is not None:
        where.append("s.issued >= :since")
        arguments["since"] = now.timestamp() - selection.since_s
    return Narrowed(" AND ".join(where) or "1", arguments, down_to, is_few)


def first_since(db: sqlite3.Connection, selection: Selection, now: dt.datetime, most: int) -> int:
    """The row before which a filter by age asks for nothing, as no bulletin is admitted long before it is issued.

    Args:
        db: a hub's store, inside a read.
        selection: what is asked for.
        now: the present, aware.
        most: of so many newer rows it is not looked for.

    Returns:
        The row; 0 where it is not known, `LAST` where nothing is so new.
    """
    if selection.since_s is None:
        return 0
    moment = now.timestamp() - selection.since_s - AHEAD_S
    sql = "SELECT row FROM bodies WHERE admitted_at >= ? ORDER BY admitted_at DESC LIMIT ?"
    found, least = db.execute(
        f"SELECT count(*), coalesce(min(row), ?) FROM ({sql})", (LAST, moment, most)
    ).fetchone()
    return int(least) if found < most else 0


def waiting(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    status: Status,
    selection: Selection,
    after: Key | None,
    *,
    is_live: bool = False,
) -> Iterator[Key]:
    """What waits for the index and is asked for, the last first: each is looked at."""
    sql = (
        f"SELECT a.*, s.priority AS of_priority, s.issued AS of_issued FROM to_index i CROSS JOIN {table_of(status)} s ON s.row = i.row "
        "CROSS JOIN admitted a ON a.row = s.row WHERE LIMITS(s) AND i.row < :row AND s.msg_type != 'cancel' "
        f"{'AND s.ended_by IS NULL AND s.expires > :now ' if is_live else ''}ORDER BY i.row DESC"
    )
    upto = LAST if after is None else after.row
    for row in ask(db, clearance, sql, {"row": upto, "now": now.timestamp()}):
        for kept in whole((row,)):
            if selection.matches(kept.bulletin, now):
                yield Key(row["of_priority"], row["of_issued"], kept.rowid)


def _facts(db: sqlite3.Connection, field: str, values: tuple[str, ...]) -> str:
    sql = "SELECT n FROM fact_names WHERE field = ? AND value IN (SELECT value FROM json_each(?))"
    return as_json([n for (n,) in db.execute(sql, (field, as_json(list(values))))])


def _incidents(db: sqlite3.Connection, beginnings: tuple[str, ...]) -> str:
    # Ids have digits, letters to f and hyphens only, so `g` is beyond whatever begins alike.
    sql = "SELECT n FROM fact_names WHERE field = 'incident' AND value >= ? AND value < ? LIMIT ?"
    return as_json([n for each in beginnings for (n,) in db.execute(sql, (each, f"{each}g", FEW))])
