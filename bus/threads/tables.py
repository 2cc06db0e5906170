"""The tables of threads: nodes read with the tops of their threads, and written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bus.storage import Layout
from bus.threads.joining import Forest, Key, Moment, Node

TABLES = """
CREATE TABLE IF NOT EXISTS revisions (
  target TEXT NOT NULL, issuer TEXT NOT NULL, status TEXT NOT NULL, by TEXT NOT NULL, how TEXT NOT NULL,
  row INTEGER NOT NULL, issued REAL NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (target, issuer, status, by)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS threads (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL, issuer TEXT NOT NULL, status TEXT NOT NULL, up INTEGER NOT NULL, kind TEXT,
  issued REAL, seq INTEGER, size INTEGER NOT NULL, cancels INTEGER NOT NULL, newest_issued REAL, newest_seq INTEGER,
  newest TEXT, cancelled_by TEXT
);
"""
SCHEMA = (
    TABLES
    + """
CREATE INDEX IF NOT EXISTS revisions_in_order ON revisions (target, issuer, status, how, by);
CREATE INDEX IF NOT EXISTS revisions_by ON revisions (by, issuer, status);
CREATE UNIQUE INDEX IF NOT EXISTS threads_by_id ON threads (id, issuer, status);
CREATE INDEX IF NOT EXISTS threads_below ON threads (up) WHERE up != n;
"""
)
LAYOUT = Layout("threads", SCHEMA)

ID, ISSUER, STATUS = (f"json_extract(j.value, '$[{n}]')" for n in range(3))
KEY = f"{ID}, {ISSUER}, {STATUS}"
"""SQL: id, issuer and status of a bulletin that is such a list in `json_each(?) j`."""
_GIVEN = (
    f"FROM json_each(?) j CROSS JOIN threads t ON t.id = {ID} AND t.issuer = {ISSUER} AND t.status = {STATUS}"
)
_WAYS = f"""
WITH RECURSIVE way (first, n, up) AS (
  SELECT t.n, t.n, t.up {_GIVEN}
  UNION ALL SELECT way.first, t.n, t.up FROM way CROSS JOIN threads t ON t.n = way.up WHERE way.up != way.n
)
SELECT first, n FROM way WHERE up = n
"""
_COLUMNS = "n, id, issuer, status, up, kind, issued, seq, size, cancels, newest_issued, newest_seq, newest, cancelled_by"
_NODES = f"SELECT {_COLUMNS} FROM threads WHERE n IN (SELECT value FROM json_each(?))"
_BELOW = f"""
WITH RECURSIVE below (n) AS (
  SELECT value FROM json_each(?)
  UNION SELECT t.n FROM below CROSS JOIN threads t INDEXED BY threads_below ON t.up = below.n AND t.up != t.n
)
SELECT {_COLUMNS} FROM threads WHERE n IN (SELECT n FROM below)
"""
_WRITE = f"""
INSERT INTO threads ({_COLUMNS}) VALUES ({", ".join("?" * 14)}) ON CONFLICT (n) DO UPDATE SET up = excluded.up,
kind = excluded.kind, issued = excluded.issued, seq = excluded.seq, size = excluded.size, cancels = excluded.cancels,
newest_issued = excluded.newest_issued, newest_seq = excluded.newest_seq, newest = excluded.newest,
cancelled_by = excluded.cancelled_by
"""


def tops_of(db: sqlite3.Connection, keys: Sequence[Key]) -> list[int]:
    """The numbers of the tops of the threads of bulletins; what is no member of one has none."""
    return list({top for _, top in db.execute(_WAYS, (as_json(keys),))})


def below(db: sqlite3.Connection, tops: Sequence[int]) -> list[Node]:
    """The members of the threads with these tops."""
    return [_node(row) for row in db.execute(_BELOW, (as_json(tops),)).fetchall()]


def loaded(db: sqlite3.Connection, keys: Sequence[Key]) -> tuple[Forest, list[tuple[Key, Key]]]:
    """The threads of these bulletins; with the newest version of each a member of it."""
    ways = [(first, n) for first, n in db.execute(_WAYS, (as_json(keys),))]
    nodes = [_node(row) for row in db.execute(_NODES, (as_json(list({n for way in ways for n in way})),))]
    last = db.execute("SELECT coalesce(max(n), 0) FROM threads").fetchone()[0]
    newest = [
        (Key(node.newest.id, *node.key[1:]), node.key)
        for node in nodes
        if node.up == node.n and node.newest is not None
    ]
    return Forest(nodes, ways, last), newest


def _node(row: Sequence[Any]) -> Node:
    (
        n,
        id_,
        issuer,
        status,
        up,
        kind,
        issued,
        seq,
        size,
        cancels,
        newest_issued,
        newest_seq,
        newest,
        cancelled_by,
    ) = row
    return Node(
        n=n,
        key=Key(id_, issuer, status),
        up=up,
        kind=kind,
        issued=issued,
        seq=seq,
        size=size,
        cancels=cancels,
        newest=None if newest is None else Moment(newest_issued, newest_seq, newest),
        cancelled_by=cancelled_by,
    )


def write(db: sqlite3.Connection, nodes: Iterable[Node]) -> None:
    """Write nodes that are new or changed, inside a transaction."""
    db.executemany(
        _WRITE,
        [
            (node.n, *node.key, node.up, node.kind, node.issued, node.seq, node.size, node.cancels)
            + (node.newest or (None, None, None))
            + (node.cancelled_by,)
            for node in nodes
        ],
    )


def as_json(value: Sequence[object]) -> str:
    """Text for `json_each`."""
    return msgspec.json.encode(value).decode()
