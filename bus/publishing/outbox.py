"""The outbox: what an authority has said, kept on its own disk before anything is sent, and the heads of its chains.

Several processes of one authority may share the file. Stamping happens inside its transaction, so that they cannot
fork their own chain; sending is for the one that holds the lease.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from bus.publishing import outbox_table as table
from bus.publishing import resend
from bus.publishing.outbox_table import ChainHead, Row, RowState, Settled
from bus.storage import Database, Layout, lease

__all__ = ["ChainHead", "Outbox", "Row", "RowState", "Settled"]

T = TypeVar("T")
LAYOUTS = (table.LAYOUT, lease.LAYOUT, resend.LAYOUT)
MOST = 800
MOST_BYTES = 8 * 1024 * 1024


class MustHold(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has acknowledged from a place on, and must still hold.

    Attributes:
        start: the stream's sequence at that place; 0 when there is none.
        rows: the rows' numbers by digest.
    """

    start: int
    rows: dict[str, int]


class Outbox:
    """An authority's outbox. Use `Outbox.open`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, tables: Iterable[Layout] = ()) -> AsyncIterator[Outbox]:
        """Open or make the file.

        Args:
            path: the file.
            tables: tables of other rooms in the same file, such as `bus.delivery.ledger.TABLES`.

        Raises:
            StoreError: it is damaged or unreadable.
        """
        async with Database.open(path, (*LAYOUTS, *tables)) as database:
            yield cls(database)

    @property
    def database(self) -> Database:
        """The open file, for another room that keeps tables of its own in it."""
        return self._db

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Make a change in one transaction; on the disk when this returns."""
        return await self._db.write(change)

    async def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Answer a question that changes nothing."""
        return await self._db.read(question)

    async def changed(self, since: int, timeout: float) -> int:
        """Wait for a commit by anybody; see `Database.changed`."""
        return await self._db.changed(since, timeout)

    async def claim(
        self, settled: Sequence[Settled], resting: Collection[str], now: float, fresh: int = MOST
    ) -> dict[str, list[Row]]:
        """A round of the sender in one transaction: note what was acknowledged, take what is next.

        Args:
            settled: durable acknowledgements since the last round.
            resting: statuses that get no turn; one stream takes those of one status.
            now: the present.
            fresh: how many rows may be taken that were never sent before.

        Returns:
            Per status the oldest rows to be sent, `MOST` and `MOST_BYTES` at most; a channel with a parked row waits
            behind it. A row whose `attempted_at` is None has never been sent; that it may be in a stream from now on is
            on the disk when this returns.
        """

        def work(db: sqlite3.Connection) -> dict[str, list[Row]]:
            table.settle(db, settled, now)
            waiting = db.execute("SELECT DISTINCT status FROM outbox WHERE state = 'kept'").fetchall()
            found: dict[str, list[Row]] = {}
            left = fresh
            for status in (row[0] for row in waiting if row[0] not in resting):
                if rows := table.due(db, status, MOST, MOST_BYTES, left):
                    found[status] = rows
                    left -= sum(row.attempted_at is None for row in rows)
            table.change(
                db,
                "UPDATE outbox SET attempted_at = ? WHERE n = ?",
                [(now, row.n) for rows in found.values() for row in rows if row.attempted_at is None],
            )
            return found

        return await self._db.write(work)

    async def settle(self, settled: Sequence[Settled], now: float) -> None:
        """Note durable acknowledgements."""
        await self._db.write(lambda db: table.settle(db, settled, now))

    async def drop_message_id(self, n: int, problem: str) -> None:
        """From now on send this row without `Nats-Msg-Id`: somebody has used its id up."""
        await self._db.write(
            lambda db: table.change(
                db,
                "UPDATE outbox SET headers = json_remove(headers, '$.\"Nats-Msg-Id\"'), problem = ? WHERE n = ?",
                [(problem, n)],
            )
        )

    async def park(self, ns: Sequence[int], problem: str) -> None:
        """Set rows aside that the broker will not take; their channels wait behind them."""
        await self._db.write(
            lambda db: table.change(
                db,
                "UPDATE outbox SET state = 'parked', problem = ? WHERE n = ? AND state = 'kept'",
                [(problem, n) for n in ns],
            )
        )

    async def release(self) -> int:
        """Offer everything that is parked again; how many rows."""
        return await self._db.write(
            lambda db: (
                db.execute("UPDATE outbox SET state = 'kept', problem = NULL WHERE state = 'parked'").rowcount
            )
        )

    async def note(self, problems: Mapping[int, str]) -> None:
        """Note why rows still wait."""
        await self._db.write(
            lambda db: table.change(
                db, "UPDATE outbox SET problem = ? WHERE n = ?", [(why, n) for n, why in problems.items()]
            )
        )

    async def get(self, id_or_digest: str) -> Row | None:
        """One row by bulletin id or digest."""
        found = await self._db.read(
            lambda db: table.rows(db, "SELECT * FROM outbox WHERE id = ?1 OR digest = ?1", (id_or_digest,))
        )
        return found[0] if found else None

    async def rows(self, state: str | None = None, limit: int = 1000, status: str | None = None) -> list[Row]:
        """The newest rows, of one state and status or of all."""
        return await self._db.read(
            lambda db: table.rows(
                db,
                "SELECT * FROM outbox WHERE (?1 IS NULL OR state = ?1) AND (?3 IS NULL OR status = ?3) ORDER BY n DESC LIMIT ?2",
                (state, limit, status),
            )
        )

    async def chain(self, channel: str) -> list[Row]:
        """What stands on a channel, in order."""
        return await self._db.read(lambda db: table.after(db, channel, 0))

    async def counts(self) -> dict[str, int]:
        """How many rows are in each state."""
        return await self._db.read(table.counts)

    async def oldest(self) -> tuple[int, float | None]:
        """How many rows wait to be sent, and since when the oldest does."""
        row = await self._db.read(
            lambda db: db.execute("SELECT count(*), min(kept_at) FROM outbox WHERE state = 'kept'").fetchone()
        )
        return int(row[0]), row[1]

    async def wait_state(self, digest: str, timeout: float) -> str:
        """Wait until a row is no longer just kept, by any process; its state when the time is up."""
        deadline = time.monotonic() + timeout
        mark = -1
        while True:
            row = await self._db.read(
                lambda db: db.execute("SELECT state FROM outbox WHERE digest = ?", (digest,)).fetchone()
            )
            left = deadline - time.monotonic()
            if row is None:
                return "unknown"
            if row[0] != RowState.KEPT or left <= 0:
                return str(row[0])
            mark = await self._db.changed(mark, left)

    async def emptied(self, timeout: float) -> bool:
        """Wait until nothing waits to be sent; whether that came true."""
        deadline = time.monotonic() + timeout
        mark = -1
        while (await self.oldest())[0]:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            mark = await self._db.changed(mark, left)
        return True

    # -- the sender's lease ---------------------------------------------------------------------------------------

    async def take_lease(self, owner: str, now: float, ttl: float = lease.LEASE_S) -> bool:
        """Become or stay the one sender. A lease whose time is up, or whose process is gone, is free."""
        if await self._db.read(lambda db: lease.is_anothers(db, owner, now, ttl)):
            return False  # asked often by those who wait, so without a write transaction
        return await self._db.write(lambda db: lease.take(db, owner, now, ttl))

    async def drop_lease(self, owner: str) -> None:
        """Let another process send."""
        await self._db.write(lambda db: lease.drop(db, owner))

    # -- what the own channels hold ---------------------------------------------------------------------------------

    async def own_cursors(self) -> dict[str, int]:
        """Per stream, the sequence up to which the own channels have been read back."""
        found = await self._db.read(lambda db: db.execute("SELECT stream, seq FROM own_cursors").fetchall())
        return {row["stream"]: row["seq"] for row in found}

    async def unsettled(self) -> dict[str, int]:
        """The digests of everything not known to be in a stream, with their row numbers."""
        found = await self._db.read(
            lambda db: db.execute(
                "SELECT digest, n FROM outbox WHERE state = 'kept' UNION ALL "
                "SELECT digest, n FROM outbox WHERE state = 'parked'"
            ).fetchall()
        )
        return {row["digest"]: row["n"] for row in found}

    async def move_own_cursor(self, stream: str, seq: int) -> None:
        """Remember how far the own channels have been read back."""
        await self._db.write(
            lambda db: table.change(
                db, "REPLACE INTO own_cursors (stream, seq) VALUES (?, ?)", [(stream, seq)]
            )
        )

    async def forget_own_cursors(self) -> None:
        """Have the own channels read back whole the next time they are compared, by whichever process sends."""
        await self._db.write(lambda db: db.execute("DELETE FROM own_cursors"))

    async def unknown(self, digests: Sequence[str]) -> set[str]:
        """Those of the digests that this outbox does not hold."""
        listed = msgspec.json.encode(digests).decode()
        found = await self._db.read(
            lambda db: db.execute(
                "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT digest FROM outbox "
                "WHERE digest IN (SELECT value FROM json_each(?)))",
                (listed, listed),
            ).fetchall()
        )
        return {row[0] for row in found}

    async def stored_from(
        self, stream: str, cursor: int, channels: Collection[str], since: float
    ) -> MustHold:
        """What a stream must still hold, from the last place at or before `cursor` on.

        Args:
            stream: its name.
            cursor: how far it was read back; 0 asks for all.
            channels: those that can be read back.
            since: what was stored earlier the stream may have let go.
        """
        found = await self._db.read(lambda db: table.stored_from(db, stream, cursor))
        return MustHold(
            start=int(found[0]["stream_seq"]) if found else 0,
            rows={
                row["digest"]: row["n"]
                for row in found
                if row["channel"] in channels and (row["stored_at"] or 0.0) >= since
            },
        )

    async def mark_unsent(self, ns: Sequence[int]) -> None:
        """Send rows again that a stream has lost: the same bytes, without a message id, which it may still remember."""
        await self._db.write(lambda db: table.mark_unsent(db, ns))

    async def accounts_for(self, channel: str, seq: int) -> bool:
        """Whether an unknown bulletin at this place was adopted by a recovery: behind the head, nothing else there."""
        return await self._db.read(lambda db: table.accounts_for(db, channel, seq))
