"""Recovery of a lost or restored outbox: its heads are rebuilt from what the bus holds under the authority's name.

Without it the authority would give a number twice, which every reader must take for a contradiction.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable

import msgspec

from bus import outbox as table
from bus.connection import Connection, Endpoint
from bus.outbox import Outbox, Row
from bus.own_channels import own
from bus.topology import own_streams
from bus.trust import VerifiedRegistry
from schemas.bulletin import Bulletin
from schemas.codec import decode, encode

Keep = Callable[[sqlite3.Connection, Bulletin, bytes, dt.datetime, str | None, str | None], object]


async def recover(
    *,
    endpoint: Endpoint,
    outbox: Outbox,
    registry: VerifiedRegistry,
    clock: Callable[[], dt.datetime],
    timeout: float,
    keep: Keep,
) -> dict[str, int]:
    """Adopt the heads that the bus holds, and stamp anew, behind them, what was never sent.

    Args:
        endpoint: the authority's place on the bus.
        outbox: its outbox.
        registry: what its bulletins are verified with.
        clock: the present, aware.
        timeout: seconds to wait for the bus.
        keep: signs and keeps one bulletin anew, inside a transaction of the outbox.

    Returns:
        `read` bulletins found, `adopted` channels, `restamped` bulletins.
    """
    read = 0
    heads: dict[str, tuple[int, str]] = {}
    cursors: dict[str, int] = {}
    async with Connection.open(endpoint) as connection:
        await connection.until_connected(timeout)
        for stream, consumer in own_streams(registry, endpoint.authority_id):
            cursors[stream] = 0
            async for seq, found in own(connection, stream, consumer, 1, registry, clock):
                cursors[stream] = seq
                if found is None:
                    continue
                read += 1
                name = found.channel.name
                if found.bulletin.seq > heads.get(name, (0, ""))[0]:
                    heads[name] = (found.bulletin.seq, found.digest)
    moment = clock()
    restamped = await outbox.keep(lambda db: _adopt(db, keep, heads, moment))
    for stream, seq in cursors.items():
        await outbox.move_own_cursor(stream, seq)
    return {"read": read, "adopted": len(heads), "restamped": restamped}


def _adopt(db: sqlite3.Connection, keep: Keep, heads: dict[str, tuple[int, str]], moment: dt.datetime) -> int:
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
            keep(db, bulletin, encode(bulletin), moment, row.once, row.origin)
            restamped += 1
    return restamped
