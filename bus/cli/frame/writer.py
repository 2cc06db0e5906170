"""A thread that writes lines to a file, with a bounded queue, and counts the lines that find no room.

A full pipe, a paused terminal or a slow log blocks its writer. A program that runs until Ctrl-C must not be blocked,
so it gives its lines to this thread and continues (ADR-024).
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

MOST_LINES = 10_000
MOST_BYTES = 4 * 1024**2
"""The bound of the queue. Further lines are left out until half of it has been read."""
CHUNK_BYTES = 65_536
AGAIN_S = 1.0
"""Seconds to wait after a failed write, such as to a full disk, before the next."""
LOOK_S = 1.0


class Writer:
    """Writes to one file in a thread of its own; several streams with the same file share it."""

    def __init__(
        self, fd: int, gap: Callable[[int], str], *, lines: int = MOST_LINES, size: int = MOST_BYTES
    ) -> None:
        """Begin to write.

        Args:
            fd: the file descriptor.
            gap: returns the line that reports how many lines were left out.
            lines: the most lines that may wait.
            size: the most bytes that may wait; a single line may be longer.

        Raises:
            RuntimeError: the system cannot start a thread.
        """
        self.is_gone = False
        self.on_change: Callable[[str], None] = lambda _: None
        self._fd = fd
        self._gap = gap
        self._most = (lines, size)
        self._moved = threading.Condition()
        # (text, number of lines); with empty text, the number left out here
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._lines = self._bytes = 0
        self._leaves_out = False
        self._lost = 0  # number of unwritten lines, to report before the next line
        self._failed = self._closing = self._is_midline = False
        self._thread = threading.Thread(target=self._run, name=f"output {fd}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Number of bytes that wait to be written."""
        return self._bytes

    @property
    def is_unread(self) -> bool:
        """Whether the file has no reader, as far as the system says so before a write."""
        with contextlib.suppress(OSError):
            look = select.poll()
            look.register(self._fd, 0)
            return any(event & select.POLLERR for _, event in look.poll(0))
        return False

    def put(self, data: bytes) -> None:
        """Queue one or more lines; returns at once."""
        lines = max(1, data.count(b"\n"))
        begins = False
        with self._moved:
            if self.is_gone:
                return
            most_lines, most_bytes = self._most
            if self._leaves_out and 2 * self._lines <= most_lines and 2 * self._bytes <= most_bytes:
                self._leaves_out = False
            elif self._lines and (self._lines + lines > most_lines or self._bytes + len(data) > most_bytes):
                begins = not self._leaves_out
                self._leaves_out = True
            if not self._leaves_out:
                self._waiting.append((data, lines))
                self._lines += lines
                self._bytes += len(data)
            elif begins or not self._waiting or self._waiting[-1][0]:
                self._waiting.append((b"", lines))
            else:
                self._waiting[-1] = (b"", self._waiting[-1][1] + lines)
            self._moved.notify_all()
        if begins:
            self.on_change("is not read; lines are left out until it is read")

    def drained(self, patience_s: float) -> bool:
        """Wait until all is written, as long as a write succeeds every `patience_s` seconds. Returns whether all is written."""
        with self._moved:
            while self._waiting and not self.is_gone:
                before = (self._bytes, len(self._waiting))
                deadline = time.monotonic() + patience_s
                while (self._bytes, len(self._waiting)) == before and not self.is_gone:
                    if not self._moved.wait(max(0.0, deadline - time.monotonic())):
                        return False
            return not self.is_gone

    def close(self, patience_s: float) -> bool:
        """End when all is written, or after `patience_s` seconds without a write. Returns whether all is written."""
        is_whole = self.drained(patience_s)
        with self._moved:
            self._closing = True
            self._moved.notify_all()
        return is_whole

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as exc:  # noqa: BLE001 (whatever it is, the program must not believe that it is still heard)
            self._give_up(f"cannot be written to ({exc!r}); this program goes on without it")

    def _turn(self) -> bool:
        """Write the next entry; False at the end."""
        with self._moved:
            self._moved.wait_for(lambda: self._waiting or self._closing)
            if not self._waiting:
                return False
            data, lines = self._waiting[0]
            if not data:
                self._lost += lines
            lost = self._lost
        try:
            if lost:
                self._write(f"{chr(10) * self._is_midline}{self._gap(lost)}\n".encode())
            self._write(data)
        except BrokenPipeError:
            self._give_up("has no reader any more; this program goes on without it")
            return False
        except OSError as exc:
            self._fail(exc, lines)
            return not self._closing
        with self._moved:
            self._lost -= lost
            self._let_go(lines)
            if data:
                self._lines -= lines
                self._bytes -= len(data)
            self._moved.notify_all()
        if lost or self._failed:
            self._failed = False
            self.on_change(f"takes lines again; {lost} were left out")
        return True

    def _let_go(self, lines: int) -> None:
        """Remove the next entry. Lines left out since then are reported with the next line."""
        data, now = self._waiting.popleft()
        self._lost += 0 if data else now - lines

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                written = os.write(self._fd, left[:CHUNK_BYTES])
                self._is_midline = left[written - 1] != ord("\n")
                left = left[written:]
            except BlockingIOError:  # another program that shares the file has set it so
                select.select([], [self._fd], [], LOOK_S)

    def _fail(self, exc: OSError, lines: int) -> None:
        """Count the unwritten lines as left out, and wait a moment."""
        is_news, self._failed = not self._failed, True
        with self._moved:
            data = self._waiting[0][0]
            self._let_go(lines)
            if data:
                self._lost += lines
                self._lines -= lines
                self._bytes -= len(data)
            self._moved.notify_all()
        if is_news:
            self.on_change(f"cannot be written to ({exc.strerror}); lines are left out until it can")
        with self._moved:
            self._moved.wait_for(lambda: self._closing, AGAIN_S)

    def _give_up(self, what: str) -> None:
        with self._moved:
            self.is_gone = True
            self._waiting.clear()
            self._lines = self._bytes = 0
            self._moved.notify_all()
        self.on_change(what)
