"""An authority reads back what it has said: its own channels on the bus, each bulletin verified."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable

from bus.admission import Admitted, admit
from bus.connection import Connection
from bus.errors import AdmissionError
from bus.outbox import Outbox
from bus.pull import Pull
from bus.topology import own_streams
from bus.trust import VerifiedRegistry

QUIET_S = 1.0
MOST = 500


async def behind_by(
    connection: Connection,
    outbox: Outbox,
    registry: VerifiedRegistry,
    authority_id: str,
    clock: Callable[[], dt.datetime],
) -> int:
    """How many of the authority's own bulletins on the bus this outbox does not know."""
    missing = 0
    for stream, consumer in own_streams(registry, authority_id):
        cursor = await outbox.own_cursor(stream)
        async for seq, found in own(connection, stream, consumer, cursor + 1, registry, clock):
            cursor = seq
            if found is not None and await outbox.get(found.digest) is None:
                missing += 1
        if not missing:
            await outbox.move_own_cursor(stream, cursor)
    return missing


async def own(
    connection: Connection,
    stream: str,
    consumer: str,
    start: int,
    registry: VerifiedRegistry,
    clock: Callable[[], dt.datetime],
) -> AsyncIterator[tuple[int, Admitted | None]]:
    """The authority's own bulletins on a stream from a sequence on, each verified; None for what is not one."""
    info = await connection.js_api(f"CONSUMER.INFO.{stream}.{consumer}")
    if int(info["delivered"]["stream_seq"]) + int(info.get("num_pending", 0)) < start - 1:
        start = 1  # the stream is shorter than it was: it was lost or rewound, so all of it is read
    async with Pull.attach(connection, stream, consumer, start) as pull:
        info = await connection.js_api(f"CONSUMER.INFO.{stream}.{consumer}")
        left = int(info.get("num_pending", 0))
        while left > 0:
            for message in await pull.next(MOST, QUIET_S * 5):
                left = message.pending
                try:
                    yield (
                        message.stream_seq,
                        admit(
                            message.subject, message.headers, message.payload, registry=registry, now=clock()
                        ),
                    )
                except AdmissionError:
                    yield message.stream_seq, None
