"""Each authority has room of its own in a broker, what is said is kept for as long as it should be, and heads for good."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bus.errors import BrokerError, OutboxError
from bus.publishing import heartbeat
from bus.publishing.outbox import Outbox
from bus.publishing.own_channels import OwnChannels, Survey
from bus.publishing.recovery import recover
from bus.server.config import MAX_CONTROL_LINE
from bus.server.layout_checks import lag_check, stream_checks
from bus.server.provisioning import layout
from bus.server.room import batch_checks, room_checks
from bus.transport import jetstream
from bus.transport.interface import Outgoing
from bus.transport.jetstream import (
    BATCH_FROM,
    consumer_info,
    js_api,
    publish,
    publish_batch,
    publish_burst,
    stream_differs,
    stream_info,
)
from bus.transport.streams import (
    BEATS_EACH,
    CHARGE_BYTES,
    HEADS_EACH,
    MAX_AGE_S,
    MAX_MESSAGE_BYTES,
    MAX_ORIGIN_BYTES,
    SYSTEM_AGE_S,
    beat_channels,
    consumer_differs,
    consumers,
    kept_s,
    speakers,
    streams_of,
    world_stream,
)
from bus.trust.grants import granted
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import Head
from schemas.vocab import Status, Tlp
from tests.support.stage import Bus, connected, say, send
from tests.support.waiting import eventually, longest
from tests.support.world import Message, bulletin, chain, draft, goes_on, shared_world, sign

WORLD = shared_world()


def outgoing(messages: list[Message]) -> list[Outgoing]:
    """Signed bulletins as they are published."""
    return [
        Outgoing(subject=each.subject, payload=each.payload, headers=dict(each.headers)) for each in messages
    ]


async def test_a_full_stream_makes_nobody_else_mute(bus: Bus) -> None:
    """One authority has filled its room: it is told so, and another of its country is stored and read."""
    async with (
        connected(bus.owner) as owner,
        connected(bus.endpoint("xa-csirt")) as full,
        connected(bus.endpoint("xa-emb")) as other,
    ):
        config = (await stream_info(owner, "XA-CSIRT_ACTUAL")).config
        await js_api(owner, "STREAM.UPDATE.XA-CSIRT_ACTUAL", {**config, "max_bytes": 8192})

        async def fill() -> None:
            for each in chain(WORLD, 20):
                await send(full, each)

        with pytest.raises(BrokerError) as refused:
            await fill()
        assert refused.value.reason == "hub-full"
        before = (await stream_info(owner, "WORLD_ACTUAL")).state.messages
        ack = await send(other, chain(WORLD, 1, "xa-emb")[0])
        assert ack.stream == "XA-EMB_ACTUAL"

        async def read() -> bool:
            return (await stream_info(owner, "WORLD_ACTUAL")).state.messages > before

        await eventually(read)


async def test_what_an_authority_may_send_has_place_for_its_copy(bus: Bus) -> None:
    """The largest message of all is refused at once; the largest that is taken reaches the readers, on its longest subject."""
    (message,) = chain(WORLD, 1)
    subject = f"{message.subject.rsplit('.', 1)[0]}.{'x' * 750}"
    async with connected(bus.endpoint("xa-csirt")) as author, connected(bus.owner) as owner:
        with pytest.raises(BrokerError):
            await publish(author, subject, b"x" * (MAX_MESSAGE_BYTES - 50), {}, longest())
        await publish(author, subject, b"x" * MAX_ORIGIN_BYTES, {}, longest())
        await send(author, message)

        async def copied() -> bool:
            names = ("WORLD_ACTUAL", "XA-CSIRT_HEADS")
            return all([(await stream_info(owner, name)).state.messages == 2 for name in names])

        await eventually(copied)
        assert (await lag_check(owner, layout(WORLD.registry, None).streams)).ok


async def test_a_world_that_takes_nothing_more_of_a_source_is_found(bus: Bus) -> None:
    """A copy is refused for ever: the check is hard and names both streams."""
    await say(bus, *chain(WORLD, 1))
    async with connected(bus.owner) as owner:

        async def read() -> bool:
            return (await stream_info(owner, "WORLD_ACTUAL")).state.messages == 1

        await eventually(read)
        world = await stream_info(owner, "WORLD_ACTUAL")
        full = {**world.config, "max_bytes": world.state.bytes + 1}
        await js_api(owner, "STREAM.UPDATE.WORLD_ACTUAL", full)
        await say(bus, *chain(WORLD, 1, "xa-emb"))

        async def found() -> bool:
            check = await lag_check(owner, layout(WORLD.registry, None).streams)
            return check.hard and not check.ok and "WORLD_ACTUAL takes nothing more of XA-EMB" in check.detail

        await eventually(found)
        checks = await stream_checks(owner, layout(WORLD.registry, None).streams, 1)
        (room,) = [each for each in checks if each.name == "room in WORLD_ACTUAL"]
        assert room.hard
        assert not room.ok


def test_a_world_has_room_for_whatever_its_origins_take() -> None:
    """However small the messages, and as long as a subject may be: each copy says where it came from."""
    specs = {spec.name: spec for spec in streams_of(WORLD.registry)}
    most = MAX_CONTROL_LINE + 128
    for status in set(Status) - {Status.BEAT}:
        world = specs[world_stream(status)]
        origins = [specs[name] for name in world.sources]
        assert world.max_bytes >= sum(each.max_bytes + (each.max_msgs or 0) * most for each in origins)
        assert all(each.max_msgs for each in origins)


async def test_a_flood_of_small_messages_ends_at_its_own_stream(bus: Bus) -> None:
    """So many messages and no more: its speaker is told, and all that were taken are in the world."""
    (message,) = chain(WORLD, 1)
    subject = f"{message.subject.rsplit('.', 1)[0]}.{'x' * 700}"
    async with connected(bus.owner) as owner, connected(bus.endpoint("xa-csirt")) as author:
        config = (await stream_info(owner, "XA-CSIRT_ACTUAL")).config
        room = config["max_bytes"] // config["max_msgs"] * 40
        await js_api(
            owner,
            "STREAM.UPDATE.XA-CSIRT_ACTUAL",
            {**config, "max_bytes": room, "max_msgs": room // CHARGE_BYTES},
        )
        taken = 0

        async def flood() -> None:
            nonlocal taken
            while taken < 1000:
                await publish(author, subject, b"", {}, longest())
                taken += 1

        with pytest.raises(BrokerError) as refused:
            await flood()
        assert refused.value.reason == "hub-full"
        assert taken == room // CHARGE_BYTES

        async def all_there() -> bool:
            return (await stream_info(owner, "WORLD_ACTUAL")).state.messages == taken

        await eventually(all_there)
        world = (await stream_info(owner, "WORLD_ACTUAL")).state
        assert world.bytes <= room * 55 / 35


async def test_open_batches_of_one_stop_nobody_else(bus: Bus) -> None:
    """One authority opens batches that it never commits: its own next one goes one by one, another's is taken."""
    mine, theirs = outgoing(chain(WORLD, 10)), outgoing(chain(WORLD, 10, "xa-emb"))
    async with (
        connected(bus.endpoint("xa-csirt")) as greedy,
        connected(bus.endpoint("xa-emb")) as other,
    ):
        for n in range(50):
            opening = {"Nats-Batch-Id": f"open{n}", "Nats-Batch-Sequence": "1"}
            await greedy.send_all(
                [Outgoing(subject=mine[0].subject, payload=b"x" * 300_000, headers=opening)]
            )
        burst = await publish_burst(greedy, mine, longest())
        assert isinstance(burst.failure, BrokerError)  # so the sender goes on one by one
        assert burst.acks == []
        assert (await send(greedy, chain(WORLD, 1)[0])).stream == "XA-CSIRT_ACTUAL"
        assert len(await publish_batch(other, theirs, longest())) == 10


async def test_a_broker_that_takes_smaller_batches_is_given_those(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses the first batch whole; then the same messages go in smaller ones, each once."""
    monkeypatch.setattr(jetstream, "BATCH", jetstream.BATCH + 10)
    messages = outgoing(chain(WORLD, jetstream.BATCH))
    async with connected(bus.endpoint("xa-csirt")) as author:
        burst = await publish_burst(author, messages, longest())
        assert burst.failure is None
        assert [ack.seq for ack in burst.acks] == list(range(1, len(burst.acks) + 1))
        assert len(messages) - len(burst.acks) < BATCH_FROM


async def _aged(bus: Bus, *, heads: int) -> None:
    """The streams of actual bulletins and of status system have dropped all, after `heads` are remembered."""
    async with connected(bus.owner) as owner:

        async def remembered() -> bool:
            return (await stream_info(owner, "XA-CSIRT_HEADS")).state.last_seq >= heads

        await eventually(remembered)
        for name in ("XA-CSIRT_ACTUAL", "XA-CSIRT_BEAT"):
            config = (await stream_info(owner, name)).config
            short = {"max_age": 200_000_000, "duplicate_window": 200_000_000}
            await js_api(owner, f"STREAM.UPDATE.{name}", {**config, **short})

            async def dropped(name: str = name) -> bool:
                return (await stream_info(owner, name)).state.messages == 0

            await eventually(dropped)


async def _survey(bus: Bus, outbox: Outbox) -> Survey:
    return await _own(bus, outbox).survey()


def _own(bus: Bus, outbox: Outbox) -> OwnChannels:
    return OwnChannels(
        endpoint=bus.endpoint("xa-csirt"),
        outbox=outbox,
        registry=lambda: WORLD.registry,
        clock=lambda: WORLD.now,
        timeout=longest(),
    )


CHANNEL = "actual.green.community"


async def test_the_newest_of_each_subject_outlive_their_stream(bus: Bus, tmp_path: Path) -> None:
    """The stream has dropped all that is too old; a lost outbox finds its head all the same, once each."""
    await say(bus, *chain(WORLD, 3))
    await _aged(bus, heads=3)
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        survey = await _survey(bus, outbox)
    assert [link.seq for link in survey.links] == [1, 2, 3]
    assert "XA-CSIRT_HEADS" not in survey.cursors
    assert not survey.doubtful


async def test_an_older_bulletin_sent_again_is_not_taken_for_the_head(bus: Bus, tmp_path: Path) -> None:
    """It came last on the subject; the highest number that stands counts."""
    messages = chain(WORLD, 5)
    await say(bus, *messages)
    async with connected(bus.endpoint("xa-csirt")) as author:
        again = {name: value for name, value in messages[1].headers if name != "Nats-Msg-Id"}
        await publish(author, messages[1].subject, messages[1].payload, again, longest())
    await _aged(bus, heads=6)
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        survey = await _survey(bus, outbox)
    assert survey.heads()[CHANNEL] == (5, messages[4].digest)


async def test_rubbish_in_the_place_of_a_head_stops_a_recovery(bus: Bus, tmp_path: Path) -> None:
    """The transport key alone has pushed the head out: no number is given that may be used twice; with the stream it is."""
    messages = chain(WORLD, 3)
    await say(bus, *messages)
    async with connected(bus.endpoint("xa-csirt")) as thief:
        for n in range(HEADS_EACH):
            await publish(thief, messages[0].subject, b"rubbish %d" % n, {}, longest())

    def keep(*_: object) -> None:
        raise AssertionError("there is nothing to stamp anew")

    async with Outbox.open(tmp_path / "first.db") as outbox:
        assert (await recover(_own(bus, outbox), keep)).adopted == 1
    await _aged(bus, heads=3 + HEADS_EACH)
    async with Outbox.open(tmp_path / "second.db") as outbox:
        with pytest.raises(OutboxError) as refused:
            await recover(_own(bus, outbox), keep)
        assert refused.value.reason == "head-unproven"
        assert CHANNEL in str(refused.value)


async def test_a_heartbeat_proves_a_head_that_is_gone(bus: Bus, tmp_path: Path) -> None:
    """Its author has signed the number and the digest."""
    channel = next(each for each in beat_channels(WORLD.registry, "xa-csirt") if each.audience == "community")
    head = Head(channel=f"actual.{channel.name.partition('.')[2]}", seq=7, digest=chain(WORLD, 7)[6].digest)
    beat = sign(WORLD, bulletin(WORLD, "xa-csirt", say=heartbeat.draft(channel, (head,), 60, WORLD.now)))
    await say(bus, beat)
    await _aged(bus, heads=1)
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        survey = await _survey(bus, outbox)
    assert survey.heads()[head.channel] == (7, head.digest)


def test_what_keeps_and_what_drops() -> None:
    """System messages 7 days, all else 400; the heads for good, eight of each subject."""
    specs = {spec.name: spec for spec in streams_of(WORLD.registry)}
    for name, spec in specs.items():
        if name.endswith("_HEADS"):
            assert (spec.max_age_s, spec.each, spec.gives_way) == (0, HEADS_EACH, True)
        else:
            talk = name.endswith(("_SYSTEM", "_BEAT"))
            assert spec.max_age_s == (SYSTEM_AGE_S if talk else MAX_AGE_S)
            assert (spec.each == BEATS_EACH and spec.gives_way) == name.endswith("_BEAT")
    assert kept_s("XA-CSIRT_SYSTEM") == kept_s("WORLD_SYSTEM") == SYSTEM_AGE_S
    assert kept_s("XA-CSIRT_ACTUAL") == kept_s("WORLD_ACTUAL") == MAX_AGE_S


def test_each_who_speaks_has_a_stream_at_each_status_and_an_equal_share() -> None:
    """No two streams capture one subject, and all fit into the store."""
    size = 8 * 1024**3
    specs = streams_of(WORLD.registry, size)
    origins = [spec for spec in specs if spec.bursts]
    assert len(origins) == len(speakers(WORLD.registry))
    for status in set(Status) - {Status.BEAT}:
        rooms = {spec.max_bytes for spec in origins if spec.name.endswith(f"_{status.upper()}")}
        assert len(rooms) == 1
    assert len({subject for spec in specs for subject in spec.subjects}) == sum(
        len(spec.subjects) for spec in specs
    )
    assert sum(spec.max_bytes for spec in specs) < size


def many_countries(countries: int, each: int) -> VerifiedRegistry:
    """A registry of so many countries of so many authorities with fifteen channels each, as far as streams are made of it."""
    (grant,) = [grant for grant in WORLD.registry.authority("xa-csirt").publish if "*" in grant.kinds][:1]
    wide = msgspec.structs.replace(
        grant, statuses=tuple(set(Status) - {Status.BEAT}), tlps=tuple(Tlp), audiences=("one", "two", "three")
    )
    record = msgspec.structs.replace(WORLD.registry.authority("xa-csirt"), publish=(wide,))
    names = [f"x{chr(97 + n % 26)}-{n:03}" for n in range(countries * each)]
    document = msgspec.structs.replace(WORLD.registry.document, authorities=dict.fromkeys(names, record))
    registry = object.__new__(VerifiedRegistry)
    ways = dict.fromkeys(names, granted([wide]))
    registry.__dict__.update(WORLD.registry.__dict__, document=document, _publishes=ways)
    return registry


def test_heartbeats_of_many_countries_have_room() -> None:
    """27 countries of five, fifteen channels each, in 8 GiB: the newest eight of each, however large, and all else beside them."""
    size = 8 * 1024**3
    specs = streams_of(many_countries(27, 5), size)
    found = {each.name: each for each in room_checks(specs, size)}
    assert found["room for heartbeats"].ok
    assert found["room for all"].ok
    world = next(spec for spec in specs if spec.name == "WORLD_BEAT")
    assert (len(world.sources), world.each) == (135, BEATS_EACH)
    system = next(spec for spec in specs if spec.name.endswith("_SYSTEM"))
    assert system.max_msgs == 1906


@pytest.mark.parametrize("countries", [54, 108, 500])
def test_more_countries_keep_fewer_heartbeats_and_no_more_room(countries: int) -> None:
    """An eighth of the store at the most; where not even one of each fits `server check` fails."""
    size = 8 * 1024**3
    specs = streams_of(many_countries(countries, 5), size)
    beats = [spec for spec in specs if spec.name.endswith("_BEAT")]
    assert sum(spec.max_bytes for spec in beats) <= size // 8
    assert 1 <= (beats[0].each or 0) < BEATS_EACH
    room = next(each for each in room_checks(specs, size) if each.name == "room for heartbeats")
    assert room.hard
    assert room.ok == (countries < 500)


def test_the_figures_of_room_say_when_it_does_not_last() -> None:
    """Each status has its line; what is too small warns, and what does not fit fails."""
    specs = layout(WORLD.registry, None).streams
    found = {each.name: each for each in room_checks(specs, 8 * 1024**3)}
    assert {f"room at {status}" for status in set(Status) - {Status.BEAT}} <= found.keys()
    assert "the newest 8 of each" in found["room for heartbeats"].detail
    assert all(each.ok for each in found.values())
    assert not next(each for each in room_checks(specs, 1024**3) if each.name == "room for all").ok
    (batches,) = batch_checks({}, 10)
    assert not batches.ok


async def test_a_burst_is_read_in_its_order_after_one_by_one(bus: Bus) -> None:
    """What could not go as a batch goes one by one and is the same chain."""
    first = chain(WORLD, 1)
    messages = goes_on(WORLD, first, [draft(f"more {n}") for n in range(9)])
    async with connected(bus.endpoint("xa-csirt")) as author, connected(bus.owner) as owner:
        opening = {"Nats-Batch-Id": "open", "Nats-Batch-Sequence": "1"}
        await author.send_all([Outgoing(subject=messages[0].subject, payload=b"x", headers=opening)])
        burst = await publish_burst(author, outgoing(messages), longest())
        for each in messages[len(burst.acks) :]:
            await send(author, each)
        assert (await stream_info(owner, "XA-CSIRT_ACTUAL")).state.messages == len(messages)


ADDED = {
    "max_msgs_per_subject": 1,
    "republish": {"src": ">", "dest": "elsewhere.>"},
    "subject_transform": {"src": "tocsin.v1.actual.>", "dest": "tocsin.v1.actual.>"},
    "max_consumers": 40,
    "allow_direct": True,
    "allow_msg_ttl": True,
}


@pytest.mark.parametrize("name", ADDED)
async def test_a_setting_that_nobody_asked_for_is_found_and_taken_away(bus: Bus, name: str) -> None:
    """What is added to a stream behind tocsin's back, such as a limit by which it drops what it holds, is no less than a change."""
    (spec,) = [each for each in streams_of(WORLD.registry) if each.name == "XA-CSIRT_ACTUAL"]
    async with connected(bus.owner) as owner:
        config = (await stream_info(owner, spec.name)).config
        assert stream_differs(spec, await stream_info(owner, spec.name)) == ()
        await js_api(owner, f"STREAM.UPDATE.{spec.name}", {**config, name: ADDED[name]})
        assert name in stream_differs(spec, await stream_info(owner, spec.name))
        await bus.provision()
        left = stream_differs(spec, await stream_info(owner, spec.name))
        assert left == (
            ("allow_msg_ttl",) if name == "allow_msg_ttl" else ()
        )  # the server never takes it back


async def test_a_transform_of_a_source_is_found_and_taken_away(bus: Bus) -> None:
    """A world copies its origins as they are."""
    (spec,) = [each for each in streams_of(WORLD.registry) if each.name == "WORLD_ACTUAL"]
    turned = [
        {"name": name, "subject_transforms": [{"src": "tocsin.>", "dest": "elsewhere.>"}]}
        for name in spec.sources
    ]
    async with connected(bus.owner) as owner:
        config = (await stream_info(owner, spec.name)).config
        await js_api(owner, f"STREAM.UPDATE.{spec.name}", {**config, "sources": turned})
        assert stream_differs(spec, await stream_info(owner, spec.name)) == ("sources",)
        await bus.provision()
        assert stream_differs(spec, await stream_info(owner, spec.name)) == ()


@pytest.mark.parametrize("added", [{"headers_only": True}, {"pause_until": "2999-01-01T00:00:00Z"}])
async def test_a_consumer_that_gives_less_is_found_and_made_anew(bus: Bus, added: dict[str, object]) -> None:
    """Headers without what was said, or nothing for a thousand years."""
    place = "WORLD_ACTUAL.xb-hub"
    (spec,) = [
        each for each in consumers(WORLD.registry) if (each.stream, each.name) == tuple(place.split("."))
    ]
    async with connected(bus.owner) as owner:
        await js_api(owner, f"CONSUMER.DELETE.{place}")
        config = {**spec.config(), **added}
        await js_api(owner, f"CONSUMER.CREATE.{place}", {"stream_name": spec.stream, "config": config})
        found = (await consumer_info(owner, spec.stream, spec.name)).config
        assert consumer_differs(spec, found) == tuple(added)
        await bus.provision()
        assert consumer_differs(spec, (await consumer_info(owner, spec.stream, spec.name)).config) == ()
