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
_GIVES_WAY = "way-"

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


def extend(db: sqlite3.Connection, owner: str, now: float, ttl: float = LEASE_S) -> None:
    """Make it last from now on for a holder that has it, inside a transaction; for any other it does nothing."""
    db.execute("UPDATE lease SET until = ?2 WHERE owner = ?1 AND until < ?2", (owner, now + ttl))


def is_anothers(db: sqlite3.Connection, owner: str, now: float, ttl: float = LEASE_S) -> bool:
    """Whether another holds it, to whom it is left: one that gives way holds it for its like alone."""
    row = db.execute("SELECT owner, until FROM lease").fetchone()
    if row is None or row["owner"] == owner or (_gives_way(row["owner"]) and not _gives_way(owner)):
        return False
    # Twice, because it may have been taken a little after the moment that is now for us.
    return now < row["until"] <= now + 2 * ttl and is_alive(row["owner"])


def is_held(db: sqlite3.Connection, now: float) -> bool:
    """Whether anybody holds it, in a file that need not have the table."""
    known = db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'lease'").fetchone()
    return known is not None and is_anothers(db, f":::{_GIVES_WAY}", now)


def holder(db: sqlite3.Connection, now: float) -> str | None:
    """The owner that holds it, in a file that need not have the table; None when it is free."""
    if not is_held(db, now):
        return None
    return str(db.execute("SELECT owner FROM lease").fetchone()["owner"])


def drop(db: sqlite3.Connection, owner: str) -> None:
    """Give it up, inside a transaction."""
    db.execute("DELETE FROM lease WHERE owner = ?", (owner,))


def owner_name(*, gives_way: bool = False) -> str:
    """A holder's name, by which its process can be recognised as gone: boot and namespace, process id, when it began.

    Of one that `gives_way` any other that does not takes the lease at once, as a hub does of a `watch`.
    """
    token = f"{_GIVES_WAY if gives_way else ''}{secrets.token_hex(4)}"
    return f"{_machine()}:{os.getpid()}:{_began(os.getpid())}:{token}"


def _gives_way(owner: str) -> bool:
    return owner.rpartition(":")[2].startswith(_GIVES_WAY)


def is_alive(owner: str) -> bool:
    """Whether the process of an owner lives, as far as can be known; of another host it is taken to.

    Raises:
        ValueError: no name of an owner.
    """
    machine, pid, began, _ = owner.split(":")
    # Of another host or container, or where /proc tells nothing, only the time limit counts.
    return machine != _machine() or not began or _began(int(pid)) == began


def has_ended(owner: str) -> bool:
    """Whether the process of an owner has certainly ended: it is gone, or was of another boot of the only machine there is.

    Of one in another container of this boot that is not known.
    """
    boot = owner.split(":", maxsplit=1)[0].partition("/")[0]
    return boot != boot_id() or not is_alive(owner)


@cache
def boot_id() -> str:
    """Which boot of this machine it is; the same word for every boot where that cannot be known."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return "host"


@cache
def _machine() -> str:
    """Where a process id means one process: a boot of this machine, and in it the container or other namespace of ids."""
    with contextlib.suppress(OSError):
        return f"{boot_id()}/{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 (what it leads to is no path)
    return boot_id()


def _began(pid: int) -> str:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[19]
    return ""
