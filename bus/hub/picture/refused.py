"""Refusals as pages read them: those of each channel apart, so that a flood on one hides no other, and costs no page more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from bus.hub.picture.summary import Quarantined
from bus.storage import from_row

MOST_COUNTED = 10_000
"""So many of one channel are counted."""
_COLUMNS = ", ".join(Quarantined.__struct_fields__)


def channels(db: sqlite3.Connection) -> Iterator[str | None]:
    """The channels that refused messages claim, each found by one step of an index; None for what claims none."""
    if db.execute("SELECT 1 FROM quarantine WHERE channel IS NULL LIMIT 1").fetchone() is not None:
        yield None
    name, sql = "", "SELECT channel FROM quarantine WHERE channel > ? ORDER BY channel LIMIT 1"
    while (found := db.execute(sql, (name,)).fetchone()) is not None:
        name = found[0]
        yield name


def newest(db: sqlite3.Connection, channel: str | None, most: int) -> Iterator[Quarantined]:
    """The newest refusals of a channel, each read when it is needed."""
    sql = f"SELECT {_COLUMNS} FROM quarantine WHERE channel IS ? ORDER BY at DESC, n DESC LIMIT ?"
    return (from_row(Quarantined, row) for row in db.execute(sql, (channel, most)))


def lately(db: sqlite3.Connection, channel: str | None, since: float, most: int = MOST_COUNTED) -> int:
    """How many of a channel were refused since a moment, so many at most."""
    some = "SELECT 1 FROM quarantine WHERE channel IS ? AND at > ? LIMIT ?"
    (count,) = db.execute(f"SELECT count(*) FROM ({some})", (channel, since, most)).fetchone()
    return int(count)
