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
    origin_stream,
    speakers,
    streams_of,
    unnamed,
    world_stream,
)
from bus.trust.grants import granted
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import Head, Request, Wanted
from schemas.registry import PublishGrant
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
            return (await stream_info(owner, "WORLD_ACTUAL")).state.messages == 2

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


async def _aged(bus: Bus, heads: int = 0) -> None:
    """The streams of actual bulletins and of status system have dropped all, after `heads` are remembered."""
    async with connected(bus.owner) as owner:

        async def remembered() -> bool:
            return (await stream_info(owner, "XA-CSIRT_HEADS")).state.last_seq >= heads

        await eventually(remembered)
        for name in ("XA-CSIRT_ACTUAL", "XA-CSIRT_SYSTEM"):
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
QUIET = "system.green.community"


def quiet(count: int) -> list[Message]:
    """Bulletins of XA-CSIRT at status system, of one subject, in order."""
    asks = [
        draft(
            f"{n}", status=Status.SYSTEM, body=Request(items=(Wanted(channel=f"xb-csirt/{CHANNEL}", seq=n),))
        )
        for n in range(1, count + 1)
    ]
    return goes_on(WORLD, [], asks)


def heartbeat_naming(*heads: Head, audience: str = "community") -> Message:
    """A heartbeat of XA-CSIRT that names heads."""
    (channel,) = (each for each in beat_channels(WORLD.registry, "xa-csirt") if each.audience == audience)
    return sign(WORLD, bulletin(WORLD, "xa-csirt", say=heartbeat.draft(channel, heads, 60, WORLD.now)))


async def rubbish(bus: Bus, subject: str, count: int = HEADS_EACH) -> None:
    """So many messages that are nobody's word, by the transport key of XA-CSIRT."""
    async with connected(bus.endpoint("xa-csirt")) as thief:
        for n in range(count):
            await publish(thief, subject, b"rubbish %d" % n, {}, longest())


async def test_a_head_that_a_heartbeat_named_outlives_its_stream(bus: Bus, tmp_path: Path) -> None:
    """The stream has dropped all that is too old; a lost outbox finds its head in a heartbeat, which is there for good."""
    messages = chain(WORLD, 3)
    await say(bus, *messages, heartbeat_naming(Head(channel=CHANNEL, seq=3, digest=messages[2].digest)))
    await _aged(bus)
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        survey = await _survey(bus, outbox)
    assert survey.heads()[CHANNEL] == (3, messages[2].digest)
    assert not survey.doubtful


async def test_what_was_said_after_the_last_heartbeat_is_found_too(bus: Bus, tmp_path: Path) -> None:
    """It stands in its own stream: the higher of the two counts."""
    messages = chain(WORLD, 5)
    named = heartbeat_naming(Head(channel=CHANNEL, seq=3, digest=messages[2].digest))
    await say(bus, *messages[:3], named, *messages[3:])
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        survey = await _survey(bus, outbox)
    assert survey.heads()[CHANNEL] == (5, messages[4].digest)
    assert not survey.doubtful


async def test_the_newest_of_each_subject_that_no_heartbeat_names_outlive_their_stream(
    bus: Bus, tmp_path: Path
) -> None:
    """So do those of status system, which a heartbeat names only as long as their stream keeps them; once each."""
    said = quiet(3)
    await say(bus, *said)
    await _aged(bus, heads=3)
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        survey = await _survey(bus, outbox)
    assert [link.digest for link in survey.links] == [each.digest for each in said]
    assert "XA-CSIRT_HEADS" not in survey.cursors
    assert not survey.doubtful


async def test_an_older_bulletin_sent_again_is_not_taken_for_the_head(bus: Bus, tmp_path: Path) -> None:
    """It came last on the subject; the highest number that stands counts."""
    messages = quiet(5)
    await say(bus, *messages)
    async with connected(bus.endpoint("xa-csirt")) as author:
        again = {name: value for name, value in messages[1].headers if name != "Nats-Msg-Id"}
        await publish(author, messages[1].subject, messages[1].payload, again, longest())
    await _aged(bus, heads=6)
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        survey = await _survey(bus, outbox)
    assert survey.heads()[QUIET] == (5, messages[4].digest)


def _nothing_to_keep(*_: object) -> None:
    raise AssertionError("there is nothing to stamp anew")


async def test_rubbish_in_the_place_of_a_head_stops_a_recovery(bus: Bus, tmp_path: Path) -> None:
    """The transport key alone has pushed the head out: no number is given that may be used twice; with the stream it is."""
    messages = quiet(3)
    await say(bus, *messages)
    await rubbish(bus, messages[0].subject)
    async with Outbox.open(tmp_path / "first.db") as outbox:
        assert (await recover(_own(bus, outbox), _nothing_to_keep)).adopted == 1
    await _aged(bus, heads=3 + HEADS_EACH)
    async with Outbox.open(tmp_path / "second.db") as outbox:
        with pytest.raises(OutboxError) as refused:
            await recover(_own(bus, outbox), _nothing_to_keep)
        assert refused.value.reason == "head-unproven"
        assert QUIET in str(refused.value)


async def test_rubbish_in_the_place_of_heartbeats_stops_a_recovery(bus: Bus, tmp_path: Path) -> None:
    """They named the head of what its stream has dropped; while that stands there, the head is proven."""
    messages = chain(WORLD, 3)
    beat = heartbeat_naming(Head(channel=CHANNEL, seq=3, digest=messages[2].digest))
    await say(bus, *messages, beat)
    await rubbish(bus, beat.subject, BEATS_EACH)
    async with Outbox.open(tmp_path / "first.db") as outbox:
        survey = await _survey(bus, outbox)
    assert survey.heads()[CHANNEL] == (3, messages[2].digest)
    assert CHANNEL not in survey.doubtful
    await _aged(bus)
    async with Outbox.open(tmp_path / "second.db") as outbox:
        with pytest.raises(OutboxError) as refused:
            await recover(_own(bus, outbox), _nothing_to_keep)
    assert refused.value.reason == "head-unproven"
    assert CHANNEL in str(refused.value)
    assert QUIET not in str(refused.value)


async def test_a_heartbeat_proves_a_head_that_is_gone(bus: Bus, tmp_path: Path) -> None:
    """Its author has signed the number and the digest."""
    head = Head(channel=CHANNEL, seq=7, digest=chain(WORLD, 7)[6].digest)
    await say(bus, heartbeat_naming(head))
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        survey = await _survey(bus, outbox)
    assert survey.heads()[head.channel] == (7, head.digest)


async def test_a_broker_whose_heads_were_copies_of_everything_keeps_them_and_copies_no_more(bus: Bus) -> None:
    """What an earlier release had made is given the new sources; what it holds is still read."""
    async with connected(bus.owner) as owner:
        heads = (await stream_info(owner, "XA-CSIRT_HEADS")).config
        names = [
            origin_stream("xa-csirt", status)
            for name, status in speakers(WORLD.registry)
            if name == "xa-csirt"
        ]
        all_of_them = {**heads, "sources": [{"name": name} for name in names]}
        await js_api(owner, "STREAM.UPDATE.XA-CSIRT_HEADS", all_of_them)
        beats = (await stream_info(owner, "XA-CSIRT_BEAT")).config
        await js_api(owner, "STREAM.UPDATE.XA-CSIRT_BEAT", {**beats, "max_age": SYSTEM_AGE_S * 1_000_000_000})
        await say(bus, *chain(WORLD, 3))

        async def copied() -> bool:
            return (await stream_info(owner, "XA-CSIRT_HEADS")).state.messages == 3

        await eventually(copied)
        before = {each.name: each for each in await stream_checks(owner, streams_of(WORLD.registry), 1)}
        assert "sources" in before["stream XA-CSIRT_HEADS"].detail
        assert "max_age" in before["stream XA-CSIRT_BEAT"].detail
        await bus.provision()
        info = await stream_info(owner, "XA-CSIRT_HEADS")
        assert info.sources == {"XA-CSIRT_SYSTEM"}
        assert (await stream_info(owner, "XA-CSIRT_BEAT")).config["max_age"] == 0
        assert info.state.messages == 3


def test_what_no_heartbeat_names_for_good_is_copied() -> None:
    """All of who may send none, what is said at another audience than they are, and status system of everybody."""
    says = PublishGrant(
        kinds=("cyber-threat",),
        statuses=(Status.ACTUAL, Status.TEST),
        tlps=(Tlp.GREEN,),
        areas=("xa",),
        audiences=("community",),
    )
    beat = msgspec.structs.replace(says, statuses=(Status.SYSTEM,), kinds=("channel-status",))
    aside = msgspec.structs.replace(says, statuses=(Status.EXERCISE,), audiences=("eu-csirts",))

    def copied(*grants: PublishGrant) -> tuple[Status, ...]:
        registry = object.__new__(VerifiedRegistry)
        registry._grants = {"xa-csirt": granted(grants)}
        return unnamed(registry, "xa-csirt")

    assert copied(beat, says) == (Status.SYSTEM,)
    assert copied(says) == (Status.ACTUAL, Status.TEST)
    assert set(copied(beat, says, aside)) == {Status.SYSTEM, Status.EXERCISE}
    assert copied() == ()


def test_what_keeps_and_what_drops() -> None:
    """System messages 7 days, all else 400; heads, and heartbeats at their author's, for good, eight of each subject."""
    specs = {spec.name: spec for spec in streams_of(WORLD.registry)}
    for name, spec in specs.items():
        if name.endswith("_HEADS"):
            assert (spec.max_age_s, spec.each, spec.gives_way) == (0, HEADS_EACH, True)
        else:
            talk = name.endswith(("_SYSTEM", "WORLD_BEAT"))
            age_s = SYSTEM_AGE_S if talk else MAX_AGE_S
            assert spec.max_age_s == (0 if name.endswith("_BEAT") and not talk else age_s)
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
        at = [spec for spec in origins if spec.name.endswith(f"_{status.upper()}")]
        assert len({spec.max_bytes for spec in at if not spec.answers}) == 1
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
    registry.__dict__.update(WORLD.registry.__dict__, document=document, _publishes=ways, _grants=ways)
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
