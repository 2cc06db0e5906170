"""The reader's store: what was admitted, what was refused and why, and where reading goes on.

One file per reader identity. Effect, cursor and row are one transaction: the projector, the hub's picture, writes
into this same file. Whoever holds the lease reads the bus; other processes follow the admitted table by its rows.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from bus.admission import Judged, Message, Refused
from bus.storage import Database, lease, utc
from bus.subscribing import contested
from bus.subscribing.intake import Intake, Projector
from bus.subscribing.reassessment import Amending, Rejudging
from bus.subscribing.tables import LAYOUT, Stored, stored
from bus.transport import Cursor
from bus.trust import VerifiedRegistry

T = TypeVar("T")
FOLLOW_S = 5.0
AT_ONCE = 500

log = structlog.get_logger()


class Inbox:
    """A reader's store. Use `Inbox.open`."""

    def __init__(self, database: Database, projector: Projector | None, hold_s: float) -> None:
        self._db = database
        self._settling = Intake(projector, hold_s)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, projector: Projector | None = None, hold_s: float = 30.0
    ) -> AsyncIterator[Inbox]:
        """Open or make the file.

        Args:
            path: the file.
            projector: the hub's picture, kept in the same file.
            hold_s: how long a bulletin waits for the one before it.

        Raises:
            StoreError: as `Database.open`.
        """
        layouts = (LAYOUT, lease.LAYOUT, *(projector.layouts if projector else ()))
        async with Database.open(path, layouts) as database:
            yield cls(database, projector, hold_s)

    # -- reading the bus --------------------------------------------------------------------------------------------

    async def cursor(self, stream: str) -> Cursor:
        """Up to where a stream has been read."""
        row = await self._db.read(
            lambda db: db.execute("SELECT * FROM cursors WHERE stream = ?", (stream,)).fetchone()
        )
        if row is None:
            return Cursor()
        return Cursor(
            seq=row["seq"], digest=row["digest"], stored_ns=row["stored_ns"], pending=row["pending"]
        )

    async def rewind(self, stream: str) -> None:
        """Read a stream from its beginning; what is known is recognised by its digest."""
        await self._db.write(lambda db: db.execute("DELETE FROM cursors WHERE stream = ?", (stream,)))

    async def covered(self, stream: str) -> frozenset[str]:
        """The subjects (patterns) of which everything before the cursor of a stream has been read."""
        rows = await self._db.read(
            lambda db: db.execute("SELECT filter FROM read_filters WHERE stream = ?", (stream,)).fetchall()
        )
        return frozenset(row["filter"] for row in rows)

    async def cover(self, stream: str, filters: Collection[str]) -> None:
        """Note that of these subjects, and of no others, everything before the cursor has been read."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM read_filters WHERE stream = ?", (stream,))
            db.executemany("INSERT INTO read_filters VALUES (?, ?)", [(stream, each) for each in filters])

        await self._db.write(work)

    async def settle(
        self, judged: Sequence[Judged | Refused], stream: str | None, cursor: Cursor | None, now: dt.datetime
    ) -> Mapping[str, int]:
        """Take a batch in: chain, hold back, keep, project, quarantine, and move the cursor, all in one transaction.

        Args:
            judged: messages in the order of the stream.
            stream: where they came from; None when they had been put aside until their time, or lie before the cursor.
            cursor: where that stream has been read to with them.
            now: the present.

        Returns:
            How many were admitted, held, duplicate, refused.
        """
        return await self._db.write(lambda db: self._settling.settle(db, judged, stream, cursor, now))

    async def release(self, now: dt.datetime) -> Mapping[str, int]:
        """Release bulletins that have waited long enough for their predecessor, and project again those that failed."""
        if not await self._db.read(lambda db: self._settling.is_due(db, now)):
            return {}
        return await self._db.write(lambda db: self._settling.release(db, now))

    async def amend(self, registry: VerifiedRegistry, now: dt.datetime) -> Mapping[str, int]:
        """Take in what the registry has said since: keys that have ended and keys that have come (`bus.subscribing.reassessment`).

        Cheap when nothing has changed; to be called every so often, with the registry as it stands.
        """
        counts: Counter[str] = Counter()
        for work in (Amending(self._settling, registry, now), Rejudging(self._settling, registry, now)):
            if await self._db.read(work.is_due):
                counts.update(await self._db.write(work.amend))
        return counts

    async def decide(self, channel: str, by: str, reason: str, now: dt.datetime) -> tuple[int, bool]:
        """Note a person's decision on the contradictions of a channel; how many, and whether its issuer is frozen still."""

        def work(db: sqlite3.Connection) -> tuple[int, bool]:
            return self._settling.decide(db, channel, by, reason, now), contested.is_frozen(db, channel)

        return await self._db.write(work)

    async def due_future(self, now: dt.datetime) -> list[Message]:
        """Messages whose time has come, to be judged again; they wait on until they are settled without a stream.

        Those of one moment come in the order of their stream.
        """

        def work(db: sqlite3.Connection) -> list[Message]:
            sql = "SELECT message, retry_at FROM deferred WHERE retry_at <= ? ORDER BY retry_at LIMIT ?"
            rows = db.execute(sql, (now.timestamp(), AT_ONCE)).fetchall()
            found = [(row["retry_at"], msgspec.msgpack.decode(row["message"], type=Message)) for row in rows]
            return [message for _, message in sorted(found, key=lambda each: (each[0], each[1].stream_seq))]

        return await self._db.read(work)

    @property
    def has_picture(self) -> bool:
        """Whether the hub's picture is kept in this store."""
        return self._settling.projector is not None

    async def take_lease(self, owner: str, now: float, ttl: float = lease.LEASE_S) -> bool:
        """Become or stay the one process that reads the bus for this store."""
        return await self._db.write(lambda db: lease.take(db, owner, now, ttl))

    async def drop_lease(self, owner: str) -> None:
        """Let another process read."""
        await self._db.write(lambda db: lease.drop(db, owner))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work in one transaction of the store; on the disk when this returns."""
        return await self._db.write(work)

    # -- asking -----------------------------------------------------------------------------------------------------

    async def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask the tables; all statements of `question` see the same moment."""
        return await self._db.read(question)

    async def follow(self, after: int, *, live: bool = True) -> AsyncIterator[Stored]:
        """Admitted bulletins after a row, in order; for ever when `live`, also those that another process admits."""
        mark = -1
        while True:
            mark = await self._db.changed(mark, 0)
            start = after
            rows = await self._db.read(
                lambda db, start=start: [  # type: ignore[misc]  # bound now, read in the store's thread
                    stored(row)
                    for row in db.execute(
                        "SELECT * FROM admitted WHERE row > ? ORDER BY row LIMIT ?", (start, AT_ONCE)
                    )
                ]
            )
            for row in rows:
                after = row.rowid
                yield row
            if not rows:
                if not live:
                    return
                mark = await self._db.changed(mark, FOLLOW_S)

    async def row_before(self, moment: dt.datetime) -> int:
        """The last row admitted before a moment; 0 when there is none."""
        found = await self._db.read(
            lambda db: db.execute(
                "SELECT max(row) FROM admitted WHERE admitted_at < ?", (moment.timestamp(),)
            ).fetchone()[0]
        )
        return int(found or 0)

    async def status(self) -> dict[str, object]:
        """Counts and cursors, fit for JSON."""

        def work(db: sqlite3.Connection) -> dict[str, object]:
            counters = {row["name"]: row["value"] for row in db.execute("SELECT * FROM counters")}
            cursors = db.execute("SELECT * FROM cursors ORDER BY stream").fetchall()
            last = db.execute("SELECT max(admitted_at) FROM admitted").fetchone()[0]
            return {
                "admitted": db.execute("SELECT count(*) FROM admitted").fetchone()[0],
                "duplicates": counters.get("duplicate", 0),
                "waiting_for_predecessor": db.execute("SELECT count(*) FROM held_back").fetchone()[0],
                "waiting_for_its_time": db.execute("SELECT count(*) FROM deferred").fetchone()[0],
                "parked": db.execute(
                    "SELECT count(*) FROM admitted WHERE tries > 0 AND retry_at IS NULL"
                ).fetchone()[0],
                "refused": {
                    row["reason"]: row["c"]
                    for row in db.execute(
                        "SELECT reason, count(*) c FROM quarantine GROUP BY reason ORDER BY reason"
                    )
                },
                "cursors": {each["stream"]: each["seq"] for each in cursors},
                "behind": sum(each["pending"] for each in cursors),
                "last_admitted": utc(last).isoformat() if last else None,
            }

        return await self._db.read(work)

    async def rebuild(self) -> int:
        """Make the projection anew from the signed bytes, parked ones included; from how many bulletins."""

        def work(db: sqlite3.Connection) -> int:
            projector = self._settling.projector
            if projector is None:
                return 0
            projector.clear(db)
            count = after = 0
            sql = "SELECT * FROM admitted WHERE row > ? ORDER BY row LIMIT ?"
            while rows := db.execute(sql, (after, AT_ONCE)).fetchall():
                for row in rows:
                    again = stored(row)
                    self._settling.project(
                        db, again, again.admitted_at
                    )  # one that fails is tried again at once
                count, after = count + len(rows), rows[-1]["row"]
            return count

        return await self._db.write(work)

    async def redrive(self) -> int:
        """Try parked bulletins again; how many there are."""

        def work(db: sqlite3.Connection) -> int:
            sql = "UPDATE admitted SET tries = 1, retry_at = 0 WHERE tries > 0 AND retry_at IS NULL"
            return db.execute(sql).rowcount

        return await self._db.write(work)
