"""What streams have acknowledged and the outbox has not noted yet: it goes with the next commit, whatever that is for.

A transaction of their own for the acknowledgements of each window would be one more sync for each. Nothing is lost by waiting: a row whose
acknowledgement is forgotten with this process is sent again, the same bytes, and is no first attempt.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator

from bus.publishing.acknowledged import settle_at
from bus.publishing.outbox_rows import Settled

LATE_S = 0.2
"""So long an acknowledgement waits for a commit; then it gets one of its own."""


class Acks:
    """The acknowledgements that wait; they are added in the event loop, and noted in the thread of the outbox."""

    def __init__(self) -> None:
        self._left: list[tuple[Settled, float]] = []
        self._taken = 0
        self._since = 0.0
        self._asking = 0

    def __len__(self) -> int:
        return len(self._left)

    def add(self, settled: Iterable[Settled], at: float, now: float) -> None:
        """Have acknowledgements noted.

        Args:
            settled: the acknowledgements.
            at: when they came, in seconds since the epoch.
            now: the same by the clock of the event loop.
        """
        if not self._left:
            self._since = now
        self._left += [(each, at) for each in settled]

    def wait_s(self, now: float) -> float:
        """For how many seconds they may still wait for a commit, by the clock of the event loop; none when somebody asks."""
        if not self._left:
            return LATE_S
        return 0.0 if self._asking else max(0.0, self._since + LATE_S - now)

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Within the context somebody asks what became of a bulletin."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    def note(self, db: sqlite3.Connection) -> None:
        """Note all that wait, inside a transaction. They wait on until `noted`, for it may fail."""
        self._taken = len(self._left)
        if self._taken:
            settle_at(db, self._left[: self._taken])

    def noted(self) -> None:
        """The commit after the last `note` is done."""
        del self._left[: self._taken]
        self._taken = 0
