"""One line on a terminal that shows how far long work has come; it disappears when the work is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

FIRST_S, AGAIN_S = 1.0, 0.2
CLEAR = "\r\x1b[K"


def words(what: str, seconds: float, share: float | None, width: int) -> str:
    """The text of the line: the work, its duration, and the share that is done.

    Args:
        what: the work, as safe text.
        seconds: since the work began.
        share: how much is done, from 0 to 1; None if unknown.
        width: of the terminal, in characters; the line is one shorter, so that it never wraps.
    """
    told = f"{what}: {seconds:.0f} s" if share is None else f"{what}: {min(max(share, 0.0), 1.0):.0%}"
    room = width - len(told) - 4
    if share is not None and room >= 10:
        full = round(min(max(share, 0.0), 1.0) * min(room, 40))
        told += " [" + "#" * full + "." * (min(room, 40) - full) + "]"
    return told[: width - 1]


class Line:
    """The line while it is shown; a thread writes it, so that the work does not have to."""

    def __init__(self, what: str, share: Callable[[], float] | None, width: Callable[[], int]) -> None:
        """Prepare. `share` returns how much is done, `width` the width of the terminal; both may be called in any thread."""
        self._what, self._share, self._width = what, share, width
        self._began = time.monotonic()
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._stands = False
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    def hide(self) -> None:
        """Remove the line before other output; it comes back."""
        with self._lock:
            if self._stands:
                sys.stderr.write(CLEAR)
                sys.stderr.flush()
                self._stands = False

    def end(self) -> None:
        """Remove the line for good."""
        self._ends.set()
        self._thread.join()
        self.hide()

    def _run(self) -> None:
        pause = FIRST_S  # short work shows no line
        while not self._ends.wait(pause):
            pause = AGAIN_S
            share = None if self._share is None else self._share()
            line = words(self._what, time.monotonic() - self._began, share, self._width())
            with self._lock:
                sys.stderr.write(CLEAR + line)
                sys.stderr.flush()
                self._stands = True
