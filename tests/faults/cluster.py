"""A cluster of three nodes for one country, with a switch on every route between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bus.demo.federation import free_port
from bus.errors import BusError
from bus.federation.plan import BrokerRole, Country, Federation, Node
from bus.keys import nkeys
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.server.binary import ServerError
from bus.transport.connection import Endpoint
from bus.transport.jetstream import js_api
from bus.trust.registry import VerifiedRegistry
from tests.faults.switch import Switch
from tests.support.stage import connected, entered
from tests.support.waiting import eventually
from tests.support.world import World, shared_world

NAMES = ("n1", "n2", "n3")


class Cluster:
    """Three nodes of XA, and the switch between them."""

    def __init__(self, world: World, servers: dict[str, NatsServer], switch: Switch, machine: str) -> None:
        self.world, self.servers, self.switch = world, servers, switch
        self._machine = machine

    def endpoint(self, identity: str, *nodes: str) -> Endpoint:
        """An identity's place at some nodes, or at all."""
        url = ",".join(self.servers[each].url for each in nodes or NAMES)
        return Endpoint(
            url=url, authority_id=identity, nkey_seed=self.world.nkeys[identity][0], name=identity
        )

    def leader(self, stream: str, without: str = "") -> str:
        """Who leads a stream, as one of the others says."""
        for name, server in self.servers.items():
            if name == without:
                continue
            found = server.monitor("jsz?accounts=1&streams=1")
            for account in found.get("account_details") or ():
                for each in account.get("stream_detail") or ():
                    if each["name"] == stream and (lead := each.get("cluster", {}).get("leader")):
                        return str(lead)
        raise AssertionError(f"nobody leads {stream}")

    def node_of(self, identity: str) -> str:
        """The node to which an identity is connected."""
        for name, server in self.servers.items():
            if any(each.get("name") == identity for each in server.monitor("connz")["connections"]):
                return name
        raise AssertionError(f"{identity} is connected to no node")

    async def hand_over(self, node: str, stream: str, consumer: str = "") -> None:
        """Let a node lead a stream, or one of its consumers: it is the one whose store is read."""
        kind, place = ("CONSUMER", f"{stream}.{consumer}") if consumer else ("STREAM", stream)
        url = ",".join(each.url for each in self.servers.values())
        machine = Endpoint(url=url, authority_id="machine", nkey_seed=self._machine, name="machine")
        async with connected(machine) as connection:

            async def is_led_by_it() -> bool:
                with contextlib.suppress(BusError):
                    if (await js_api(connection, f"{kind}.INFO.{place}"))["cluster"].get("leader") == node:
                        return True
                    await js_api(
                        connection, f"{kind}.LEADER.STEPDOWN.{place}", {"placement": {"preferred": node}}
                    )
                return False

            await eventually(is_led_by_it, pause_s=0.5)

    async def is_whole(self, name: str) -> bool:
        """Whether a node has all that the others have, as far as it knows."""
        try:
            found = await asyncio.to_thread(self.servers[name].monitor, "healthz")
        except ServerError:
            return False  # it answers so while it catches up
        return bool(found.get("status") == "ok")


@asynccontextmanager
async def nodes(
    folder: Path,
    registry: VerifiedRegistry,
    names: Sequence[str],
    *,
    routes: Mapping[str, int] | None = None,
    changed: Callable[[str, str], str] = lambda _, conf: conf,
) -> AsyncIterator[tuple[dict[str, NatsServer], str]]:
    """Brokers of XA, one or a cluster, and the seed of the identity that has made their streams.

    Args:
        folder: where each has its own.
        registry: what they serve.
        names: of the nodes; one alone has no seat in a federation.
        routes: the port at which each node is dialled by the others; free ones by default.
        changed: makes another configuration of a node's name and its own.
    """
    seed, public = nkeys.generate()
    ports = {name: free_port() for name in names}
    dialled = routes or {name: free_port() for name in names}
    places = tuple(
        Node(url=f"nats://127.0.0.1:{ports[name]}", route=f"nats-route://127.0.0.1:{dialled[name]}")
        for name in names
    )
    federation = Federation(countries={"xa": Country(carrier=nkeys.generate()[1], nodes=places)})
    seats = {
        name: BrokerRole(federation=federation, name="xa", node=n) if len(names) > 1 else None
        for n, name in enumerate(names)
    }
    servers = {}
    for name, seat in seats.items():
        settings = ServerSettings(name=name, port=ports[name], seat=seat, route_secret="test")
        conf = render_conf(registry, settings=settings, provisioner_nkey=public)
        servers[name] = NatsServer(folder / name, changed(name, conf))
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(server) for server in servers.values()))
        await provision(servers[names[0]].url, seed, registry, seat=seats[names[0]])
        yield servers, seed


@asynccontextmanager
async def clustered(folder: Path) -> AsyncIterator[Cluster]:
    """Three nodes of the shared world, with a switch on every route between them."""
    world = shared_world()
    routes = {name: (free_port(), free_port()) for name in NAMES}
    machine, public = nkeys.generate()

    def behind_switch(name: str, conf: str) -> str:
        dialled, port = routes[name]
        there = f'  listen: "127.0.0.1:{dialled}"\n'
        assert there in conf
        moved = conf.replace(there, f'  listen: "127.0.0.1:{port}"\n  advertise: "127.0.0.1:{dialled}"\n')
        return entered(moved, public)

    switch = Switch(routes)
    dialled = {name: ports[0] for name, ports in routes.items()}
    await switch.open()
    try:
        async with nodes(folder, world.registry, NAMES, routes=dialled, changed=behind_switch) as (
            servers,
            _,
        ):
            yield Cluster(world, servers, switch, machine)
    finally:
        await switch.close()
