"""The standard streams of a program that runs until Ctrl-C: they take text at once, and a thread writes it (`bus.cli.frame.writer`)."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from bus.cli.frame.writer import Writer

CLOSE_S = 1.0
"""Seconds that the end of a program waits for a reader that reads nothing."""


class Outlet(io.TextIOBase):
    """Replaces a standard stream: takes text at once, and gives it to a `Writer`."""

    def __init__(self, stream: TextIO, writer: Writer) -> None:
        """Replace a stream."""
        self._stream = stream
        self._writer = writer
        self._partial = ""
        # A signal may come while the lock is held, and its handler writes here too.
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the stream's own
        """That of the stream."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # the stream's own
        """The error handler of the stream's encoding."""
        return self._stream.errors

    def write(self, text: str) -> int:
        """Take text; pass whole lines on to the writer."""
        if not isinstance(text, str):
            raise TypeError(f"text is written here, not {type(text).__name__}")
        with self._lock:
            whole, end, self._partial = (self._partial + text).rpartition("\n")
            if end:
                self._put(whole + end)
        return len(text)

    def flush(self) -> None:
        """Pass an unfinished line on too; does not wait until it is written."""
        with self._lock:
            partial, self._partial = self._partial, ""
            if partial:
                self._put(partial)

    def _put(self, text: str) -> None:
        self._writer.put(text.encode(self.encoding, self.errors or "backslashreplace"))

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's own descriptor."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """True."""
        return True


class Outlets:
    """Both standard streams of a program that runs on."""

    def __init__(self, *, json: bool) -> None:
        """Replace both; a stream that is not a file of the system stays unchanged.

        Args:
            json: standard output has one JSON value on each line; the line about lost lines is JSON too.
        """
        self._before = (sys.stdout, sys.stderr)
        writers: dict[tuple[int, int], Writer] = {}
        out = self._stand_in(sys.stdout, writers, _gap_in_json if json else _gap)
        err = self._stand_in(sys.stderr, writers, _gap)
        self._out = out
        self._writers = tuple(writers.values())
        if out is not None and err is not None and out is not err:
            out.on_change = lambda what: err.put(f"tocsin: standard output {what}\n".encode())

    def end_with_reader(self) -> None:
        """Mark the output as the program's work: the program ends with its reader, so a closed pipe is not reported."""
        if self._out is not None:
            self._out.on_change = lambda _: None

    def _stand_in(
        self, stream: TextIO | None, writers: dict[tuple[int, int], Writer], gap: Callable[[int], str]
    ) -> Writer | None:
        if stream is None:
            return None
        try:
            stream.flush()
            fd = stream.fileno()
            found = os.fstat(fd)
            place = (found.st_dev, found.st_ino)
            writer = writers.setdefault(place, writers.get(place) or Writer(fd, gap))
        except (
            OSError,
            ValueError,
            RuntimeError,
        ):  # not a file of the system, as in a test; or no thread is available
            return None
        outlet = Outlet(stream, writer)
        if stream is sys.stdout:
            sys.stdout = outlet
        else:
            sys.stderr = outlet
        return writer

    @property
    def waiting(self) -> int:
        """How many bytes of standard output wait to be written."""
        return 0 if self._out is None else self._out.waiting

    def flush(self) -> None:
        """Pass unfinished lines on too."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Outlet):
                stream.flush()

    @property
    def is_gone(self) -> bool:
        """Whether the reader of standard output has gone away."""
        return self._out is not None and (self._out.is_gone or self._out.is_unread)

    def close(self, patience_s: float = CLOSE_S) -> None:
        """Write what waits, as long as it is read, and restore the streams."""
        self.flush()
        deadline = time.monotonic() + patience_s
        for writer in self._writers:  # at the same time: none waits for another's reader
            writer.close(max(0.0, deadline - time.monotonic()))
        sys.stdout, sys.stderr = self._before


def _gap(lines: int) -> str:
    return f"tocsin: {lines} lines were left out here, because nobody read them"


def _gap_in_json(lines: int) -> str:
    return f'{{"left_out":{{"lines":{lines}}}}}'
