"""Hands rows in memory from the transaction that keeps them to the sender. The table stays authoritative.

A leading sender need not read back and hash again the rows that this process has just signed. While no other row is due
(`is_whole`), it need not query the table at all: a row is ready here once its commit is done, and the same commit shows
whether another process or a rollback came between. Otherwise the table decides which rows are due, in which order and
how many. Then a row is taken from here only if the table has the same digest under its number, so a rolled-back row is
never sent. Each row is given once: a resend reads it from the table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from bus.publishing.outbox_rows import Row

MOST_ROWS = 8192
MOST_BYTES = 16 * 1024 * 1024
"""Most rows held here; further rows are read from the table."""


def size_of(rows: Iterable[Row]) -> int:
    """Bytes that rows take here: payloads and headers; with large signatures the headers are larger."""
    return sum([len(row.payload) + len(row.headers) for row in rows])


class Handover:
    """The rows in handover between the thread of the outbox and the event loop.

    Attributes:
        is_open: whether a sender of this process leads and is connected. The table then marks offered rows as perhaps
            sent: a later process that reads them there must not take its own sending for the first.
        is_whole: whether all due rows are here or coming. The sender sets it inside the transaction that finds it, and
            clears it when one of its rows was not stored.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.is_whole = False
        self._lock = threading.Lock()
        self._offered: dict[int, Row] = {}  # not committed yet, or rolled back
        self._early: set[tuple[int, str]] = set()  # taken in the transaction that keeps the rows
        self._coming: list[Row] = []
        self._is_gap = False
        self._ready: dict[int, Row] = {}
        self._bytes = 0

    def drop(self) -> None:
        """Drop all rows: another process may send them from the table from now on."""
        with self._lock:
            self.is_open = self.is_whole = False
            self._offered.clear()
            self._early.clear()
            self._coming.clear()
            self._ready.clear()
            self._bytes = 0

    # -- in the thread of the outbox ---------------------------------------------------------------------------------

    def takes(self, count: int, size: int) -> bool:
        """Whether there is a sender, and space for `count` rows of `size` bytes together."""
        return self.is_open and self.count + count <= MOST_ROWS and self._bytes + size <= MOST_BYTES

    @property
    def count(self) -> int:
        """The number of rows here."""
        return len(self._offered) + len(self._ready)

    def offer(self, rows: Iterable[Row]) -> None:
        """Hand rows over before they are committed; no rows if `drop` was called since `takes`."""
        with self._lock:
            if self.is_open:
                offered = {row.n: row for row in rows}
                for n in offered:
                    if n in self._offered or n in self._ready:
                        self._forget(n)  # its transaction was rolled back
                self._offered |= offered
                self._bytes += size_of(offered.values())

    def committing(self, fresh: Iterable[tuple[int, str]]) -> None:
        """Compare the offered rows with the (number, digest) of all rows in the present commit, from any process."""
        with self._lock:
            self._coming, self._is_gap = [], False
            for n, digest in fresh:
                row = self._offered.get(n)
                if row is not None and row.digest == digest:
                    self._coming.append(row)
                elif (n, digest) not in self._early:
                    self._is_gap = True

    def committed(self) -> None:
        """Make the rows ready: that commit is done."""
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
        """Take out the row with a number and a digest; each is given once."""
        with self._lock:
            if not self.holds(n, digest):
                self._forget(n)
                return None
            if n in self._offered:
                self._early.add((n, digest))
            return self._forget(n)

    # -- in the event loop -------------------------------------------------------------------------------------------

    def ready(self, most: int, most_bytes: int) -> Sequence[Row] | None:
        """The next rows, in order of their numbers and within the bounds (except for a large first row).

        None unless all due rows are known to be here.
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
