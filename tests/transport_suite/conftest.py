"""Brokers that serve the shared world: one in memory, and a nats-server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from bus.federation.plan import (
    HOME,
    BrokerRole,
    Country,
    Federation,
    Node,
    guests,
    identity_at,
    served_authorities,
)
from bus.federation.plan import Path as Way
from bus.keys import nkeys
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.server.provisioning import layout
from bus.transport.connection import Endpoint
from bus.transport.memory import MemoryBroker
from bus.transport.permissions import Permissions, permissions_of
from bus.transport.streams import PROVISIONER
from tests.support.stage import entered
from tests.support.world import World, shared_world

COUNTRIES = ("xa", "xb")
CARRIER_KEYS = {country: nkeys.generate() for country in COUNTRIES}
JOINED = Federation(
    countries={
        country: Country(
            carrier=CARRIER_KEYS[country][1], nodes=(Node(url=f"nats://{country}.example:4222"),)
        )
        for country in COUNTRIES
    },
    paths=(Way(from_="xa", to="xb"),),
)


class Broker(Protocol):
    """A broker that is provisioned for the shared world."""

    def endpoint(self, identity: str, /) -> Endpoint:
        """An identity's place; under the name of `PROVISIONER` is here who may do everything, as the machine's holder may."""

    async def forbid(self, identity: str, pattern: str, /) -> None:
        """Take a pattern from what an identity may publish."""

    async def stop(self) -> None:
        """End it; what is stored stays."""

    async def start(self) -> None:
        """Start it again."""


class InMemory:
    """The broker in memory."""

    def __init__(self, world: World, seat: BrokerRole | None = None) -> None:
        self.broker = MemoryBroker()
        self.broker.jetstream.provision(*layout(world.registry, seat))
        self._allowed: dict[str, Permissions] = {}
        self.broker.let_in(PROVISIONER)
        for identity in served_authorities(world.registry, seat):
            self._let_in(identity, permissions_of(world.registry, identity))
        for guest in guests(world.registry, seat) if seat else ():
            self._let_in(guest.identity, guest.permissions)

    def _let_in(self, identity: str, allowed: Permissions) -> None:
        self._allowed[identity] = allowed
        self.broker.let_in(identity, allowed)

    def endpoint(self, identity: str) -> Endpoint:
        """An identity's place."""
        return self.broker.endpoint(identity)

    async def forbid(self, identity: str, pattern: str) -> None:
        """Take a pattern from what an identity may publish."""
        allowed = self._allowed[identity]
        assert pattern in allowed.publish
        left = tuple(each for each in allowed.publish if each != pattern)
        self._let_in(identity, Permissions(publish=left, subscribe=allowed.subscribe))

    async def stop(self) -> None:
        """End it."""
        self.broker.stop()

    async def start(self) -> None:
        """Start it again."""
        self.broker.start()


class Nats:
    """A nats-server."""

    def __init__(self, world: World, folder: Path, seat: BrokerRole | None = None) -> None:
        self._world = world
        self._seat = seat
        self._provisioner = nkeys.generate()
        settings = ServerSettings(name=seat.name if seat else "tocsin", seat=seat)
        self._machine = nkeys.generate()
        conf = render_conf(world.registry, settings=settings, provisioner_nkey=self._provisioner[1])
        self._conf = entered(conf, self._machine[1])
        self.server = NatsServer(folder, self._conf)

    async def provision(self) -> None:
        """Make its streams."""
        await provision(self.server.url, self._provisioner[0], self._world.registry, seat=self._seat)

    def endpoint(self, identity: str) -> Endpoint:
        """An identity's place."""
        return Endpoint(
            url=self.server.url, authority_id=identity, nkey_seed=self._seed(identity), name=identity
        )

    def _seed(self, identity: str) -> str:
        if identity == PROVISIONER:
            return self._machine[0]
        carriers = {HOME: CARRIER_KEYS[self._seat.name][0]} if self._seat else {}
        carriers |= {identity_at(country): key[0] for country, key in CARRIER_KEYS.items()}
        return carriers.get(identity) or self._world.nkeys[identity][0]

    async def forbid(self, identity: str, pattern: str) -> None:
        """Take a pattern from what an identity may publish; it must be that identity's alone."""
        assert (
            self._conf.count(f'"{pattern}", "') == 1
        )  # in its user's list; an export has it in another form
        await self.server.reload(self._conf.replace(f'"{pattern}", "', '"'))

    async def stop(self) -> None:
        """End it."""
        self.server.kill()

    async def start(self) -> None:
        """Start it again."""
        await self.server.restart()


@pytest.fixture
def world() -> World:
    """The world that every broker serves."""
    return shared_world()


@pytest.fixture(params=["memory", "nats"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which transport."""
    return str(request.param)


@pytest.fixture
async def broker(kind: str, world: World, tmp_path: Path) -> AsyncIterator[Broker]:
    """One broker that serves everybody."""
    if kind == "memory":
        yield InMemory(world)
        return
    nats = Nats(world, tmp_path / "server")
    async with nats.server:
        await nats.provision()
        yield nats


@pytest.fixture
async def brokers(kind: str, world: World, tmp_path: Path) -> AsyncIterator[dict[str, Broker]]:
    """A broker for each of two countries with a path between them."""
    seats = {country: BrokerRole(federation=JOINED, name=country) for country in COUNTRIES}
    if kind == "memory":
        yield {country: InMemory(world, seat) for country, seat in seats.items()}
        return
    made = {country: Nats(world, tmp_path / country, seat) for country, seat in seats.items()}
    async with made["xa"].server, made["xb"].server:
        for nats in made.values():
            await nats.provision()
        yield dict(made)


def places(brokers: dict[str, Broker]) -> dict[str, Endpoint]:
    """The places of the carrier of XA: at home, and at the other end of its path."""
    return {"xa": brokers["xa"].endpoint(HOME), "xb": brokers["xb"].endpoint(identity_at("xa"))}
