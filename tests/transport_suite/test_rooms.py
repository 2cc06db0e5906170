"""Sender, subscriber, tracker and carrier, on every transport alike: once each, in order, whatever happens to the broker."""

from __future__ import annotations

import datetime as dt
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus.delivery import ledger
from bus.delivery.ladder import DeliveryState
from bus.delivery.tracker import DeliveryTracker
from bus.federation import carrier as carrier_module
from bus.federation.carrier import Carrier
from bus.federation.ledger import Ledger
from bus.hub.exchange.receipts import draft as receipt_draft
from bus.keys.signatures import FileSigner, sign_entry
from bus.policy.deadlines import DEFAULTS as DEADLINES
from bus.policy.rates import READING, RateLimit
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.publishing.sender import Sender
from bus.storage.layout import Layout
from bus.subscribing.inbox import Inbox
from bus.subscribing.subscriber import Subscriber
from bus.subscribing.tables import Stored
from bus.transport.connection import Connection, Endpoint
from bus.transport.interface import Outgoing
from bus.transport.jetstream import js_api, publish, publish_burst, stream_info
from bus.transport.pull_consumer import PullConsumer, Received
from bus.transport.streams import PROVISIONER, ConsumerSpec
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import ReceiptItem
from schemas.codec import digest
from schemas.envelope import SIG_HEADER, format_header
from schemas.subject import PREFIX
from schemas.vocab import ReceiptStage, Tlp
from tests.support.stage import running
from tests.support.waiting import eventually, longest
from tests.support.world import (
    DEFAULTS,
    Message,
    World,
    bulletin,
    chain,
    draft,
    key_record,
    sign,
    signed_registry,
    within,
)
from tests.transport_suite.conftest import JOINED, Broker, places

WORLD_STREAM = "WORLD_ACTUAL"


@asynccontextmanager
async def desk(
    world: World, outbox: Outbox, endpoint: Endpoint | None = None, identity: str = "xa-csirt"
) -> AsyncIterator[Publisher]:
    """A publisher over an outbox; without an endpoint it only keeps what it accepts."""
    async with Publisher.open(
        authority_id=identity,
        outbox=outbox,
        registry=lambda: world.registry,
        signers=(world.signers[identity],),
        endpoint=endpoint,
        defaults=DEFAULTS,
        clock=lambda: world.now,
        rng=secrets.token_bytes,
    ) as publisher:
        yield publisher


def sender_of(world: World, outbox: Outbox, endpoint: Endpoint) -> Sender:
    """What sends an outbox."""
    return Sender(
        authority_id=endpoint.authority_id,
        outbox=outbox,
        endpoint=endpoint,
        registry=lambda: world.registry,
        clock=lambda: world.now,
    )


@asynccontextmanager
async def sending(world: World, outbox: Outbox, endpoint: Endpoint) -> AsyncIterator[Sender]:
    """A sender at work."""
    sender = sender_of(world, outbox, endpoint)
    async with running(sender.run()):
        yield sender


async def kept(world: World, outbox: Outbox, count: int) -> list[str]:
    """Accept bulletins into an outbox that nobody sends from yet; their digests."""
    async with desk(world, outbox) as publisher:
        return [(await publisher.publish(draft(f"number {n}"))).digest for n in range(count)]


async def all_stored(outbox: Outbox) -> bool:
    """Whether nothing in an outbox waits any more."""
    return not (await outbox.oldest())[0]


async def read(broker: Broker, count: int) -> list[Received]:
    """The first messages of the stream that hubs read."""
    found: list[Received] = []
    async with Connection.open(broker.endpoint("xb-hub")) as reader:
        await reader.until_connected(longest())
        async with PullConsumer.attach(reader, WORLD_STREAM, "xb-hub", 1) as pull:
            while len(found) < count:
                found += await pull.next(count - len(found), 5)
            assert await pull.next(1, 0.2) == []
    return found


async def say(broker: Broker, messages: Iterable[Message]) -> None:
    """Send signed bulletins as their author's machine would."""
    async with Connection.open(broker.endpoint("xa-csirt")) as author:
        await author.until_connected(longest())
        for each in messages:
            await publish(author, each.subject, each.payload, dict(each.headers), longest())


# -- sender -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 20, 130], ids=["one", "a burst", "more than a batch"])
async def test_an_outbox_is_sent_in_order_once_each(
    broker: Broker, world: World, tmp_path: Path, count: int
) -> None:
    """One by one, as a batch, and as several."""
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        said = await kept(world, outbox, count)
        async with sending(world, outbox, broker.endpoint("xa-csirt")):
            await eventually(lambda: all_stored(outbox))
    assert [digest(each.payload) for each in await read(broker, count)] == said


@pytest.mark.parametrize("count", [3, 20], ids=["few", "a burst"])
async def test_a_message_id_that_is_used_up_suppresses_nothing(
    broker: Broker, world: World, tmp_path: Path, count: int
) -> None:
    """Others' bytes under the message id of a bulletin that waits: it is stored all the same, and so are the others."""
    other = sign(world, bulletin(world, "xa-emb"))
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        said = await kept(world, outbox, count)
        async with Connection.open(broker.endpoint("xa-emb")) as neighbour:
            await neighbour.until_connected(longest())
            await publish(
                neighbour, other.subject, other.payload, {**dict(other.headers), "Nats-Msg-Id": said[1]}
            )
        async with sending(world, outbox, broker.endpoint("xa-csirt")):
            await eventually(lambda: all_stored(outbox))
    found = [digest(each.payload) for each in await read(broker, count + 1)]
    assert sorted(found[1:]) == sorted(said)


async def test_what_the_broker_forbids_is_parked(broker: Broker, world: World, tmp_path: Path) -> None:
    """A broker that lets through less than the registry grants: the bulletin is set aside, with the reason."""
    await broker.forbid("xa-csirt", "tocsin.v1.actual.green.community.xa.csirt.>")
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        (said,) = await kept(world, outbox, 1)
        async with sending(world, outbox, broker.endpoint("xa-csirt")):
            assert await outbox.wait_state(said, 60) == "parked"
        (row,) = await outbox.rows("parked")
        assert row.problem is not None
        assert row.problem.startswith("refused-by-broker")


async def test_a_broker_that_was_away_gets_everything_once(
    broker: Broker, world: World, tmp_path: Path
) -> None:
    """Accepted while it is stopped, stored when it is back, after what it had."""
    async with (
        Outbox.open(tmp_path / "outbox.db") as outbox,
        desk(world, outbox, broker.endpoint("xa-csirt")) as publisher,
    ):
        said = [(await publisher.publish(draft("before"))).digest]
        await eventually(lambda: all_stored(outbox))
        await broker.stop()
        said += [(await publisher.publish(draft(f"away, {n}"))).digest for n in range(12)]
        await broker.start()
        await eventually(lambda: all_stored(outbox))
    assert [digest(each.payload) for each in await read(broker, 13)] == said


# -- subscriber ---------------------------------------------------------------------------------------------------


class Failing:
    """A picture that cannot take in what it is told to fail at."""

    layouts = (Layout("seen", "CREATE TABLE IF NOT EXISTS seen (digest TEXT PRIMARY KEY);"),)

    def __init__(self) -> None:
        self.fails = True

    def apply(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take one in, unless it fails."""
        if self.fails:
            raise RuntimeError("the picture is out of order")
        db.execute("INSERT INTO seen VALUES (?)", (row.digest,))

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """Take some in."""
        for row in rows:
            self.apply(db, row)

    show = apply

    def clear(self, db: sqlite3.Connection) -> None:
        """Empty it."""
        db.execute("DELETE FROM seen")

    def forget(self, db: sqlite3.Connection, channel: str, rows: Iterable[Stored]) -> None:
        """Take a channel out."""


@asynccontextmanager
async def reading(
    world: World,
    inbox: Inbox,
    endpoint: Endpoint,
    clock: Callable[[], dt.datetime] | None = None,
    allowance: RateLimit = READING,
) -> AsyncIterator[Subscriber]:
    """A subscriber at work."""
    subscriber = Subscriber(
        authority_id=endpoint.authority_id,
        inbox=inbox,
        registry=lambda: world.registry,
        endpoint=endpoint,
        clock=clock or (lambda: world.now),
        allowance=allowance,
    )
    async with running(subscriber.run()):
        yield subscriber


async def test_a_link_that_breaks_buys_no_new_budget(broker: Broker, world: World, tmp_path: Path) -> None:
    """What an authority has used before the reader attached anew still counts after."""
    said = chain(world, 6)
    few = RateLimit(burst=4, per_s=1 / (365 * 86_400))
    async with (
        Inbox.open(tmp_path / "store.db") as inbox,
        reading(world, inbox, broker.endpoint("xb-hub"), allowance=few) as subscriber,
    ):
        await say(broker, said[:3])
        await eventually(lambda: subscriber.counts["admitted"] == 3)
        attached = subscriber.attached
        await broker.stop()
        await broker.start()
        await eventually(lambda: subscriber.attached >= attached + len(subscriber.pending))
        await say(broker, said[3:])
        await eventually(lambda: subscriber.counts["over_budget"] == 2, describe=lambda: subscriber.counts)
        assert await admitted(inbox) == [each.digest for each in said[:4]]


async def admitted(inbox: Inbox) -> list[str]:
    """The digests of all that was admitted, in order."""
    return await inbox.read(
        lambda db: [row["digest"] for row in db.execute("SELECT digest FROM admitted ORDER BY row")]
    )


def has(inbox: Inbox, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many are admitted."""

    async def question() -> bool:
        return len(await admitted(inbox)) >= count

    return question


async def test_a_reader_goes_on_where_it_stopped(broker: Broker, world: World, tmp_path: Path) -> None:
    """All in order, each once; a second program over the same store gets what is new, and meets nothing again."""
    messages = chain(world, 6)
    async with Inbox.open(tmp_path / "store.db") as inbox:
        await say(broker, messages[:4])
        async with reading(world, inbox, broker.endpoint("xb-hub")):
            await eventually(has(inbox, 4))
        await say(broker, messages[4:])
        async with reading(world, inbox, broker.endpoint("xb-hub")) as second:
            await eventually(has(inbox, 6))
        assert await admitted(inbox) == [each.digest for each in messages]
        assert (second.counts["duplicate"], second.counts["rewinds"]) == (0, 0)


async def test_a_reader_outlives_its_broker(broker: Broker, world: World, tmp_path: Path) -> None:
    """Stopped and started again while it reads: nothing is lost or taken twice, and no stream is doubted."""
    messages = chain(world, 6)
    async with (
        Inbox.open(tmp_path / "store.db") as inbox,
        reading(world, inbox, broker.endpoint("xb-hub")) as subscriber,
    ):
        await say(broker, messages[:3])
        await eventually(has(inbox, 3))
        await broker.stop()
        await broker.start()
        await say(broker, messages[3:])
        await eventually(has(inbox, 6))
        assert await admitted(inbox) == [each.digest for each in messages]
        assert subscriber.counts["rewinds"] == 0


async def test_a_reader_notices_another_stream(broker: Broker, world: World, tmp_path: Path) -> None:
    """Made anew with the same bulletins it is read from its beginning; what is known is recognised."""
    messages = chain(world, 3)
    async with (
        Inbox.open(tmp_path / "store.db") as inbox,
        reading(world, inbox, broker.endpoint("xb-hub")) as subscriber,
    ):
        await say(broker, messages)
        await eventually(has(inbox, 3))
        async with Connection.open(broker.endpoint(PROVISIONER)) as owner:
            await owner.until_connected(longest())
            stream = (await stream_info(owner, WORLD_STREAM)).config
            consumer = (await js_api(owner, f"CONSUMER.INFO.{WORLD_STREAM}.xb-hub"))["config"]
            await js_api(owner, f"STREAM.DELETE.{WORLD_STREAM}")
            await js_api(owner, f"STREAM.CREATE.{WORLD_STREAM}", stream)
            body = {"stream_name": WORLD_STREAM, "config": consumer}
            await js_api(owner, f"CONSUMER.CREATE.{WORLD_STREAM}.xb-hub", body)

        async def recognised() -> bool:
            return subscriber.counts["duplicate"] >= 3

        await eventually(recognised)
        assert await admitted(inbox) == [each.digest for each in messages]
        assert subscriber.counts["rewinds"] == 1


async def test_what_a_picture_could_not_take_in_it_gets_again(
    broker: Broker, world: World, tmp_path: Path
) -> None:
    """A bulletin whose effect fails is admitted, holds up nothing, and has its effect once, later."""
    (message,) = chain(world, 1)
    picture, late = Failing(), dt.timedelta()
    async with (
        Inbox.open(tmp_path / "store.db", projector=picture) as inbox,
        reading(world, inbox, broker.endpoint("xb-hub"), lambda: world.now + late),
    ):
        await say(broker, [message])
        await eventually(has(inbox, 1))
        picture.fails = False
        late += dt.timedelta(minutes=5)

        async def taken_in() -> bool:
            return await inbox.read(
                lambda db: [row["digest"] for row in db.execute("SELECT digest FROM seen")]
            ) == [message.digest]

        await eventually(taken_in)


# -- tracker ------------------------------------------------------------------------------------------------------


async def test_receipts_reach_the_ledger(broker: Broker, world: World, tmp_path: Path) -> None:
    """What hubs confirm is known to its author, one after the other, until none is missing."""
    async with (
        Outbox.open(tmp_path / "author.db", tables=ledger.TABLES) as outbox,
        desk(world, outbox, broker.endpoint("xa-csirt")) as publisher,
        DeliveryTracker.open(publisher, DEADLINES) as tracker,
    ):
        said = await publisher.publish(draft())
        item = ReceiptItem(id=said.id, digest=said.digest, at=world.now)
        for hub, state in (("xa-hub", DeliveryState.STORED), ("xb-hub", DeliveryState.RECEIVED)):
            async with (
                Outbox.open(tmp_path / f"{hub}.db") as voice,
                desk(world, voice, broker.endpoint(hub), hub) as theirs,
            ):
                await theirs.publish(receipt_draft(ReceiptStage.VERIFIED, "xa-csirt", Tlp.GREEN, [item]))

                async def known(hub: str = hub, state: DeliveryState = state) -> bool:
                    standing = await ledger.read(
                        outbox, lambda db: ledger.of_one(db, "xa-csirt", world.registry, said.digest)
                    )
                    confirmed = (
                        [each.reader for each in standing.readers if each.received] if standing else []
                    )
                    return standing is not None and standing.state is state and hub in confirmed

                await eventually(known)
        assert await tracker.caught_up(30)


# -- carrier ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def carrying(
    world: World,
    brokers: dict[str, Broker],
    path: Path,
    registry: Callable[[], VerifiedRegistry] | None = None,
) -> AsyncIterator[Carrier]:
    """The carrier of XA at work, over its ledger."""
    async with Ledger.open(path) as book:
        carrier = Carrier(
            country="xa",
            federation=JOINED,
            registry=registry or (lambda: world.registry),
            endpoints=places(brokers),
            ledger=book,
            clock=lambda: world.now,
        )
        async with running(carrier.run()):
            yield carrier


async def speak(broker: Broker, messages: list[Message]) -> None:
    """Send signed bulletins from their author's own place, a burst as a batch."""
    identity = messages[0].bulletin.issuer.id
    outgoing = [
        Outgoing(subject=each.subject, payload=each.payload, headers=dict(each.headers)) for each in messages
    ]
    async with Connection.open(broker.endpoint(identity)) as author:
        await author.until_connected(longest())
        burst = await publish_burst(author, outgoing)
        for each in outgoing[len(burst.acks) :]:
            await publish(author, each.subject, each.payload, each.headers, longest())


def holds(broker: Broker, stream: str, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether a stream at a broker has so many messages."""

    async def question() -> bool:
        async with Connection.open(broker.endpoint(PROVISIONER)) as owner:
            await owner.until_connected(longest())
            return (await stream_info(owner, stream)).state.messages >= count

    return question


async def messages_of(broker: Broker, stream: str) -> int:
    """How many messages a stream has."""
    async with Connection.open(broker.endpoint(PROVISIONER)) as owner:
        await owner.until_connected(longest())
        return (await stream_info(owner, stream)).state.messages


async def test_bulletins_go_both_ways_once(brokers: dict[str, Broker], world: World, tmp_path: Path) -> None:
    """One and a burst, out and home; a carrier that is started again carries only what is new."""
    ours, theirs = chain(world, 21), chain(world, 4, "xb-csirt")
    async with carrying(world, brokers, tmp_path / "ledger.db") as first:
        await speak(brokers["xa"], ours[:1])
        await speak(brokers["xa"], ours[1:20])
        await speak(brokers["xb"], theirs[:3])
        await eventually(holds(brokers["xb"], "XA-CSIRT_ACTUAL", 20))
        await eventually(holds(brokers["xa"], "XB-CSIRT_ACTUAL", 3))

        async def all_noted() -> bool:
            return first.carried == {"xa": 3, "xb": 20}  # a little after they are stored

        await eventually(all_noted)
    await speak(brokers["xa"], ours[20:])
    await speak(brokers["xb"], theirs[3:])
    async with carrying(world, brokers, tmp_path / "ledger.db") as second:
        await eventually(holds(brokers["xb"], "XA-CSIRT_ACTUAL", 21))
        await eventually(holds(brokers["xa"], "XB-CSIRT_ACTUAL", 4))

        async def rest_noted() -> bool:
            return len(second.carried) == 2

        await eventually(rest_noted)
        assert second.carried == {"xa": 1, "xb": 1}
    async with Inbox.open(tmp_path / "store.db") as inbox:
        async with reading(world, inbox, brokers["xb"].endpoint("xb-hub")):
            await eventually(has(inbox, 25))
        found = await admitted(inbox)
        assert [each for each in found if each in {m.digest for m in ours}] == [m.digest for m in ours]
        assert len(found) == 25


async def test_a_cut_way_is_gone_on_with(brokers: dict[str, Broker], world: World, tmp_path: Path) -> None:
    """The far broker is away for a while: what was said in the meantime arrives once, after what was before."""
    ours = chain(world, 6)
    async with carrying(world, brokers, tmp_path / "ledger.db"):
        await speak(brokers["xa"], ours[:2])
        await eventually(holds(brokers["xb"], "XA-CSIRT_ACTUAL", 2))
        await brokers["xb"].stop()
        await speak(brokers["xa"], ours[2:])
        await brokers["xb"].start()
        await eventually(holds(brokers["xb"], "XA-CSIRT_ACTUAL", 6))
    assert await messages_of(brokers["xb"], "XA-CSIRT_ACTUAL") == 6
    assert [digest(each.payload) for each in await read(brokers["xb"], 6)] == [m.digest for m in ours]


def altered(message: Message, world: World) -> list[Message]:
    """What a hostile place may bring first under a bulletin's own digest and message id: each is nobody's word."""
    payload, headers = message.payload, dict(message.headers)
    stranger = FileSigner.generate()
    other = sign_entry(world.signers["xb-csirt"], b"{}", within(domain=world.registry.domain))
    signatures = {
        "of another text": format_header((other,)),
        "by another authority": format_header(
            (sign_entry(world.signers["xa-csirt"], payload, within(domain=world.registry.domain)),)
        ),
        "by a stranger": format_header(
            (sign_entry(stranger, payload, within(domain=world.registry.domain)),)
        ),
        "none": "",
        "no grammar": "A..A,",
    }
    return [
        msgspec.structs.replace(message, headers=tuple({**headers, SIG_HEADER: value}.items()))
        for value in signatures.values()
    ]


async def test_what_is_brought_first_under_a_bulletins_digest_takes_no_place(
    brokers: dict[str, Broker], world: World, tmp_path: Path
) -> None:
    """Forged, then true: the true one is carried, and nothing else; so it is with a bulletin of each author."""
    true = chain(world, 3, "xb-csirt")
    async with carrying(world, brokers, tmp_path / "ledger.db") as carrier:
        for number, message in enumerate(true, 1):
            for false in altered(message, world):
                await say_bare(brokers["xb"], false)
            await say_bare(brokers["xb"], message)
            await eventually(holds(brokers["xa"], "XB-CSIRT_ACTUAL", number))

        async def noted() -> bool:
            return carrier.left.total() == 5 * len(true)

        await eventually(noted)
    found = await read_all(brokers["xa"], "XB-CSIRT_ACTUAL", "xb-csirt")
    assert [(each.payload, dict(each.headers)[SIG_HEADER]) for each in found] == [
        (each.payload, dict(each.headers)[SIG_HEADER]) for each in true
    ]


async def test_copies_of_what_was_carried_have_an_end(
    brokers: dict[str, Broker], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that brings an author's true bulletin again and again is heard so often; the next bulletin is carried."""
    monkeypatch.setattr(carrier_module, "COPIES", 3)
    true = chain(world, 2, "xb-csirt")
    async with carrying(world, brokers, tmp_path / "ledger.db") as carrier:
        for _ in range(6):
            await say_bare(brokers["xb"], true[0])
        await eventually(holds(brokers["xa"], "XB-CSIRT_ACTUAL", 3))
        await say_bare(brokers["xb"], true[1])
        await eventually(holds(brokers["xa"], "XB-CSIRT_ACTUAL", 4))

        async def noted() -> bool:
            return carrier.left["over-budget"] == 3

        await eventually(noted)
    found = await read_all(brokers["xa"], "XB-CSIRT_ACTUAL", "xb-csirt")
    assert [each.payload for each in found] == [true[n].payload for n in (0, 0, 0, 1)]


@pytest.mark.short_faults
async def test_a_key_that_the_carrier_learns_later_is_carried_then(
    brokers: dict[str, Broker], world: World, tmp_path: Path
) -> None:
    """A bulletin by a key that its registry does not list is passed over, and carried when a version lists it."""
    new = FileSigner.generate()
    early = sign(world, bulletin(world, "xb-csirt"), by=new)
    known = [world.registry]
    async with carrying(world, brokers, tmp_path / "ledger.db", lambda: known[0]) as carrier:
        await say_bare(brokers["xb"], early)

        async def passed_over() -> bool:
            return carrier.left["unknown-key"] == 1

        await eventually(passed_over)
        assert await messages_of(brokers["xa"], "XB-CSIRT_ACTUAL") == 0
        known[0] = listing(world, "xb-csirt", new)
        await eventually(holds(brokers["xa"], "XB-CSIRT_ACTUAL", 1))


def listing(world: World, authority: str, key: FileSigner) -> VerifiedRegistry:
    """The next version, in which an authority has one more key."""
    now = world.now
    document = ceremony.next_version(
        world.registry.document, world.registry.digest, now, dt.timedelta(days=90)
    )
    had = document.authorities[authority]
    keys = {**had.keys, key.kid: key_record(key, now)}
    document = proposals.add_authority(document, authority, msgspec.structs.replace(had, keys=keys))
    return world.registry.update(signed_registry(document, world.roots), now)


async def say_bare(broker: Broker, message: Message) -> None:
    """Send a message without its id, as what is sent again: the broker then keeps every copy."""
    headers = {name: value for name, value in message.headers if name != "Nats-Msg-Id"}
    async with Connection.open(broker.endpoint(message.bulletin.issuer.id)) as author:
        await author.until_connected(longest())
        await publish(author, message.subject, message.payload, headers, longest())


async def read_all(broker: Broker, stream: str, author: str) -> list[Received]:
    """All that a stream holds, as its author's hub would read it at that broker."""
    count = await messages_of(broker, stream)
    async with Connection.open(broker.endpoint(PROVISIONER)) as owner:
        await owner.until_connected(longest())
        name = f"all_of_{author}"
        config = ConsumerSpec(stream=stream, name=name, filters=(f"{PREFIX}.>",)).config()
        await js_api(owner, f"CONSUMER.CREATE.{stream}.{name}", {"stream_name": stream, "config": config})
        async with PullConsumer.attach(owner, stream, name, 1) as pull:
            found: list[Received] = []
            while len(found) < count:
                found += await pull.next(count - len(found), 5)
            return found
