"""What plays in a test with a real broker: the broker itself, publishers, hubs, connections; each ends with its context."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bus.demo.federation import COUNTRIES, Cable, Founded, Joined, joined
from bus.federation.plan import BrokerRole
from bus.hub.picture import summary
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.keys import nkeys
from bus.publishing.publisher import Publisher
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.server.provisioning import provisioner_endpoint
from bus.subscribing.inbox import Inbox
from bus.transport.connection import Connection, Endpoint, NatsConnection
from bus.transport.jetstream import publish
from bus.transport.pull_consumer import PullConsumer, Received
from bus.transport.states import PubAck
from bus.trust.registry import VerifiedRegistry
from tests.support.publishers import publishing
from tests.support.waiting import longest
from tests.support.world import Message, World


class Stage(Protocol):
    """A world, and each identity's place on the bus that serves it."""

    @property
    def world(self) -> World:
        """The registry, and everybody's keys."""

    def endpoint(self, identity: str, /) -> Endpoint:
        """An identity's place on the bus."""


STREAMS = "jetstream: enabled"
"""Where the account of the streams begins in a configuration."""


def entered(conf: str, public: str) -> str:
    """A configuration by which a transport key enters the account of the streams, as whoever holds the machine can do."""
    assert conf.count(STREAMS) == 1
    return conf.replace(STREAMS, f"{STREAMS}\n    users: [ {{ nkey: {public} }} ]")


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """A running broker and the world it serves."""

    world: World
    server: NatsServer
    provisioner: tuple[str, str]
    seat: BrokerRole | None = None
    probes: tuple[str, ...] = ()
    settings: ServerSettings | None = None

    def endpoint(self, identity: str) -> Endpoint:
        """An identity's place on the bus."""
        seed, _ = self.world.nkeys[identity]
        return Endpoint(url=self.server.url, authority_id=identity, nkey_seed=seed, name=f"test {identity}")

    @property
    def owner(self) -> Endpoint:
        """The place of the identity that makes streams and consumers."""
        return provisioner_endpoint(self.server.url, self.provisioner[0])

    @asynccontextmanager
    async def machine(self) -> AsyncIterator[NatsConnection]:
        """Who administers the broker's machine, in the account of the streams for as long as the context lasts."""
        seed, public = nkeys.generate()
        before = self.server.conf
        await self.server.reload(entered(before, public))
        place = Endpoint(url=self.server.url, authority_id="machine", nkey_seed=seed, name="machine")
        async with connected(place) as connection:
            yield connection
        await self.server.reload(before)

    async def provision(self) -> None:
        """Make streams and consumers as the world's registry wants them."""
        await provision(self.server.url, self.provisioner[0], self.world.registry, seat=self.seat)

    async def lose(self, *streams: str) -> None:
        """The broker dies and loses streams, or all of them, as with a disk; they are made anew."""
        self.server.kill()
        store = self.server.folder / "jetstream"
        lost = [path for name in streams for path in store.glob(f"**/{name}")] if streams else [store]
        assert len(lost) == max(1, len(streams))
        for path in lost:
            shutil.rmtree(path)
        await self.server.restart()
        await self.provision()


class Union(msgspec.Struct, frozen=True, kw_only=True):
    """Three countries, their unions and their carriers, running; the broker of each country as a test of one has it."""

    world: World
    joins: Joined
    at: dict[str, Bus]

    def endpoint(self, identity: str) -> Endpoint:
        """An identity's place at its own country's broker."""
        return self.joins.endpoint(identity)

    @asynccontextmanager
    async def owner(self, place: str) -> AsyncIterator[NatsConnection]:
        """The identity that makes the streams of a place, connected."""
        endpoint = provisioner_endpoint(self.joins.servers[place].url, self.joins.provisioners[place][0])
        async with connected(endpoint) as connection:
            yield connection


@asynccontextmanager
async def serving(
    folder: Path, world: World, settings: ServerSettings | None = None, *changes: tuple[str, str]
) -> AsyncIterator[Bus]:
    """A provisioned broker; `changes` are made to its configuration, text for text, behind tocsin's back."""
    seed, public = nkeys.generate()
    probes = tuple(nkeys.generate() for _ in range(2))
    chosen = msgspec.structs.replace(
        settings or ServerSettings(), probe_nkeys=tuple(nkey for _, nkey in probes)
    )
    conf = render_conf(world.registry, settings=chosen, provisioner_nkey=public)
    for before, after in changes:
        assert before in conf
        conf = conf.replace(before, after)
    async with NatsServer(folder, conf) as server:
        bus = Bus(
            world=world,
            server=server,
            provisioner=(seed, public),
            probes=tuple(probe for probe, _ in probes),
            settings=chosen,
        )
        await bus.provision()
        try:
            yield bus
        finally:
            server.kill()  # nobody asks it any more; a gentle end would take most of a second


@asynccontextmanager
async def federation(folder: Path, founded: Founded, **shape: Any) -> AsyncIterator[Union]:
    """Three countries joined; `shape` is handed to `joined`."""
    world = World(
        now=founded.registry.document.issued,
        pin=founded.registry.digest,
        **msgspec.structs.asdict(founded),
    )
    async with joined(folder, founded, **shape) as joins:
        brokers = {
            cc: Bus(
                world=world,
                server=joins.servers[cc],
                provisioner=joins.provisioners[cc],
                seat=joins.seats[cc],
            )
            for cc in COUNTRIES
        }
        yield Union(world=world, joins=joins, at=brokers)


@asynccontextmanager
async def running(*works: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Programs that run until the context ends; one that failed before raises then."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def cabled(server: NatsServer) -> AsyncIterator[Cable]:
    """A way to a broker that can be cut and mended."""
    cable = Cable(int(server.url.rsplit(":", 1)[1]))
    await cable.mend()
    try:
        yield cable
    finally:
        await cable.cut()


@asynccontextmanager
async def connected(endpoint: Endpoint, **options: Any) -> AsyncIterator[NatsConnection]:
    """A connection that stands; `options` are further arguments of `NatsConnection.at`."""
    async with NatsConnection.at(endpoint, **options) as connection:
        await connection.until_connected(longest())
        yield connection


@asynccontextmanager
async def speaking(
    stage: Stage, path: Path, identity: str = "xa-csirt", **options: Any
) -> AsyncIterator[Publisher]:
    """A publisher on the bus. Further options are those of `publishing`."""
    endpoint = stage.endpoint(identity)
    async with publishing(path, stage.world, identity, endpoint=endpoint, **options) as publisher:
        yield publisher


@asynccontextmanager
async def reading(
    stage: Stage,
    path: Path,
    identity: str = "xb-hub",
    registry: Callable[[], VerifiedRegistry] | None = None,
    *,
    clock: Callable[[], dt.datetime] | None = None,
    endpoint: Endpoint | None = None,
    picture: bool = False,
    hold_s: float = 1.0,
    **options: Any,
) -> AsyncIterator[tuple[Inbox, HubService]]:
    """A hub over its own store.

    Args:
        stage: the bus and its world.
        path: the store's file.
        identity: whose hub.
        registry: another than the world's.
        clock: another than the world's, which stands.
        endpoint: another place than the identity's own.
        picture: whether it keeps the situation, and so watches the channels.
        hold_s: for how long a bulletin waits for the one before it.
        options: further arguments of `HubService.open`.
    """
    open_ = open_store if picture else Inbox.open
    async with (
        open_(path, hold_s=hold_s) as store,
        HubService.open(
            authority_id=identity,
            store=store,
            registry=registry or (lambda: stage.world.registry),
            endpoint=endpoint or stage.endpoint(identity),
            clock=clock or (lambda: stage.world.now),
            **options,
        ) as service,
    ):
        yield store, service


async def say(stage: Stage, *messages: Message) -> None:
    """Bulletins, published past any outbox by the issuer of the first."""
    async with connected(stage.endpoint(messages[0].bulletin.issuer.id)) as speaker:
        for message in messages:
            await send(speaker, message)


async def send(connection: Connection, message: Message) -> PubAck:
    """Publish one message over a connection, and wait for its acknowledgement."""
    return await publish(connection, message.subject, message.payload, dict(message.headers), longest())


async def stored(bus: Bus, count: int) -> list[Received]:
    """The messages of the world stream as a hub reads them; there must be exactly `count`."""
    messages: list[Received] = []
    async with (
        connected(bus.endpoint("xb-hub")) as reader,
        PullConsumer.attach(reader, "WORLD_ACTUAL", "xb-hub", 1) as pull,
    ):
        while len(messages) < count:
            more = await pull.next(count - len(messages), longest())
            assert more, f"only {len(messages)} of {count} came"
            messages += more
        assert not await pull.next(10, 0.3)
    return messages


async def admitted(store: Inbox) -> list[tuple[str, int, str]]:
    """Channel, number and digest of everything admitted, in order."""
    return await store.read(
        lambda db: [
            (row["channel"], row["seq"], row["digest"])
            for row in db.execute("SELECT * FROM admitted ORDER BY row")
        ]
    )


async def has(store: Inbox, count: int) -> bool:
    """Whether it has admitted so many, or more."""
    return len(await admitted(store)) >= count


async def refusals(store: Inbox) -> list[str]:
    """The reasons in quarantine."""
    return [row.reason for row in await store.read(lambda db: summary.quarantine(db, 100))]
