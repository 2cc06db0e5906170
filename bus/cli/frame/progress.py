"""One line on a terminal that says how far long work has come; it is gone when the work is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

FIRST_S, AGAIN_S = 1.0, 0.2
CLEAR = "\r\x1b[K"


def words(what: str, seconds: float, share: float | None, width: int) -> str:
    """What the line says: the work, how long it lasts, and how much of it is done.

    Args:
        what: the work, in words that are safe to print.
        seconds: since it began.
        share: how much is done, from 0 to 1; None where nobody knows.
        width: of the terminal; the line is shorter by one, so that it never breaks.
    """
    told = f"{what}: {seconds:.0f} s" if share is None else f"{what}: {min(max(share, 0.0), 1.0):.0%}"
    room = width - len(told) - 4
    if share is not None and room >= 10:
        full = round(min(max(share, 0.0), 1.0) * min(room, 40))
        told += " [" + "#" * full + "." * (min(room, 40) - full) + "]"
    return told[: width - 1]


class Line:
    """The line while it stands; a thread writes it, so that the work need not ask for it."""

    def __init__(self, what: str, share: Callable[[], float] | None, width: Callable[[], int]) -> None:
        """Prepare; `share` says how much is done, `width` how wide the terminal is. Both may be asked in any thread."""
        self._what, self._share, self._width = what, share, width
        self._began = time.monotonic()
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._stands = False
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    def hide(self) -> None:
        """Take the line away for something else that is printed; it comes again."""
        with self._lock:
            if self._stands:
                sys.stderr.write(CLEAR)
                sys.stderr.flush()
                self._stands = False

    def end(self) -> None:
        """Take the line away for good."""
        self._ends.set()
        self._thread.join()
        self.hide()

    def _run(self) -> None:
        pause = FIRST_S  # short work says nothing
        while not self._ends.wait(pause):
            pause = AGAIN_S
            share = None if self._share is None else self._share()
            line = words(self._what, time.monotonic() - self._began, share, self._width())
            with self._lock:
                sys.stderr.write(CLEAR + line)
                sys.stderr.flush()
                self._stands = True
