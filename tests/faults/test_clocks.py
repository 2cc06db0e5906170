"""Clocks that jump: an author's or a hub's, an hour or 400 days, there and back; the order of a chain asks no clock."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bus.errors import PermitError
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from tests.support.clocks import Clock
from tests.support.stage import (
    Bus,
    admitted,
    speaking,
)
from tests.support.waiting import eventually, longest
from tests.support.watching import ME, Hub, watching
from tests.support.world import draft

pytestmark = pytest.mark.slow
HOUR, LONG = 3600.0, 400 * 86_400.0
JUMPS = {
    "an hour on": (HOUR, "admitted"),
    "an hour back": (-HOUR, "early"),
    "400 days on": (LONG, "refused"),  # by that clock the author's key has ended
    "400 days back": (-LONG, "early"),
}
"""How far a hub's clock jumps, and what becomes, for then, of what reaches it meanwhile."""


async def say(author: Publisher, count: int = 3) -> None:
    """So many bulletins, stored."""
    for n in range(count):
        await author.publish(draft(f"number {n}"))
    assert await author.idle(longest())


async def counted(hub: Hub, outcome: str) -> int:
    """How often something became of what the hub received."""
    found = await hub.store.read(lambda db: dict(db.execute("SELECT * FROM counters").fetchall()))
    return int(found.get(outcome, 0))


async def numbers(hub: Hub) -> list[int]:
    """What was admitted of the channel, in the order in which it was."""
    return [seq for channel, seq, _ in await admitted(hub.store) if channel == ME]


async def test_a_hubs_clock_that_jumps_loses_and_reorders_nothing(bus: Bus, tmp_path: Path) -> None:
    """Whatever it makes of what comes meanwhile, put right it holds all of it, once, in order, and hears who is silent."""
    clock, said = Clock(bus.world.now), 0
    async with (
        watching(bus, tmp_path / "store.db", clock) as hub,
        speaking(bus, tmp_path / "outbox.db") as author,
    ):
        for name, (jump, outcome) in JUMPS.items():
            await say(author)
            await eventually(partial(hub.holds_first, said + 3))
            before = await counted(hub, outcome)
            clock.pass_(jump)
            await say(author)

            async def taken_so(outcome: str = outcome, before: int = before) -> bool:
                return await counted(hub, outcome) == before + 3

            await eventually(taken_so)
            clock.pass_(-jump)
            await say(author)
            said += 9
            await eventually(partial(hub.holds_first, said))
            assert await numbers(hub) == list(range(1, said + 1)), name
            await eventually(hub.has)
            assert await hub.state() == "live", name
        clock.pass_(601)
        await eventually(lambda: hub.has("silent"))


async def test_an_authors_clock_that_jumps_breaks_no_chain(bus: Bus, tmp_path: Path) -> None:
    """What it says meanwhile is refused by name, comes as it is, or waits for its time; in the end all of it is there once."""
    clock, his = Clock(bus.world.now), Clock(bus.world.now)

    async def early() -> bool:
        return await counted(hub, "early") == 3

    async def held() -> bool:
        return (await hub.store.status())["waiting_for_predecessor"] == 3

    async with (
        watching(bus, tmp_path / "store.db", clock) as hub,
        speaking(bus, tmp_path / "outbox.db", clock=his) as author,
    ):
        for jump in (LONG, -LONG):
            await say(author)
            his.pass_(jump)
            with pytest.raises(PermitError) as caught:
                await author.publish(draft("with a key that is not valid yet, or no longer"))
            assert caught.value.reason == "key-not-valid"
            his.pass_(-jump)
        his.pass_(-HOUR)
        await say(author)
        his.pass_(HOUR)
        await say(author)
        await eventually(lambda: hub.holds_first(12))
        assert await numbers(hub) == list(range(1, 13))
        his.pass_(HOUR)
        await say(author)
        his.pass_(-HOUR)
        await say(author)
        await eventually(early)
        await eventually(held)
        clock.pass_(2)  # so long the others are held back for them
        await eventually(lambda: hub.holds(*range(1, 13), 16, 17, 18))
        clock.pass_(HOUR)
        await eventually(lambda: hub.holds_first(18))
        assert await numbers(hub) == [*range(1, 13), 16, 17, 18, 13, 14, 15]


async def test_a_clock_that_is_set_back_leaves_one_sender(bus: Bus, tmp_path: Path) -> None:
    """Of two programs over one outbox one goes on sending: neither none until the hour has come again, nor both."""
    clock, path = Clock(bus.world.now), tmp_path / "outbox.db"
    async with (
        speaking(bus, path, clock=clock) as one,
        speaking(bus, path, clock=clock) as other,
        Outbox.open(path) as outbox,
    ):
        await say(one)
        clock.pass_(-HOUR)

        async def taken_anew() -> bool:
            rows = await outbox.read(lambda db: db.execute("SELECT until FROM lease").fetchall())
            return [row["until"] < clock.now.timestamp() + HOUR / 2 for row in rows] == [True]

        await eventually(taken_anew)
        await eventually(lambda: one.leads != other.leads)
        await say(other)
