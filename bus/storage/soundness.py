"""Checks a SQLite file: a cheap look at each opening, and a whole check that reads every page.

A program that has the file open for longer than most commands reads the whole file once a day, and after a program
ended without closing it. The file records the time of the last whole check and its open users. A damaged page is
noticed at the latest when it is read (`store-corrupt`); the readers of a row check its content by hash.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bus.storage import lease
from bus.storage.layout import Layout

CHECK_AFTER_S = 5.0
"""Seconds after which a program with the file open checks whether a whole check is due: most commands have ended by then."""
LOOK_AGAIN_S = 60.0
DAY_S = 86_400.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS read_whole (one INTEGER PRIMARY KEY CHECK (one = 1), at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS open_by (owner TEXT PRIMARY KEY) WITHOUT ROWID;
"""
LAYOUT = Layout("soundness", SCHEMA)
STEPS = 20_000
"""Steps of SQLite's virtual machine between two questions whether a whole check should continue."""


def glance(db: sqlite3.Connection, path: Path) -> str:
    """The faults that a file's header, size and table ends show; empty if there are none.

    It reads a few pages, regardless of the file's size. Call it inside a read transaction.
    """
    pages, size = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    if not has_log and path.stat().st_size < pages * size:
        return f"it is shorter than its {pages} pages"
    for table in _tables(db):
        # The last row: a file that was cut or not fully written lacks its end.
        db.execute(f'SELECT 1 FROM "{table}" ORDER BY rowid DESC LIMIT 1').fetchone()
    return ""


def look_through(path: Path, *, goes_on: Callable[[], bool] = lambda: True) -> str:
    """Read every page of a file, table by table. Returns the faults; empty if there are none, or if it was stopped.

    It uses its own connection, and each table only while it reads that table, so writers continue.

    Args:
        path: the file, open elsewhere or not.
        goes_on: called at intervals; the check stops when it returns False.

    Raises:
        sqlite3.Error, MemoryError: the file cannot be read now.
    """
    with closing(sqlite3.connect(path, timeout=10.0, isolation_level=None)) as db:
        db.set_progress_handler(lambda: not goes_on(), STEPS)
        try:
            for table in _tables(db, every=True):
                finding = db.execute(f'PRAGMA quick_check("{table}")').fetchone()[0]
                if finding != "ok":
                    return f"{table}: {finding}"
        except sqlite3.Error as exc:
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_INTERRUPT:
                return ""
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                return str(exc)
            raise
    return ""


class WholeChecks:
    """The whole checks of one program. All methods but `_run` are called in the thread of the store."""

    def __init__(self, path: Path, *, goes_on: Callable[[], bool], tell: Callable[[str], None]) -> None:
        """A check stops when `goes_on` returns False; `tell` is called, in its thread, with the faults."""
        self._path = path
        self._goes_on = goes_on
        self._tell = tell
        self._owner = lease.owner_name()
        self._look_at = time.monotonic() + CHECK_AFTER_S
        self._thread: threading.Thread | None = None
        self._sound_at: float | None = None  # written by the thread of the check, as its last act
        self._is_known = False

    def look(self, db: sqlite3.Connection) -> None:
        """Begin a check if one is due, and record one that has passed. Mostly it does nothing.

        If the record cannot be written now, because the file is busy or the disk full, it is tried again.
        """
        now = time.monotonic()
        if now < self._look_at and self._sound_at is None:
            return
        self._look_at = now + LOOK_AGAIN_S
        if (sound_at := self._sound_at) is not None:
            if not _written(db, lambda: _note_checked(db, sound_at)):
                self._look_at = now + CHECK_AFTER_S
                return
            self._sound_at = None
        is_due = _is_due(db, time.time())
        if not self._is_known:
            self._is_known = _written(
                db, lambda: db.execute("INSERT INTO open_by VALUES (?)", (self._owner,))
            )
        if is_due and (self._thread is None or not self._thread.is_alive()):
            self._begin()

    def close(self, db: sqlite3.Connection) -> None:
        """Record that this program closes the file."""
        if self._is_known:
            _written(db, lambda: db.execute("DELETE FROM open_by WHERE owner = ?", (self._owner,)))

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"check {self._path.name}", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread is available now
            self._thread.start()

    def _run(self) -> None:
        began = time.time()
        try:
            finding = look_through(self._path, goes_on=self._goes_on)
        except (sqlite3.Error, OSError, MemoryError):
            return  # the users of the file notice the error themselves
        if finding:
            self._tell(finding)
        elif self._goes_on():
            self._sound_at = began


def _is_due(db: sqlite3.Connection, now: float) -> bool:
    """Whether the last check is too long ago, or a program ended without closing the file, or neither is known."""
    try:
        last = db.execute("SELECT at FROM read_whole").fetchone()
        owners = db.execute("SELECT owner FROM open_by").fetchall()
    except (sqlite3.Error, MemoryError):
        return True
    return last is None or not 0 <= now - last[0] < DAY_S or any(lease.has_ended(row[0]) for row in owners)


def _note_checked(db: sqlite3.Connection, at: float) -> None:
    db.execute("REPLACE INTO read_whole VALUES (1, ?)", (at,))
    owners = [row for row in db.execute("SELECT owner FROM open_by").fetchall() if lease.has_ended(row[0])]
    db.executemany("DELETE FROM open_by WHERE owner = ?", [tuple(row) for row in owners])


def _written(db: sqlite3.Connection, change: Callable[[], object]) -> bool:
    """Whether a change was committed; it does not wait for a lock, because other work waits behind it."""
    try:
        timeout = int(db.execute("PRAGMA busy_timeout").fetchone()[0])
        db.execute("PRAGMA busy_timeout = 0")
        try:
            db.execute("BEGIN IMMEDIATE")
            change()
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            db.execute(f"PRAGMA busy_timeout = {timeout}")
    except (sqlite3.Error, MemoryError):
        return False
    return True


def _tables(db: sqlite3.Connection, *, every: bool = False) -> list[str]:
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
    return [row[0] for row in rows if every or "WITHOUT ROWID" not in (row[1] or "").upper()]
