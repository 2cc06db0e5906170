"""A reader's cursor in a stream that it does not trust: is what was read last still there, in the very same record?

A stream is only ever added to. So while the record at the cursor is the one that was read, nothing before it has changed
either; anything else is a doubt, and the reader begins anew from what it holds.
"""

from __future__ import annotations

import msgspec

from bus.transport.connection import Connection
from bus.transport.pull_consumer import Received
from schemas.codec import digest


def cursor_at(received: Received, found: str) -> Cursor:
    """The cursor of who has read up to a message with this digest."""
    return Cursor(
        seq=received.stream_seq, digest=found, stored_ns=received.stored_ns, pending=received.pending
    )


def continues(cursor: Cursor, received: Received) -> bool:
    """Whether what stands at the cursor is what was read there, in the very record it was read from."""
    held, there = (
        (each.seq, each.digest, each.stored_ns)
        for each in (cursor, cursor_at(received, digest(received.payload)))
    )
    return held == there


async def stands(connection: Connection, stream: str, consumer: str, cursor: Cursor) -> bool:
    """Whether the stream may still hold what was read at the cursor: it is silent, so ask how far it goes.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    info = await connection.js_api(f"CONSUMER.INFO.{stream}.{consumer}")
    delivered = int(info.get("delivered", {}).get("stream_seq", 0))
    return delivered >= cursor.seq or int(info.get("num_pending", 0)) > 0


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where a stream has been read, what was there, since when, and how far it went on.

    A stream is only ever added to. So while the same bulletin stands there since the same nanosecond, nothing before it
    has changed either; a tail that was lost and stored again may hold the same bulletins in another order.
    """

    seq: int = 0
    digest: str = ""
    stored_ns: int = 0
    pending: int = 0  # how many more the stream had then
