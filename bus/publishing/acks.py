"""Acknowledgements of streams that the outbox has not noted yet. The next commit of any work notes them.

A separate transaction for each window would cost one more sync each. Waiting loses nothing: if the process ends first,
the row is sent again, with the same bytes, and does not count as a first attempt.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator

from bus.publishing.acknowledged import settle_at
from bus.publishing.outbox_rows import Settled

LATE_S = 0.2
"""Seconds that an acknowledgement waits for a commit; then it gets its own."""


class Acks:
    """The waiting acknowledgements; the event loop adds them, the thread of the outbox notes them."""

    def __init__(self) -> None:
        self._left: list[tuple[Settled, float]] = []
        self._taken = 0
        self._since = 0.0
        self._asking = 0

    def __len__(self) -> int:
        return len(self._left)

    def add(self, settled: Iterable[Settled], at: float, now: float) -> None:
        """Add acknowledgements to be noted.

        Args:
            settled: the acknowledgements.
            at: time of their arrival, in seconds since the epoch.
            now: the same time by the clock of the event loop.
        """
        if not self._left:
            self._since = now
        self._left += [(each, at) for each in settled]

    def wait_s(self, now: float) -> float:
        """Seconds that they may still wait for a commit, by the clock of the event loop; 0 while a caller waits for a state."""
        if not self._left:
            return LATE_S
        return 0.0 if self._asking else max(0.0, self._since + LATE_S - now)

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Within this context a caller waits for the state of a bulletin."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    def note(self, db: sqlite3.Connection) -> None:
        """Note all waiting ones, inside a transaction. They stay until `noted`, because the transaction may fail."""
        self._taken = len(self._left)
        if self._taken:
            settle_at(db, self._left[: self._taken])

    def noted(self) -> None:
        """Drop the noted ones: the commit after the last `note` is done."""
        del self._left[: self._taken]
        self._taken = 0
