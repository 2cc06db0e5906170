"""A nats-server's time, asked for by identities that may ask only about their own consumers."""

from __future__ import annotations

import datetime as dt

from bus.transport import clock_offset, own_streams, reader_streams
from tests.support.stage import Bus, connected


async def test_a_reader_and_an_author_find_their_clocks_off(bus: Bus) -> None:
    """By two hours, which is how far they were set."""
    off = dt.timedelta(hours=2)
    registry = bus.world.registry
    for identity, streams in (("xa-hub", reader_streams), ("xa-csirt", own_streams)):
        stream, consumer = streams(registry, identity)[0]
        async with connected(bus.endpoint(identity)) as connection:
            found = await clock_offset(connection, stream, consumer, lambda: dt.datetime.now(dt.UTC) + off)
        assert found is not None
        assert abs(found.ahead_s - off.total_seconds()) <= found.within_s + 1
