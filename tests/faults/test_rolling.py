"""A cluster is restarted node after node, as for a new version, and who speaks and who reads notices little of it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bus.publishing.publisher import Publisher
from tests.faults.checker import Bounds
from tests.faults.cluster import NAMES, clustered
from tests.support.stage import admitted, has, reading, speaking
from tests.support.waiting import eventually, longest
from tests.support.world import draft

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
UNDERWAY = 16  # so many are always on their way, whichever moment a node ends
LOOK_S = 0.02


class Traffic:
    """Somebody who speaks all the time, and for how long at most nothing was acknowledged meanwhile."""

    def __init__(self, author: Publisher) -> None:
        self._author = author
        self.said: list[str] = []
        self.stored = 0
        self.longest = 0.0
        self.enough = False

    async def run(self) -> None:
        """Speak until it is enough."""
        time = asyncio.get_running_loop().time
        since = time()
        while not self.enough:
            while len(self.said) - self.stored < UNDERWAY:
                self.said.append((await self._author.publish(draft(f"number {len(self.said)}"))).digest)
            await asyncio.sleep(LOOK_S)
            stored = (await self._author.outbox.counts())["stored"]
            if stored > self.stored:
                self.stored, since = stored, time()
            self.longest = max(self.longest, time() - since)

    def goes_on(self, before: int) -> bool:
        """Whether more has been acknowledged than so much."""
        return self.stored > before + 10


async def test_a_restart_of_every_node_in_turn_interrupts_nobody_for_long(tmp_path: Path) -> None:
    """Nothing lost, nothing twice, all in order; and never longer without an acknowledgement than when a leader dies."""
    async with (
        clustered(tmp_path) as cluster,
        speaking(cluster, tmp_path / "outbox.db") as author,
        reading(cluster, tmp_path / "store.db", "xa-hub") as (store, service),
    ):
        assert await author.ready(longest())
        traffic = Traffic(author)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(traffic.run())
            try:
                for name in NAMES:
                    await eventually(partial(traffic.goes_on, traffic.stored))
                    await cluster.servers[name].stop()
                    await cluster.servers[name].restart()
                    await eventually(partial(cluster.is_whole, name))
                await eventually(partial(traffic.goes_on, traffic.stored))
            finally:
                traffic.enough = True
        assert await author.idle(longest())

        await eventually(lambda: has(store, len(traffic.said)))
        assert [digest for _, _, digest in await admitted(store)] == traffic.said
        assert service.subscriber.counts["refused"] == 0
        assert traffic.longest < Bounds().leader
