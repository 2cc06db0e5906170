"""The output of a nats-server: its own bounded log, and its output before the log exists or in a crash."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from bus.server.config import LOG_FILE

LAST_BYTES = 8192


class ServerLog:
    """The two files of a server's folder, for its owner's eyes. Strangers write into them, so nothing is decided by them."""

    def __init__(self, folder: Path) -> None:
        """Read and make nothing yet."""
        self.log_file = folder / LOG_FILE
        self.errors_file = folder / "nats-server.err"
        self._start = 0

    def begin(self) -> None:
        """Mark the beginning of a new attempt."""
        self._start = self._size()

    def opened(self) -> BinaryIO:
        """Open an empty file for the server's output beside its log; other users can read neither."""
        for file in (self.log_file, self.errors_file):
            if file.exists():
                file.chmod(0o600)
        return open(self.errors_file, "wb", opener=_private)

    def last_words(self) -> str:
        """The server's last error lines since the attempt began, or else its last lines."""
        size = self._size()
        start = self._start if self._start <= size else 0  # the server has started a new file
        said = _part(self.errors_file, 0) + _part(self.log_file, max(start, size - LAST_BYTES))
        lines = said.splitlines()
        grave = [line.split("] ", 1)[-1] for line in lines if "[ERR]" in line or "[FTL]" in line]
        return "; ".join((grave or lines)[-3:]) or "it said nothing"

    def _size(self) -> int:
        return self.log_file.stat().st_size if self.log_file.exists() else 0


def _part(file: Path, place: int) -> str:
    if not file.exists():
        return ""
    with file.open("rb") as opened:
        opened.seek(place)
        return opened.read(LAST_BYTES).decode("utf-8", "replace")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
