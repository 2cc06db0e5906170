"""Reads a hub's store for pages: connections that can write nothing, each question one snapshot, each within a bound."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from bus.console.memo import Memo
from bus.errors import StoreError
from bus.hub import picture
from bus.storage import only_read
from bus.trust import VerifiedRegistry

T = TypeVar("T")
THREADS = 4
"""So many questions are answered at once."""
MOST_S = 10.0
"""A question that takes longer is broken off: a page says so, and nobody else waits for it."""
_STEPS = 20_000


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """What pages are made from, beside the store.

    Attributes:
        authority: the hub's.
        registry: the registry as it stands now.
        contacts: whom to call; None where the hub keeps no list.
        files: the folder whose disk is looked at; None where none is.
        memo: what was worked out once for several requests.
    """

    authority: str
    registry: Callable[[], VerifiedRegistry]
    contacts: tuple[picture.Contact, ...] | None = None
    files: Path | None = None
    memo: Memo = msgspec.field(default_factory=Memo)


class Reading:
    """The store of a hub, read only. Use `Reading.open`."""

    def __init__(self, path: Path, shelf: Shelf) -> None:
        self.shelf = shelf
        self._path = path
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reading")
        self._own = threading.local()
        self._open: list[ExitStack] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, shelf: Shelf) -> AsyncIterator[Reading]:
        """Read a store for as long as the context lasts.

        Args:
            path: the file; it may be made later.
            shelf: what pages are made from beside it.
        """
        reading = cls(path, shelf)
        try:
            yield reading
        finally:
            await asyncio.to_thread(reading._close)

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer to a question, from one snapshot of the store.

        Args:
            question: reads, and writes nothing.

        Raises:
            StoreError: `store-missing`, `store-failed`, or `store-slow` after `MOST_S` seconds.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if not self._path.exists():
            raise StoreError("this hub has no store yet", reason="store-missing")
        end = time.monotonic() + MOST_S
        try:
            db = self._connection()
            db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
            db.execute("BEGIN")
            try:
                return question(db)
            finally:
                db.execute("COMMIT")
        except sqlite3.OperationalError as exc:
            self._drop()
            if "interrupted" in str(exc):
                raise StoreError("the store took too long to answer", reason="store-slow") from exc
            raise StoreError(f"the store cannot be read: {exc}", reason="store-failed") from exc
        except sqlite3.Error as exc:
            self._drop()
            raise StoreError(f"the store cannot be read: {exc}", reason="store-failed") from exc

    def _connection(self) -> sqlite3.Connection:
        """The connection of this thread, opened when it is first needed."""
        db: sqlite3.Connection | None = getattr(self._own, "db", None)
        if db is None:
            stack = ExitStack()
            db = stack.enter_context(only_read(self._path))
            db.row_factory = sqlite3.Row
            self._own.db, self._own.stack = db, stack
        return db

    def _drop(self) -> None:
        """Close the connection of this thread; the next question opens another."""
        stack: ExitStack | None = getattr(self._own, "stack", None)
        self._own.db = self._own.stack = None
        if stack is not None:
            stack.close()

    def _close(self) -> None:
        """Close every connection in its own thread, then end the threads."""
        gate = threading.Barrier(THREADS)

        def last() -> None:
            gate.wait()
            self._drop()

        for done in [self._threads.submit(last) for _ in range(THREADS)]:
            done.result()
        self._threads.shutdown()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """When and by what a page was made."""

    now: dt.datetime
    shelf: Shelf
    registry: VerifiedRegistry
