"""The watch over a store, by clocks that a test moves on."""

from __future__ import annotations

from pathlib import Path

from bus.hub.picture.projection import open_store
from bus.hub.watch import alarms
from bus.hub.watch.liveness import Alarm, Reason
from bus.hub.watch.watch import AGAIN_S, BLIND_S, OWN, Watch
from bus.subscribing.inbox import Inbox
from bus.subscribing.subscriber import Subscriber
from bus.transport.connection import Endpoint
from tests.support.world import NOW, shared_world

WORLD = shared_world()
ME = "xa-csirt/actual.green.community"
GAP = Alarm(channel=ME, reason=Reason.GAP, detail="number 2 is missing")


class Monotonic:
    """Seconds since the machine began."""

    now = 1000.0

    def __call__(self) -> float:
        """The present."""
        return self.now


class Watched:
    """A watch whose hub has not connected, so that what is on record stays as it is."""

    def __init__(self, store: Inbox) -> None:
        self.store = store
        self.time = Monotonic()
        self.subscriber = Subscriber(
            authority_id="xb-hub",
            inbox=store,
            registry=lambda: WORLD.registry,
            endpoint=Endpoint(
                url="nats://127.0.0.1:9",
                authority_id="xb-hub",
                nkey_seed=WORLD.nkeys["xb-hub"][0],
                name="unused",
            ),
            clock=lambda: NOW,
        )
        self.watch = Watch(
            authority_id="xb-hub",
            store=store,
            registry=lambda: WORLD.registry,
            subscriber=self.subscriber,
            clock=lambda: NOW,
            monotonic=self.time,
        )

    async def reads_again(self, seconds: float) -> set[str]:
        """The streams that a look so much later has the hub read again."""
        self.time.now += seconds
        self.subscriber._again.clear()
        await self.watch.look()
        return set(self.subscriber._again)


async def test_a_stream_with_a_gap_is_read_again_less_and_less(tmp_path: Path) -> None:
    """At once, then after waits that double by a clock that nobody sets; no more when the gap is filled."""
    async with open_store(tmp_path / "store.db") as store:
        await store.write(lambda db: alarms.record_alarms(db, [GAP], [], NOW.timestamp()))
        hub = Watched(store)
        assert await hub.reads_again(0) == {"WORLD_ACTUAL"}
        assert await hub.reads_again(AGAIN_S[0] - 1) == set()
        assert await hub.reads_again(1) == {"WORLD_ACTUAL"}
        assert await hub.reads_again(2 * AGAIN_S[0] - 1) == set()
        assert await hub.reads_again(1) == {"WORLD_ACTUAL"}
        await store.write(lambda db: alarms.record_alarms(db, [], [(ME, Reason.GAP)], NOW.timestamp()))
        assert await Watched(store).reads_again(0) == set()


async def test_a_hub_is_blind_once_it_has_been_for_a_while(tmp_path: Path) -> None:
    """Not at the first look that finds it so; by the same clock."""
    async with open_store(tmp_path / "store.db") as store:
        hub = Watched(store)
        for seconds, expected in ((0.0, []), (BLIND_S - 1, []), (1.0, [(OWN, "blind")])):
            await hub.reads_again(seconds)
            standing = await store.read(lambda db: alarms.recorded_alarms(db, ended=False))
            assert [(row.channel, row.reason) for row in standing] == expected
