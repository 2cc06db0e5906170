"""A slow, narrow, lossy line to the broker: all of it comes, once and in order, only later."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from bus.subscribing.inbox import Inbox
from bus.transport.connection import Endpoint
from tests.faults.slow import SlowCable
from tests.support.stage import (
    Bus,
    admitted,
    has,
    reading,
    speaking,
)
from tests.support.waiting import eventually, longest
from tests.support.world import World, draft

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
COUNT = 60


SLOW = {"delay_s": 0.2, "jitter_s": 0.1, "bytes_per_s": 16_000, "lost": 0.05}


class Afar:
    """The same bus, at the other end of a line."""

    def __init__(self, bus: Bus, line: SlowCable) -> None:
        self.world: World = bus.world
        self._bus, self._line = bus, line

    def endpoint(self, identity: str) -> Endpoint:
        """An identity's place on the bus."""
        return msgspec.structs.replace(
            self._bus.endpoint(identity), url=f"nats://127.0.0.1:{self._line.port}"
        )


async def test_over_a_slow_and_lossy_line_everything_comes(bus: Bus, tmp_path: Path) -> None:
    """An author and a hub at its far end, and it breaks in the midst: nothing lost, nothing twice, all in order."""
    port = urlsplit(bus.server.url).port
    assert port is not None
    line = SlowCable(port, **SLOW)
    async with (
        line.up(),
        speaking(afar := Afar(bus, line), tmp_path / "outbox.db") as author,
        reading(afar, tmp_path / "store.db") as (store, service),
    ):
        said = [(await author.publish(draft(f"number {n}"))).digest for n in range(COUNT)]

        await goes_on_to(store, COUNT // 4)
        line.snap()
        await goes_on_to(store, COUNT)
        assert await author.idle(longest())
        assert [digest for _, _, digest in await admitted(store)] == said
        assert service.subscriber.counts["refused"] == 0
        # Whoever attaches anew while messages are on their way loses those, and has the line carry them again.
        assert service.subscriber.attached < COUNT


async def goes_on_to(store: Inbox, count: int) -> None:
    """Wait until so many have been taken in, for as long as one more comes each time."""
    while (held := len(await admitted(store))) < count:
        await eventually(partial(has, store, held + 1))
