"""`notify.db`: up to which event people were told, what is told together, and every message until it was taken or given up.

What happened, the place in the log up to which it was read, and the messages that follow from it are written in one transaction: after
a crash nothing is lost, and nothing is decided twice. That an attempt begins is written before it is made. So a message whose
attempt was cut off is sent once more, under the same id.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bus.notify import deliveries
from bus.notify.grouping import Group, without
from bus.notify.shape import Item
from bus.storage import Database, Layout, Store, lease, single, utc

MOST_HELD = 5000
"""So many bulletins under embargo wait to be told; of more, those that wait longest are told of no more."""
MOST_RELEASED = 200
"""So many of them are told of at once when their embargo is over."""
MOST_GROUPS = 400
"""So many groups one rule has at once, those of the digest apart."""
MOST_OF_ISSUER = 40
"""So many of them are of one issuer."""
MOST_DIGEST = 400
"""So many groups the digest of one rule has at once."""
MOST_NOTED = 5000
"""So many acknowledgements are remembered as told."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS place (
  n INTEGER PRIMARY KEY CHECK (n = 1), event INTEGER NOT NULL, at REAL NOT NULL, trust TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS groups (
  rule TEXT NOT NULL, key TEXT NOT NULL, is_digest INTEGER NOT NULL, issuer TEXT NOT NULL, state BLOB NOT NULL,
  PRIMARY KEY (rule, is_digest, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digests (rule TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
  row INTEGER NOT NULL, sort TEXT NOT NULL, item BLOB NOT NULL, until REAL NOT NULL, PRIMARY KEY (row, sort)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_by_end ON held (until);
CREATE TABLE IF NOT EXISTS noted (about TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
"""
LAYOUT = Layout("notify", _SCHEMA + deliveries.SCHEMA)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where was read: the number of the last event, when, and how the registry stood."""

    event: int
    at: dt.datetime
    trust: str


class Book(Store):
    """An open `notify.db`; its lease is held by the one program that sends."""

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Book]:
        """Open or make the file.

        Raises:
            StoreError: see `bus.storage.Database.open`.
        """
        async with Database.open(path, (LAYOUT, lease.LAYOUT)) as database:
            yield cls(database)


# -- place ----------------------------------------------------------------------------------------------------------------


def place(db: sqlite3.Connection) -> Place | None:
    """Up to where was read; None before the first time."""
    row = db.execute("SELECT event, at, trust FROM place").fetchone()
    return None if row is None else Place(event=row["event"], at=utc(row["at"]), trust=row["trust"])


def move_on(db: sqlite3.Connection, event: int, now: dt.datetime, trust: str) -> None:
    """Write up to where was read."""
    db.execute("REPLACE INTO place VALUES (1, ?, ?, ?)", (event, now.timestamp(), trust))


# -- groups ---------------------------------------------------------------------------------------------------------------


def group(db: sqlite3.Connection, rule: str, key: str, *, digest: bool) -> Group | None:
    """The group of a key; None where there is none."""
    row = db.execute(
        "SELECT state FROM groups WHERE rule = ? AND is_digest = ? AND key = ?", (rule, digest, key)
    ).fetchone()
    return None if row is None else msgspec.json.decode(row["state"], type=Group)


def groups(db: sqlite3.Connection, rule: str, *, digest: bool) -> dict[str, Group]:
    """All groups of a rule by key."""
    rows = db.execute("SELECT key, state FROM groups WHERE rule = ? AND is_digest = ?", (rule, digest))
    return {row["key"]: msgspec.json.decode(row["state"], type=Group) for row in rows}


def has_room(db: sqlite3.Connection, rule: str, issuer: str, *, digest: bool) -> tuple[bool, bool]:
    """Whether a rule may have one more group of an issuer, and one more at all."""
    mine = "SELECT count(*) FROM groups WHERE rule = ? AND is_digest = ?"
    whole = single(db, mine, rule, digest)
    of_issuer = single(db, f"{mine} AND issuer = ?", rule, digest, issuer)
    return of_issuer < MOST_OF_ISSUER, whole < (MOST_DIGEST if digest else MOST_GROUPS)


def put_group(
    db: sqlite3.Connection, rule: str, key: str, state: Group, *, digest: bool, issuer: str = ""
) -> None:
    """Write a group."""
    db.execute(
        "INSERT INTO groups VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state",
        (rule, key, digest, issuer, msgspec.json.encode(state)),
    )


def drop_group(db: sqlite3.Connection, rule: str, key: str, *, digest: bool) -> None:
    """Forget a group."""
    db.execute("DELETE FROM groups WHERE rule = ? AND is_digest = ? AND key = ?", (rule, digest, key))


def keep_rules(db: sqlite3.Connection, rules: Collection[str]) -> None:
    """Forget the groups of rules that are there no more."""
    for (rule,) in db.execute("SELECT DISTINCT rule FROM groups").fetchall():
        if rule not in rules:
            db.execute("DELETE FROM groups WHERE rule = ?", (rule,))


def last_digest(db: sqlite3.Connection, rule: str) -> dt.datetime | None:
    """When the last digest of a rule was made; None before the first."""
    row = db.execute("SELECT at FROM digests WHERE rule = ?", (rule,)).fetchone()
    return None if row is None else utc(row["at"])


def note_digest(db: sqlite3.Connection, rule: str, now: dt.datetime) -> None:
    """Write when the last digest was made."""
    db.execute("REPLACE INTO digests VALUES (?, ?)", (rule, now.timestamp()))


# -- held, noted, erased --------------------------------------------------------------------------------------------------


def hold(db: sqlite3.Connection, item: Item, until: dt.datetime) -> None:
    """Keep something until its embargo is over."""
    row = (item.row, item.sort, msgspec.json.encode(item), until.timestamp())
    db.execute("REPLACE INTO held VALUES (?, ?, ?, ?)", row)
    db.execute(
        "DELETE FROM held WHERE (row, sort) IN (SELECT row, sort FROM held ORDER BY until LIMIT -1 OFFSET ?)",
        (MOST_HELD,),
    )


def due_held(db: sqlite3.Connection, now: dt.datetime) -> list[Item]:
    """What is held no longer, the first of it."""
    rows = db.execute(
        "SELECT item FROM held WHERE until <= ? ORDER BY until LIMIT ?", (now.timestamp(), MOST_RELEASED)
    )
    return [msgspec.json.decode(row["item"], type=Item) for row in rows]


def let_go(db: sqlite3.Connection, items: Iterable[Item]) -> None:
    """Hold these no longer."""
    db.executemany("DELETE FROM held WHERE row = ? AND sort = ?", [(each.row, each.sort) for each in items])


def note(db: sqlite3.Connection, about: str, now: dt.datetime) -> bool:
    """Remember that something was told. Returns False where it was before."""
    fresh = db.execute("INSERT OR IGNORE INTO noted VALUES (?, ?)", (about, now.timestamp())).rowcount == 1
    if fresh:
        db.execute(
            "DELETE FROM noted WHERE about IN (SELECT about FROM noted ORDER BY at DESC LIMIT -1 OFFSET ?)",
            (MOST_NOTED,),
        )
    return fresh


def erase(db: sqlite3.Connection, about: str) -> None:
    """Take out what is said of a bulletin that was erased; what is waiting loses it, or is given up."""
    db.execute("DELETE FROM held WHERE instr(item, ?)", (about,))
    found = db.execute(
        "SELECT rule, key, is_digest, state FROM groups WHERE instr(state, ?)", (about,)
    ).fetchall()
    for row in found:
        state = without(msgspec.json.decode(row["state"], type=Group), about)
        put_group(db, row["rule"], row["key"], state, digest=bool(row["is_digest"]))
    deliveries.erase(db, about)
