"""An authority reads back what it has said: its own channels on the bus.

What its outbox holds is recognised by the digest of its bytes; only what is unknown there is verified.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Sequence

from bus.admission import Admitted, admit
from bus.connection import Connection
from bus.errors import AdmissionError
from bus.outbox import Outbox
from bus.pull import Pull, Received
from bus.trust import VerifiedRegistry
from schemas.codec import digest

QUIET_S = 5.0
MOST = 500


async def behind_by(
    connection: Connection,
    outbox: Outbox,
    registry: VerifiedRegistry,
    stream: str,
    consumer: str,
    clock: Callable[[], dt.datetime],
) -> int:
    """How many of the authority's own bulletins on a stream this outbox cannot account for.

    A bulletin is accounted for when the outbox holds it, or when a recovery has adopted a head after it. One that
    stands where the outbox has another bulletin is not: two outboxes have spoken on one channel.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    missing = 0
    start = (await outbox.own_cursors()).get(stream, 0) + 1
    async for batch in read_back(connection, stream, consumer, start):
        digests = {digest(message.payload): message for message in batch}
        strange = [digests[found] for found in await outbox.unknown(list(digests))]
        for found in judged(strange, registry, clock()):
            if not await outbox.accounts_for(found.channel.name, found.bulletin.seq):
                missing += 1
        if not missing:
            await outbox.move_own_cursor(stream, batch[-1].stream_seq)
    return missing


async def read_back(
    connection: Connection, stream: str, consumer: str, start: int
) -> AsyncIterator[list[Received]]:
    """What the bus holds under the authority's name on a stream, from a sequence on, in batches.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    info = await connection.js_api(f"CONSUMER.INFO.{stream}.{consumer}")
    if int(info["delivered"]["stream_seq"]) + int(info.get("num_pending", 0)) < start - 1:
        start = 1  # the stream is shorter than it was: it was lost or rewound, so all of it is read
    async with Pull.attach(connection, stream, consumer, start) as pull:
        info = await connection.js_api(f"CONSUMER.INFO.{stream}.{consumer}")
        left = int(info.get("num_pending", 0))
        while left > 0:
            if batch := await pull.next(MOST, QUIET_S):
                left = batch[-1].pending
                yield batch


def judged(messages: Sequence[Received], registry: VerifiedRegistry, now: dt.datetime) -> list[Admitted]:
    """Those that stand up to verification; the others were not said by the authority, whoever put them there."""
    found: list[Admitted] = []
    for message in messages:
        try:
            found.append(admit(message.subject, message.headers, message.payload, registry=registry, now=now))
        except AdmissionError:
            continue
    return found
