"""Turns errors of SQLite or of this machine into `StoreError`: whether they pass, and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bus.errors import StoreError

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# After these errors the state of the disk is unknown. A failed fsync is never repeated: the kernel may have dropped the
# pages and would report success.
_FATAL = frozenset({sqlite3.SQLITE_IOERR, *_DAMAGED})
_NO_TEXT = "Could not decode to UTF-8"


def code(exc: BaseException) -> int:
    """SQLite's primary result code of an error; 0 if it has none."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF


def is_of_store(exc: BaseException) -> bool:
    """Whether an error comes from the store or the machine, and not from the caller's own code."""
    return isinstance(exc, sqlite3.Error | MemoryError)


def is_fatal(exc: BaseException) -> bool:
    """Whether the open file must not be used any more after this error."""
    return isinstance(exc, sqlite3.Error) and code(exc) in _FATAL


def of_work(exc: BaseException, path: Path) -> StoreError:
    """The error for failed work on an open store."""
    return _known(exc, path) or StoreError(f"{path}: {exc}", reason="store-failed")


def of_opening(exc: BaseException, path: Path) -> StoreError:
    """The error for a store that cannot be opened."""
    if isinstance(exc, StoreError):
        return exc
    return _known(exc, path) or StoreError(f"cannot open {path}: {exc}", reason="store-unreadable")


def no_memory(path: Path) -> StoreError:
    """The error for a lack of memory or threads."""
    return StoreError(
        f"there is not enough memory to work on {path}",
        remedy="end other programs and try again",
        reason="store-memory",
    )


def damaged(path: Path, finding: str) -> StoreError:
    """The error for a damaged file."""
    return StoreError(
        f"{path} is damaged ({finding})", remedy="restore it or set it aside", reason="store-corrupt"
    )


def replaced(fault: str) -> StoreError:
    """The error for an open file that somebody has replaced, moved or deleted."""
    return StoreError(
        f"{fault} while it was in use; what was written since may be lost",
        remedy="put the right file in its place and start again",
        reason="store-replaced",
    )


def ended(path: Path, why: BaseException | None = None) -> StoreError:
    """The error for a store whose thread has ended."""
    if isinstance(why, MemoryError):
        return no_memory(path)
    return StoreError(f"the work on {path} failed ({why!r})", reason="store-failed")


def _known(exc: BaseException, path: Path) -> StoreError | None:
    if isinstance(exc, MemoryError):
        return no_memory(path)
    if isinstance(exc, UnicodeDecodeError) or _NO_TEXT in str(exc):  # texts are always written as UTF-8
        return damaged(path, "a text in it is not UTF-8")
    if not isinstance(exc, sqlite3.Error):
        return None
    if code(exc) in _DAMAGED:
        return damaged(path, str(exc))
    if code(exc) == sqlite3.SQLITE_FULL:
        return StoreError(
            f"the disk of {path} is full", remedy="free some space and try again", reason="store-full"
        )
    if code(exc) in BUSY:
        return StoreError(f"{path} is in use by another process", reason="store-busy")
    return None
