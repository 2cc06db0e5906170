"""One SQLite file, one thread, and one commit for all work that waits.

Write-ahead log with `synchronous=FULL`: what was committed survives a power cut. Pieces of work that wait are one
`BEGIN IMMEDIATE` transaction; one that raises is rolled back alone and its caller gets the exception, the others commit with a
single fsync. Items that wait for one handler are one such piece (`Database.write_together`). Other processes may share the file.

Whatever befalls the thread, everybody who waits for it is answered. Twice a second, and around each commit, it looks whether
the file still is where it was (`bus.storage.presence`); a file that stays open is read whole once a day, and after a program has
ended without closing it (`bus.storage.soundness`). The pages of a new file have `PAGE_BYTES`; an older one keeps its own.
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
"""So many pieces of work, items of `write_together` among them, are one commit at most; whoever comes later waits for it."""
LOOK_S = 0.5
"""Seconds between two looks at the file while nothing is written."""
PAGE_BYTES = 8192
"""Of a new file: a bulletin with its row fits into one page, and does not take an overflow page of its own."""

_OTHERS = 1_000_000_007

log = logger()

T = TypeVar("T")


class Companion(Protocol):
    """What a room keeps beside the file, in the thread of the store; it raises nothing."""

    def opened(self, db: sqlite3.Connection) -> None:
        """The file is open."""

    def committing(self, db: sqlite3.Connection) -> None:
        """Work is about to be committed, all of it."""

    def committed(self, db: sqlite3.Connection) -> None:
        """Work was committed, and nobody has been told yet."""

    def close(self) -> None:
        """The file is closed."""


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
        self._refusal: StoreError | None = None  # of new work, once closed
        self._broken: StoreError | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()  # fails when nobody's work could tell
        self._presence: Presence | None = None
        self._checks: soundness.WholeChecks | None = None
        self._looked_at = 0.0
        self._has_ended = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, layouts: Sequence[Layout], *, companion: Companion | None = None
    ) -> AsyncIterator[Database]:
        """Open or make the file, bringing older tables up to date; waits for all work at the end.

        When the file is replaced, moved or deleted meanwhile, or found damaged, the body is cancelled.

        Args:
            path: the file; made for its owner alone.
            layouts: the tables that must be in it; the first says what kind of file it is.
            companion: what is kept beside it.

        Raises:
            StoreError: `store-layout`, `store-wire`; the file is of another kind, release or wire, and is left as it is.
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
            work: what is done.
            brief: it changes so few pages that what would undo it has room in memory. SQLite keeps a copy of each page, for each
                statement that triggers follow; of other work the copies stand in a temporary file.

        Raises:
            StoreError: `store-full`, `store-busy`, `store-memory`; nothing of the work was kept, and it may be tried again.
            StoreError: `store-failed`, `store-corrupt`, `store-replaced`; the store takes no more work until it is opened anew.
            Exception: what the work raised; nothing of it was kept.
        """
        result: T = await self._put(work, writes=True, brief=brief)
        return result

    async def write_together(self, handler: Handler[Item, Result], item: Item) -> Result:
        """Have an item handled together with all others that wait for the same handler then, and return when it is on the disk.

        The thread takes what waits, at most `MAX_GROUP` pieces, and calls each handler once, in one transaction: as a caller,
        count on nothing about the order in which other work that waits is done.

        Args:
            handler: given the connection and the items, oldest first; returns a result or an exception for each. What it
                writes for an item to which it gives an exception is kept, so it judges before it writes. Handlers that are
                equal are the same one, such as a bound method of one object; it must have a hash.
            item: handled though its caller is cancelled meanwhile, unless the thread has ended.

        Raises:
            StoreError: as `write`.
            Exception: what the handler gave for this item; or what it raised, and then nothing was kept of any item.
        """
        hash(handler)  # here, where it disturbs nobody else
        result: Result = await self._put(handler, writes=True, item=(item,), brief=True)
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which only reads; all of its statements see the same moment."""
        result: T = await self._put(work, writes=False)
        return result

    async def check(self) -> None:
        """Read every page of the file.

        Raises:
            StoreError: `store-corrupt`, and it takes no more work; `store-busy`, `store-memory`, `store-unreadable`.
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
            since: what this returned before; -1 at first.
            timeout: seconds; the same mark comes back when nothing happened.
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
        if self._has_ended:  # since we looked; then nobody takes it out
            self._answer_left()
        return await answer

    async def _until_lost(self) -> None:
        """Fail when the file is lost under us. Shielded, as the future is not this task's."""
        await asyncio.shield(self._lost)

    async def _joined(self) -> None:
        """Wait for the end of the thread. Who is cancelled goes on, though the file is in use and the thread waits for it."""
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
        except BaseException as exc:  # noqa: BLE001 (whatever it is, nobody may wait for ever)
            problem = exc
        opening = faults.of_opening(problem, self.path) if problem else faults.ended(self.path)
        if self._broken is None:
            self._broken = faults.ended(self.path, problem) if db is not None else opening
        self._has_ended = True
        self._tell([Outcome(self._opened, error=opening)])  # settled already, as a rule
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
                time.sleep(POLL_S)  # it may be so again at once

    def _next(self, group: list[Work]) -> bool:
        """Add what is to be done next, waiting for it for a while. Returns False when the store is closed."""
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
        """Answer those whose work nobody does any more."""
        error = self._refusal or self._broken
        with contextlib.suppress(queue.Empty):
            while True:
                if (work := self._work.get_nowait()) is not None:
                    self._tell([Outcome(work.answer, error=error)])

    def _look_around(self, db: sqlite3.Connection) -> None:
        """Look now and then whether the file is where it was, and whether it is to be read whole."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            if self._is_there() and self._checks is not None and not db.in_transaction:
                self._checks.look(db)

    def _is_there(self) -> bool:
        """Whether the file is where it was; once it is not, the store takes no more work."""
        if self._broken is not None or self._presence is None:
            return self._broken is None
        try:
            fault = self._presence.fault()
        except OSError:
            return True  # it cannot be looked at now, which says nothing of it
        if fault:
            self._loses(faults.replaced(fault))
        return not fault

    def _breaks(self, error: StoreError) -> StoreError:
        """Take no more work from now on. Returns the error for everybody."""
        if self._broken is None:
            self._broken = error
            log.error("store_failed", path=str(self.path), reason=error.reason, problem=str(error))
        return self._broken

    def _loses(self, error: StoreError) -> None:
        """As `_breaks`, and tell the body, which may ask nothing of the store for a long time."""
        error = self._breaks(error)

        def tell() -> None:
            if not self._lost.done():
                self._lost.set_exception(error)
                self._lost.exception()  # where nobody waits for it any more, that is no fault

        with contextlib.suppress(RuntimeError, MemoryError):
            self._loop.call_soon_threadsafe(tell)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Only ever made, never opened here: closing it would drop the locks of this process's other connections to it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=256)
        try:
            db.row_factory = sqlite3.Row
            db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # counts where nothing is written yet
            # Before anything is written, so that a file that is refused stays as it is.
            db.execute("BEGIN")
            current = is_current(db, self.path, self.layouts)
            if finding := soundness.glance(db, self.path):
                raise faults.damaged(self.path, finding)
            db.execute("COMMIT")
            _use_log(db)
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            # Also what an update frees: erasing a row later does not reach the copies that it has left in its page.
            db.execute("PRAGMA secure_delete=ON")
            if not current:
                self._bring_up_to_date(db)
        except BaseException:
            db.close()
            raise
        return db

    def _bring_up_to_date(self, db: sqlite3.Connection) -> None:
        """One transaction; another process may have been faster. Closing the connection undoes what is not committed."""
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
            db.execute("ROLLBACK")  # it could not be ended before
        if writes := [work for work in group if work.writes]:
            self._tell(self._commit(db, writes) if self._is_there() else self._refused(writes), wrote=True)
        if reads := [work for work in group if not work.writes]:
            self._tell(self._look(db, reads) if self._broken is None else self._refused(reads))

    def _refused(self, works: list[Work]) -> list[Outcome]:
        return [Outcome(work.answer, error=self._broken) for work in works]

    def _commit(self, db: sqlite3.Connection, writes: list[Work]) -> list[Outcome]:
        """The whole group in one commit; each call is undone alone when it fails.

        The first needs no savepoint for that, since nothing goes before it. Mostly it is the only one, and in a savepoint SQLite
        would copy each page before it is changed.
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
                        raise error  # SQLite itself has undone the whole group, as it may when the disk is full
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
        # What was committed into a file that has lost its name is lost with this program.
        return outcomes if self._is_there() else self._refused(writes)

    def _look(self, db: sqlite3.Connection, reads: list[Work]) -> list[Outcome]:
        """The reads of a group, all of one moment."""
        outcomes: list[Outcome] = []
        try:
            _undo_in_memory(db, False)  # sorting what is large would be in memory too
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
        """Answer those who wait, and wake who waits for a commit; in one call, as each wakes the loop."""

        def settle() -> None:
            if wrote:
                self._written.set()
            for answer, result, error in outcomes:
                if answer.done():
                    continue  # who asked was cancelled
                if error is not None:
                    answer.set_exception(error)
                else:
                    answer.set_result(result)

        while True:
            # The loop is closed when its owner was cancelled hard; then no caller waits any more.
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
        """The error for our callers; one after which the state of the disk is unknown ends this store."""
        if not faults.is_of_store(exc):
            return exc
        error = faults.of_work(exc, self.path)
        return self._breaks(error) if faults.is_fatal(exc) else error


def utc(seconds: float) -> dt.datetime:
    """A time as files keep it, in seconds since the epoch."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _use_log(db: sqlite3.Connection) -> None:
    # Turning a new file to WAL does not wait for another process that does the same, so we do.
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
    """Say where copies of pages and other temporary data of the next transaction stand: in memory, or in files."""
    db.execute("PRAGMA temp_store = MEMORY" if wanted else "PRAGMA temp_store = DEFAULT")


def _mark(db: sqlite3.Connection) -> int:
    # data_version moves with commits of others, total_changes with our own.
    return int(db.execute("PRAGMA data_version").fetchone()[0]) * _OTHERS + db.total_changes


def by_others(mark: int) -> int:
    """What of a mark of `Database.changed` moves only with commits of other processes."""
    return mark // _OTHERS
