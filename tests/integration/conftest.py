"""A real nats-server, configured and provisioned from a test world's registry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from bus.federation.plan import Seat
from bus.keys import nkeys
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.transport.connection import Endpoint
from tests.worlds import World, shared_world


class Stage(Protocol):
    """Where a test's programs play: a world, and each identity's place on the bus that serves it."""

    @property
    def world(self) -> World:
        """The registry, and everybody's keys."""

    def endpoint(self, identity: str, /) -> Endpoint:
        """An identity's place on the bus."""


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """A running broker and the world it serves."""

    world: World
    server: NatsServer
    provisioner: tuple[str, str]
    seat: Seat | None = None

    def endpoint(self, identity: str) -> Endpoint:
        """An identity's place on the bus."""
        seed, _ = self.world.nkeys[identity]
        return Endpoint(url=self.server.url, authority_id=identity, nkey_seed=seed, name=f"test {identity}")


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A fresh broker for one test."""
    world = shared_world()
    seed, public = nkeys.generate()
    conf = render_conf(world.registry, settings=ServerSettings(), provisioner_nkey=public)
    async with NatsServer(tmp_path / "server", conf) as server:
        await provision(server.url, seed, world.registry)
        yield Bus(world=world, server=server, provisioner=(seed, public))
