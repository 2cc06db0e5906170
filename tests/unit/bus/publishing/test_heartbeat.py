"""Heartbeats: when one is due, what it says, and what an outbox lets it say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.publishing import outbox_table as table
from bus.publishing.heartbeat import Heartbeat, Intervals, Last, draft, is_due, standing
from bus.publishing.outbox import Outbox, Settled
from bus.publishing.publisher import Publisher
from bus.transport.streams import beat_channels
from schemas import rules
from schemas.bodies.system import ChannelStatus, Head
from schemas.codec import decode
from schemas.subject import Channel
from schemas.vocab import ChannelState, Phase, Status, Tlp
from tests.support import world
from tests.support.publishers import keeping
from tests.support.world import NOW, shared_world

WORLD = shared_world()
GREEN = Channel(issuer="xa-csirt", status=Status.SYSTEM, tlp=Tlp.GREEN, audience="community")


def last(
    ago: float, interval: int = 60, state: ChannelState = ChannelState.UP, *, waits: bool = False
) -> Last:
    """A heartbeat said so many seconds ago."""
    return Last(issued=NOW - dt.timedelta(seconds=ago), interval_s=interval, state=state, waits=waits)


DUE: dict[str, tuple[Last | None, int, bool]] = {
    # name: the last heartbeat, the interval now, whether one is due
    "none yet": (None, 60, True),
    "just said": (last(1), 60, False),
    "promptly before the interval ends": (last(49), 60, True),
    "long ago": (last(5000), 60, True),
    "the phase has made it shorter": (last(100, 3600), 60, True),
    "the phase has made it longer, and the last one promised sooner": (last(50, 60), 3600, True),
    "the last one still waits to be sent": (last(5000, waits=True), 60, False),
    "after a planned outage": (last(1, state=ChannelState.PLANNED_OUTAGE), 60, True),
    "planned, and not even that was sent": (
        last(1, state=ChannelState.PLANNED_OUTAGE, waits=True),
        60,
        False,
    ),
    "the clock was set back": (last(-500), 60, True),
}


@pytest.mark.parametrize("name", DUE)
def test_when_a_heartbeat_is_due(name: str) -> None:
    """Within the interval that the last one promised, at once after an end, never behind one that waits."""
    said, interval, expected = DUE[name]
    assert is_due(said, interval, NOW) is expected


@given(st.integers(10, 86_400), st.integers(10, 86_400), st.floats(0, 200_000))
def test_a_promise_is_kept(promised: int, interval: int, ago: float) -> None:
    """In any sequence of phases a heartbeat is due before the interval of the last one has passed."""
    if ago >= 0.8 * promised:
        assert is_due(last(ago, promised), interval, NOW)


PACE = Intervals(before=10, during=11, after=12, none=13)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_pace(phase: Phase) -> None:
    """Before, during, after, and when there is no election."""
    assert PACE.at(phase) in (10, 11, 12, 13)
    assert (PACE.at(phase) == 11) == (
        phase in (Phase.SILENCE, Phase.ADVANCE_VOTING, Phase.POLLING, Phase.COUNTING, Phase.CERTIFICATION)
    )


def test_ways_are_what_the_grants_name() -> None:
    """One for each (tlp, audience) that allows a heartbeat: a hub's are those that it reads, not those withheld from it."""
    assert [each.name for each in beat_channels(WORLD.registry, "xa-emb")] == [
        "beat.amber-strict.eu-emb",
        "beat.clear.public",
        "beat.green.community",
    ]
    for hub in ("xa-hub", "xb-hub"):
        read = {way[1:] for way in WORLD.registry.read_prefixes(hub) if way[2] != hub}
        assert {(each.tlp, each.audience) for each in beat_channels(WORLD.registry, hub)} == read


@pytest.mark.parametrize("state", ChannelState)
def test_what_it_says_stands_before_every_rule(state: ChannelState) -> None:
    """Each state makes a bulletin that breaks no rule, with the number of the actual channel."""
    heads = (Head(channel="actual.green.community", seq=7, digest="A" * 43),)
    said = draft(GREEN, heads, 60, NOW, state=state)
    made = world.bulletin(WORLD, say=said)
    rules.check(made)
    assert isinstance(made.body, ChannelStatus)
    assert (made.body.last_seq, made.body.interval_s, made.status) == (7, 60, Status.BEAT)


class Speaking:
    """A publisher over an outbox that nobody sends, whose rows a test settles by hand."""

    def __init__(self, outbox: Outbox, publisher: Publisher) -> None:
        self.outbox = outbox
        self.publisher = publisher

    async def say(self, **changes: Any) -> table.Row:
        """Keep one bulletin."""
        kept = await self.publisher.publish(world.draft(**changes))
        row = await self.outbox.get(kept.digest)
        assert row is not None
        return row

    async def store(self, *rows: table.Row) -> None:
        """As if a stream had acknowledged them."""
        await self.outbox.settle([Settled(n=row.n, stream="S", stream_seq=row.n) for row in rows], 0.0)

    async def heads(self, channel: Channel = GREEN) -> list[tuple[str, int, str | None]]:
        """The heads that a heartbeat would announce."""
        found = await self.outbox.read(lambda db: standing(db, channel, world.NOW))
        return [(head.channel, head.seq, head.digest) for head in found.heads]


@pytest.fixture
async def speaking(tmp_path: Path):  # type: ignore[no-untyped-def]  # an async fixture
    """A publisher without a bus."""
    async with keeping(tmp_path / "outbox.db") as (publisher, outbox):
        yield Speaking(outbox, publisher)


async def test_only_what_is_stored_is_announced(speaking: Speaking) -> None:
    """A head names a bulletin that readers must hold: none that waits or is parked, nor one after it."""
    assert await speaking.heads() == []
    one, two, three = [await speaking.say() for _ in range(3)]
    assert await speaking.heads() == []
    await speaking.store(one)
    assert await speaking.heads() == [("actual.green.community", 1, one.digest)]
    await speaking.store(three)
    assert await speaking.heads() == [("actual.green.community", 1, one.digest)]
    await speaking.outbox.park([two.n], "refused")
    assert await speaking.heads() == [("actual.green.community", 1, one.digest)]
    await speaking.store(two)
    assert await speaking.heads() == [("actual.green.community", 3, three.digest)]


async def test_no_reader_learns_of_a_channel_it_may_not_read(speaking: Speaking) -> None:
    """Heads are only of the heartbeat's own TLP and audience."""
    public = await speaking.say()
    network = await speaking.say(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    drill = await speaking.say(status=Status.EXERCISE, exercise_id="autumn")
    await speaking.store(public, network, drill)
    strict = msgspec.structs.replace(GREEN, tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    assert [name for name, _, _ in await speaking.heads()] == [
        "actual.green.community",
        "exercise.green.community",
    ]
    assert [name for name, _, _ in await speaking.heads(strict)] == ["actual.amber-strict.eu-csirts"]


async def test_none_is_said_behind_one_that_waits(speaking: Speaking) -> None:
    """Cut off from the bus an authority keeps one heartbeat for each channel, not one for each interval."""

    async def phase(_: dt.datetime) -> Phase:
        return Phase.POLLING

    beats = Heartbeat(speaking.publisher, pace=Intervals(), phase=phase)
    assert [each.channel for each in await beats.beat()] == [
        "xa-csirt/beat.amber-strict.eu-csirts",
        "xa-csirt/beat.green.community",
    ]
    assert await beats.beat() == ()
    assert len(await beats.beat(ChannelState.PLANNED_OUTAGE, anyway=True)) == 2
    rows = await speaking.outbox.rows()
    assert {decode(row.payload).body.interval_s for row in rows} == {60}  # type: ignore[union-attr]


async def test_a_head_of_status_system_is_announced_while_its_stream_keeps_it(speaking: Speaking) -> None:
    """After a week no new reader can get it, so it is no longer announced."""
    said = await speaking.say(status=Status.SYSTEM, body=draft(GREEN, (), 60, NOW).body)
    await speaking.store(said)
    assert await speaking.heads() == [("system.green.community", 1, said.digest)]
    later = world.NOW + dt.timedelta(days=6)
    found = await speaking.outbox.read(lambda db: standing(db, GREEN, later))
    assert found.heads == ()
