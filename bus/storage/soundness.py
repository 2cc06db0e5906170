"""Whether a SQLite file is sound: a look that costs little at each opening, and a whole check that reads every page.

The whole is read once a day, and after a program has ended without closing the file, by a program that has it open for longer
than most commands. The file keeps when that was last done and who has it open. A page that is damaged and was not looked at is
noticed when it is read (`store-corrupt`); what stands in a row is for those who read it to hash.
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
"""Seconds after which a program that still has the file open looks whether it is to be read whole: most commands have ended."""
LOOK_AGAIN_S = 60.0
DAY_S = 86_400.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS read_whole (one INTEGER PRIMARY KEY CHECK (one = 1), at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS open_by (owner TEXT PRIMARY KEY) WITHOUT ROWID;
"""
LAYOUT = Layout("soundness", SCHEMA)
STEPS = 20_000
"""So many steps of SQLite's machine lie between two questions whether a whole check is to go on."""


def glance(db: sqlite3.Connection, path: Path) -> str:
    """What is wrong with a file, as far as its header, its size and the end of each table show; empty when nothing is.

    Costs a few pages, however large the file is. Inside a read transaction.
    """
    pages, size = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    if not has_log and path.stat().st_size < pages * size:
        return f"it is shorter than its {pages} pages"
    for table in _tables(db):
        # The last row: where a file was cut, or not written, it is at its end.
        db.execute(f'SELECT 1 FROM "{table}" ORDER BY rowid DESC LIMIT 1').fetchone()
    return ""


def look_through(path: Path, *, goes_on: Callable[[], bool] = lambda: True) -> str:
    """Read every page of a file, table by table. Returns what is wrong; empty when nothing is, or when it was broken off.

    It uses a connection of its own, and no table for longer than it takes to read it, so writers go on.

    Args:
        path: the file, open elsewhere or not.
        goes_on: asked now and then; it is broken off once this is False.

    Raises:
        sqlite3.Error, MemoryError: it cannot be read now.
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
    """When one program reads a file whole. All but `_run` is called in the thread of the store."""

    def __init__(self, path: Path, *, goes_on: Callable[[], bool], tell: Callable[[str], None]) -> None:
        """A check is broken off once `goes_on` is False; `tell` is called, in its thread, with what is wrong."""
        self._path = path
        self._goes_on = goes_on
        self._tell = tell
        self._owner = lease.owner_name()
        self._look_at = time.monotonic() + CHECK_AFTER_S
        self._thread: threading.Thread | None = None
        self._sound_at: float | None = None  # written by the thread of the check, as its last act
        self._is_known = False

    def look(self, db: sqlite3.Connection) -> None:
        """Begin a check when one is due, and note one that has ended well. Costs nothing most of the time.

        What cannot be noted now, because the file is busy or the disk full, is tried again.
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
        """Note that this program ends in order."""
        if self._is_known:
            _written(db, lambda: db.execute("DELETE FROM open_by WHERE owner = ?", (self._owner,)))

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"check {self._path.name}", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread is to be had now
            self._thread.start()

    def _run(self) -> None:
        began = time.time()
        try:
            finding = look_through(self._path, goes_on=self._goes_on)
        except (sqlite3.Error, OSError, MemoryError):
            return  # what cannot be read now is noticed by those who use it
        if finding:
            self._tell(finding)
        elif self._goes_on():
            self._sound_at = began


def _is_due(db: sqlite3.Connection, now: float) -> bool:
    """Whether the last check is too long ago, or somebody has ended without closing the file; or that cannot be told."""
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
    """Whether a change was committed; it waits for nobody, for the work of others waits behind it."""
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
