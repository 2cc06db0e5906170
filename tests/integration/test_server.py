"""The broker, for real: it starts from the registry, and its walls stand where the registry puts them."""

from __future__ import annotations

from bus.transport.connection import Connection
from bus.transport.pull_consumer import PullConsumer, Received
from tests.support.stage import Bus, send
from tests.support.waiting import longest
from tests.support.world import chain


async def test_what_an_authority_publishes_a_hub_of_another_country_reads(bus: Bus) -> None:
    """A signed bulletin crosses the broker unchanged, headers and all."""
    messages = chain(bus.world, 3)
    async with (
        Connection.open(bus.endpoint("xa-csirt")) as speaker,
        Connection.open(bus.endpoint("xb-hub")) as reader,
    ):
        await speaker.until_connected(longest())
        await reader.until_connected(longest())
        for message in messages:
            ack = await send(speaker, message)
            assert not ack.duplicate
        got: list[Received] = []
        async with PullConsumer.attach(reader, "WORLD_ACTUAL", "xb-hub", 1) as pull:
            while len(got) < 3:
                got += await pull.next(10, 5)
        assert [(g.subject, g.payload) for g in got] == [(m.subject, m.payload) for m in messages]
        assert {name for name, _ in messages[0].headers} <= {name for name, _ in got[0].headers}
