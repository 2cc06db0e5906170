"""Heartbeats are kept in streams of their own, the newest eight of each channel, beside everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.errors import BrokerError
from bus.publishing import heartbeat
from bus.server.layout_checks import lag_check
from bus.server.provisioning import layout
from bus.transport.jetstream import js_api, publish, stream_info
from bus.transport.streams import BEATS_EACH, MAX_BEAT_BYTES, beat_channels, captured, streams_of
from schemas.bodies.system import Request, Wanted
from schemas.subject import Channel, beat_subject
from schemas.vocab import Status
from tests.support.clocks import Clock
from tests.support.stage import Bus, admitted, connected, say, speaking
from tests.support.waiting import eventually, longest
from tests.support.watching import ME, Hub, beats_of, watching
from tests.support.world import bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
MANY = 1000
CHANNELS = beat_channels(WORLD.registry, "xa-csirt")


def held_of(rows: list[tuple[str, int, str]], channel: Channel) -> list[int]:
    """The numbers of a channel that a hub holds."""
    return sorted(seq for name, seq, _ in rows if name == str(channel))


async def test_a_thousand_heartbeats_leave_eight_and_take_nobodys_room(bus: Bus, tmp_path: Path) -> None:
    """At each of two channels, said as fast as they go: what else is said at status system still has its room.

    A hub that was there has no alarm, and one that comes late has none either and holds the newest eight.
    """
    clock = Clock(bus.world.now)
    watched = next(each for each in CHANNELS if each.audience == "community")
    async with watching(bus, tmp_path / "there.db", clock) as hub, connected(bus.owner) as owner:
        system = (await stream_info(owner, "XA-CSIRT_SYSTEM")).config
        await js_api(owner, "STREAM.UPDATE.XA-CSIRT_SYSTEM", {**system, "max_msgs": 1})
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            await publisher.publish(draft())
            drafts = [heartbeat.draft(each, (), 60, bus.world.now) for each in CHANNELS for _ in range(MANY)]
            kept = await publisher.publish_many(drafts)
            assert not [each for each in kept if isinstance(each, Exception)]
            assert await publisher.idle(longest())
            await beats_of(publisher).beat(anyway=True)
            assert await publisher.idle(longest())
        state = (await stream_info(owner, "XA-CSIRT_BEAT")).state
        assert (state.messages, state.num_subjects) == (BEATS_EACH * len(CHANNELS), len(CHANNELS))

        request = sign(
            WORLD,
            bulletin(
                WORLD,
                "xa-csirt",
                say=draft("one more", status=Status.SYSTEM, body=Request(items=(Wanted(channel=ME, seq=1),))),
            ),
        )
        await say(bus, request)
        assert (await stream_info(owner, "XA-CSIRT_SYSTEM")).state.messages == 1

        async def has_all() -> bool:
            return held_of(await admitted(hub.store), watched)[-1:] == [MANY + 1]

        await eventually(has_all)
        await eventually(lambda: hub.is_("live"))
        await _is_calm(hub, watched)
        assert (await lag_check(owner, layout(WORLD.registry, None).streams)).ok
    async with watching(bus, tmp_path / "late.db", clock) as late:

        async def has_newest() -> bool:
            newest = [*range(MANY + 2 - BEATS_EACH, MANY + 2)]
            return held_of(await admitted(late.store), watched) == newest

        await eventually(has_newest)
        await eventually(lambda: late.is_("live"))
        await _is_calm(late, watched)


async def _is_calm(hub: Hub, channel: Channel) -> None:
    """No alarm stands or ever stood, of what is actual or of heartbeats."""
    for name in (ME, str(channel)):
        assert await hub.reasons(name, ended=True) == []


async def test_a_hub_that_was_away_goes_on_where_the_stream_goes_on(bus: Bus, tmp_path: Path) -> None:
    """What it read last has been let go; it has the newest and misses nothing."""
    clock = Clock(bus.world.now)
    watched = next(each for each in CHANNELS if each.audience == "community")
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        beats = beats_of(publisher)
        for upto in (2, 2 + 3 * BEATS_EACH):
            while upto > len([row for row in await publisher.outbox.rows() if row.channel == watched.name]):
                await beats.beat(anyway=True)
            assert await publisher.idle(longest())
            async with watching(bus, tmp_path / "store.db", clock) as hub:

                async def has_last(hub: Hub = hub, upto: int = upto) -> bool:
                    return held_of(await admitted(hub.store), watched)[-1:] == [upto]

                await eventually(has_last)
                await eventually(lambda hub=hub: hub.is_("live"))  # type: ignore[misc]  # bound now
                await _is_calm(hub, watched)
    async with connected(bus.owner) as owner:
        assert (await stream_info(owner, "WORLD_BEAT")).state.messages == BEATS_EACH * len(CHANNELS)


async def test_a_flood_of_rubbish_pushes_out_its_speakers_own_heartbeats_alone(bus: Bus) -> None:
    """A transport key says the largest message there is on each subject it may, again and again; no other subject is taken."""
    domain = WORLD.registry.authority("xa-csirt").domain
    other = sign(WORLD, bulletin(WORLD, "xa-emb", say=heartbeat.draft(_of("xa-emb"), (), 60, WORLD.now)))
    await say(bus, other)
    async with connected(bus.endpoint("xa-csirt")) as thief, connected(bus.owner) as owner:
        for channel in CHANNELS:
            subject = beat_subject(channel, domain)
            for _ in range(BEATS_EACH * 3):
                await publish(thief, subject, b"x" * (MAX_BEAT_BYTES - 100), {}, longest())
            with pytest.raises(BrokerError):
                await publish(thief, subject, b"x" * (MAX_BEAT_BYTES + 1), {}, longest())
            with pytest.raises(BrokerError):
                await publish(thief, f"{subject[:-2]}p1", b"", {}, longest())

        async def is_there() -> bool:
            state = (await stream_info(owner, "WORLD_BEAT")).state
            return state.messages == BEATS_EACH * len(CHANNELS) + 1

        await eventually(is_there)
        for name in ("XA-CSIRT_BEAT", "WORLD_BEAT"):
            info = await stream_info(owner, name)
            assert info.state.bytes <= info.max_bytes
        assert (await lag_check(owner, layout(WORLD.registry, None).streams)).ok


def _of(name: str) -> Channel:
    return next(each for each in beat_channels(WORLD.registry, name) if each.audience == "community")


async def test_a_broker_without_streams_for_heartbeats_is_given_them(bus: Bus) -> None:
    """As one of before them is: what it holds stays, and the room for them is taken from the others."""
    await say(bus, *chain(WORLD, 3))
    old = sign(
        WORLD,
        bulletin(
            WORLD, "xa-csirt", say=heartbeat.draft(_of("xa-csirt"), (), 60, WORLD.now), status=Status.SYSTEM
        ),
    )
    await say(bus, old)
    async with bus.machine() as machine, connected(bus.owner) as owner:
        names = [spec.name for spec in streams_of(WORLD.registry) if spec.name.endswith("_BEAT")]
        for name in reversed(names):
            await js_api(machine, f"STREAM.DELETE.{name}")
        await bus.provision()
        for name in ("XA-CSIRT_ACTUAL", "XA-CSIRT_SYSTEM"):
            assert (await stream_info(owner, name)).state.messages == (3 if name.endswith("ACTUAL") else 1)
        for name in names:
            assert (await stream_info(owner, name)).config["max_msgs_per_subject"] == BEATS_EACH
        assert (
            captured("xa-csirt", Status.SYSTEM)
            in (await stream_info(owner, "XA-CSIRT_SYSTEM")).config["subjects"]
        )
