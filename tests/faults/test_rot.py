"""A disk under the broker that forgets: a bit of a stream is not what was written, and nobody is left without a bulletin."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bus.errors import UnreachableError
from bus.server import NatsServer
from bus.subscribing.inbox import Inbox
from tests.faults.cluster import NAMES, clustered
from tests.support.clocks import Clock
from tests.support.stage import (
    Bus,
    admitted,
    has,
    reading,
    speaking,
)
from tests.support.waiting import eventually, longest
from tests.support.watching import watching
from tests.support.world import draft

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
COUNT = 200
BOTH = ("XA-CSIRT_ACTUAL", "WORLD_ACTUAL")

WHERE = {
    "in the country's stream": ("XA-CSIRT_ACTUAL",),
    "in the copy that readers read": ("WORLD_ACTUAL",),
    "in both": ("XA-CSIRT_ACTUAL", "WORLD_ACTUAL"),
}


def flip(server: NatsServer, stream: str) -> None:
    """A bit in the midst of what a broker that does not run has written of a stream."""
    (block,) = (server.folder / "jetstream").glob(f"**/{stream}/msgs/1.blk")
    found = bytearray(block.read_bytes())
    found[len(found) // 2] ^= 1
    block.write_bytes(found)


def messages(bus: Bus, stream: str) -> int:
    """How many the broker says that a stream holds."""
    found = bus.server.monitor("jsz?accounts=1&streams=1")
    streams = [each for account in found["account_details"] for each in account["stream_detail"]]
    return next(int(each["state"]["messages"]) for each in streams if each["name"] == stream)


@pytest.mark.parametrize("name", WHERE)
async def test_a_flipped_bit_of_a_stream_costs_no_bulletin(bus: Bus, tmp_path: Path, name: str) -> None:
    """Who had read it gets nothing twice, and who comes later gets everything, as soon as its author has looked."""
    clock = Clock(bus.world.now)
    outbox = tmp_path / "outbox.db"
    async with watching(bus, tmp_path / "store.db", clock) as hub:
        async with speaking(bus, outbox) as author:
            for n in range(COUNT):
                await author.publish(draft(f"number {n}"))
            assert await author.idle(longest())
            await eventually(lambda: hub.holds_first(COUNT))
        bus.server.kill()
        for stream in WHERE[name]:
            flip(bus.server, stream)
        await bus.server.restart()
        for stream in WHERE[name]:
            assert messages(bus, stream) < COUNT  # the broker has lost what it had acknowledged
        async with speaking(bus, outbox) as author:
            for n in range(10):
                await author.publish(draft(f"after, {n}"))
            assert await author.idle(longest())
            await eventually(lambda: hub.holds_first(COUNT + 10))
            assert await hub.numbers() == list(range(1, COUNT + 11))
            assert await author.scrub() == 0
    async with watching(bus, tmp_path / "later.db", clock) as later:
        await eventually(lambda: later.holds_first(COUNT + 10))
        assert await later.numbers() == list(range(1, COUNT + 11))


async def test_a_flipped_bit_at_one_node_of_a_cluster_costs_no_bulletin(tmp_path: Path) -> None:
    """Found when it starts, while others lead: the node has it of them again, and leads; nobody lacks anything or has it twice."""
    async with clustered(tmp_path) as cluster, speaking(cluster, tmp_path / "outbox.db") as author:
        async with reading(cluster, tmp_path / "store.db", "xa-hub") as (store, _):
            for n in range(COUNT):
                await author.publish(draft(f"number {n}"))
            await eventually(partial(has, store, COUNT))
            leaders = {cluster.leader(stream) for stream in BOTH}
            node = next(each for each in NAMES if each not in leaders)
            cluster.servers[node].kill()
            for stream in BOTH:
                flip(cluster.servers[node], stream)
            await cluster.servers[node].restart()
            await eventually(partial(cluster.is_whole, node))
            for n in range(10):
                await author.publish(draft(f"after, {n}"))
            await eventually(partial(has, store, COUNT + 10))
            assert await numbers(store) == list(range(1, COUNT + 11))
        for stream in BOTH:
            await cluster.hand_over(node, stream)
        await cluster.hand_over(node, "WORLD_ACTUAL", "xa-hub")
        async with reading(cluster, tmp_path / "later.db", "xa-hub") as (later, _):
            await eventually(lambda: has(later, COUNT + 10))
            assert await numbers(later) == list(range(1, COUNT + 11))


async def test_a_node_that_leads_and_cannot_read_is_said_and_left(tmp_path: Path) -> None:
    """A flipped bit that it did not look for at its start: an author who cannot read all says so; when another leads, it goes on."""
    async with clustered(tmp_path) as cluster, speaking(cluster, tmp_path / "outbox.db") as author:
        for n in range(COUNT):
            await author.publish(draft(f"number {n}"))
        assert await author.idle(longest())
        good = cluster.leader("XA-CSIRT_ACTUAL")
        node = next(each for each in NAMES if each != good)
        await cluster.servers[node].stop()
        flip(cluster.servers[node], "XA-CSIRT_ACTUAL")
        await cluster.servers[node].restart()
        await eventually(partial(cluster.is_whole, node))
        await cluster.hand_over(node, "XA-CSIRT_ACTUAL")
        await cluster.hand_over(node, "XA-CSIRT_ACTUAL", "xa-csirt_own")
        with pytest.raises(UnreachableError, match="does not give them"):
            await author.scrub()
        await cluster.hand_over(good, "XA-CSIRT_ACTUAL")
        await cluster.hand_over(good, "XA-CSIRT_ACTUAL", "xa-csirt_own")
        assert await author.scrub() == 0
        await author.publish(draft("after"))
        assert await author.idle(longest())


async def numbers(store: Inbox) -> list[int]:
    """Which were admitted, in the order in which they were."""
    return [seq for _, seq, _ in await admitted(store)]
