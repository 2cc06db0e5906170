"""A disk under the broker that forgets: a bit of a stream is not what was written, and nobody is left without a bulletin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Bus, bus  # noqa: F401 (a fixture)
from tests.integration.test_heartbeats import Clock, watching
from tests.integration.test_publisher import speaking
from tests.integration.test_subscriber import until
from tests.worlds import draft

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
COUNT = 200

WHERE = {
    "in the country's stream": ("XA_ACTUAL",),
    "in the copy that readers read": ("WORLD_ACTUAL",),
    "in both": ("XA_ACTUAL", "WORLD_ACTUAL"),
}


def messages(bus: Bus, stream: str) -> int:  # noqa: F811
    """How many the broker says that a stream holds."""
    found = bus.server.monitor("jsz?accounts=1&streams=1")
    streams = [each for account in found["account_details"] for each in account["stream_detail"]]
    return next(int(each["state"]["messages"]) for each in streams if each["name"] == stream)


@pytest.mark.parametrize("name", WHERE)
async def test_a_flipped_bit_of_a_stream_costs_no_bulletin(bus: Bus, tmp_path: Path, name: str) -> None:  # noqa: F811
    """Who had read it gets nothing twice, and who comes later gets everything, as soon as its author has looked."""
    clock = Clock(bus)
    outbox = tmp_path / "outbox.db"
    async with watching(bus, tmp_path / "store.db", clock) as hub:
        async with speaking(bus, outbox) as author:
            for n in range(COUNT):
                await author.publish(draft(f"number {n}"))
            assert await author.idle(30)
            await until(lambda: hub.holds(COUNT), 30)
        bus.server.kill()
        for stream in WHERE[name]:
            (block,) = (bus.server.folder / "jetstream").glob(f"**/{stream}/msgs/1.blk")
            found = bytearray(block.read_bytes())
            found[len(found) // 2] ^= 1
            block.write_bytes(found)
        await bus.server.restart()
        for stream in WHERE[name]:
            assert messages(bus, stream) < COUNT  # the broker has lost what it had acknowledged
        async with speaking(bus, outbox) as author:
            for n in range(10):
                await author.publish(draft(f"after, {n}"))
            assert await author.idle(60)
            await until(lambda: hub.holds(COUNT + 10), 60)
            assert await hub.numbers() == list(range(1, COUNT + 11))
            assert await author.scrub() == 0
    async with watching(bus, tmp_path / "later.db", clock) as later:
        await until(lambda: later.holds(COUNT + 10), 60)
        assert await later.numbers() == list(range(1, COUNT + 11))
