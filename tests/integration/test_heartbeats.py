"""Heartbeats over a real broker: silence is seen, what is withheld is missed, what a stream has lost comes again."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bus.errors import PermitError
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.hub.watch.alarms import alarms
from bus.hub.watch.channels import channels
from bus.hub.watch.liveness import Silence
from bus.hub.watch.watch import Watch
from bus.publishing.heartbeat import Heartbeat, Holding, Intervals
from bus.publishing.publisher import Publisher
from bus.server import provision
from bus.subscribing.inbox import Inbox
from bus.subscribing.subscriber import Subscriber
from bus.tasks import background
from bus.transport.connection import Connection
from bus.transport.jetstream import publish
from schemas.vocab import Phase
from tests.integration.conftest import Bus
from tests.integration.test_publisher import speaking
from tests.integration.test_subscriber import admitted, until
from tests.worlds import draft

ME = "xa-csirt/actual.green.community"
pytestmark = pytest.mark.timeout(90)


class Clock:
    """A present that a test moves on."""

    def __init__(self, bus: Bus) -> None:
        self.now = bus.world.now

    def __call__(self) -> dt.datetime:
        """The present."""
        return self.now

    def pass_(self, seconds: float) -> None:
        """So much later."""
        self.now += dt.timedelta(seconds=seconds)


class Hub:
    """A hub that watches, and what it says."""

    def __init__(self, bus: Bus, store: Inbox, clock: Clock) -> None:
        self._bus = bus
        self.store = store
        self.clock = clock

    async def reasons(self, channel: str = ME, *, ended: bool = False) -> list[str]:
        """The alarms of a channel that stand, or all there were."""
        rows = await self.store.read(lambda db: alarms(db, ended=ended))
        return [row.reason for row in rows if row.channel == channel]

    async def state(self, channel: str = ME) -> str:
        """How it sees a channel."""
        rows = await self.store.read(
            lambda db: channels(db, self.clock(), self._bus.world.registry, "xb-hub")
        )
        return next(str(row.state) for row in rows if row.name == channel)

    async def is_(self, state: str) -> bool:
        """Whether it sees the channel so."""
        return await self.state() == state

    async def has(self, *reasons: str, channel: str = ME) -> bool:
        """Whether exactly these alarms stand."""
        return await self.reasons(channel) == list(reasons)

    async def holds(self, count: int) -> bool:
        """Whether so many bulletins of the channel are held."""
        return len(await self.numbers()) == count

    async def numbers(self) -> list[int]:
        """Which."""
        return sorted(seq for channel, seq, _ in await admitted(self.store) if channel == ME)


@asynccontextmanager
async def watching(bus: Bus, path: Path, clock: Clock) -> AsyncIterator[Hub]:
    """The hub of XB over its own store."""
    async with (
        open_store(path, hold_s=1.0) as store,
        HubService.open(
            authority_id="xb-hub",
            store=store,
            registry=lambda: bus.world.registry,
            endpoint=bus.endpoint("xb-hub"),
            clock=clock,
            look_s=0.1,
        ),
    ):
        yield Hub(bus, store, clock)


def beats_of(publisher: Publisher, holding: Holding | None = None) -> Heartbeat:
    """Its heartbeats, in a polling phase, with what it holds of others' where it is a hub."""

    async def phase(_: dt.datetime) -> Phase:
        return Phase.POLLING

    return Heartbeat(publisher, pace=Intervals(during=10), phase=phase, holding=holding)


async def lose(bus: Bus, *streams: str) -> None:
    """The broker loses streams, as with a disk, and they are made anew."""
    bus.server.kill()
    found = [path for name in streams for path in (bus.server.folder / "jetstream").glob(f"**/{name}")]
    assert len(found) == len(streams)
    for path in found:
        shutil.rmtree(path)
    await bus.server.restart()
    await provision(bus.server.url, bus.provisioner[0], bus.world.registry, seat=bus.seat)


async def test_silence_is_seen_and_a_planned_end_is_told_from_it(bus: Bus, tmp_path: Path) -> None:
    """Live by its heartbeats; planned when it ends in good order; live again; silent, with an alarm, when it just stops."""
    clock = Clock(bus)
    async with watching(bus, tmp_path / "store.db", clock) as hub:
        assert await hub.state() == "unheard"
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            async with beats_of(publisher).running():
                await until(lambda: hub.is_("live"))
            await until(lambda: hub.is_("planned"))
            clock.pass_(600)
            assert await hub.reasons() == []
            await beats_of(publisher).beat()
            assert await publisher.idle(10)
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            with contextlib.suppress(RuntimeError):
                async with beats_of(publisher).running():
                    raise RuntimeError("the program has failed")
        await until(lambda: hub.has("silent"))
        assert await hub.state() == "silent"
        assert await hub.reasons(ended=True) == ["silent"]


async def test_who_is_to_be_told_is_told_what_has_changed(bus: Bus, tmp_path: Path) -> None:
    """Which channels are silent, at the first look and at every change; a voice that fails is tried again."""
    clock = Clock(bus)
    told: list[list[str]] = []

    async def announce(silent: Mapping[str, Silence]) -> None:
        told.append(sorted(silent))
        if len(told) == 2:
            raise PermitError("not today")

    async with (
        speaking(bus, tmp_path / "outbox.db") as publisher,
        open_store(tmp_path / "store.db") as store,
    ):
        subscriber = Subscriber(
            authority_id="xb-hub",
            inbox=store,
            registry=lambda: bus.world.registry,
            endpoint=bus.endpoint("xb-hub"),
            clock=clock,
        )
        watch = Watch(
            authority_id="xb-hub",
            store=store,
            registry=lambda: bus.world.registry,
            subscriber=subscriber,
            clock=clock,
            announce=announce,
        )
        await publisher.publish(draft())
        async with background() as tasks:
            tasks.start(subscriber.run(), "reading")
            hub = Hub(bus, store, clock)
            await until(lambda: hub.is_("live"))
            await until(subscriber.caught_up)
            for _ in range(2):
                await watch.look()
            assert told == [[]]
            clock.pass_(601)
            for _ in range(3):
                await watch.look()
            assert told == [[], [ME], [ME]]
            assert await hub.has("silent")


async def test_one_of_several_processes_beats(bus: Bus, tmp_path: Path) -> None:
    """Two programs over one outbox send one heartbeat for each channel."""
    async with (
        speaking(bus, tmp_path / "outbox.db") as one,
        speaking(bus, tmp_path / "outbox.db") as other,
        beats_of(one).running(),
        beats_of(other).running(),
    ):
        await until(lambda: _said(one, 2))
        await until(lambda: one.leads or other.leads)
        await asyncio.gather(*(each.ready(10) for each in (one, other) if each.leads))
        assert sorted((one.leads, other.leads)) == [False, True]
        assert len(await one.outbox.rows()) == 2


async def _said(publisher: Publisher, count: int) -> bool:
    return len(await publisher.outbox.rows(state="stored")) == count


async def test_a_hub_that_cannot_read_accuses_nobody(bus: Bus, tmp_path: Path) -> None:
    """With its own link gone that is the alarm, however long it takes; it ends when the hub has caught up."""
    clock = Clock(bus)
    async with (
        watching(bus, tmp_path / "store.db", clock) as hub,
        speaking(bus, tmp_path / "outbox.db") as publisher,
    ):
        await publisher.publish(draft())
        await until(lambda: hub.is_("live"))
        bus.server.kill()
        await until(lambda: hub.has("blind", channel="-"), 20)
        clock.pass_(3600)
        await asyncio.sleep(0.5)  # several looks: none of them may find silence
        assert await hub.reasons() == []
        await bus.server.restart()
        await until(lambda: hub.has(channel="-"), 20)
        await until(lambda: hub.has("silent"))


async def test_what_is_announced_and_withheld_is_missed_until_it_comes(bus: Bus, tmp_path: Path) -> None:
    """A broker that lost a channel: a new hub misses what the heartbeat names; the authority returns, and it ends."""
    clock = Clock(bus)
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        for n in range(3):
            await publisher.publish(draft(f"number {n}"))
        assert await publisher.idle(10)
        await beats_of(publisher).beat()
        assert await publisher.idle(10)
    await lose(bus, "XA_ACTUAL", "WORLD_ACTUAL")
    async with watching(bus, tmp_path / "store.db", clock) as hub:
        await until(lambda: hub.is_("live"), 20)
        clock.pass_(9)  # before the next heartbeat is due
        await until(lambda: hub.has("tail"), 20)
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            await until(hub.has, 20)
            assert await publisher.scrub() == 0
        assert await hub.numbers() == [1, 2, 3]
        assert await hub.reasons(ended=True) == ["tail"]


async def test_a_stream_wiped_under_traffic_is_filled_again(bus: Bus, tmp_path: Path) -> None:
    """Whoever had read it gets nothing twice, whoever comes later gets everything: P3."""
    clock = Clock(bus)
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        async with watching(bus, tmp_path / "store.db", clock) as hub:
            for n in range(60):
                await publisher.publish(draft(f"number {n}"))
            await until(lambda: hub.holds(60), 30)
            talking = asyncio.create_task(_talk(publisher, 60))
            await lose(bus, "XA_ACTUAL", "WORLD_ACTUAL")
            await talking
            assert await publisher.idle(40)
            await until(lambda: hub.holds(120), 40)
            assert await hub.numbers() == list(range(1, 121))
        async with watching(bus, tmp_path / "later.db", clock) as later:
            await until(lambda: later.holds(120), 40)
            assert await later.numbers() == list(range(1, 121))


async def test_what_goes_missing_in_the_midst_is_found_by_a_scrub(bus: Bus, tmp_path: Path) -> None:
    """A stream that holds the newest where it was, and another in place of one before it: only reading it all shows that."""
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        for n in range(3):
            await publisher.publish(draft(f"number {n}"))
        assert await publisher.idle(10)
        assert await publisher.scrub() == 0
        third, second, first = await publisher.outbox.rows()
    await lose(bus, "XA_ACTUAL", "WORLD_ACTUAL")
    async with Connection.open(bus.endpoint("xa-csirt")) as hands:
        await hands.until_connected(5)
        for row, names in (
            (first, ("Tocsin-Sig", "Nats-Msg-Id")),
            (first, ("Tocsin-Sig",)),
            (third, ("Tocsin-Sig",)),
        ):
            await publish(hands, row.subject, row.payload, {name: row.header_map()[name] for name in names})
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        assert await publisher.ready(10)
        assert (await publisher.outbox.counts())["kept"] == 0
        assert await publisher.scrub() == 1
        assert await publisher.idle(10)
        again = await publisher.outbox.get(second.digest)
        assert again is not None
        assert (again.stream_seq, again.payload) == (4, second.payload)
        assert "Nats-Msg-Id" not in again.header_map()
        assert await publisher.scrub() == 0


async def _talk(publisher: Publisher, count: int) -> None:
    for n in range(count):
        await publisher.publish(draft(f"during, {n}"))
        await asyncio.sleep(0.01)


async def test_a_hub_that_lacks_one_reads_the_stream_again(bus: Bus, tmp_path: Path) -> None:
    """A hole in the store, whatever made it, is an alarm, and is filled from the stream by the hub itself."""
    clock = Clock(bus)
    store = tmp_path / "store.db"
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        async with watching(bus, store, clock) as hub:
            for n in range(3):
                await publisher.publish(draft(f"number {n}"))
            await until(lambda: hub.holds(3))
        with contextlib.closing(sqlite3.connect(store)) as db, db:
            for table in ("links", "admitted"):
                db.execute(f"DELETE FROM {table} WHERE channel = ? AND seq = 2", (ME,))
        async with watching(bus, store, clock) as hub:
            await until(lambda: hub.holds(3), 20)
            await until(hub.has)
            assert await hub.reasons(ended=True) == ["gap"]
