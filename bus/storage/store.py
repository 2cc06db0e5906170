"""A store: one file, its transactions, and the lease by which one of several processes does the work."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from bus.errors import StoreError
from bus.storage import lease
from bus.storage.sqlite import Database
from bus.storage.work import Handler, Item, Result

T = TypeVar("T")


class Store:
    """The methods of every store on a `Database`. The lease needs `lease.LAYOUT` in the file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._kept: Lease | None = None

    async def write(self, work: Callable[[sqlite3.Connection], T], *, brief: bool = False) -> T:
        """Run `work` in one transaction; it is on the disk when this returns. See `Database.write`.

        A lease that is kept by writing (`Lease`) is renewed in the same transaction.
        """
        if (kept := self._kept) is None:
            return await self.database.write(work, brief=brief)

        def work_and_renew(db: sqlite3.Connection) -> T:
            result = work(db)
            lease.extend(db, kept.owner, kept.clock().timestamp())
            return result

        return await self.database.write(work_and_renew, brief=brief)

    async def write_together(self, handler: Handler[Item, Result], item: Item) -> Result:
        """Handle an item together with all others that wait for the same handler. See `Database.write_together`.

        A lease that is kept by writing is renewed in the same transaction, unless each item got an exception.
        """
        if (kept := self._kept) is None:
            return await self.database.write_together(handler, item)
        return await self.database.write_together(_Renewing(handler, kept), item)

    def keep_by_writing(self, kept: Lease | None) -> None:
        """Renew this lease with every write from now on; None renews no lease."""
        self._kept = kept

    async def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Run `question`, which only reads; all its statements see one snapshot."""
        return await self.database.read(question)

    async def execute(self, sql: str, *arguments: object) -> int:
        """Change rows by one statement. Returns the number of changed rows."""
        return await self.write(lambda db: db.execute(sql, arguments).rowcount)

    async def query(self, sql: str, *arguments: object) -> list[sqlite3.Row]:
        """The rows that a statement selects."""
        return await self.read(lambda db: db.execute(sql, arguments).fetchall())

    async def changed(self, since: int, timeout: float) -> int:
        """Wait for a commit by any process. See `Database.changed`."""
        return await self.database.changed(since, timeout)

    async def wait(self, look: Callable[[], Awaitable[T]], is_over: Callable[[T], bool], timeout: float) -> T:
        """Call `look` after each commit of any process, until `is_over` or for `timeout` seconds. Returns the last result."""
        deadline = time.monotonic() + timeout
        mark = -1
        while True:
            seen = await look()
            left = deadline - time.monotonic()
            if is_over(seen) or left <= 0:
                return seen
            mark = await self.changed(mark, left)

    async def take_lease(self, owner: str, now: float, ttl: float = lease.LEASE_S) -> bool:
        """Become or stay the holder of the lease. Returns False if another holds it."""
        if await self.read(lambda db: lease.is_anothers(db, owner, now, ttl)):
            return False  # waiting processes ask often, so no write transaction
        return await self.write(lambda db: lease.take(db, owner, now, ttl))

    async def drop_lease(self, owner: str) -> None:
        """Release the lease."""
        await self.write(lambda db: lease.drop(db, owner))


class Lease(msgspec.Struct, frozen=True):
    """The lease of a store, for one piece of work of this process.

    Attributes:
        store: the store.
        clock: the present, aware.
        owner: the name under which it is held.
        by_writing: whether each write to the store renews the held lease too. A renewal waits for its turn in the
            store's one thread and may come too late after large work; such work is itself a sign of life.
    """

    store: Store
    clock: Callable[[], dt.datetime]
    owner: str = msgspec.field(default_factory=lease.owner_name)
    by_writing: bool = False

    async def is_ours(self) -> bool:
        """Take or renew it. Returns False if another process has it."""
        taken = await self.store.take_lease(self.owner, self.clock().timestamp())
        if self.by_writing:
            self.store.keep_by_writing(self if taken else None)
        return taken

    async def is_lost(self) -> bool:
        """Whether another process has it now; asked without a write."""
        moment = self.clock().timestamp()
        return await self.store.read(lambda db: lease.is_anothers(db, self.owner, moment))

    async def renew(self) -> None:
        """Renew it.

        Raises:
            StoreError: `lease-held`, another process has it now.
        """
        if not await self.is_ours():
            raise StoreError("another process has taken over this store", reason="lease-held")

    async def drop(self) -> None:
        """Release it; if the store fails, it expires by itself."""
        self.store.keep_by_writing(None)
        with contextlib.suppress(StoreError):
            await self.store.drop_lease(self.owner)


class _Renewing(msgspec.Struct, Generic[Item, Result], frozen=True):
    """A handler that also renews a lease; equal to another with the same handler and lease, so that their items wait together."""

    handler: Handler[Item, Result]
    kept: Lease

    def __call__(self, db: sqlite3.Connection, items: list[Item]) -> Sequence[Result | Exception]:
        """Call the handler and renew the lease."""
        results = self.handler(db, items)
        if not all(isinstance(each, Exception) for each in results):
            lease.extend(db, self.kept.owner, self.kept.clock().timestamp())
        return results


def up_to(rows: Iterable[sqlite3.Row], column: str, most_bytes: int) -> list[sqlite3.Row]:
    """The first rows of a statement whose bytes in a column reach a sum, and one more; the others are not read."""
    taken: list[sqlite3.Row] = []
    size = 0
    for row in rows:
        taken.append(row)
        size += len(row[column])
        if size >= most_bytes:
            break
    return taken


def from_row(type_: type[T], row: sqlite3.Row, **given: object) -> T:
    """A struct from the columns with the names of its fields; `given` takes precedence over a column.

    Seconds since the epoch become a UTC time for a field of that type, and 0 and 1 a bool.
    """
    return msgspec.convert({**dict(row), **given}, type_, strict=False)


def single(db: sqlite3.Connection, sql: str, *arguments: object) -> int:
    """The number that a statement selects: a count, a maximum, whether something exists."""
    return int(db.execute(sql, arguments).fetchone()[0])


def insert(
    db: sqlite3.Connection, table: str, row: Mapping[str, object], *, verb: str = "INSERT"
) -> sqlite3.Cursor:
    """Add a row by the names of its columns; `verb` may be `INSERT OR IGNORE` or `REPLACE`."""
    marks = ", ".join(f":{name}" for name in row)
    return db.execute(f"{verb} INTO {table} ({', '.join(row)}) VALUES ({marks})", row)
