"""Rows that go from the transaction that keeps them to the sender in memory; the table stays the truth.

A sender that leads need not read back, and hash again, what this process signed a moment ago. While it is known that nothing
else is due (`is_whole`), it need not even ask the table: a row is ready here once its commit is done, and the same commit shows
whether another process, or a rollback, came between. Where it is not known, what is due, in which order and how much, is asked of
the table; then a row is taken from here only where the table has the same digest under its number, so what was rolled back is
never sent. Each row is given once: what is sent again is read from the table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from bus.publishing.outbox_rows import Row

MOST_ROWS = 8192
MOST_BYTES = 16 * 1024 * 1024
"""No more is held than that; what is beyond it is read from the table."""


def size_of(rows: Iterable[Row]) -> int:
    """How many bytes rows take up here: payloads, and the headers, which with large signatures are the greater part."""
    return sum([len(row.payload) + len(row.headers) for row in rows])


class Handover:
    """The rows on their way, between the thread of the outbox and the event loop.

    Attributes:
        is_open: whether a sender of this process leads and is connected. Rows that are offered then are marked in the table
            as perhaps sent: whoever reads them there, after this process, must not take their sending for the first.
        is_whole: whether everything that is due is here or on its way. The sender says so inside the transaction that finds it,
            and takes it back when something it sent was not stored.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.is_whole = False
        self._lock = threading.Lock()
        self._offered: dict[int, Row] = {}  # not committed yet, or rolled back
        self._early: set[tuple[int, str]] = set()  # taken in the transaction that keeps them
        self._coming: list[Row] = []
        self._is_gap = False
        self._ready: dict[int, Row] = {}
        self._bytes = 0

    def drop(self) -> None:
        """Leave all of them to the table: another process may send them from now on."""
        with self._lock:
            self.is_open = self.is_whole = False
            self._offered.clear()
            self._early.clear()
            self._coming.clear()
            self._ready.clear()
            self._bytes = 0

    # -- in the thread of the outbox ---------------------------------------------------------------------------------

    def takes(self, count: int, size: int) -> bool:
        """Whether there is a sender, and room for so many rows of so many bytes together."""
        held = len(self._offered) + len(self._ready)
        return self.is_open and held + count <= MOST_ROWS and self._bytes + size <= MOST_BYTES

    def offer(self, rows: Iterable[Row]) -> None:
        """Hand rows over, before they are committed; none where all were left to the table since `takes`."""
        with self._lock:
            if self.is_open:
                offered = {row.n: row for row in rows}
                for n in offered:
                    if n in self._offered or n in self._ready:
                        self._forget(n)  # of a transaction that was rolled back
                self._offered |= offered
                self._bytes += size_of(offered.values())

    def committing(self, fresh: Iterable[tuple[int, str]]) -> None:
        """Compare what was offered with the rows (number, digest) that the commit which is now made brings, of any process."""
        with self._lock:
            self._coming, self._is_gap = [], False
            for n, digest in fresh:
                row = self._offered.get(n)
                if row is not None and row.digest == digest:
                    self._coming.append(row)
                elif (n, digest) not in self._early:
                    self._is_gap = True

    def committed(self) -> None:
        """That commit is done."""
        with self._lock:
            for row in self._coming:
                if self._offered.pop(row.n, None) is not None:
                    self._ready[row.n] = row
            if self._offered:
                self._bytes -= size_of(self._offered.values())
                self._offered.clear()
            self._early.clear()
            self._coming = []
            if self._is_gap:
                self.is_whole = False

    def holds(self, n: int, digest: str) -> bool:
        """Whether the row with a number and a digest is here."""
        row = self._offered.get(n) or self._ready.get(n)
        return row is not None and row.digest == digest

    def take(self, n: int, digest: str) -> Row | None:
        """The row with a number and a digest, once."""
        with self._lock:
            if not self.holds(n, digest):
                self._forget(n)
                return None
            if n in self._offered:
                self._early.add((n, digest))
            return self._forget(n)

    # -- in the event loop -------------------------------------------------------------------------------------------

    def ready(self, most: int, most_bytes: int) -> Sequence[Row] | None:
        """The next rows, in the order of their numbers and within the bounds, but for the first if it is large.

        None while it is not known that nothing else is due.
        """
        with self._lock:
            if not self.is_whole:
                return None
            found: list[Row] = []
            for row in self._ready.values():
                most_bytes -= len(row.payload)
                if len(found) == most or (found and most_bytes < 0):
                    break
                found.append(row)
            for row in found:
                del self._ready[row.n]
            self._bytes -= size_of(found)
            return found

    def _forget(self, n: int) -> Row | None:
        row = self._offered.pop(n, None) or self._ready.pop(n, None)
        if row is not None:
            self._bytes -= size_of((row,))
        return row
