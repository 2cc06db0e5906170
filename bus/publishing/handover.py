"""Rows that go from the transaction that keeps them to the sender in memory; the table stays the truth.

A sender that leads need not read back, and hash again, what this process signed a moment ago. What is due, in which order
and how much, is always asked of the table; a row is taken from here only where the table has the same digest under its
number, so what was rolled back is never sent. Each row is given once: what is sent again is read from the table.
"""

from __future__ import annotations

from collections.abc import Iterable

from bus.publishing.outbox_rows import Row

MOST_ROWS = 2048
MOST_BYTES = 8 * 1024 * 1024
"""No more is held than that; what is beyond it is read from the table."""


class Handover:
    """The rows on their way; all but `is_open` and `drop` is for the thread of the outbox.

    Attributes:
        is_open: whether a sender of this process leads and is connected. Rows that are offered then are marked in the table
            as perhaps sent: whoever reads them there, after this process, must not take their sending for the first.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._is_dropped = False
        self._rows: dict[int, Row] = {}
        self._bytes = 0

    def drop(self) -> None:
        """Leave all of them to the table: another process may send them from now on."""
        self.is_open, self._is_dropped = False, True

    def takes(self, count: int, size: int) -> bool:
        """Whether there is a sender, and room for so many rows of so many bytes together."""
        self._settle()
        return self.is_open and len(self._rows) + count <= MOST_ROWS and self._bytes + size <= MOST_BYTES

    def offer(self, rows: Iterable[Row]) -> None:
        """Hand rows over, before they are committed."""
        for row in rows:
            self._forget(row.n)  # of a transaction that was rolled back
            self._rows[row.n] = row
            self._bytes += len(row.payload)

    def holds(self, n: int, digest: str) -> bool:
        """Whether the row with a number and a digest is here."""
        self._settle()
        return n in self._rows and self._rows[n].digest == digest

    def take(self, n: int, digest: str) -> Row | None:
        """The row with a number and a digest, once."""
        found = self.holds(n, digest)
        row = self._forget(n)
        return row if found else None

    def _settle(self) -> None:
        if self._is_dropped:
            self._is_dropped = False
            self._rows.clear()
            self._bytes = 0

    def _forget(self, n: int) -> Row | None:
        row = self._rows.pop(n, None)
        if row is not None:
            self._bytes -= len(row.payload)
        return row
