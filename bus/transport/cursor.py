"""A reader's cursor in a stream that it does not trust: is what was read last still there, in the very same record? Pure.

A stream is only ever added to. So while the record at the cursor is the one that was read, nothing before it has changed
either; anything else is a doubt, and the reader begins anew from what it holds. A stream of heartbeats lets go of what
something newer replaces: there the record may be gone, and what follows it stands for it.
"""

from __future__ import annotations

import enum

import msgspec


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where a stream has been read, what was there, since when, and how far it went on.

    A tail that was lost and stored again may hold the same bulletins in another order; so the same bulletin must stand
    there since the same nanosecond.
    """

    seq: int = 0
    digest: str = ""
    stored_ns: int = 0
    pending: int = 0  # how many more the stream had then


class Anchor(enum.Enum):
    """What a stream shows where it was read to."""

    HOLDS = "it is the stream that was read: go on after the cursor"
    GONE = "it is another stream, or was rewound: read it from the beginning"
    UNSEEN = "it has something there and has not given it: ask again"


def anchor(
    cursor: Cursor, first: Cursor | None, *, delivered: int, pending: int, keeps_all: bool = True
) -> Anchor:
    """Whether a stream is still the one that a cursor was taken on.

    Args:
        cursor: up to where it was read; at 0 nothing was, and any stream will do.
        first: the first message that it gives from the cursor on, as a cursor; None when it gives nothing.
        delivered: the last stream sequence that the server says was given.
        pending: how many messages it says are still to be given.
        keeps_all: whether what was read last is still there, however much came since.
    """
    if cursor.seq == 0:
        return Anchor.HOLDS
    if first is None:
        # A server that was set to the cursor counts from just before it: beyond the end of a shorter stream as well.
        return Anchor.UNSEEN if delivered >= cursor.seq or pending > 0 else Anchor.GONE
    if not keeps_all and first.seq > cursor.seq and first.stored_ns >= cursor.stored_ns:
        return Anchor.HOLDS
    same = (cursor.seq, cursor.digest, cursor.stored_ns) == (first.seq, first.digest, first.stored_ns)
    return Anchor.HOLDS if same else Anchor.GONE
