"""Heartbeats over a real broker: silence is seen, what is withheld is missed, what a stream has lost comes again."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from bus.errors import PermitError
from bus.hub.picture.projection import open_store
from bus.hub.watch.liveness import Silence
from bus.hub.watch.watch import Watch
from bus.publishing import Intervals
from bus.publishing.publisher import Publisher
from bus.subscribing import bodies
from bus.subscribing.subscriber import Subscriber
from bus.transport.jetstream import publish
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.bodies.system import ChannelStatus
from schemas.codec import decode
from schemas.parts import ElectionRef
from schemas.vocab import ElectionType, Phase, Tlp
from tests.support.clocks import Clock
from tests.support.stage import Bus, connected, reading, running, say, speaking
from tests.support.waiting import eventually, longest
from tests.support.watching import ME, Hub, beats_of, watching
from tests.support.world import bulletin, draft, sign

HOUR = dt.timedelta(hours=1)


async def test_silence_is_seen_and_a_planned_end_is_told_from_it(bus: Bus, tmp_path: Path) -> None:
    """Live by its heartbeats; planned when it ends in good order; live again; silent, with an alarm, when it just stops."""
    clock = Clock(bus.world.now)
    async with watching(bus, tmp_path / "store.db", clock) as hub:
        assert await hub.state() == "unheard"
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            async with beats_of(publisher).running():
                await eventually(lambda: hub.is_("live"))
            await eventually(lambda: hub.is_("planned"))
            clock.pass_(600)
            assert await hub.reasons() == []
            await beats_of(publisher).beat()
            assert await publisher.idle(longest())
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            with contextlib.suppress(RuntimeError):
                async with beats_of(publisher).running():
                    raise RuntimeError("the program has failed")
        await eventually(lambda: hub.has("silent"))
        assert await hub.state() == "silent"
        assert await hub.reasons(ended=True) == ["silent"]


async def test_who_is_to_be_told_is_told_what_has_changed(bus: Bus, tmp_path: Path) -> None:
    """Which channels are silent, at the first look and at every change; a voice that fails is tried again."""
    clock = Clock(bus.world.now)
    told: list[list[str]] = []

    async def announce(silent: Mapping[str, Silence]) -> bool:
        told.append(sorted(silent))
        if len(told) == 2:
            raise PermitError("not today")
        return True

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
        async with running(subscriber.run()):
            hub = Hub(bus, store, clock)
            await eventually(lambda: hub.is_("live"))
            await eventually(subscriber.caught_up)
            for _ in range(2):
                await watch.look()
            assert told == [[]]
            clock.pass_(601)
            await eventually(subscriber.caught_up)  # by the new time
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
        await eventually(lambda: _said(one, 2))
        await eventually(lambda: one.leads or other.leads)
        await asyncio.gather(*(each.ready(longest()) for each in (one, other) if each.leads))
        assert sorted((one.leads, other.leads)) == [False, True]
        assert len(await one.outbox.rows()) == 2


async def _said(publisher: Publisher, count: int) -> bool:
    return len(await publisher.outbox.rows(state="stored")) == count


async def test_a_hub_that_cannot_read_accuses_nobody(bus: Bus, tmp_path: Path) -> None:
    """With its own link gone that is the alarm, however long it takes; it ends when the hub has caught up."""
    clock = Clock(bus.world.now)
    async with (
        watching(bus, tmp_path / "store.db", clock) as hub,
        speaking(bus, tmp_path / "outbox.db") as publisher,
    ):
        await publisher.publish(draft())
        await eventually(lambda: hub.is_("live"))
        bus.server.kill()
        await eventually(lambda: hub.has("blind", channel="-"))
        clock.pass_(3600)
        await asyncio.sleep(0.5)  # a real delay: time for several looks, none of which may find silence
        assert await hub.reasons() == []
        await bus.server.restart()
        await eventually(lambda: hub.has(channel="-"))
        await eventually(lambda: hub.has("silent"))


async def test_what_is_announced_and_withheld_is_missed_until_it_comes(bus: Bus, tmp_path: Path) -> None:
    """A broker that lost a channel: a new hub misses what the heartbeat names; the authority returns, and it ends."""
    clock = Clock(bus.world.now)
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        for n in range(3):
            await publisher.publish(draft(f"number {n}"))
        assert await publisher.idle(longest())
        await beats_of(publisher).beat()
        assert await publisher.idle(longest())
    await bus.lose("XA-CSIRT_ACTUAL", "WORLD_ACTUAL")
    async with watching(bus, tmp_path / "store.db", clock) as hub:
        await eventually(lambda: hub.is_("live"))
        clock.pass_(9)  # before the next heartbeat is due
        await eventually(lambda: hub.has("tail"))
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            await eventually(hub.has)
            assert await publisher.scrub() == 0
        assert await hub.numbers() == [1, 2, 3]
        assert await hub.reasons(ended=True) == ["tail"]


async def test_a_stream_wiped_under_traffic_is_filled_again(bus: Bus, tmp_path: Path) -> None:
    """Whoever had read it gets nothing twice, whoever comes later gets everything: P3."""
    clock = Clock(bus.world.now)
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        async with watching(bus, tmp_path / "store.db", clock) as hub:
            for n in range(60):
                await publisher.publish(draft(f"number {n}"))
            await eventually(lambda: hub.holds_first(60))
            talking = asyncio.create_task(_talk(publisher, 60))
            await bus.lose("XA-CSIRT_ACTUAL", "WORLD_ACTUAL")
            await talking
            assert await publisher.idle(longest())
            await eventually(lambda: hub.holds_first(120))
        async with watching(bus, tmp_path / "later.db", clock) as later:
            await eventually(lambda: later.holds_first(120))


async def test_what_goes_missing_in_the_midst_is_found_by_a_scrub(bus: Bus, tmp_path: Path) -> None:
    """A stream that holds the newest where it was, and another in place of one before it: only reading it all shows that."""
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        for n in range(3):
            await publisher.publish(draft(f"number {n}"))
        assert await publisher.idle(longest())
        assert await publisher.scrub() == 0
        third, second, first = await publisher.outbox.rows()
    await bus.lose("XA-CSIRT_ACTUAL", "WORLD_ACTUAL")
    async with connected(bus.endpoint("xa-csirt")) as hands:
        for row, names in (
            (first, ("Tocsin-Sig", "Nats-Msg-Id")),
            (first, ("Tocsin-Sig",)),
            (third, ("Tocsin-Sig",)),
        ):
            headers = {name: row.header_map()[name] for name in names}
            await publish(hands, row.subject, row.payload, headers, longest())
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        assert await publisher.ready(longest())
        assert (await publisher.outbox.counts())["kept"] == 0
        assert await publisher.scrub() == 1
        assert await publisher.idle(longest())
        again = await publisher.outbox.get(second.digest)
        assert again is not None
        assert (again.stream_seq, again.payload) == (4, second.payload)
        assert "Nats-Msg-Id" not in again.header_map()
        assert await publisher.scrub() == 0


async def _talk(publisher: Publisher, count: int) -> None:
    for n in range(count):
        await publisher.publish(draft(f"during, {n}"))
        await asyncio.sleep(0.01)  # a real delay: traffic goes on while the broker is away


async def test_a_hub_that_lacks_one_reads_the_stream_again(bus: Bus, tmp_path: Path) -> None:
    """A hole in the store, whatever made it, is an alarm, and is filled from the stream by the hub itself."""
    clock = Clock(bus.world.now)
    store = tmp_path / "store.db"
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        async with watching(bus, store, clock) as hub:
            for n in range(3):
                await publisher.publish(draft(f"number {n}"))
            await eventually(lambda: hub.holds_first(3))
        with contextlib.closing(sqlite3.connect(store)) as db, db:
            db.row_factory = sqlite3.Row
            (gone,) = db.execute("SELECT digest FROM links WHERE channel = ? AND seq = 2", (ME,)).fetchone()
            bodies.remove(db, ME, 2, gone)
        async with watching(bus, store, clock) as hub:
            await eventually(lambda: hub.holds_first(3))
            await eventually(hub.has)
            assert await hub.reasons(ended=True) == ["gap"]


async def test_a_hubs_first_heartbeat_follows_the_calendars_that_the_bus_holds(
    bus: Bus, tmp_path: Path
) -> None:
    """A new hub of a country that votes promises the interval of that phase, not that of a country without elections."""
    window = PhaseWindow(phase=Phase.POLLING, start=bus.world.now - HOUR, end=bus.world.now + HOUR)
    body = ElectionCalendar(windows=(window,), tz="Europe/Vienna")
    election = ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.NONE)
    calendar = draft("the vote", body=body, election=election, tlp=Tlp.CLEAR, audience="public")
    await say(bus, sign(bus.world, bulletin(bus.world, "xa-emb", say=calendar)))
    async with (
        speaking(bus, tmp_path / "outbox.db", "xa-hub") as publisher,
        reading(
            bus,
            tmp_path / "store.db",
            "xa-hub",
            picture=True,
            publisher=publisher,
            intervals=Intervals(during=11),
        ),
    ):
        beats: list[ChannelStatus] = []

        async def has_beaten() -> bool:
            rows = await publisher.outbox.read(
                lambda db: db.execute("SELECT payload FROM outbox ORDER BY n").fetchall()
            )
            bodies = [decode(row["payload"]).body for row in rows]
            beats[:] = [body for body in bodies if isinstance(body, ChannelStatus)]
            return bool(beats)

        await eventually(has_beaten)
        assert {beat.interval_s for beat in beats} == {11}
