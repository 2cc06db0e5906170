"""The outbox: an authority's bulletins, on its own disk before anything is sent, and the heads of its chains.

Several processes of one authority may share the file. Stamping happens inside its transaction, so they cannot fork
their own chain. Only the holder of the lease sends.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from bus import threads
from bus.publishing import learned, resend, versions
from bus.publishing import outbox_table as table
from bus.publishing.acknowledged import settle
from bus.publishing.acks import Acks
from bus.publishing.due import due, is_any_parked
from bus.publishing.fitness import Unfit
from bus.publishing.handover import Handover
from bus.publishing.heads_file import HeadsFile
from bus.publishing.outbox_table import ChainHead, Row, RowState, Settled
from bus.storage import Database, Layout, Store, allowances, lease

__all__ = ["ChainHead", "Outbox", "Row", "RowState", "Settled"]

LAYOUTS = (table.LAYOUT, threads.LAYOUT, learned.LAYOUT, lease.LAYOUT, resend.LAYOUT, allowances.LAYOUT)
CACHE_KB = 16 * 1024
"""KiB of the file that stay in memory: a few groups. With SQLite's default of 2 MB, pages of one group are read back while it is
written."""
MOST = 1024
MOST_BYTES = 8 * 1024 * 1024


class Outbox(Store):
    """An authority's outbox. Use `Outbox.open`.

    Attributes:
        heads: the heads file beside it, with the last accepted bulletins.
        handover: rows in handover to the sender of this process.
        acks: acknowledgements that are not noted yet.
    """

    def __init__(self, database: Database, beside: _Beside) -> None:
        super().__init__(database)
        self.heads = beside.heads
        self.handover = beside.handover
        self.acks = beside.acks

    @property
    def unfit(self) -> Unfit | None:
        """Why it may not sign, by the last check; None if it may."""
        return self.heads.unfit

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, tables: Iterable[Layout] = ()) -> AsyncIterator[Outbox]:
        """Open or make the file, and compare it with the heads file beside it. An outbox that may not sign is opened too.

        Args:
            path: the file.
            tables: tables of other rooms in the same file, such as `bus.delivery.TABLES`.

        Raises:
            StoreError: it is damaged or unreadable.
        """
        beside = _Beside(HeadsFile(path), Handover(), Acks())
        async with Database.open(path, (*LAYOUTS, *tables), companion=beside) as database:
            outbox = cls(database, beside)
            if await outbox.read(threads.is_due):
                await outbox.write(versions.build)
            yield outbox

    async def claim(self, resting: Collection[str], now: float, fresh: int = MOST) -> dict[str, list[Row]]:
        """One round of the sender in one transaction: note acknowledgements, take the next rows.

        Args:
            resting: statuses without a turn; each status has one stream.
            now: the present.
            fresh: most rows to take that were never sent before.

        Returns:
            Per status the oldest due rows, at most `MOST` and `MOST_BYTES`; a channel waits behind a parked row. A row
            whose `attempted_at` is None has never been sent. When this returns, the disk records that it may be in a
            stream.
        """

        def work(db: sqlite3.Connection) -> dict[str, list[Row]]:
            self.acks.note(db)
            waiting = db.execute("SELECT DISTINCT status FROM unsent").fetchall()
            claimed: dict[str, list[Row]] = {}
            left = fresh
            is_all = not is_any_parked(db)
            for status in [row["status"] for row in waiting]:
                if status in resting:
                    is_all = False
                    continue
                found = due(db, status, MOST, MOST_BYTES, left, self.handover)
                is_all = is_all and found.is_all
                if found.rows:
                    claimed[status] = [each.row for each in found.rows]
                    # `now` may be read before another process keeps the row.
                    new = [(now, each.row.n) for each in found.rows if not each.is_marked]
                    db.executemany("UPDATE bulletins SET attempted_at = max(?, kept_at) WHERE n = ?", new)
                    left -= sum(each.row.attempted_at is None for each in found.rows)
            self.handover.is_whole = is_all and self.handover.is_open
            return claimed

        try:
            return await self.write(work)
        except BaseException:
            self.handover.is_whole = False  # unused rows are only in the table
            raise

    async def note_acks(self) -> None:
        """Note acknowledgements in a separate commit."""
        if self.acks:
            await self.write(lambda _: None)

    async def settle(self, settled: Sequence[Settled], now: float) -> None:
        """Note durable acknowledgements."""
        await self.write(lambda db: settle(db, settled, now))

    async def drop_message_id(self, n: int, problem: str) -> None:
        """Send this row without `Nats-Msg-Id` from now on, because another sender used the id."""

        def work(db: sqlite3.Connection) -> None:
            table.drop_message_id(db, n)
            db.execute("UPDATE unsent SET problem = ? WHERE n = ?", (problem, n))

        await self.write(work)

    async def park(self, ns: Sequence[int], problem: str) -> None:
        """Set refused rows aside; their channels wait behind them."""
        await self.write(lambda db: table.park(db, ns, problem))

    async def release(self) -> int:
        """Offer all parked rows again. Returns the number of rows."""
        return await self.write(table.release)

    async def note(self, problems: Mapping[int, str]) -> None:
        """Note why rows still wait, by their numbers."""
        sql = "UPDATE unsent SET problem = ? WHERE n = ?"
        await self.write(lambda db: db.executemany(sql, [(why, n) for n, why in problems.items()]))

    async def get(self, id_or_digest: str) -> Row | None:
        """One row by bulletin id or digest.

        Raises:
            StoreError: `row-damaged`, its bytes have changed.
        """
        row = await self.read(
            lambda db: table.first(db, "SELECT * FROM outbox WHERE id = ?1 OR digest = ?1", id_or_digest)
        )
        return row and table.whole(row)

    async def rows(self, state: str | None = None, limit: int = 1000, status: str | None = None) -> list[Row]:
        """The newest rows, of one state and status or of all."""
        among = {
            "": "true",
            RowState.KEPT.value: "n IN (SELECT n FROM unsent)",
            RowState.STORED.value: "state = ?1",
        }
        where = among.get(state or "", "n IN (SELECT n FROM aside WHERE state = ?1)")
        sql = f"SELECT * FROM outbox WHERE {where} AND (?3 IS NULL OR status = ?3) ORDER BY n DESC LIMIT ?2"
        return await self.read(lambda db: table.rows(db, sql, state, limit, status))

    async def chain(self, channel: str) -> list[Row]:
        """The rows of a channel's chain, in order."""
        return await self.read(lambda db: table.after(db, channel, 0))

    async def counts(self) -> dict[str, int]:
        """The number of rows in each state."""
        return await self.read(table.counts)

    async def oldest(self) -> tuple[int, float | None]:
        """(number of rows that wait to be sent, time since which the oldest waits in seconds since the epoch)."""
        return await self.read(table.waiting)

    async def wait_state(self, digest: str, timeout: float) -> str:
        """Wait until any process moves a row out of state `kept`. Returns its state, or `unknown`; also on timeout."""

        async def state() -> str:
            rows = await self.query("SELECT state FROM outbox WHERE digest = ?", digest)
            return rows[0]["state"] if rows else "unknown"

        with self.acks.awaited():
            return await self.wait(state, lambda state: state != RowState.KEPT, timeout)

    async def emptied(self, timeout: float) -> bool:
        """Wait until no row waits to be sent. Returns False on timeout."""
        with self.acks.awaited():
            waiting, _ = await self.wait(self.oldest, lambda oldest: not oldest[0], timeout)
        return not waiting

    async def lost(self) -> list[sqlite3.Row]:
        """The numbers that recoveries found lost for good (table `lost_numbers`), the newest first."""
        return await self.query("SELECT * FROM lost_numbers ORDER BY found_at DESC, channel, seq")

    async def vouch(self) -> None:
        """Accept it as the right file from now on, after a comparison with the bus or a recovery."""
        await self.write(self.heads.vouch)

    # -- content of the own channels ---------------------------------------------------------------------------------

    async def own_cursors(self) -> dict[str, int]:
        """Per stream, the sequence up to which the own channels have been read back."""
        rows = await self.query("SELECT stream, seq FROM own_cursors")
        return {row["stream"]: row["seq"] for row in rows}

    async def move_own_cursor(self, stream: str, seq: int) -> None:
        """Record how far the own channels have been read back."""
        await self.execute("REPLACE INTO own_cursors (stream, seq) VALUES (?, ?)", stream, seq)

    async def forget_own_cursors(self) -> None:
        """Make the next comparison, by any sending process, read the own channels from the beginning."""
        await self.execute("DELETE FROM own_cursors")

    async def unsettled(self) -> dict[str, int]:
        """The digests of all bulletins not known to be in a stream, with their row numbers."""
        rows = await self.query(
            "SELECT b.digest, b.n FROM unsent u CROSS JOIN bulletins b ON b.n = u.n UNION ALL "
            "SELECT b.digest, b.n FROM aside a CROSS JOIN bulletins b ON b.n = a.n WHERE a.state = 'parked'"
        )
        return {row["digest"]: row["n"] for row in rows}

    async def unknown(self, digests: Sequence[str]) -> set[str]:
        """The given digests that this outbox does not hold."""
        rows = await self.query(
            "SELECT value FROM json_each(?1) WHERE value NOT IN (SELECT digest FROM bulletins "
            "WHERE digest IN (SELECT value FROM json_each(?1)))",
            msgspec.json.encode(digests).decode(),
        )
        return {row["value"] for row in rows}

    async def mark_unsent(self, ns: Sequence[int]) -> None:
        """Send rows again that a stream has lost: the same bytes, without the message id, which the stream may still remember."""
        await self.write(lambda db: table.mark_unsent(db, ns))


class _Beside(NamedTuple):
    """The work with each commit of an outbox; the companion of its database."""

    heads: HeadsFile
    handover: Handover
    acks: Acks

    def opened(self, db: sqlite3.Connection) -> None:
        """As `bus.storage.Companion.opened`; the other methods likewise."""
        db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        self.heads.opened(db)

    def committing(self, db: sqlite3.Connection) -> None:
        self.acks.note(db)
        self.heads.committing(db)
        self.handover.committing(self.heads.fresh)

    def committed(self, db: sqlite3.Connection) -> None:
        self.acks.noted()
        self.heads.committed(db)
        self.handover.committed()

    def close(self) -> None:
        self.heads.close()
