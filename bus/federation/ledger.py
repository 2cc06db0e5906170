"""What a carrier has carried."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bus.federation.plan import Route
from bus.storage import Database, Layout
from bus.transport import Cursor

SCHEMA = """
CREATE TABLE IF NOT EXISTS cursors (
  source TEXT NOT NULL, sink TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL,
  stored_ns INTEGER NOT NULL, filters TEXT NOT NULL, PRIMARY KEY (source, sink, stream)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS carried (sink TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (sink, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sink_positions (
  sink TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (sink, stream)
) WITHOUT ROWID;
"""
LAYOUT = Layout("carrier", SCHEMA, ("ALTER TABLE tails RENAME TO sink_positions",), known_by="carried")


class Ledger:
    """What a carrier remembers, in a file of its own. Use `Ledger.open`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Ledger]:
        """Open or make the file.

        Raises:
            StoreError: as `Database.open`.
        """
        async with Database.open(path, (LAYOUT,)) as database:
            yield cls(database)

    async def cursor(self, leg: Route, stream: str, filters: Iterable[str]) -> Cursor:
        """Up to where a stream has been carried; its beginning, when more is let through than was then."""
        row = await self._db.read(
            lambda db: db.execute(
                "SELECT * FROM cursors WHERE source = ? AND sink = ? AND stream = ?",
                (leg.source, leg.sink, stream),
            ).fetchone()
        )
        if row is None or not set(filters) <= set(row["filters"].split()):
            return Cursor()
        return Cursor(seq=row["seq"], digest=row["digest"], stored_ns=row["stored_ns"])

    async def fresh(self, sink: str, digests: Sequence[str]) -> set[str]:
        """Those of the digests that have not been carried there yet."""
        listed = msgspec.json.encode(digests).decode()
        found = await self._db.read(
            lambda db: db.execute(
                "SELECT value FROM json_each(?2) EXCEPT SELECT digest FROM carried WHERE sink = ?1 "
                "AND digest IN (SELECT value FROM json_each(?2))",
                (sink, listed),
            ).fetchall()
        )
        return {row[0] for row in found}

    async def note(
        self,
        leg: Route,
        stream: str,
        cursor: Cursor,
        filters: Iterable[str],
        stored: Sequence[str],
        tails: Mapping[str, int],
    ) -> None:
        """What is stored at the other end now, and how far its streams have come, with the cursor in one transaction."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT OR IGNORE INTO carried VALUES (?, ?)", [(leg.sink, each) for each in stored]
            )
            db.executemany(
                "INSERT INTO sink_positions VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET seq = max(seq, ?3)",
                [(leg.sink, name, seq) for name, seq in tails.items()],
            )
            db.execute(
                "REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(leg.source, leg.sink, stream),
                    *(cursor.seq, cursor.digest, cursor.stored_ns),
                    " ".join(sorted(filters)),
                ),
            )

        await self._db.write(work)

    async def said(self, sink: str, name: str) -> None:
        """One thing more is known at a place."""
        await self._db.write(
            lambda db: db.execute("INSERT OR IGNORE INTO carried VALUES (?, ?)", (sink, name))
        )

    async def tails(self, sink: str) -> dict[str, int]:
        """How far the streams at the other end had come when something was last stored there."""
        found = await self._db.read(
            lambda db: db.execute("SELECT stream, seq FROM sink_positions WHERE sink = ?", (sink,)).fetchall()
        )
        return {row["stream"]: row["seq"] for row in found}

    async def rewind(self, leg: Route, stream: str) -> None:
        """Read a stream from its beginning."""
        await self._db.write(
            lambda db: db.execute(
                "DELETE FROM cursors WHERE source = ? AND sink = ? AND stream = ?",
                (leg.source, leg.sink, stream),
            )
        )

    async def forget(self, sink: str) -> None:
        """Carry everything to a place again."""

        def work(db: sqlite3.Connection) -> None:
            for table in ("cursors", "carried", "sink_positions"):
                db.execute(f"DELETE FROM {table} WHERE sink = ?", (sink,))

        await self._db.write(work)
