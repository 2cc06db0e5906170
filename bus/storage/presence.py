"""Whether an open file still is the one at its path: a wrong hand may replace, move or delete it under a running program.

SQLite writes on into a file that has lost its name, and all of it is lost when the program ends. So the file, and the log
beside it, are known by device and inode, and looked for again.
"""

from __future__ import annotations

import os
from pathlib import Path

_Identity = tuple[int, int]


class Presence:
    """A database file as it was when it was opened, and its write-ahead log as it was first seen."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._log_path = f"{path}-wal"
        self._file = _identity(self._path)
        self._log = _identity(self._log_path)

    def fault(self) -> str:
        """What has become of the file, in words; empty while it is where it was.

        Raises:
            OSError: it cannot be looked at now.
        """
        if (fault := _fault(self._file, _identity(self._path))) != "":
            return f"{self._path} {fault}"
        now = _identity(self._log_path)
        if self._log is None:
            self._log = now  # it is made with the first transaction, and stays as long as the file is open
            return ""
        fault = _fault(self._log, now)
        return f"{self._log_path} {fault}" if fault else ""


def _fault(then: _Identity | None, now: _Identity | None) -> str:
    if now == then:
        return ""
    return "was deleted or moved" if now is None else "was replaced by another file"


def _identity(path: str) -> _Identity | None:
    """Device and inode; None where there is nothing. Raises OSError where it cannot be looked at, which says nothing of it."""
    try:
        found = os.stat(path)  # noqa: PTH116 (around each commit, and much cheaper than a Path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
