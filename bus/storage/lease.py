"""A lease in a shared SQLite file: one of several processes does the work, and another takes over when it ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from functools import cache
from pathlib import Path

from bus.storage.layout import Layout

LEASE_S = 10.0
_GIVES_WAY = "way-"

SCHEMA = """
CREATE TABLE IF NOT EXISTS lease (one INTEGER PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, until REAL NOT NULL);
"""
LAYOUT = Layout("lease", SCHEMA)


def take(db: sqlite3.Connection, owner: str, now: float, ttl: float = LEASE_S) -> bool:
    """Become or stay the holder, inside a transaction. Returns False if another process holds it.

    A lease is free when its time is up, when its process has ended, or when it lasts longer than any lease may: then
    the clock was set back, and its holder takes it again.
    """
    if is_anothers(db, owner, now, ttl):
        return False
    db.execute("REPLACE INTO lease (one, owner, until) VALUES (1, ?, ?)", (owner, now + ttl))
    return True


def extend(db: sqlite3.Connection, owner: str, now: float, ttl: float = LEASE_S) -> None:
    """Extend the lease for its holder, inside a transaction; for any other owner this does nothing."""
    db.execute("UPDATE lease SET until = ?2 WHERE owner = ?1 AND until < ?2", (owner, now + ttl))


def is_anothers(db: sqlite3.Connection, owner: str, now: float, ttl: float = LEASE_S) -> bool:
    """Whether another owner holds it and keeps it; an owner that gives way keeps it only from other owners that give way."""
    row = db.execute("SELECT owner, until FROM lease").fetchone()
    if row is None or row["owner"] == owner or (_gives_way(row["owner"]) and not _gives_way(owner)):
        return False
    # Twice the length, because it may have been taken a little after our present moment.
    return now < row["until"] <= now + 2 * ttl and is_alive(row["owner"])


def is_held(db: sqlite3.Connection, now: float) -> bool:
    """Whether any owner holds it, in a file that may lack the table."""
    known = db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'lease'").fetchone()
    return known is not None and is_anothers(db, f":::{_GIVES_WAY}", now)


def holder(db: sqlite3.Connection, now: float) -> str | None:
    """The owner that holds it, in a file that may lack the table; None if it is free."""
    if not is_held(db, now):
        return None
    return str(db.execute("SELECT owner FROM lease").fetchone()["owner"])


def drop(db: sqlite3.Connection, owner: str) -> None:
    """Release the lease, inside a transaction."""
    db.execute("DELETE FROM lease WHERE owner = ?", (owner,))


def owner_name(*, gives_way: bool = False) -> str:
    """A holder's name, which shows whether its process has ended: boot and namespace, process id, start time.

    A holder that does not give way takes the lease at once from one that `gives_way`, as a hub does from a `watch`.
    """
    token = f"{_GIVES_WAY if gives_way else ''}{secrets.token_hex(4)}"
    return f"{_machine()}:{os.getpid()}:{_began(os.getpid())}:{token}"


def _gives_way(owner: str) -> bool:
    return owner.rpartition(":")[2].startswith(_GIVES_WAY)


def is_alive(owner: str) -> bool:
    """Whether the process of an owner is alive; True if that cannot be known, as on another host.

    Raises:
        ValueError: the text is not an owner's name.
    """
    machine, pid, began, _ = owner.split(":")
    # For another host or container, or without /proc, only the time limit counts.
    return machine != _machine() or not began or _began(int(pid)) == began


def has_ended(owner: str) -> bool:
    """Whether the process of an owner has certainly ended: it is gone, or ran in an earlier boot of this machine.

    The answer is False for a process in another container of this boot, about which nothing is known.
    """
    boot = owner.split(":", maxsplit=1)[0].partition("/")[0]
    return boot != boot_id() or not is_alive(owner)


@cache
def boot_id() -> str:
    """The id of this machine's boot; a constant if the system has none."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return "host"


@cache
def _machine() -> str:
    """The scope in which a process id is unique: a boot of this machine and its namespace of process ids."""
    with contextlib.suppress(OSError):
        return f"{boot_id()}/{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 (what it leads to is no path)
    return boot_id()


def _began(pid: int) -> str:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[19]
    return ""
