"""A lease in a shared SQLite file: of several processes one does the work, and another takes over when it has ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from functools import cache
from pathlib import Path

from bus.storage.layout import Layout

LEASE_S = 10.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS lease (one INTEGER PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, until REAL NOT NULL);
"""
LAYOUT = Layout("lease", SCHEMA)


def take(db: sqlite3.Connection, owner: str, now: float, ttl: float = LEASE_S) -> bool:
    """Become or stay the holder, inside a transaction. Returns False when another holds it.

    A lease is free when its time is up, when its process has ended, or when it lasts longer than any is taken for: then the
    clock was set back, and its holder takes it anew.
    """
    if is_anothers(db, owner, now, ttl):
        return False
    db.execute("REPLACE INTO lease (one, owner, until) VALUES (1, ?, ?)", (owner, now + ttl))
    return True


def is_anothers(db: sqlite3.Connection, owner: str, now: float, ttl: float = LEASE_S) -> bool:
    """Whether another holds it."""
    row = db.execute("SELECT owner, until FROM lease").fetchone()
    if row is None or row["owner"] == owner:
        return False
    # Twice, because it may have been taken a little after the moment that is now for us.
    return now < row["until"] <= now + 2 * ttl and is_alive(row["owner"])


def is_held(db: sqlite3.Connection, now: float) -> bool:
    """Whether anybody holds it, in a file that need not have the table."""
    known = db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'lease'").fetchone()
    return known is not None and is_anothers(db, "", now)


def holder(db: sqlite3.Connection, now: float) -> str | None:
    """The owner that holds it, in a file that need not have the table; None when it is free."""
    if not is_held(db, now):
        return None
    return str(db.execute("SELECT owner FROM lease").fetchone()["owner"])


def drop(db: sqlite3.Connection, owner: str) -> None:
    """Give it up, inside a transaction."""
    db.execute("DELETE FROM lease WHERE owner = ?", (owner,))


def owner_name() -> str:
    """A holder's name, by which its process can be recognised as gone: host boot, process id, when it began."""
    return f"{_boot_id()}:{os.getpid()}:{_began(os.getpid())}:{secrets.token_hex(4)}"


def is_alive(owner: str) -> bool:
    """Whether the process of an owner lives, as far as can be known; of another host it is taken to.

    Raises:
        ValueError: no name of an owner.
    """
    boot, pid, began, _ = owner.split(":")
    # Of another host, or where /proc tells nothing, only the time limit counts.
    return boot != _boot_id() or not began or _began(int(pid)) == began


@cache
def _boot_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return "host"


def _began(pid: int) -> str:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[19]
    return ""
