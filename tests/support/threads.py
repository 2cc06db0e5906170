"""Tables of threads, told in a way that does not depend on the order in which bulletins came."""

from __future__ import annotations

import sqlite3
from typing import Any

from bus.hub.rows import SITUATION


def canonical(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Each member of a thread with what its thread knows; not how the nodes stand below one another."""
    columns = "n, id, issuer, status, up, kind, issued, seq, size, cancels, newest_issued, newest_seq, newest, cancelled_by"
    nodes = {row[0]: tuple(row) for row in db.execute(f"SELECT {columns} FROM threads").fetchall()}

    def top(node: tuple[Any, ...]) -> tuple[Any, ...]:
        while node[4] != node[0]:
            node = nodes[node[4]]
        return node

    return sorted(((*node[1:4], *node[5:8], *top(node)[8:]) for node in nodes.values()), key=repr)


def still_withdrawn(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """What is to be told as withdrawn; what was so for a moment only, and is superseded now, is not told."""
    withdrawn = {
        row[0]
        for table in SITUATION
        for row in db.execute(f"SELECT row FROM {table} WHERE ended_how = 'cancelled'").fetchall()
    }
    rows = db.execute("SELECT * FROM newly_withdrawn ORDER BY row").fetchall()
    return [tuple(row) for row in rows if row[0] in withdrawn]
