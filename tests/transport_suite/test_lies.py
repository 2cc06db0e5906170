"""No program ends because of what a broker says, and each reads on when the broker tells the truth again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bus.errors import BrokerError, UnreachableError
from bus.federation import carrier as carrier_module
from bus.federation.carrier import Carrier
from bus.federation.ledger import Ledger
from bus.federation.plan import HOME, BrokerRole
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.subscribing import registry_feed, subscriber
from bus.subscribing.inbox import Inbox
from bus.subscribing.subscriber import Subscriber
from bus.transport import jetstream
from bus.transport.connection import Connection
from bus.transport.jetstream import consumer_info, publish, publish_batch, stream_info, stream_names
from bus.transport.memory import MemoryBroker
from bus.transport.states import PubAck
from tests.support.clocks import RunningClock
from tests.support.lies import ANSWERS, Lie, LyingEndpoint, of_members
from tests.support.stage import running
from tests.support.trust import hold
from tests.support.waiting import eventually
from tests.support.world import NOW, World, chain
from tests.transport_suite.conftest import JOINED, InMemory, places
from tests.transport_suite.test_jetstream import numbered
from tests.transport_suite.test_rooms import speak


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program waits long for what is a lie."""
    for module, names in (
        (subscriber, ("PAUSE_S", "WAIT_S", "QUIET_S")),
        (carrier_module, ("PAUSE_S", "QUIET_S")),
        (registry_feed, ("QUIET_S",)),
        (jetstream, ("DEAF_S",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, 0.002)
    monkeypatch.setattr(jetstream, "REQUEST_TIMEOUT_S", 0.01)


def seen(store: Inbox, count: int) -> Callable[[], object]:
    """Whether so many bulletins are admitted."""

    async def look() -> bool:
        return (await store.status())["admitted"] == count

    return look


async def test_a_subscriber_outlives_every_lie(world: World, tmp_path: Path) -> None:
    """Of each member of an answer, each address of a delivery, each word of the server."""
    broker, said = InMemory(world), chain(world, 3)
    await speak(broker, said)
    place = LyingEndpoint.at(broker.broker, "xb-hub")
    async with Inbox.open(tmp_path / "s.db") as store:
        reader = Subscriber(
            authority_id="xb-hub",
            inbox=store,
            registry=lambda: world.registry,
            endpoint=place,
            clock=lambda: world.now,
        )
        async with running(reader.run()):
            await eventually(lambda: not place.left, describe=lambda: place.left)
            await eventually(seen(store, 3), describe=lambda: reader.problem)


async def test_a_hub_outlives_every_lie(world: World, tmp_path: Path) -> None:
    """With its picture, its feed of the registry and all its other work."""
    broker, said = InMemory(world), chain(world, 3)
    await speak(broker, said)
    place = LyingEndpoint.at(broker.broker, "xb-hub")
    async with (
        open_store(tmp_path / "s.db") as store,
        HubService.open(
            authority_id="xb-hub",
            store=store,
            registry=hold(tmp_path / "r", RunningClock(NOW)),
            endpoint=place,
            clock=lambda: world.now,
        ),
    ):
        await eventually(lambda: not place.left, describe=lambda: place.left)
        await eventually(seen(store, 3))


async def test_a_carrier_outlives_every_lie(world: World, tmp_path: Path) -> None:
    """At home, while the far end tells the truth: it goes on until it has carried all, and then asks no more."""
    brokers = {
        country: InMemory(world, BrokerRole(federation=JOINED, name=country)) for country in ("xa", "xb")
    }
    said = chain(world, 3)
    await speak(brokers["xa"], said)
    place = LyingEndpoint.at(brokers["xa"].broker, HOME)
    async with Ledger.open(tmp_path / "ledger.db") as book:
        carrier = Carrier(
            country="xa",
            federation=JOINED,
            registry=lambda: world.registry,
            endpoints={**places({**brokers}), "xa": place},
            ledger=book,
            clock=lambda: world.now,
        )
        lies = place.left
        async with running(carrier.run()):
            await eventually(lambda: place.left < lies, describe=lambda: place.left)
            await eventually(lambda: carrier.carried["xb"] >= 3, describe=lambda: carrier.problems)


CALLS: dict[str, tuple[Callable[[Connection], object], list[Lie]]] = {
    "a consumer's state": (
        lambda connection: consumer_info(connection, "S", "c"),
        [lie for lie in ANSWERS if ".INFO." in lie.call],
    ),
    "a stream's state": (
        lambda connection: stream_info(connection, "S"),
        of_members(
            ".STREAM.INFO.", "config", "config.max_bytes", "config.sources", "state", "state.messages", "state.bytes",
            "state.first_seq", "state.last_seq", "state.num_subjects", "error",
        ),
    ),
    "names": (stream_names, of_members(".STREAM.NAMES", "streams", "total", "error")),
    "an acknowledgement": (
        lambda connection: publish(connection, "s.x", b"x", {}),
        of_members("s.x", "stream", "seq", "duplicate", "error", "error.code", "error.err_code"),
    ),
    "that of a batch": (
        lambda connection: publish_batch(connection, numbered(3)),
        of_members("tocsin.", "stream", "seq", "duplicate", "error"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
async def test_an_answer_is_what_it_should_be_or_a_refusal(name: str) -> None:
    """Whatever a member is: what is used of an answer is used here, and no other error comes of it."""
    call, lies = CALLS[name]
    broker = MemoryBroker()
    broker.let_in("x")
    async with Connection.open(broker.endpoint("x")) as owner:
        config = {"name": "S", "subjects": ["s.>", "tocsin.>"], "allow_atomic": True}
        await jetstream.js_api(owner, "STREAM.CREATE.S", config)
        body = {"stream_name": "S", "config": {"durable_name": "c", "filter_subjects": ["s.>"]}}
        await jetstream.js_api(owner, "CONSUMER.CREATE.S.c", body)
    place = LyingEndpoint.at(broker, "x")
    place.given.clear()
    place.lies[:] = lies
    stood = 0
    async with Connection.open(place) as connection:
        while place.left:
            before = place.left
            try:
                found: object = await call(connection)  # type: ignore[misc]
            except (BrokerError, UnreachableError):
                pass
            else:
                stood += 1
                for each in found if isinstance(found, list) else [found]:
                    _use(each)
            assert place.left < before
    assert stood


def _use(found: object) -> None:
    for name in ("filters", "max_bytes", "sources"):
        getattr(found, name, None)
    if isinstance(found, PubAck):
        assert 0 <= found.seq < 2**63
