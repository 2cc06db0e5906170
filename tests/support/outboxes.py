"""Outboxes written by hand: rows that a stream has stored, without a stream."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from bus.publishing.acknowledged import settle_at
from bus.publishing.outbox_rows import Settled

STREAM = "XA"


def store_all(db: sqlite3.Connection, at: float | None = None) -> int:
    """Note all that is to be sent as stored by one stream, under its own number. Returns how many.

    Args:
        db: the outbox.
        at: when, in seconds since the epoch; when it was kept, if nothing is said.
    """
    found = db.execute("SELECT n, kept_at FROM unsent JOIN bulletins USING (n)").fetchall()
    settle_at(
        db,
        [(Settled(n=n, stream=STREAM, stream_seq=n), kept_at if at is None else at) for n, kept_at in found],
    )
    return len(found)


def add_stored(db: sqlite3.Connection, said: Iterable[Mapping[str, Any]], at: float) -> None:
    """Add bulletins, each with what differs from an empty one of status actual, stored at a moment."""
    for changes in said:
        row = {"status": "actual", "subject": "", "headers": "{}", "payload": b"", "kept_at": 0.0, **changes}
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        n = db.execute(f"INSERT INTO bulletins ({names}) VALUES ({marks})", row).lastrowid
        db.execute(
            "INSERT INTO sent (n, stored_at, stream, stream_seq) VALUES (?, ?, ?, ?)", (n, at, STREAM, n)
        )
