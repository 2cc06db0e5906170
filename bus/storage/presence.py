"""Checks that an open file is still the one at its path: somebody may replace, move or delete it under a running program.

SQLite continues to write into a file that has lost its name, and the data is lost when the program ends. So the file
and the log beside it are identified by device and inode, and checked again.
"""

from __future__ import annotations

import os
from pathlib import Path

_Identity = tuple[int, int]


class Presence:
    """The identity of a database file at its opening, and of its write-ahead log at the first sight."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._log_path = f"{path}-wal"
        self._file = _identity(self._path)
        self._log = _identity(self._log_path)

    def fault(self) -> str:
        """What happened to the file, in words; empty while it is in its place.

        Raises:
            OSError: it cannot be read now.
        """
        if (fault := _fault(self._file, _identity(self._path))) != "":
            return f"{self._path} {fault}"
        now = _identity(self._log_path)
        if self._log is None:
            self._log = now  # the log is made by the first transaction and exists as long as the file is open
            return ""
        fault = _fault(self._log, now)
        return f"{self._log_path} {fault}" if fault else ""


def _fault(then: _Identity | None, now: _Identity | None) -> str:
    if now == then:
        return ""
    return "was deleted or moved" if now is None else "was replaced by another file"


def _identity(path: str) -> _Identity | None:
    """(device, inode); None if there is no file. Raises OSError if it cannot be read, which proves nothing about the file."""
    try:
        found = os.stat(path)  # noqa: PTH116 (around each commit, and much cheaper than a Path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
