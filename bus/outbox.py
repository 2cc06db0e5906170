"""The outbox: what an authority has said, kept on its own disk before anything is sent, and the heads of its chains.

Several processes of one authority may share the file. Stamping happens inside its transaction, so that they cannot
fork their own chain; sending is for the one that holds the lease.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from bus import lease
from bus.sqlite import Database

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  channel TEXT NOT NULL,
  seq INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL UNIQUE,
  prev TEXT,
  subject TEXT NOT NULL,
  headers TEXT NOT NULL,
  payload BLOB NOT NULL,
  kept_at REAL NOT NULL,
  attempted_at REAL,
  stored_at REAL,
  stream TEXT,
  stream_seq INTEGER,
  state TEXT NOT NULL DEFAULT 'kept',
  problem TEXT,
  once TEXT UNIQUE,
  origin TEXT,
  UNIQUE (channel, seq)
);
CREATE INDEX IF NOT EXISTS outbox_origin ON outbox (origin, n) WHERE origin IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_parked ON outbox (channel, seq) WHERE state = 'parked';
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (n) WHERE state = 'kept';
CREATE TABLE IF NOT EXISTS heads (channel TEXT PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_cursors (stream TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
"""

SCHEMA += lease.SCHEMA


class State(StrEnum):
    """How far a row has come."""

    KEPT = "kept"
    STORED = "stored"
    PARKED = "parked"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin in the outbox. Times are seconds since the epoch."""

    n: int
    channel: str
    seq: int
    id: str
    digest: str
    prev: str | None
    subject: str
    headers: str
    payload: bytes
    kept_at: float
    attempted_at: float | None
    stored_at: float | None
    stream: str | None
    stream_seq: int | None
    state: str
    problem: str | None
    once: str | None
    origin: str | None

    def header_map(self) -> dict[str, str]:
        """The headers it is sent with."""
        return msgspec.json.decode(self.headers, type=dict[str, str])


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The last bulletin of a channel."""

    seq: int
    digest: str


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A row that a stream has acknowledged."""

    n: int
    stream: str
    stream_seq: int


class Outbox:
    """An authority's outbox. Use `Outbox.open`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Outbox]:
        """Open or make the file.

        Raises:
            StoreError: it is damaged or unreadable.
        """
        async with Database.open(path, SCHEMA) as database:
            yield cls(database)

    async def keep(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a publisher's stamping in one transaction; on the disk when this returns."""
        return await self._db.write(work)

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """A pure read."""
        return await self._db.read(question)

    async def changed(self, since: int, timeout: float) -> int:
        """Wait for a commit by anybody; see `Database.changed`."""
        return await self._db.changed(since, timeout)

    async def waiting(self, after: int, limit: int) -> list[Row]:
        """Rows to be sent, oldest first. A channel with a parked row waits behind it."""
        return await self._db.read(
            lambda db: _rows(
                db,
                "SELECT * FROM outbox o WHERE state = 'kept' AND n > ? AND NOT EXISTS (SELECT 1 FROM outbox p "
                "WHERE p.channel = o.channel AND p.state = 'parked' AND p.seq < o.seq) ORDER BY n LIMIT ?",
                (after, limit),
            )
        )

    async def mark_attempted(self, ns: Sequence[int], now: float) -> None:
        """Note, before the first send, that these rows may from now on be in a stream."""
        await self._db.write(
            lambda db: db.executemany(
                "UPDATE outbox SET attempted_at = ? WHERE n = ? AND attempted_at IS NULL",
                [(now, n) for n in ns],
            )
        )

    async def settle(self, settled: Sequence[Settled], now: float) -> None:
        """Note durable acknowledgements."""
        await self._db.write(
            lambda db: db.executemany(
                "UPDATE outbox SET state = 'stored', stored_at = ?, stream = ?, stream_seq = ?, problem = NULL "
                "WHERE n = ? AND state != 'stored'",
                [(now, each.stream, each.stream_seq, each.n) for each in settled],
            )
        )

    async def park(self, n: int, problem: str) -> None:
        """Set a row aside that the broker will not take; its channel waits behind it."""
        await self._db.write(
            lambda db: db.execute("UPDATE outbox SET state = 'parked', problem = ? WHERE n = ?", (problem, n))
        )

    async def note(self, ns: Sequence[int], problem: str) -> None:
        """Note why rows still wait."""
        await self._db.write(
            lambda db: db.executemany("UPDATE outbox SET problem = ? WHERE n = ?", [(problem, n) for n in ns])
        )

    async def get(self, id_or_digest: str) -> Row | None:
        """One row by bulletin id or digest."""
        found = await self._db.read(
            lambda db: _rows(db, "SELECT * FROM outbox WHERE id = ?1 OR digest = ?1", (id_or_digest,))
        )
        return found[0] if found else None

    async def rows(self, state: str | None = None, limit: int = 1000) -> list[Row]:
        """The newest rows, of one state or of all."""
        return await self._db.read(
            lambda db: _rows(
                db,
                "SELECT * FROM outbox WHERE ?1 IS NULL OR state = ?1 ORDER BY n DESC LIMIT ?2",
                (state, limit),
            )
        )

    async def counts(self) -> dict[str, int]:
        """How many rows are in each state."""
        found = await self._db.read(
            lambda db: db.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall()
        )
        return {**{str(state): 0 for state in State}, **{row[0]: row[1] for row in found}}

    async def wait_state(self, digest: str, timeout: float) -> str:
        """Wait until a row is no longer just kept, whoever sends it; its state when the time is up."""
        deadline = time.monotonic() + timeout
        mark = -1
        while True:
            row = await self.get(digest)
            left = deadline - time.monotonic()
            if row is None:
                return "unknown"
            if row.state != State.KEPT or left <= 0:
                return row.state
            mark = await self._db.changed(mark, left)

    # -- the sender's lease ---------------------------------------------------------------------------------------

    async def take_lease(self, owner: str, now: float, ttl: float = lease.LEASE_S) -> bool:
        """Become or stay the one sender. A lease whose time is up, or whose process is gone, is free."""
        return await self._db.write(lambda db: lease.take(db, owner, now, ttl))

    async def drop_lease(self, owner: str) -> None:
        """Let another process send."""
        await self._db.write(lambda db: lease.drop(db, owner))

    # -- what the own channels hold ---------------------------------------------------------------------------------

    async def own_cursor(self, stream: str) -> int:
        """The stream sequence up to which the own channels have been read back."""
        row = await self._db.read(
            lambda db: db.execute("SELECT seq FROM own_cursors WHERE stream = ?", (stream,)).fetchone()
        )
        return int(row[0]) if row else 0

    async def move_own_cursor(self, stream: str, seq: int) -> None:
        """Remember how far the own channels have been read back."""
        await self._db.write(lambda db: db.execute("REPLACE INTO own_cursors VALUES (?, ?)", (stream, seq)))


def head(db: sqlite3.Connection, channel: str) -> Head | None:
    """The last bulletin of a channel, inside a transaction."""
    row = db.execute("SELECT seq, digest FROM heads WHERE channel = ?", (channel,)).fetchone()
    return Head(seq=row["seq"], digest=row["digest"]) if row else None


def insert(
    db: sqlite3.Connection,
    *,
    channel: str,
    seq: int,
    id: str,  # noqa: A002 (the field's own name)
    digest: str,
    prev: str | None,
    subject: str,
    headers: dict[str, str],
    payload: bytes,
    now: float,
    once: str | None = None,
    origin: str | None = None,
) -> None:
    """Keep a signed bulletin and make it the head of its channel, inside a transaction."""
    db.execute(
        "INSERT INTO outbox (channel, seq, id, digest, prev, subject, headers, payload, kept_at, once, origin) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            channel,
            seq,
            id,
            digest,
            prev,
            subject,
            msgspec.json.encode(headers).decode(),
            payload,
            now,
            once,
            origin,
        ),
    )
    set_head(db, channel, seq, digest)


def kept_once(db: sqlite3.Connection, once: str) -> Row | None:
    """The row kept under a key that gives one bulletin only, inside a transaction."""
    found = _rows(db, "SELECT * FROM outbox WHERE once = ?", (once,))
    return found[0] if found else None


def last_of_origin(db: sqlite3.Connection, origin: str) -> Row | None:
    """The newest row about one thing in its own system, inside a transaction."""
    found = _rows(db, "SELECT * FROM outbox WHERE origin = ? ORDER BY n DESC LIMIT 1", (origin,))
    return found[0] if found else None


def set_head(db: sqlite3.Connection, channel: str, seq: int, digest: str) -> None:
    """Make a bulletin the head of its channel, inside a transaction."""
    db.execute("REPLACE INTO heads (channel, seq, digest) VALUES (?, ?, ?)", (channel, seq, digest))


def _rows(db: sqlite3.Connection, sql: str, arguments: tuple[object, ...]) -> list[Row]:
    return [Row(**dict(row)) for row in db.execute(sql, arguments)]
