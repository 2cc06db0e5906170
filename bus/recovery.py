"""Recovery of a lost or restored outbox: its heads are rebuilt from what the bus holds under the authority's name.

Without it the authority would give a number twice, which every reader must take for a contradiction.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable

import msgspec

from bus import outbox_table as table
from bus.connection import Connection, Endpoint
from bus.outbox import Outbox, Settled
from bus.own_channels import judged, read_back
from bus.topology import own_streams
from bus.trust import VerifiedRegistry
from schemas.bulletin import Bulletin
from schemas.codec import decode, digest, encode

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
        `read` bulletins found, `adopted` channels, `restamped` bulletins, and `superseded` ones: attempted or sealed,
        not on the bus, and their number taken.

    Raises:
        UnreachableError, BrokerError: from the broker; the outbox is as it was.
    """
    read = 0
    unsure = await outbox.unsettled()
    arrived: list[Settled] = []
    heads: dict[str, tuple[int, str]] = {}
    cursors: dict[str, int] = {}
    async with Connection.open(endpoint) as connection:
        await connection.until_connected(timeout)
        for stream, consumer in own_streams(registry, endpoint.authority_id):
            cursors[stream] = 0
            async for batch in read_back(connection, stream, consumer, 1):
                cursors[stream] = batch[-1].stream_seq
                for found in await asyncio.to_thread(judged, batch, registry, clock()):
                    read += 1
                    name = found.channel.name
                    if found.bulletin.seq > heads.get(name, (0, ""))[0]:
                        heads[name] = (found.bulletin.seq, found.digest)
                arrived += [
                    Settled(n=unsure[held], stream=stream, stream_seq=message.stream_seq)
                    for message in batch
                    if (held := digest(message.payload)) in unsure
                ]
    moment = clock()
    await outbox.settle(arrived, moment.timestamp())
    restamped, superseded = await outbox.keep(lambda db: _adopt(db, keep, heads, moment))
    for stream, seq in cursors.items():
        await outbox.move_own_cursor(stream, seq)
    return {"read": read, "adopted": len(heads), "restamped": restamped, "superseded": superseded}


def _adopt(
    db: sqlite3.Connection, keep: Keep, heads: dict[str, tuple[int, str]], moment: dt.datetime
) -> tuple[int, int]:
    """Inside one transaction: move the heads forward and stamp anew what stands in their way and was never sent."""
    restamped = superseded = 0
    for channel, (seq, top) in heads.items():
        # The head of what is known to be on the bus, by its acknowledgements; the bus may have lost the end since.
        known = db.execute(
            "SELECT max(seq) FROM outbox WHERE channel = ? AND (state = 'stored' OR digest = ?)",
            (channel, top),
        ).fetchone()[0]
        if known is not None and known >= seq:
            continue
        behind = table.rows(
            db,
            "SELECT * FROM outbox WHERE channel = ? AND state IN ('kept', 'parked') ORDER BY seq",
            (channel,),
        )
        # What is sealed has its number inside too, where nobody can change it any more.
        unsent = [row for row in behind if row.attempted_at is None and not _is_sealed(row)]
        lost = [row for row in behind if row not in unsent]
        superseded += len(lost)
        table.change(db, "DELETE FROM outbox WHERE n = ?", [(row.n,) for row in unsent])
        # What was attempted and is not on the bus, or is sealed, has lost its place. It is kept for a person to look at,
        # and its source may say it again.
        table.change(
            db,
            "UPDATE outbox SET state = 'superseded', problem = 'its number is taken on the bus', once = NULL, "
            "origin = NULL WHERE n = ?",
            [(row.n,) for row in lost],
        )
        table.set_head(db, channel, seq, top)
        for place, row in enumerate(unsent, 1):
            head = table.head(db, channel)
            prev = head.digest if head is not None else None
            bulletin = msgspec.structs.replace(decode(row.payload), seq=seq + place, prev=prev)
            keep(db, bulletin, encode(bulletin), moment, row.once, row.origin)
            restamped += 1
    return restamped, superseded


def _is_sealed(row: table.Row) -> bool:
    return decode(row.payload).kind == "sealed"
