"""Whether a SQLite file is sound: a look that costs little at each opening, and a whole check that reads every page.

A page that is damaged and was not looked at is noticed when it is read (`store-corrupt`); what stands in a row is for those
who read it to hash.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

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


def in_thread(path: Path, *, goes_on: Callable[[], bool], tell: Callable[[str], None]) -> bool:
    """Begin `look_through` in a thread of its own; `tell` is called there with what is wrong. Returns whether it could begin."""

    def run() -> None:
        try:
            finding = look_through(path, goes_on=goes_on)
        except (sqlite3.Error, OSError, MemoryError):
            return  # what cannot be read now is noticed by those who use it
        if finding:
            tell(finding)

    try:
        threading.Thread(target=run, name=f"check {path.name}", daemon=True).start()
    except RuntimeError:  # no thread is to be had
        return False
    return True


def _tables(db: sqlite3.Connection, *, every: bool = False) -> list[str]:
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
    return [row[0] for row in rows if every or "WITHOUT ROWID" not in (row[1] or "").upper()]
