"""What lists are made of: the line of a bulletin, a page of lines, and the key by which the next page is found."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from bus.hub.picture.clearance import ask
from bus.hub.picture.counts import said_in
from bus.hub.picture.tallies import COUNTED
from bus.hub.rows import TABLE_OF
from bus.policy import Clearance
from bus.storage import utc
from bus.subscribing import as_json
from schemas.vocab import Status

LAST = 2**62
"""Beyond every row."""


class Key(NamedTuple):
    """Where a line stands in a list, which is where the next page begins."""

    priority: str
    issued: float
    row: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin in a list.

    Attributes:
        row: its number in the store; later ones came later.
        areas: the places that it is about, as filters name them.
        state: `in-force`, `expired`, `superseded` or `withdrawn`. What has ended it may be above the reader, and is not named.
        labels: what admission and the chain found.
        is_indexed: whether its observables and words are indexed yet.
    """

    row: int
    id: str
    issuer: str
    country: str
    domain: str
    kind: str
    tlp: str
    audience: str
    priority: str
    severity: str
    urgency: str
    areas: tuple[str, ...]
    dimensions: tuple[str, ...]
    election: str | None
    incident: str | None
    headline: str
    msg_type: str
    status: str
    issued: dt.datetime
    expires: dt.datetime
    state: str
    labels: tuple[str, ...]
    is_indexed: bool


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list.

    Attributes:
        lines: what it shows.
        next: after which key the next one begins; None where this is the last. A page with a next one may be shorter than was
            asked for, or empty, where words stand in much else.
    """

    lines: tuple[Line, ...]
    next: Key | None


def of_rows(
    db: sqlite3.Connection, clearance: Clearance, now: dt.datetime, status: Status, rows: Sequence[int]
) -> tuple[Line, ...]:
    """The lines of some rows, in their order; those that may not be seen, or are not there, are left out."""
    sql = (
        "SELECT s.*, (SELECT a.labels FROM admitted a WHERE a.row = s.row) AS labels, "
        "NOT EXISTS (SELECT 1 FROM to_index i WHERE i.row = s.row) AS is_indexed "
        f"FROM {TABLE_OF[status]} s WHERE LIMITS(s) AND s.row IN (SELECT value FROM json_each(:rows)) AND s.status = :status"
    )
    found = ask(db, clearance, sql, {"rows": as_json(list(rows)), "status": str(status)})
    lines = {row["row"]: _line(row, now) for row in found}
    return tuple(lines[row] for row in rows if row in lines)


def of_id(
    db: sqlite3.Connection, clearance: Clearance, now: dt.datetime, status: Status, id_: str
) -> Line | None:
    """The line of a bulletin; None where it is not held, or may not be seen: nobody learns which."""
    sql = f"SELECT s.row FROM links l JOIN {TABLE_OF[status]} s ON s.row = l.row AND s.id = l.id WHERE l.id = :id AND LIMITS(s)"
    rows = [row for (row,) in ask(db, clearance, sql, {"id": id_})]
    return next(iter(of_rows(db, clearance, now, status, rows)), None)


def priorities(
    db: sqlite3.Connection, clearance: Clearance, status: Status, ids: Sequence[str]
) -> dict[str, int]:
    """The priority of several bulletins by their ids, 1 the gravest; what is not held, or may not be seen, is left out."""
    sql = f"SELECT s.id, s.priority FROM {TABLE_OF[status]} s WHERE LIMITS(s) AND s.id IN (SELECT value FROM json_each(:ids))"
    rows = ask(db, clearance, sql, {"ids": json.dumps(list(ids))})
    return {row["id"]: int(row["priority"].removeprefix("p")) for row in rows}


def shown(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    status: Status,
    keys: Sequence[Key],
    size: int,
) -> Page:
    """The page of the first of these keys; one more than are shown says that another page follows."""
    lines = of_rows(db, clearance, now, status, [key.row for key in keys[:size]])
    return Page(lines=lines, next=keys[size - 1] if len(keys) > size else None)


def _line(row: sqlite3.Row, now: dt.datetime) -> Line:
    if row["ended_how"] is not None:
        state = "superseded" if row["ended_how"] == "superseded" else "withdrawn"
    else:
        state = "in-force" if row["expires"] > now.timestamp() else "expired"
    plain = {name: row[name] for name in Line.__struct_fields__ if name in _PLAIN}
    return Line(
        **plain,
        areas=(row["area"].upper(),) if row["areas"] is None else said_in(row["areas"]),
        dimensions=said_in(row["dimensions"]),
        issued=utc(row["issued"]),
        expires=utc(row["expires"]),
        state=state,
        labels=tuple(sorted(json.loads(row["labels"] or "[]"))),
        is_indexed=bool(row["is_indexed"]),
    )


_PLAIN = frozenset(Line.__struct_fields__) - {
    "areas", "dimensions", "issued", "expires", "state", "labels", "is_indexed",
}  # fmt: skip


def table_of(status: Status) -> str:
    """The table of a status that has lists.

    Raises:
        ValueError: it has none.
    """
    table = TABLE_OF[status]
    if table not in COUNTED:
        raise ValueError(f"there are no lists of status {status}")
    return table
