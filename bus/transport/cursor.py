"""A reader's cursor in a stream that it does not trust: it checks that the last record read is still the same. Pure.

A stream only grows. So while the record at the cursor is the one that was read, nothing before it has changed either.
In any other case the reader starts again from what it holds. A stream of heartbeats drops records that newer ones
replace: there the record may be gone, and the next one is checked in its place.
"""

from __future__ import annotations

import enum

import msgspec


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The last record read of a stream: its sequence, digest and time, and how many more the stream had then.

    A tail that was lost and stored again may hold the same bulletins in another order. So the bulletin and its stored
    time, to the nanosecond, must be the same.
    """

    seq: int = 0
    digest: str = ""
    stored_ns: int = 0
    pending: int = 0  # messages that the stream had after it then


class Anchor(enum.Enum):
    """The state of a stream at the cursor."""

    HOLDS = "it is the stream that was read: continue after the cursor"
    GONE = "it is another stream, or was rewound: read it from the beginning"
    UNSEEN = "it has a message there but has not delivered it: ask again"


def anchor(
    cursor: Cursor, first: Cursor | None, *, delivered: int, pending: int, keeps_all: bool = True
) -> Anchor:
    """Compare a stream with the cursor that was taken on it.

    Args:
        cursor: the last record read; at 0 nothing was read, and any stream holds.
        first: the first message that the stream delivers from the cursor on, as a cursor; None if it delivers nothing.
        delivered: the last stream sequence that the server reports as delivered.
        pending: the number of messages that the server has still to deliver.
        keeps_all: whether the stream keeps the last record read, however many came since.
    """
    if cursor.seq == 0:
        return Anchor.HOLDS
    if first is None:
        # A server that was set to the cursor counts from just before it, even beyond the end of a shorter stream.
        return Anchor.UNSEEN if delivered >= cursor.seq or pending > 0 else Anchor.GONE
    if not keeps_all and first.seq > cursor.seq and first.stored_ns >= cursor.stored_ns:
        return Anchor.HOLDS
    same = (cursor.seq, cursor.digest, cursor.stored_ns) == (first.seq, first.digest, first.stored_ns)
    return Anchor.HOLDS if same else Anchor.GONE
