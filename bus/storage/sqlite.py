"""One SQLite file, one thread, and one commit for all waiting work.

Write-ahead log with `synchronous=FULL`: committed data survives a power cut. All waiting pieces of work are one `BEGIN
IMMEDIATE` transaction. A piece that raises is rolled back alone and its caller gets the exception; the others commit
with a single fsync. Items that wait for one handler are one piece (`Database.write_together`). Other processes may
share the file.

Every waiting caller gets an answer, even if the thread fails. Twice a second, and around each commit, the thread checks
that the file is still in its place (`bus.storage.presence`). A file that stays open is read whole once a day, and after
a program ended without closing it (`bus.storage.soundness`). The pages of a new file have `PAGE_BYTES`; an older file
keeps its size.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bus.errors import StoreError
from bus.logs import logger
from bus.storage import faults, lease, soundness
from bus.storage.layout import Layout, bring_up_to_date, is_current, is_older
from bus.storage.presence import Presence
from bus.storage.work import Handler, Item, Outcome, Result, Work, attempt, calls
from bus.tasks import in_background

BUSY_TIMEOUT_S = 10.0
POLL_S = 0.025
MAX_GROUP = 512
"""Most pieces of work in one commit, items of `write_together` included; later work waits for it."""
LOOK_S = 0.5
"""Seconds between two checks of the file while nothing is written."""
PAGE_BYTES = 8192
"""Page size of a new file: a bulletin with its row fits into one page, without an overflow page."""

_OTHERS = 1_000_000_007

log = logger()

T = TypeVar("T")


class Companion(Protocol):
    """A room's own data beside the file, kept in the thread of the store; its methods raise nothing."""

    def opened(self, db: sqlite3.Connection) -> None:
        """Called when the file is open."""

    def committing(self, db: sqlite3.Connection) -> None:
        """Called before a commit of all work."""

    def committed(self, db: sqlite3.Connection) -> None:
        """Called after a commit, before any caller is told."""

    def close(self) -> None:
        """Called when the file is closed."""


class Database:
    """An open store. Use `Database.open`."""

    def __init__(self, path: Path, layouts: Sequence[Layout], companion: Companion | None = None) -> None:
        self.path = path
        self.layouts = (*layouts, soundness.LAYOUT)
        self._companion = companion
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=f"sqlite {path.name}", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._written = asyncio.Event()
        self._refusal: StoreError | None = None  # the error for new work once closed
        self._broken: StoreError | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()  # fails when no caller could be told
        self._presence: Presence | None = None
        self._checks: soundness.WholeChecks | None = None
        self._looked_at = 0.0
        self._has_ended = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, layouts: Sequence[Layout], *, companion: Companion | None = None
    ) -> AsyncIterator[Database]:
        """Open or make the file and bring older tables up to date; wait for all work at the end.

        If the file is replaced, moved, deleted or found damaged while it is open, the body is cancelled.

        Args:
            path: the file; made readable for its owner only.
            layouts: the tables that it must have; the first determines the kind of file.
            companion: the room's own data beside it.

        Raises:
            StoreError: `store-layout`, `store-wire`; the file is of another kind, release or wire, and stays unchanged.
            StoreError: `store-corrupt`, `store-unreadable`, `store-busy`, `store-full`, `store-memory`.
            StoreError: `store-replaced`, `store-corrupt`, found while the body ran.
        """
        database = cls(path, layouts, companion)
        try:
            database._thread.start()
        except RuntimeError:
            raise faults.no_memory(path) from None
        try:
            await database._opened
            async with in_background(database._until_lost(), f"look at {path.name}"):
                yield database
        finally:
            database._refusal = StoreError(f"{path} has been closed", reason="store-closed")
            database._work.put(None)
            await database._joined()

    async def write(self, work: Callable[[sqlite3.Connection], T], *, brief: bool = False) -> T:
        """Run `work` in a transaction and return when it is on the disk.

        Args:
            work: the function to run.
            brief: whether it changes so few pages that their copies fit in memory. SQLite copies each page for each
                statement with triggers; for other work the copies are in a temporary file.

        Raises:
            StoreError: `store-full`, `store-busy`, `store-memory`; nothing of the work was kept; it may be repeated.
            StoreError: `store-failed`, `store-corrupt`, `store-replaced`; the store takes no more work until it is
                opened again.
            Exception: the error of the work; nothing of it was kept.
        """
        result: T = await self._put(work, writes=True, brief=brief)
        return result

    async def write_together(self, handler: Handler[Item, Result], item: Item) -> Result:
        """Handle an item together with all others that wait for the same handler, and return when it is on the disk.

        The thread takes at most `MAX_GROUP` waiting pieces and calls each handler once, in one transaction. The order
        relative to other waiting work is undefined.

        Args:
            handler: called with the connection and the items, oldest first; returns a result or an exception for each.
                Its writes for an item with an exception are kept, so it must judge before it writes. Equal handlers,
                such as a bound method of one object, count as one; a handler must have a hash.
            item: handled even if its caller is cancelled in the meantime, unless the thread has ended.

        Raises:
            StoreError: as `write`.
            Exception: the handler's exception for this item; or the error that it raised, and then no item was kept.
        """
        hash(handler)  # here, where it disturbs no other work
        result: Result = await self._put(handler, writes=True, item=(item,), brief=True)
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which only reads; all its statements see one snapshot."""
        result: T = await self._put(work, writes=False)
        return result

    async def check(self) -> None:
        """Read every page of the file.

        Raises:
            StoreError: `store-corrupt`, after which it takes no more work; `store-busy`, `store-memory`,
                `store-unreadable`.
        """
        try:
            finding = await asyncio.to_thread(
                soundness.look_through, self.path, goes_on=lambda: self._refusal is None
            )
        except (sqlite3.Error, OSError, MemoryError) as exc:
            raise faults.of_opening(exc, self.path) from None
        if finding:
            raise self._breaks(faults.damaged(self.path, finding))

    async def changed(self, since: int, timeout: float) -> int:
        """Wait until this or another process has committed since `since`. Returns the new mark.

        Args:
            since: the mark that this returned before; -1 at first.
            timeout: seconds; the same mark is returned if nothing happened.
        """
        deadline = self._loop.time() + timeout
        while True:
            self._written.clear()
            mark = await self.read(_mark)
            left = deadline - self._loop.time()
            if mark != since or left <= 0:
                return mark
            # Commits of this process wake us; those of others are polled for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(POLL_S, left)):
                    await self._written.wait()

    async def _put(
        self, work: Callable[..., Any], *, writes: bool, item: tuple[Any, ...] = (), brief: bool = False
    ) -> Any:
        if refusal := self._refusal or self._broken:
            raise refusal
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._work.put(Work(work, answer, writes, item, brief))
        if self._has_ended:  # closed since we looked; then nothing takes the work out
            self._answer_left()
        return await answer

    async def _until_lost(self) -> None:
        """Fail when the open file is lost. Shielded, because the future does not belong to this task."""
        await asyncio.shield(self._lost)

    async def _joined(self) -> None:
        """Wait for the end of the thread, even when cancelled, since the thread still uses the file."""
        while self._thread.is_alive() and not self._closed.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await asyncio.shield(self._closed)

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        problem: BaseException | None = None
        try:
            db = self._connect()
            self._presence = Presence(self.path)
            if self._companion is not None:
                self._companion.opened(db)
            self._checks = soundness.WholeChecks(
                self.path,
                goes_on=lambda: self._refusal is None,
                tell=lambda finding: self._loses(faults.damaged(self.path, finding)),
            )
            self._tell([Outcome(self._opened)])
            self._work_on(db)
            if self._is_there():
                self._checks.close(db)
        except BaseException as exc:  # noqa: BLE001 (on any error no caller may wait for ever)
            problem = exc
        opening = faults.of_opening(problem, self.path) if problem else faults.ended(self.path)
        if self._broken is None:
            self._broken = faults.ended(self.path, problem) if db is not None else opening
        self._has_ended = True
        self._tell([Outcome(self._opened, error=opening)])  # usually settled already
        self._answer_left()
        if self._companion is not None:
            self._companion.close()
        if db is not None:
            with contextlib.suppress(sqlite3.Error, MemoryError):
                db.close()
        self._tell([Outcome(self._closed)])

    def _work_on(self, db: sqlite3.Connection) -> None:
        """Do all work until the store is closed."""
        goes_on = True
        while goes_on:
            group: list[Work] = []
            try:
                goes_on = self._next(group)
                self._look_around(db)
                if group:
                    self._serve(db, group)
            except BaseException as exc:  # noqa: BLE001 (memory, or a fault of ours: those who wait are told)
                with contextlib.suppress(sqlite3.Error, MemoryError):
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                error = faults.of_work(exc, self.path)
                self._tell([Outcome(work.answer, error=error) for work in group])
                time.sleep(POLL_S)  # the same error may come again at once

    def _next(self, group: list[Work]) -> bool:
        """Take the next work from the queue, with a bounded wait. Returns False if the store is closed."""
        try:
            first = self._work.get(timeout=LOOK_S)
        except queue.Empty:
            return True
        if first is None:
            return False
        group.append(first)
        with contextlib.suppress(queue.Empty):
            while len(group) < MAX_GROUP:
                if (more := self._work.get_nowait()) is None:
                    return False
                group.append(more)
        return True

    def _answer_left(self) -> None:
        """Answer the callers whose work is not done any more."""
        error = self._refusal or self._broken
        with contextlib.suppress(queue.Empty):
            while True:
                if (work := self._work.get_nowait()) is not None:
                    self._tell([Outcome(work.answer, error=error)])

    def _look_around(self, db: sqlite3.Connection) -> None:
        """Check at intervals that the file is in its place, and whether a whole check is due."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            if self._is_there() and self._checks is not None and not db.in_transaction:
                self._checks.look(db)

    def _is_there(self) -> bool:
        """Whether the file is in its place; otherwise the store takes no more work."""
        if self._broken is not None or self._presence is None:
            return self._broken is None
        try:
            fault = self._presence.fault()
        except OSError:
            return True  # it cannot be read now, which proves nothing
        if fault:
            self._loses(faults.replaced(fault))
        return not fault

    def _breaks(self, error: StoreError) -> StoreError:
        """Take no more work from now on. Returns the error for all callers."""
        if self._broken is None:
            self._broken = error
            log.error("store_failed", path=str(self.path), reason=error.reason, problem=str(error))
        return self._broken

    def _loses(self, error: StoreError) -> None:
        """As `_breaks`, and tell the body, which may not call the store for a long time."""
        error = self._breaks(error)

        def tell() -> None:
            if not self._lost.done():
                self._lost.set_exception(error)
                self._lost.exception()  # if nobody waits for it any more, that is not an error

        with contextlib.suppress(RuntimeError, MemoryError):
            self._loop.call_soon_threadsafe(tell)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here but never opened: closing it would drop the locks of this process's other connections to it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=256)
        try:
            db.row_factory = sqlite3.Row
            db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # takes effect only in an empty file
            # Before anything is written, so that a refused file stays unchanged.
            db.execute("BEGIN")
            current = is_current(db, self.path, self.layouts)
            if finding := soundness.glance(db, self.path):
                raise faults.damaged(self.path, finding)
            db.execute("COMMIT")
            _use_log(db)
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            # Also overwrite space that an update frees: erasing a row later does not reach the old copies in its page.
            db.execute("PRAGMA secure_delete=ON")
            if not current:
                self._bring_up_to_date(db)
        except BaseException:
            db.close()
            raise
        return db

    def _bring_up_to_date(self, db: sqlite3.Connection) -> None:
        """One transaction; another process may have been faster. Closing the connection undoes uncommitted work."""
        db.execute("BEGIN IMMEDIATE")
        if not is_current(db, self.path, self.layouts):
            if is_older(db, self.layouts) and lease.is_held(db, time.time()):
                raise StoreError(
                    f"a program of an earlier release is using {self.path}; end it, then try again",
                    reason="store-busy",
                )
            bring_up_to_date(db, self.path, self.layouts)
        db.execute("COMMIT")

    def _serve(self, db: sqlite3.Connection, group: list[Work]) -> None:
        if db.in_transaction:
            db.execute("ROLLBACK")  # it could not be rolled back before
        if writes := [work for work in group if work.writes]:
            self._tell(self._commit(db, writes) if self._is_there() else self._refused(writes), wrote=True)
        if reads := [work for work in group if not work.writes]:
            self._tell(self._look(db, reads) if self._broken is None else self._refused(reads))

    def _refused(self, works: list[Work]) -> list[Outcome]:
        return [Outcome(work.answer, error=self._broken) for work in works]

    def _commit(self, db: sqlite3.Connection, writes: list[Work]) -> list[Outcome]:
        """Commit the whole group at once; a failed call is undone alone.

        The first call needs no savepoint, since nothing precedes it. Mostly it is the only one, and in a savepoint
        SQLite would copy each page before it is changed.
        """
        outcomes: list[Outcome] = []
        try:
            _undo_in_memory(db, all(work.brief for work in writes))
            db.execute("BEGIN IMMEDIATE")
            for n, call in enumerate(calls(writes)):
                if n:
                    db.execute("SAVEPOINT one")
                done, error = call.outcomes(db)
                if error is not None:
                    if faults.is_of_store(error) and not db.in_transaction:
                        raise error  # SQLite itself has undone the whole group, which happens when the disk is full
                    if n:
                        db.execute("ROLLBACK TO one")
                    else:
                        db.execute("ROLLBACK")
                        db.execute("BEGIN IMMEDIATE")
                if n:
                    db.execute("RELEASE one")
                outcomes += map(self._in_our_words, done)
            if self._companion is not None:
                self._companion.committing(db)
            db.execute("COMMIT")
        except (sqlite3.Error, MemoryError) as exc:
            with contextlib.suppress(sqlite3.Error, MemoryError):
                db.execute("ROLLBACK")
            error = self._ours(exc)
            failed = {outcome.answer: outcome for outcome in outcomes if outcome.error is not None}
            return [failed.get(work.answer, Outcome(work.answer, error=error)) for work in writes]
        if self._companion is not None:
            self._companion.committed(db)
        # A commit into a file that has lost its name is lost when this program ends.
        return outcomes if self._is_there() else self._refused(writes)

    def _look(self, db: sqlite3.Connection, reads: list[Work]) -> list[Outcome]:
        """Run the reads of a group in one snapshot."""
        outcomes: list[Outcome] = []
        try:
            _undo_in_memory(db, False)  # a large sort would be in memory too
            db.execute("BEGIN")
            for work in reads:
                result, error = attempt(work.run, db)
                outcomes.append(self._in_our_words(Outcome(work.answer, result, error)))
        except (sqlite3.Error, MemoryError) as exc:
            error = self._ours(exc)
            outcomes += [Outcome(work.answer, error=error) for work in reads[len(outcomes) :]]
        finally:
            with contextlib.suppress(sqlite3.Error, MemoryError):
                if db.in_transaction:
                    db.execute("COMMIT")
        return outcomes

    def _tell(self, outcomes: list[Outcome], *, wrote: bool = False) -> None:
        """Answer the callers and wake those that wait for a commit, in one call, because each call wakes the loop."""

        def settle() -> None:
            if wrote:
                self._written.set()
            for answer, result, error in outcomes:
                if answer.done():
                    continue  # the caller was cancelled
                if error is not None:
                    answer.set_exception(error)
                else:
                    answer.set_result(result)

        while True:
            # The loop is closed if its owner was cancelled hard; then no caller waits any more.
            with contextlib.suppress(RuntimeError):
                try:
                    self._loop.call_soon_threadsafe(settle)
                except MemoryError:
                    time.sleep(POLL_S)
                    continue
            return

    def _in_our_words(self, outcome: Outcome) -> Outcome:
        return outcome if outcome.error is None else outcome._replace(error=self._ours(outcome.error))

    def _ours(self, exc: Exception) -> Exception:
        """The error for our callers; an error that leaves the disk in an unknown state ends this store."""
        if not faults.is_of_store(exc):
            return exc
        error = faults.of_work(exc, self.path)
        return self._breaks(error) if faults.is_fatal(exc) else error


def utc(seconds: float) -> dt.datetime:
    """A UTC time from seconds since the epoch, as files keep it."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _use_log(db: sqlite3.Connection) -> None:
    # SQLite does not wait for another process that also turns the new file to WAL, so we wait here.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if faults.code(exc) not in faults.BUSY or time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
        else:
            return


def _undo_in_memory(db: sqlite3.Connection, wanted: bool) -> None:
    """Choose where the next transaction keeps copies of pages and other temporary data: in memory or in files."""
    db.execute("PRAGMA temp_store = MEMORY" if wanted else "PRAGMA temp_store = DEFAULT")


def _mark(db: sqlite3.Connection) -> int:
    # data_version moves with commits of others, total_changes with our own.
    return int(db.execute("PRAGMA data_version").fetchone()[0]) * _OTHERS + db.total_changes


def by_others(mark: int) -> int:
    """The part of a mark of `Database.changed` that moves only with commits of other processes."""
    return mark // _OTHERS
