"""Three countries and a union on one machine, each with a real server, joined by links that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain, product
from pathlib import Path

import msgspec

from bus import ceremony, nkey
from bus.connection import Endpoint
from bus.demo.world import OFFICES, Member, audiences
from bus.federation import Country, Federation, Node, Union
from bus.federation import Path as Way
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.server.joins import Membership
from bus.signing import FileSigner
from bus.trust import VerifiedRegistry
from schemas.registry import Audience
from tests.worlds import World, key_record, record_of, signed_registry

CSIRT = next(office for office in OFFICES if office.suffix == "csirt")
COUNTRIES = ("xa", "xb", "xc")


def federated_world(now: dt.datetime) -> World:
    """A computer emergency team and a hub in each of three countries."""
    members = [
        Member(id=f"{cc}-{suffix}", country=cc.upper(), office=office)
        for cc in COUNTRIES
        for suffix, office in (("csirt", CSIRT), ("hub", None))
    ]
    everybody = tuple(member.id for member in members)
    named = {name: Audience(scope=each.scope, members=everybody) for name, each in audiences().items()}
    roots = tuple(FileSigner.generate() for _ in range(2))
    beacon = FileSigner.generate()
    document = ceremony.new_registry(
        domain="test",
        root_keys=[key_record(each, now) for each in roots],
        root_threshold=2,
        beacon_keys=[key_record(beacon, now)],
        beacon_threshold=1,
        audiences=named,
        now=now - dt.timedelta(hours=1),
        lifetime=dt.timedelta(days=90),
    )
    signers = {member.id: FileSigner.generate() for member in members}
    nkeys = {member.id: nkey.generate() for member in members}
    for member in members:
        record = record_of(member, signers[member.id], nkeys[member.id][1], now)
        document = ceremony.add_authority(document, member.id, record)
    raw = signed_registry(document, roots)
    registry = VerifiedRegistry.open(raw)
    registry = registry.with_beacon(ceremony.new_beacon(registry, beacon, now, dt.timedelta(hours=6)), now)
    return World(
        now=now,
        registry=registry,
        raw=raw,
        pin=registry.digest,
        roots=roots,
        beacon=beacon,
        signers=signers,
        nkeys=nkeys,
    )


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cable:
    """A way to a port that can be cut: what is on it is lost, and nobody gets through until it is mended."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.port = 0
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        """Let traffic through; at the same port as before."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection and take no other."""
        if self._server is not None:
            self._server.close()
        for end in list(self._ends):
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.close()
            return
        self._ends |= {writer, far_writer}
        try:
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        finally:
            self._ends -= {writer, far_writer}
            for each in (writer, far_writer):
                each.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A running federation; `cables` are the ways of each country to each place it connects to."""

    world: World
    servers: dict[str, NatsServer]
    settings: dict[str, ServerSettings]
    cables: dict[tuple[str, str], list[Cable]]
    provisioners: dict[str, tuple[str, str]]

    def endpoint(self, identity: str) -> Endpoint:
        """An identity's place, at its own country's server."""
        country = identity.split("-", 1)[0]
        seed, _ = self.world.nkeys[identity]
        url = self.servers[country].url
        return Endpoint(url=url, authority_id=identity, nkey_seed=seed, name=f"test {identity}")

    async def cut(self, country: str) -> None:
        """Take a country off all others."""
        for cable in self._of(country):
            await cable.cut()

    async def mend(self, country: str) -> None:
        """And join it again."""
        for cable in self._of(country):
            await cable.mend()

    def _of(self, country: str) -> Iterator[Cable]:
        return chain.from_iterable(cables for ends, cables in self.cables.items() if country in ends)


@asynccontextmanager
async def joined(
    folder: Path,
    now: dt.datetime,
    *,
    unions: Iterable[str] = ("union",),
    nodes: int = 1,
    paths: Iterable[tuple[str, str]] = (),
) -> AsyncIterator[Joined]:
    """Start everything, each server with its own view of where the others are: behind its own cables.

    A union of several nodes has a server `<name>-<n>` for each.
    """
    world = federated_world(now)
    unions, ways = tuple(unions), tuple(Way(from_=a, to=b) for a, b in paths)
    leaves = {cc: nkey.generate() for cc in COUNTRIES}
    listening = {union: [free_port() for _ in range(nodes)] for union in unions}
    listening |= {way.to: [free_port()] for way in ways}
    routes = {union: [f"nats-route://127.0.0.1:{free_port()}" for _ in range(nodes)] for union in unions}
    cables = {
        (cc, place): [Cable(port) for port in listening[place]]
        for cc, place in (*product(COUNTRIES, unions), *((way.from_, way.to) for way in ways))
    }

    def seen_by(name: str) -> Federation:
        def of(place: str) -> tuple[Node, ...]:
            ports = listening.get(place, [])
            here = [cable.port for cable in cables.get((name, place), [])] or ports
            clustered = routes[place] if place in unions and nodes > 1 else [None] * len(ports)
            return tuple(
                Node(leaf=f"nats-leaf://127.0.0.1:{at}", listen=f"127.0.0.1:{port}", route=route)
                for at, port, route in zip(here, ports, clustered, strict=True)
            )

        return Federation(
            unions={union: Union(nodes=of(union)) for union in unions},
            countries={cc: Country(leaf=leaves[cc][1], nodes=of(cc)) for cc in COUNTRIES},
            paths=ways,
        )

    servers: dict[str, NatsServer] = {}
    settings: dict[str, ServerSettings] = {}
    provisioners: dict[str, tuple[str, str]] = {}
    async with AsyncExitStack() as stack:
        for cable in chain.from_iterable(cables.values()):
            await cable.mend()
            stack.push_async_callback(cable.cut)
        for name in (*unions, *COUNTRIES):
            federation, linker, key = seen_by(name), nkey.generate()[0], nkey.generate()
            many = nodes if name in unions else 1
            for node in range(many):
                called = name if many == 1 else f"{name}-{node + 1}"
                member = Membership(
                    federation=federation,
                    name=name,
                    node=node,
                    linker_seed=linker,
                    leaf_seed=leaves[name][0] if name in leaves else None,
                )
                provisioners[called] = key
                settings[called] = ServerSettings(name=called, member=member)
                conf = render_conf(world.registry, settings=settings[called], provisioner_nkey=key[1])
                servers[called] = NatsServer(folder / called, conf)
        await asyncio.gather(*(stack.enter_async_context(server) for server in servers.values()))
        for name, server in servers.items():
            if not name.endswith(("-2", "-3")):  # one node makes what the whole cluster has
                await provision(server.url, provisioners[name][0], world.registry, settings=settings[name])
        yield Joined(
            world=world, servers=servers, settings=settings, cables=cables, provisioners=provisioners
        )
