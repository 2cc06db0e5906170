"""A cluster of three nodes for one country, with a switch on every route between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bus.demo.federation import free_port
from bus.errors import BusError
from bus.federation.plan import Country, Federation, Node, Seat
from bus.keys import nkeys
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.server.binary import ServerError
from bus.server.provision import provisioner_endpoint
from bus.transport.connection import Connection, Endpoint
from tests.faults.switch import Switch
from tests.support.waiting import longest
from tests.support.world import World, shared_world

NAMES = ("n1", "n2", "n3")


class Cluster:
    """Three nodes of XA, and the switch between them."""

    def __init__(
        self, world: World, servers: dict[str, NatsServer], switch: Switch, provisioner: str
    ) -> None:
        self.world, self.servers, self.switch = world, servers, switch
        self._provisioner = provisioner

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
        async with Connection.open(provisioner_endpoint(url, self._provisioner)) as connection:
            await connection.until_connected(longest())
            async with asyncio.timeout(60):
                while True:
                    with contextlib.suppress(BusError):
                        if (await connection.js_api(f"{kind}.INFO.{place}"))["cluster"].get("leader") == node:
                            return
                        await connection.js_api(
                            f"{kind}.LEADER.STEPDOWN.{place}", {"placement": {"preferred": node}}
                        )
                    await asyncio.sleep(0.5)

    async def is_whole(self, name: str) -> bool:
        """Whether a node has all that the others have, as far as it knows."""
        try:
            found = await asyncio.to_thread(self.servers[name].monitor, "healthz")
        except ServerError:
            return False  # it answers so while it catches up
        return bool(found.get("status") == "ok")


@asynccontextmanager
async def clustered(folder: Path) -> AsyncIterator[Cluster]:
    """Start it."""
    world = shared_world()
    seed, public = nkeys.generate()
    ports = {name: (free_port(), free_port(), free_port()) for name in NAMES}
    nodes = tuple(
        Node(url=f"nats://127.0.0.1:{ports[name][0]}", route=f"nats-route://127.0.0.1:{ports[name][1]}")
        for name in NAMES
    )
    federation = Federation(countries={"xa": Country(carrier=nkeys.generate()[1], nodes=nodes)})
    switch = Switch({name: ports[name][1:] for name in NAMES})
    servers = {}
    async with AsyncExitStack() as stack:
        await switch.open()
        stack.push_async_callback(switch.close)
        for n, name in enumerate(NAMES):
            settings = ServerSettings(
                name=name, port=ports[name][0], seat=Seat(federation=federation, name="xa", node=n)
            )
            conf = render_conf(world.registry, settings=settings, provisioner_nkey=public)
            dialled, port = ports[name][1:]
            there = f'  listen: "127.0.0.1:{dialled}"\n'
            assert there in conf
            conf = conf.replace(there, f'  listen: "127.0.0.1:{port}"\n  advertise: "127.0.0.1:{dialled}"\n')
            servers[name] = NatsServer(folder / name, conf)
        await asyncio.gather(*(stack.enter_async_context(each) for each in servers.values()))
        await provision(
            servers["n1"].url, seed, world.registry, seat=Seat(federation=federation, name="xa", node=0)
        )
        yield Cluster(world, servers, switch, seed)
