"""The nodes of one cluster are parted: the smaller side takes nothing, the larger goes on, and nothing is lost."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bus.errors import BusError
from bus.transport.connection import Connection
from bus.transport.jetstream import publish
from tests.faults.cluster import clustered
from tests.support.stage import admitted, connected, has, reading, speaking
from tests.support.waiting import eventually
from tests.support.world import Message, chain, draft

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]


async def taken(connection: Connection, message: Message) -> bool:
    """Whether the broker acknowledges it."""
    try:
        await publish(connection, message.subject, message.payload, dict(message.headers))
    except BusError:
        return False
    return True


async def test_the_smaller_side_takes_nothing_and_the_larger_goes_on(tmp_path: Path) -> None:
    """Whoever was on the side of the old leader moves over; healed, everything is there once and in order."""
    async with (
        clustered(tmp_path) as cluster,
        speaking(cluster, tmp_path / "outbox.db") as author,
        reading(cluster, tmp_path / "store.db", "xa-hub") as (store, service),
    ):

        async def own() -> list[int]:
            return [seq for channel, seq, _ in await admitted(store) if channel.startswith("xa-csirt/")]

        async def holds(count: int) -> bool:
            return len(await own()) == count

        for n in range(10):
            await author.publish(draft(f"before, {n}"))
        await eventually(lambda: holds(10))
        lead = cluster.leader("XA-CSIRT_ACTUAL")
        cluster.switch.split({lead})
        for n in range(10):
            await author.publish(draft(f"apart, {n}"))
        async with connected(cluster.endpoint("xa-dsc", lead)) as left:
            other = chain(cluster.world, 1, "xa-dsc")[0]
            with pytest.raises(BusError) as caught:
                await publish(left, other.subject, other.payload, dict(other.headers))
        assert caught.value.reason in ("unreachable", "no-stream")  # nobody is there to take it
        await eventually(partial(holds, 20))
        assert cluster.leader("XA-CSIRT_ACTUAL", without=lead) != lead
        cluster.switch.heal()
        for n in range(10):
            await author.publish(draft(f"together, {n}"))
        await eventually(partial(holds, 30))
        assert await own() == list(range(1, 31))
        assert {channel.partition("/")[0] for channel, _, _ in await admitted(store)} == {"xa-csirt"}
        async with connected(cluster.endpoint("xa-dsc", lead)) as right:
            await eventually(partial(taken, right, other))  # it is one of the cluster again
        assert service.subscriber.counts["refused"] == 0


async def test_a_node_that_hears_and_is_not_heard_holds_nobody_up(tmp_path: Path) -> None:
    """An author on it, which leads the stream besides, goes to another; healed, everything is there once and in order."""
    async with (
        clustered(tmp_path) as cluster,
        speaking(cluster, tmp_path / "outbox.db") as author,
        reading(cluster, tmp_path / "store.db", "xa-hub") as (store, service),
    ):
        for n in range(10):
            await author.publish(draft(f"before, {n}"))
        await eventually(partial(has, store, 10))
        mute = cluster.node_of("xa-csirt")
        await cluster.hand_over(mute, "XA-CSIRT_ACTUAL")
        cluster.switch.muffle(mute)
        for n in range(10):
            await author.publish(draft(f"unheard, {n}"))
        await eventually(partial(has, store, 20))
        assert cluster.node_of("xa-csirt") != mute
        cluster.switch.heal()
        for n in range(10):
            await author.publish(draft(f"heard again, {n}"))
        await eventually(partial(has, store, 30))
        assert [seq for _, seq, _ in await admitted(store)] == list(range(1, 31))
        await eventually(partial(cluster.is_whole, mute))
        assert service.subscriber.counts["refused"] == 0
