"""A carrier's record of carried messages."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bus.federation.plan import Route
from bus.storage import Database, Layout, Store, from_row, insert
from bus.transport import MARGIN_S, MAX_AGE_S, Cursor

SCHEMA = """
CREATE TABLE IF NOT EXISTS cursors (
  source TEXT NOT NULL, sink TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL,
  stored_ns INTEGER NOT NULL, filters TEXT NOT NULL, PRIMARY KEY (source, sink, stream)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS carried (
  sink TEXT NOT NULL, digest TEXT NOT NULL, signature TEXT NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (sink, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS carried_by_time ON carried (at);
CREATE TABLE IF NOT EXISTS sink_positions (
  sink TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (sink, stream)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passed_over (
  source TEXT NOT NULL, sink TEXT NOT NULL, stream TEXT NOT NULL, registry TEXT NOT NULL,
  PRIMARY KEY (source, sink, stream)
) WITHOUT ROWID;
"""
LAYOUT = Layout("carrier", SCHEMA)
KEPT_S = MAX_AGE_S + MARGIN_S
"""Seconds for which a carried message is remembered: as long as a stream may hold it."""
_CARRIED = "INSERT OR IGNORE INTO carried VALUES (?, ?, ?, ?)"
_AT_ROUTE = "source = ? AND sink = ? AND stream = ?"


class Ledger(Store):
    """A carrier's record, in its own file. Use `Ledger.open`."""

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Ledger]:
        """Open or make the file.

        Raises:
            StoreError: as `Database.open`.
        """
        async with Database.open(path, (LAYOUT,)) as database:
            yield cls(database)

    async def cursor(self, route: Route, stream: str, filters: Iterable[str]) -> Cursor:
        """The cursor of a carried stream; its beginning if the filters now allow more than before."""
        sql = f"SELECT * FROM cursors WHERE {_AT_ROUTE}"
        for row in await self.query(sql, route.source, route.sink, stream):
            if set(filters) <= set(row["filters"].split()):
                return from_row(Cursor, row)
        return Cursor()

    async def known(self, sink: str, names: Sequence[str]) -> dict[str, str]:
        """The given names that were carried there, each with its signatures.

        A damaged row with a number in place of the signatures does not count: its bulletin is carried again.
        """
        rows = await self.query(
            "SELECT digest, signature FROM carried WHERE sink = ? AND digest IN (SELECT value FROM json_each(?))"
            " AND typeof(signature) = 'text'",
            sink,
            msgspec.json.encode(names).decode(),
        )
        return {row["digest"]: row["signature"] for row in rows}

    async def note(
        self,
        route: Route,
        stream: str,
        cursor: Cursor,
        filters: Iterable[str],
        at: float,
        *,
        passed_over: str = "",
    ) -> None:
        """Note the cursor, once all before it is stored and noted (`note_stored`), and skipped messages.

        Args:
            route: (source, sink).
            stream: the stream that was read.
            cursor: its cursor.
            filters: the filters of the route.
            at: the present, in seconds since the epoch; notes older than a stream keeps are deleted.
            passed_over: the digest of the registry whose next version may allow the skipped messages; empty if none.
        """
        row = {"source": route.source, "sink": route.sink, "stream": stream, "filters": " ".join(filters)}
        row |= {name: getattr(cursor, name) for name in ("seq", "digest", "stored_ns")}

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM carried WHERE at < ?", (at - KEPT_S,))
            if passed_over:
                at_route = (route.source, route.sink, stream, passed_over)
                db.execute("INSERT OR IGNORE INTO passed_over VALUES (?, ?, ?, ?)", at_route)
            insert(db, "cursors", row, verb="REPLACE")

        await self.write(work)

    async def note_stored(
        self, sink: str, stored: Mapping[str, str], tails: Mapping[str, int], at: float
    ) -> None:
        """Note the messages stored at the other end, before the cursor moves, in one transaction.

        Args:
            sink: the place.
            stored: the names of the stored messages, each with its signatures.
            tails: the last number of each stream there.
            at: the present, in seconds since the epoch.
        """

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_CARRIED, [(sink, name, signed, at) for name, signed in stored.items()])
            db.executemany(
                "INSERT INTO sink_positions VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET seq = max(seq, ?3)",
                [(sink, name, seq) for name, seq in tails.items()],
            )

        await self.write(work)

    async def passed_over(self, route: Route, stream: str) -> str:
        """The digest of the registry under which messages were skipped that another may allow; empty if none."""
        sql = f"SELECT registry FROM passed_over WHERE {_AT_ROUTE}"
        rows = await self.query(sql, route.source, route.sink, stream)
        return str(rows[0]["registry"]) if rows else ""

    async def count(self, sink: str, beginning: str, since: float) -> int:
        """The number of names with a prefix that were noted at a place since a moment (seconds since the epoch)."""
        sql = "SELECT count(*) AS n FROM carried WHERE sink = ? AND digest >= ? AND digest < ? AND at >= ?"
        rows = await self.query(sql, sink, beginning, beginning + "\U0010ffff", since)
        return int(rows[0]["n"])

    async def note_said(self, sink: str, digest: str, at: float) -> None:
        """Note one more name at a place, at a moment in seconds since the epoch."""
        await self.execute(_CARRIED, sink, digest, "", at)

    async def tails(self, sink: str) -> dict[str, int]:
        """The last number of each stream at the other end at the last storing."""
        rows = await self.query("SELECT stream, seq FROM sink_positions WHERE sink = ?", sink)
        return {row["stream"]: row["seq"] for row in rows}

    async def rewind(self, route: Route, stream: str) -> None:
        """Read a stream from its beginning."""

        def work(db: sqlite3.Connection) -> None:
            for table in ("cursors", "passed_over"):
                db.execute(f"DELETE FROM {table} WHERE {_AT_ROUTE}", (route.source, route.sink, stream))

        await self.write(work)

    async def forget(self, sink: str) -> None:
        """Carry everything to a place again."""

        def work(db: sqlite3.Connection) -> None:
            for table in ("cursors", "passed_over", "carried", "sink_positions"):
                db.execute(f"DELETE FROM {table} WHERE sink = ?", (sink,))

        await self.write(work)
