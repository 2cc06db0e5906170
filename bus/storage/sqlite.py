"""One SQLite file, one thread, and one commit for all work that waits.

Write-ahead log with `synchronous=FULL`: what was committed survives a power cut. Each piece of work runs in its
own savepoint inside one `BEGIN IMMEDIATE` transaction; one that raises is rolled back alone and its caller gets
the exception, the others commit with a single fsync. Other processes may share the file.
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
from typing import Any, NamedTuple, TypeVar

import structlog

from bus.errors import StoreError
from bus.storage import lease
from bus.storage.layout import Layout, bring_up_to_date, is_current, is_older

BUSY_TIMEOUT_S = 10.0
POLL_S = 0.025
MAX_GROUP = 256
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# After these it is not known what is on the disk. A failed fsync is never tried again: the kernel may have dropped the
# pages and would report success.
_FATAL = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

log = structlog.get_logger()

T = TypeVar("T")


class _Work(NamedTuple):
    run: Callable[[sqlite3.Connection], Any]
    answer: asyncio.Future[Any]
    writes: bool


class _Outcome(NamedTuple):
    answer: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Database:
    """An open store. Use `Database.open`."""

    def __init__(self, path: Path, layouts: Sequence[Layout]) -> None:
        self.path = path
        self.layouts = layouts
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=f"sqlite {path.name}", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._written = asyncio.Event()
        self._refusal: StoreError | None = None  # of new work, once closed
        self._broken: StoreError | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, layouts: Sequence[Layout]) -> AsyncIterator[Database]:
        """Open or make the file, bringing older tables up to date; waits for all work at the end.

        Args:
            path: the file; made for its owner alone.
            layouts: the tables that must be in it; the first says what kind of file it is.

        Raises:
            StoreError: `store-layout`, `store-wire`; the file is of another kind, release or wire, and is left as it is.
            StoreError: `store-corrupt`, `store-unreadable`, `store-busy`, `store-full`.
        """
        database = cls(path, layouts)
        database._thread.start()
        try:
            await database._opened
            yield database
        finally:
            database._refusal = StoreError(f"{path} has been closed", reason="store-closed")
            database._work.put(None)
            # Not by joining the thread: who is cancelled goes on, though the file is in use and the thread waits for it.
            await database._closed

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction and return when it is on the disk.

        Raises:
            StoreError: `store-full`, `store-busy`; nothing of the work was kept, and it may be tried again.
            StoreError: `store-failed`; after a failure of the disk the store takes no more work until it is opened anew.
            Exception: what the work raised; nothing of it was kept.
        """
        return await self._put(work, writes=True)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which only reads; all of its statements see the same moment."""
        return await self._put(work, writes=False)

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

    async def _put(self, work: Callable[[sqlite3.Connection], T], *, writes: bool) -> T:
        if refusal := self._refusal or self._broken:
            raise refusal
        answer: asyncio.Future[T] = self._loop.create_future()
        self._work.put(_Work(work, answer, writes))
        return await answer

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work_off()
        finally:
            self._tell([_Outcome(self._closed)])

    def _work_off(self) -> None:
        try:
            db = self._connect()
        except (sqlite3.Error, OSError, StoreError) as exc:
            self._tell([_Outcome(self._opened, error=_opening(exc, self.path))])
            return
        self._tell([_Outcome(self._opened)])
        while (first := self._work.get()) is not None:
            group = [first]
            more: _Work | None = first
            with contextlib.suppress(queue.Empty):
                while len(group) < MAX_GROUP and (more := self._work.get_nowait()) is not None:
                    group.append(more)
            self._serve(db, group)
            if more is None:
                break
        db.close()

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Only ever made, never opened here: closing it would drop the locks of this process's other connections to it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=256)
        try:
            db.row_factory = sqlite3.Row
            # Before anything is written, so that a file that is refused stays as it is.
            db.execute("BEGIN")
            current = is_current(db, self.path, self.layouts)
            db.execute("COMMIT")
            _use_log(db)
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            finding = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if finding != "ok":
                raise _damaged(self.path, finding)
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

    def _serve(self, db: sqlite3.Connection, group: list[_Work]) -> None:
        if self._broken is not None:
            self._tell([_Outcome(work.answer, error=self._broken) for work in group])
            return
        if writes := [work for work in group if work.writes]:
            self._tell(self._commit(db, writes))
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._written.set)
        if reads := [work for work in group if not work.writes]:
            self._tell(self._look(db, reads))

    def _commit(self, db: sqlite3.Connection, writes: list[_Work]) -> list[_Outcome]:
        """The whole group in one commit, each piece of work in a savepoint of its own."""
        outcomes: list[_Outcome] = []
        try:
            db.execute("BEGIN IMMEDIATE")
            for work in writes:
                db.execute("SAVEPOINT one")
                result, error = _try(work.run, db)
                if error is not None:
                    if isinstance(error, sqlite3.Error) and not db.in_transaction:
                        raise error  # SQLite itself has undone the whole group, as it may when the disk is full
                    db.execute("ROLLBACK TO one")
                db.execute("RELEASE one")
                outcomes.append(_Outcome(work.answer, result, error and self._ours(error)))
            db.execute("COMMIT")
        except sqlite3.Error as exc:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            error = self._ours(exc)
            failed = {outcome.answer: outcome for outcome in outcomes if outcome.error is not None}
            return [failed.get(work.answer, _Outcome(work.answer, error=error)) for work in writes]
        return outcomes

    def _look(self, db: sqlite3.Connection, reads: list[_Work]) -> list[_Outcome]:
        """The reads of a group, all of one moment."""
        outcomes: list[_Outcome] = []
        try:
            db.execute("BEGIN")
            for work in reads:
                result, error = _try(work.run, db)
                outcomes.append(_Outcome(work.answer, result, error and self._ours(error)))
        except sqlite3.Error as exc:
            error = self._ours(exc)
            outcomes += [_Outcome(work.answer, error=error) for work in reads[len(outcomes) :]]
        finally:
            if db.in_transaction:
                db.execute("COMMIT")
        return outcomes

    def _tell(self, outcomes: list[_Outcome]) -> None:
        def settle() -> None:
            for answer, result, error in outcomes:
                if answer.done():
                    continue  # who asked was cancelled
                if error is not None:
                    answer.set_exception(error)
                else:
                    answer.set_result(result)

        # The loop is closed when its owner was cancelled hard; then no caller waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settle)

    def _ours(self, exc: Exception) -> Exception:
        """The error for our callers; one after which the state of the disk is unknown ends this store."""
        if not isinstance(exc, sqlite3.Error):
            return exc
        if (passing := _passing(exc, self.path)) is not None:
            return passing
        error = StoreError(f"{self.path}: {exc}", reason="store-failed")
        if _code(exc) in _FATAL and self._broken is None:
            self._broken = error
            log.error("store_failed", path=str(self.path), problem=str(exc))
        return error


def utc(seconds: float) -> dt.datetime:
    """A time as files keep it, in seconds since the epoch."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _try(work: Callable[[sqlite3.Connection], Any], db: sqlite3.Connection) -> tuple[Any, Exception | None]:
    """The result of the work, or the error that it raised."""
    try:
        return work(db), None
    except StopIteration:
        return None, RuntimeError("the work ran out of items")  # a future cannot carry StopIteration
    except Exception as exc:  # noqa: BLE001 (it belongs to the caller)
        return None, exc
    except BaseException as exc:  # noqa: BLE001 (a native library's panic; the thread must live, others wait for it)
        return None, RuntimeError(f"the work broke off: {exc!r}")


def _use_log(db: sqlite3.Connection) -> None:
    # Turning a new file to WAL does not wait for another process that does the same, so we do.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if _code(exc) not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
        else:
            return


def _opening(exc: Exception, path: Path) -> StoreError:
    if isinstance(exc, StoreError):
        return exc
    if isinstance(exc, sqlite3.Error):
        if _code(exc) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return _damaged(path, str(exc))
        if (passing := _passing(exc, path)) is not None:
            return passing
    return StoreError(f"cannot open {path}: {exc}", reason="store-unreadable")


def _passing(exc: sqlite3.Error, path: Path) -> StoreError | None:
    """The error of a full disk or a busy file, which passes; None for any other."""
    if _code(exc) == sqlite3.SQLITE_FULL:
        return StoreError(
            f"the disk of {path} is full", remedy="free some space and try again", reason="store-full"
        )
    if _code(exc) in _BUSY:
        return StoreError(f"{path} is in use by another process", reason="store-busy")
    return None


def _damaged(path: Path, finding: str) -> StoreError:
    return StoreError(
        f"{path} is damaged ({finding})", remedy="restore it or set it aside", reason="store-corrupt"
    )


def _code(exc: sqlite3.Error) -> int:
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF


def _mark(db: sqlite3.Connection) -> int:
    # data_version moves with commits of others, total_changes with our own.
    return int(db.execute("PRAGMA data_version").fetchone()[0]) * 1_000_000_007 + db.total_changes
