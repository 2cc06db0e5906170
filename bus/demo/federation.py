"""A federation on one machine: three countries and unions between them, each with a real server, and connections that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from pathlib import Path

import msgspec

from bus.demo.countries import Member, hub_reads, key_record, publishes, record_of
from bus.demo.founding import BEACON_LIFETIME, new_registry, signed
from bus.demo.offices import OFFICES
from bus.federation import HOME, BrokerRole, Carrier, Country, Federation, Ledger, Node, Union, identity_at
from bus.federation import Path as Way
from bus.keys import FileSigner, nkeys
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.tasks import background
from bus.transport import Endpoint, country_of
from bus.trust import VerifiedRegistry, ceremony, proposals
from schemas.registry import Audience
from schemas.vocab import Scope

COUNTRIES = ("xa", "xb", "xc")
MONITOR_ABOVE = 4000
PORTS: tuple[int, ...] = (
    *range(8_000, 12_000),
    *range(16_000, 20_000),
    *range(24_000, 28_000),
)  # no two ports differ by 4000
"""Free ports are searched in this range, below the ports that a system gives to outgoing connections."""
_found: set[int] = set()  # given out by this process, but perhaps not bound yet
CSIRT = next(office for office in OFFICES if office.kind == "csirt")
NETWORKS = {
    "public": Scope.PUBLIC,
    "community": Scope.UNION,
    **{office.network: Scope.UNION for office in OFFICES},
}


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """A registry, the keys that signed it, and the keys of all its identities."""

    registry: VerifiedRegistry
    raw: bytes
    roots: tuple[FileSigner, ...]
    beacon: FileSigner
    signers: dict[str, FileSigner]
    nkeys: dict[str, tuple[str, str]]


def found(now: dt.datetime) -> Founded:
    """A computer emergency team and a hub in each of three countries; the hubs may answer, ask and help each other."""
    members = [
        Member(f"{cc}-{kind}", cc.upper(), office)
        for cc in COUNTRIES
        for kind, office in (("csirt", CSIRT), ("hub", None))
    ]
    everybody = tuple(member.id for member in members)
    roots, beacon = tuple(FileSigner.generate() for _ in range(2)), FileSigner.generate()
    signers = {name: FileSigner.generate() for name in everybody}
    transport_keys = {name: nkeys.generate() for name in everybody}
    records = {}
    for member in members:
        signer, (_, public) = signers[member.id], transport_keys[member.id]
        records[member.id] = record_of(
            member,
            {signer.kid: key_record(signer, now)},
            public,
            publish=publishes(member.office, member.country) if member.office else (),
            read=() if member.office else hub_reads(member.id),
        )
    document = new_registry(
        "demo-federation",
        roots=roots,
        beacon=beacon,
        audiences={name: Audience(scope=scope, members=everybody) for name, scope in NETWORKS.items()},
        records=records,
        now=now,
    )
    for member in members:
        if member.office is None:
            document = proposals.grant_receipts(document, member.id)
    raw = signed(document, roots)
    registry = VerifiedRegistry.open(raw)
    registry = registry.with_beacon(ceremony.new_beacon(registry, beacon, now, BEACON_LIFETIME), now)
    return Founded(
        registry=registry, raw=raw, roots=roots, beacon=beacon, signers=signers, nkeys=transport_keys
    )


def free_port() -> int:
    """A free port of PORTS whose monitoring port, MONITOR_ABOVE higher, is free too. A process never gets the same port twice."""
    while True:
        port: int = secrets.choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as twin:
            one.bind(("127.0.0.1", port))
            twin.bind(("127.0.0.1", port + MONITOR_ABOVE))
            if port not in _found:
                _found.add(port)
                return port


class Cable:
    """A TCP relay to a port that can be cut: its connections break, and new ones fail until it is restored."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.port = 0
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        """Let traffic through again, at the same port."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection and accept no new one."""
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
            writer.close()
            far_writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A running federation; `cables` are the connections of each country to each place."""

    founded: Founded
    servers: dict[str, NatsServer]
    seats: dict[str, BrokerRole]
    cables: dict[tuple[str, str], list[Cable]]
    provisioners: dict[str, tuple[str, str]]
    carriers: dict[str, Carrier]

    def endpoint(self, identity: str) -> Endpoint:
        """The endpoint of an authority, at its own country's broker."""
        seed, _ = self.founded.nkeys[identity]
        url = self.servers[country_of(identity)].url
        return Endpoint(url=url, authority_id=identity, nkey_seed=seed, name=identity)

    async def cut(self, country: str) -> None:
        """Cut a country off from all others."""
        for cable in self._of(country):
            await cable.cut()

    async def mend(self, country: str) -> None:
        """Connect a country again."""
        for cable in self._of(country):
            await cable.mend()

    def _of(self, country: str) -> Iterator[Cable]:
        return chain.from_iterable(cables for ends, cables in self.cables.items() if country in ends)


@asynccontextmanager
async def joined(
    folder: Path,
    founded: Founded,
    *,
    unions: Iterable[str] = ("union",),
    nodes: int = 1,
    paths: Iterable[tuple[str, str]] = (),
    registry: Callable[[], VerifiedRegistry] | None = None,
) -> AsyncIterator[Joined]:
    """Start every broker and every carrier.

    Args:
        folder: for the files of all servers.
        founded: the registry and keys.
        unions: names of the unions.
        nodes: number of nodes of each union; with several, each has a server `<name>-<n>`.
        paths: the connections between countries.
        registry: returns the present registry for the carriers, if it changes.
    """
    keys = {cc: nkeys.generate() for cc in COUNTRIES}
    federation = Federation(
        unions={
            union: Union(nodes=tuple(_node(is_clustered=nodes > 1) for _ in range(nodes))) for union in unions
        },
        countries={cc: Country(carrier=public, nodes=(_node(),)) for cc, (_, public) in keys.items()},
        paths=tuple(Way(from_=from_, to=to) for from_, to in paths),
    )
    cables = {
        (cc, place): [Cable(_port(node)) for node in federation.nodes(place)]
        for cc in COUNTRIES
        for place in federation.upstreams(cc)
    }
    servers: dict[str, NatsServer] = {}
    seats: dict[str, BrokerRole] = {}
    provisioners: dict[str, tuple[str, str]] = {}
    async with AsyncExitStack() as stack:
        for cable in chain.from_iterable(cables.values()):
            await cable.mend()
            stack.push_async_callback(cable.cut)
        for place in (*federation.unions, *COUNTRIES):
            members, key = federation.nodes(place), nkeys.generate()
            route_secret = secrets.token_hex(32)
            for number, node in enumerate(members):
                name = place if len(members) == 1 else f"{place}-{number + 1}"
                seats[name] = BrokerRole(federation=federation, name=place, node=number)
                settings = ServerSettings(
                    name=name, port=_port(node), seat=seats[name], route_secret=route_secret
                )
                conf = render_conf(founded.registry, settings=settings, provisioner_nkey=key[1])
                servers[name], provisioners[name] = NatsServer(folder / name, conf), key
        await stack.enter_async_context(_running(servers.values()))
        for name, server in servers.items():
            if seats[name].node == 0:  # one node makes the streams of the whole cluster
                await provision(server.url, provisioners[name][0], founded.registry, seat=seats[name])
        carriers = {}
        for cc in COUNTRIES:
            seed, identity = keys[cc][0], identity_at(cc)
            places = {cc: Endpoint(url=servers[cc].url, authority_id=HOME, nkey_seed=seed, name=HOME)}
            for place in federation.upstreams(cc):
                url = ",".join(f"nats://127.0.0.1:{cable.port}" for cable in cables[cc, place])
                name = f"{identity} at {place}"
                places[place] = Endpoint(url=url, authority_id=identity, nkey_seed=seed, name=name)
            carriers[cc] = Carrier(
                country=cc,
                federation=federation,
                registry=registry or (lambda: founded.registry),
                endpoints=places,
                ledger=await stack.enter_async_context(Ledger.open(folder / f"{cc}-carrier.db")),
                clock=lambda: dt.datetime.now(dt.UTC),
            )
        carrying = await stack.enter_async_context(background())
        for cc, carrier in carriers.items():
            carrying.start(carrier.run(), f"carrier of {cc}")
        yield Joined(
            founded=founded,
            servers=servers,
            seats=seats,
            cables=cables,
            provisioners=provisioners,
            carriers=carriers,
        )


def _node(*, is_clustered: bool = False) -> Node:
    """A node with free ports of this machine."""
    route = f"nats-route://127.0.0.1:{free_port()}" if is_clustered else None
    return Node(url=f"nats://127.0.0.1:{free_port()}", route=route)


def _port(node: Node) -> int:
    return int(node.url.rpartition(":")[2])


@asynccontextmanager
async def _running(servers: Collection[NatsServer]) -> AsyncIterator[None]:
    """Start all servers at the same time, and end them likewise."""
    try:
        await asyncio.gather(*(server.start() for server in servers))
        yield
    finally:
        await asyncio.gather(*(server.stop() for server in servers))
