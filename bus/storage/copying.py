"""Copies a database in one consistent state while programs use it, and changes a copy that nobody uses yet."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bus.storage import faults, lease
from bus.storage.layout import check_mark

BUSY_TIMEOUT_S = 10.0


def copy_database(source: Path, target: Path) -> None:
    """Copy a database into a new file for its owner only, by SQLite's backup in one step: each commit whole or not at all.

    Raises:
        StoreError: `store-unreadable`, `store-corrupt`, `store-busy`, `store-full`.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with _refusing(source), _connected(source) as held, _connected(target) as copy:
        held.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # so that the copy is one file
        _must_be_sound(copy, source)


def check_copy(path: Path, changes: Callable[[sqlite3.Connection], None] | None = None) -> None:
    """Check a database that nobody uses, and change it.

    Args:
        path: the file.
        changes: SQL to run in one transaction.

    Raises:
        StoreError: `store-wire`, `store-layout`: it is not a store of this wire; or as `copy_database`.
    """
    with _refusing(path), _connected(path) as db:
        check_mark(db, path)
        _must_be_sound(db, path)
        if changes is not None:
            db.execute("BEGIN IMMEDIATE")
            changes(db)
            db.execute("COMMIT")


def is_in_use(path: Path) -> bool:
    """Whether a program holds the lease of a store; False for a file that cannot be read.

    Raises:
        StoreError: `store-busy`.
    """
    try:
        with _connected(path) as db:
            return lease.is_held(db, time.time())
    except sqlite3.DatabaseError as exc:
        if faults.code(exc) in faults.BUSY:
            raise faults.of_opening(exc, path) from None
        return False


def _must_be_sound(db: sqlite3.Connection, path: Path) -> None:
    finding = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise faults.damaged(path, finding)


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, MemoryError) as exc:
        raise faults.of_opening(exc, path) from None


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        yield db
    finally:
        db.close()
