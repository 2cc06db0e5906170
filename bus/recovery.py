"""An authority reads back its own channels: is its outbox complete, and if not, how it goes on.

A lost or restored outbox would give a number twice, which every reader must take for a contradiction. So before its
first send a publisher compares its heads with what the bus holds under its name, and recovery rebuilds them from there.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import msgspec

from bus import outbox as table
from bus.admission import Admitted, admit
from bus.connection import Connection
from bus.errors import AdmissionError
from bus.outbox import Outbox, Row
from bus.pull import Pull
from bus.topology import own_streams
from bus.trust import VerifiedRegistry
from schemas.codec import decode, encode

if TYPE_CHECKING:
    from bus.publisher import Publisher
    from bus.sender import Sender

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
        async for seq, found in _own(connection, stream, consumer, cursor + 1, registry, clock):
            cursor = seq
            if found is not None and await outbox.get(found.digest) is None:
                missing += 1
        if not missing:
            await outbox.move_own_cursor(stream, cursor)
    return missing


async def recover(
    publisher: Publisher,
    sender: Sender,
    outbox: Outbox,
    registry: VerifiedRegistry,
    clock: Callable[[], dt.datetime],
    timeout: float,
) -> dict[str, int]:
    """Adopt the heads that the bus holds, and stamp anew, behind them, what was never sent.

    Returns:
        `read` bulletins found, `adopted` channels, `restamped` bulletins.
    """
    read = 0
    heads: dict[str, tuple[int, str]] = {}
    cursors: dict[str, int] = {}
    async with Connection.open(sender.endpoint) as connection:
        await connection.until_connected(timeout)
        for stream, consumer in own_streams(registry, publisher.authority_id):
            cursors[stream] = 0
            async for seq, found in _own(connection, stream, consumer, 1, registry, clock):
                cursors[stream] = seq
                if found is None:
                    continue
                read += 1
                name = found.channel.name
                if found.bulletin.seq > heads.get(name, (0, ""))[0]:
                    heads[name] = (found.bulletin.seq, found.digest)
    moment = clock()
    restamped = await outbox.keep(lambda db: _adopt(db, publisher, heads, moment))
    for stream, seq in cursors.items():
        await outbox.move_own_cursor(stream, seq)
    sender.forget_check()
    return {"read": read, "adopted": len(heads), "restamped": restamped}


async def _own(
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


def _adopt(
    db: sqlite3.Connection, publisher: Publisher, heads: dict[str, tuple[int, str]], moment: dt.datetime
) -> int:
    """Inside one transaction: move the heads forward and stamp anew what stands in their way and was never sent."""
    restamped = 0
    for channel, (seq, digest) in heads.items():
        held = table.head(db, channel)
        same = db.execute(
            "SELECT 1 FROM outbox WHERE channel = ? AND digest = ?", (channel, digest)
        ).fetchone()
        if held is not None and same is not None and held.seq >= seq:
            continue
        unsent = [
            Row(**dict(row))
            for row in db.execute(
                "SELECT * FROM outbox WHERE channel = ? AND state = 'kept' AND attempted_at IS NULL ORDER BY seq",
                (channel,),
            )
        ]
        db.execute(
            "DELETE FROM outbox WHERE channel = ? AND state = 'kept' AND attempted_at IS NULL", (channel,)
        )
        # A row that was attempted and is not on the bus lost its place; it is kept, parked, for a person to look at.
        db.execute(
            "UPDATE outbox SET state = 'parked', problem = 'superseded: its number is taken on the bus' "
            "WHERE channel = ? AND state = 'kept'",
            (channel,),
        )
        table.set_head(db, channel, seq, digest)
        for row in unsent:
            head = table.head(db, channel)
            if head is None:
                continue
            bulletin = msgspec.structs.replace(decode(row.payload), seq=head.seq + 1, prev=head.digest)
            publisher.sign_and_keep(db, bulletin, encode(bulletin), moment, once=row.once, origin=row.origin)
            restamped += 1
    return restamped
