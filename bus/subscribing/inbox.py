"""The reader's store: admitted bulletins, refused ones with the reason, and the cursors of its streams.

One file per reader identity. Effect, cursor and row are one transaction: the projector, the hub's picture, writes into
the same file. The process with the lease reads the bus; others follow the admitted table by its rows.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from bus.admission import Judged, Message, Refused
from bus.logs import logger
from bus.storage import Database, Store, lease, single, up_to
from bus.subscribing import bodies, contested, totals
from bus.subscribing.budget import Charges
from bus.subscribing.intake import Intake, Projector
from bus.subscribing.reassessment import Reassessment
from bus.subscribing.tables import LAYOUT, Stored, stored, whole
from bus.transport import Cursor
from bus.trust import VerifiedRegistry

T = TypeVar("T")
FOLLOW_S = 5.0
AT_ONCE, AT_ONCE_BYTES = 500, 2 * 1024**2
"""Most bulletins, and bytes of them, in memory at a time: one may have 256 kB."""

log = logger()


def admitted_after(db: sqlite3.Connection, after: int) -> list[sqlite3.Row]:
    """The next admitted bulletins after a row."""
    rows = db.execute("SELECT * FROM admitted WHERE row > ? ORDER BY row LIMIT ?", (after, AT_ONCE))
    return up_to(rows, "payload", AT_ONCE_BYTES)


def row_before(db: sqlite3.Connection, moment: dt.datetime) -> int:
    """The last row admitted before a moment; 0 if there is none."""
    sql = "SELECT row FROM admitted WHERE admitted_at < ? ORDER BY admitted_at DESC, row DESC LIMIT 1"
    row = db.execute(sql, (moment.timestamp(),)).fetchone()
    return 0 if row is None else int(row["row"])


def counted(db: sqlite3.Connection) -> dict[str, object]:
    """Counts and cursors, as values for JSON."""
    counters = {row["name"]: row["value"] for row in db.execute("SELECT * FROM counters")}
    cursors = db.execute("SELECT * FROM cursors ORDER BY stream").fetchall()
    last = totals.newest_at(db)
    waiting, early, parked = (
        single(db, f"SELECT count(*) FROM {rows}")
        for rows in ("held_back", "deferred", "admitted WHERE tries > 0 AND retry_at IS NULL")
    )
    return {
        "admitted": totals.admitted(db),
        "duplicates": counters.get("duplicate", 0),
        "waiting_for_predecessor": waiting,
        "waiting_for_its_time": early,
        "parked": parked,
        "refused": totals.refused_by_reason(db),
        "cursors": {row["stream"]: row["seq"] for row in cursors},
        "behind": sum(row["pending"] for row in cursors),
        "last_admitted": last.isoformat() if last else None,
    }


class Inbox(Store):
    """A reader's store. Use `Inbox.open`."""

    def __init__(self, database: Database, projector: Projector | None, hold_s: float) -> None:
        super().__init__(database)
        self._intake = Intake(projector, hold_s)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, projector: Projector | None = None, hold_s: float = 30.0
    ) -> AsyncIterator[Inbox]:
        """Open or make the file.

        Args:
            path: the file.
            projector: the hub's picture, kept in the same file.
            hold_s: seconds that a bulletin waits for the one before it.

        Raises:
            StoreError: as `Database.open`.
        """
        layouts = (LAYOUT, lease.LAYOUT, *(projector.layouts if projector else ()))
        async with Database.open(path, layouts) as database:
            yield cls(database, projector, hold_s)

    # -- reading the bus --------------------------------------------------------------------------------------------

    async def cursor(self, stream: str) -> Cursor:
        """The cursor of a stream."""
        for row in await self.query("SELECT * FROM cursors WHERE stream = ?", stream):
            return Cursor(**{name: row[name] for name in Cursor.__struct_fields__})
        return Cursor()

    async def rewind(self, stream: str) -> None:
        """Read a stream from its beginning; known bulletins are recognised by their digest."""
        await self.execute("DELETE FROM cursors WHERE stream = ?", stream)

    async def covered(self, stream: str) -> frozenset[str]:
        """The subjects (patterns) whose messages before the cursor of a stream have all been read."""
        rows = await self.query("SELECT filter FROM read_filters WHERE stream = ?", stream)
        return frozenset(row["filter"] for row in rows)

    async def cover(self, stream: str, filters: Collection[str]) -> None:
        """Note that exactly of these subjects all messages before the cursor have been read."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM read_filters WHERE stream = ?", (stream,))
            db.executemany(
                "INSERT INTO read_filters VALUES (?, ?)", [(stream, subject) for subject in filters]
            )

        await self.write(work)

    async def settle(
        self,
        judged: Sequence[Judged | Refused],
        stream: str | None,
        cursor: Cursor | None,
        now: dt.datetime,
        *,
        charges: Charges | None = None,
    ) -> Mapping[str, int]:
        """Take in a batch: chain, hold back, keep, project, quarantine, and move the cursor, all in one transaction.

        Args:
            judged: messages in the order of the stream.
            stream: the name of their stream; None if they were put off until now, or lie before the cursor.
            cursor: the cursor of that stream after them.
            now: the present.
            charges: the cost of each for its authority's budget, charged when all is kept; None if charged before.
        """
        counts = await self.write(
            lambda db: self._intake.settle(db, judged, stream, cursor, now, charges),
            brief=not self._intake.may_release,
        )
        if charges is not None:
            charges.commit()
        return counts

    async def release(self, now: dt.datetime) -> Mapping[str, int]:
        """Release bulletins that have waited long enough for their predecessor, and project failed ones again."""
        if not await self.read(lambda db: self._intake.is_due(db, now)):
            return {}
        return await self.write(lambda db: self._intake.release(db, now))

    async def amend(self, registry: VerifiedRegistry, now: dt.datetime) -> Mapping[str, int]:
        """Judge again what a change of the registry concerns: revoked and expired keys, new keys (`reassessment`).

        Cheap when nothing has changed; called at intervals, with the present registry.
        """
        counts: Counter[str] = Counter()
        work = Reassessment(self._intake, registry, now)
        for is_due, amend in ((work.must_rule, work.rule), (work.must_retry, work.retry)):
            if await self.read(is_due):
                counts.update(await self.write(amend))
        return counts

    async def decide(self, channel: str, by: str, reason: str, now: dt.datetime) -> tuple[int, bool]:
        """Note a person's decision on the contradictions of a channel. Returns (their number, whether the issuer is still frozen)."""

        def work(db: sqlite3.Connection) -> tuple[int, bool]:
            return self._intake.decide(db, channel, by, reason, now), contested.is_frozen(db, channel)

        return await self.write(work)

    async def due_future(self, now: dt.datetime) -> list[Message]:
        """Deferred messages whose time has come, to judge again. They stay deferred until they are settled without a stream.

        Messages of one moment come in the order of their stream.
        """
        sql = "SELECT message FROM deferred WHERE retry_at <= ? ORDER BY retry_at, stream_seq LIMIT ?"
        arguments = (now.timestamp(), AT_ONCE)
        rows = await self.read(lambda db: up_to(db.execute(sql, arguments), "message", AT_ONCE_BYTES))
        return [msgspec.msgpack.decode(row["message"], type=Message) for row in rows]

    @property
    def projector(self) -> Projector | None:
        """What makes the hub's picture; None where none is kept in this store."""
        return self._intake.projector

    @property
    def has_picture(self) -> bool:
        """Whether the hub's picture is kept in this store."""
        return self._intake.projector is not None

    # -- asking -----------------------------------------------------------------------------------------------------

    async def follow(self, after: int, *, live: bool = True) -> AsyncIterator[Stored]:
        """Admitted bulletins after a row, in order; with `live` endlessly, including those that another process admits."""
        mark = -1
        while True:
            mark = await self.changed(mark, 0)
            rows = await self.read(partial(admitted_after, after=after))
            for row in rows:
                after = row["row"]
                for kept in whole([row]):
                    yield kept
            if not rows:
                if not live:
                    return
                mark = await self.changed(mark, FOLLOW_S)

    async def row_before(self, moment: dt.datetime) -> int:
        """The last row admitted before a moment; 0 if there is none."""
        return await self.read(lambda db: row_before(db, moment))

    async def status(self) -> dict[str, object]:
        """Counts and cursors, as values for JSON."""
        return await self.read(counted)

    async def rebuild(self) -> int:
        """Rebuild the projection from the signed bytes, parked ones included. Returns the number of bulletins."""

        def work(db: sqlite3.Connection) -> int:
            projector = self._intake.projector
            if projector is None:
                return 0
            projector.clear(db)
            count = after = 0
            while rows := admitted_after(db, after):
                for again in map(stored, rows):  # a failed one is tried again at once
                    self._intake.project(db, again, again.admitted_at)
                count, after = count + len(rows), rows[-1]["row"]
            return count

        return await self.write(work)

    async def redrive(self) -> int:
        """Try parked bulletins again. Returns their number."""
        return await self.write(bodies.unpark)
