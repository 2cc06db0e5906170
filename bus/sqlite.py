"""One SQLite file, one thread, and commits shared by those who wait together.

Write-ahead log with `synchronous=FULL`: what was committed survives a power cut. Each piece of work runs in its
own savepoint inside one `BEGIN IMMEDIATE` transaction; one that raises is rolled back alone and its caller gets
the exception, the others commit with a single fsync. Other processes may share the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from bus.errors import StoreError

BUSY_TIMEOUT_S = 10.0
POLL_S = 0.025
MAX_GROUP = 256

T = TypeVar("T")
_Work = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]", bool]


class Database:
    """An open store. Use `Database.open`."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=f"sqlite {path.name}", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._written = asyncio.Event()
        self._broken: StoreError | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, schema: str) -> AsyncIterator[Database]:
        """Open or make the file; waits for all work at the end.

        Args:
            path: the file; made for its owner alone.
            schema: SQL that makes what is not there yet.

        Raises:
            StoreError: `store-corrupt`, `store-unreadable`.
        """
        database = cls(path, schema)
        database._thread.start()
        try:
            await database._opened
            yield database
        finally:
            database._work.put(None)
            await asyncio.to_thread(database._thread.join)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction and return when it is on the disk.

        Raises:
            StoreError: `store-full`, `store-busy`, `store-failed`; nothing of the work was kept.
            Exception: what the work raised; nothing of it was kept.
        """
        return await self._put(work, writes=True)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which only reads."""
        return await self._put(work, writes=False)

    async def changed(self, since: int, timeout: float) -> int:
        """Wait until somebody, here or in another process, has committed since `since`; the new mark.

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
        if self._broken is not None:
            raise self._broken
        answer: asyncio.Future[T] = self._loop.create_future()
        self._work.put((work, answer, writes))
        return await answer

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            db = self._connect()
        except (sqlite3.Error, OSError, StoreError) as exc:
            error = (
                exc
                if isinstance(exc, StoreError)
                else StoreError(f"cannot open {self.path}: {exc}", reason="store-unreadable")
            )
            self._tell(self._opened, error=error)
            return
        self._tell(self._opened, None)
        while (first := self._work.get()) is not None:
            group, last = [first], False
            while len(group) < MAX_GROUP:
                try:
                    more = self._work.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                group.append(more)
            self._serve(db, group)
            if last:
                break
        db.close()

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=256)
        db.row_factory = sqlite3.Row
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as exc:
            found = str(exc)
        if found != "ok":
            db.close()
            raise StoreError(
                f"{self.path} is damaged ({found}); restore it or set it aside", reason="store-corrupt"
            )
        db.execute("BEGIN IMMEDIATE")
        for statement in self._schema.split(";\n"):
            if statement.strip():
                db.execute(statement)
        db.execute("COMMIT")
        return db

    def _serve(self, db: sqlite3.Connection, group: list[_Work]) -> None:
        reads = [each for each in group if not each[2]]
        writes = [each for each in group if each[2]]
        if writes:
            self._commit(db, writes)
        for work, answer, _ in reads:
            try:
                self._tell(answer, work(db))
            except Exception as exc:  # noqa: BLE001 (it belongs to whoever asked)
                self._tell(answer, error=_ours(exc, self.path))

    def _commit(self, db: sqlite3.Connection, writes: list[_Work]) -> None:
        done: list[tuple[asyncio.Future[Any], Any]] = []
        try:
            db.execute("BEGIN IMMEDIATE")
            for work, answer, _ in writes:
                db.execute("SAVEPOINT one")
                try:
                    result = work(db)
                except Exception as exc:  # noqa: BLE001 (it belongs to whoever asked)
                    db.execute("ROLLBACK TO one")
                    self._tell(answer, error=_ours(exc, self.path))
                else:
                    done.append((answer, result))
                db.execute("RELEASE one")
            db.execute("COMMIT")
        except sqlite3.Error as exc:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            for answer, _ in done or [(answer, None) for _, answer, _ in writes]:
                self._tell(answer, error=_ours(exc, self.path))
            return
        for answer, result in done:
            self._tell(answer, result)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._written.set)

    def _tell(
        self, answer: asyncio.Future[Any], result: Any = None, *, error: Exception | None = None
    ) -> None:
        def settle() -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        # The loop is closed when its owner was cancelled hard; then nobody waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settle)


def _mark(db: sqlite3.Connection) -> int:
    # data_version moves with commits of others, total_changes with our own.
    return int(db.execute("PRAGMA data_version").fetchone()[0]) * 1_000_000_007 + db.total_changes


def _ours(exc: Exception, path: Path) -> Exception:
    if not isinstance(exc, sqlite3.Error):
        return exc
    text = str(exc)
    if "full" in text:
        return StoreError(f"the disk of {path} is full; free some space and try again", reason="store-full")
    if "locked" in text or "busy" in text:
        return StoreError(f"{path} is in use by another process", reason="store-busy")
    return StoreError(f"{path}: {text}", reason="store-failed")
