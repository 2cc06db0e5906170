"""The nodes of one cluster are parted: the smaller side takes nothing, the larger goes on, and nothing is lost."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from bus import nkey
from bus.connection import Connection, Endpoint
from bus.demo.federated import free_port
from bus.errors import BusError
from bus.federation import Country, Federation, Node, Seat
from bus.hub.run import HubService
from bus.inbox import Inbox
from bus.outbox import Outbox
from bus.publisher import Publisher
from bus.server import NatsServer, ServerSettings, provision, render_conf
from tests.faults.switch import Switch
from tests.integration.test_subscriber import admitted, until
from tests.worlds import DEFAULTS, Message, World, chain, draft, shared_world

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
NAMES = ("n1", "n2", "n3")


class Cluster:
    """Three nodes of XA, and the switch between them."""

    def __init__(self, world: World, servers: dict[str, NatsServer], switch: Switch) -> None:
        self.world, self.servers, self.switch = world, servers, switch

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


@asynccontextmanager
async def clustered(folder: Path) -> AsyncIterator[Cluster]:
    """Start it."""
    world = shared_world()
    seed, public = nkey.generate()
    ports = {name: (free_port(), free_port(), free_port()) for name in NAMES}
    nodes = tuple(
        Node(url=f"nats://127.0.0.1:{ports[name][0]}", route=f"nats-route://127.0.0.1:{ports[name][1]}")
        for name in NAMES
    )
    federation = Federation(countries={"xa": Country(carrier=nkey.generate()[1], nodes=nodes)})
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
        yield Cluster(world, servers, switch)


async def taken(connection: Connection, message: Message) -> bool:
    """Whether the broker acknowledges it."""
    try:
        await connection.publish(message.subject, message.payload, dict(message.headers))
    except BusError:
        return False
    return True


async def test_the_smaller_side_takes_nothing_and_the_larger_goes_on(tmp_path: Path) -> None:
    """Whoever was on the side of the old leader moves over; healed, everything is there once and in order."""
    async with clustered(tmp_path) as cluster, AsyncExitStack() as stack:
        world = cluster.world
        clock = lambda: world.now  # noqa: E731
        outbox = await stack.enter_async_context(Outbox.open(tmp_path / "outbox.db"))
        author = await stack.enter_async_context(
            Publisher.open(
                authority_id="xa-csirt",
                outbox=outbox,
                registry=lambda: world.registry,
                signers=(world.signers["xa-csirt"],),
                endpoint=cluster.endpoint("xa-csirt"),
                defaults=DEFAULTS,
                clock=clock,
                rng=secrets.token_bytes,
            )
        )
        store = await stack.enter_async_context(Inbox.open(tmp_path / "store.db", hold_s=1.0))
        service = HubService(
            authority_id="xa-hub",
            store=store,
            registry=lambda: world.registry,
            endpoint=cluster.endpoint("xa-hub"),
            clock=clock,
        )
        reading = asyncio.create_task(service.run())
        stack.callback(reading.cancel)

        async def own() -> list[int]:
            return [seq for channel, seq, _ in await admitted(store) if channel.startswith("xa-csirt/")]

        async def holds(count: int) -> bool:
            return len(await own()) == count

        for n in range(10):
            await author.publish(draft(f"before, {n}"))
        await until(lambda: holds(10), 60)
        lead = cluster.leader("XA_ACTUAL")
        cluster.switch.split({lead})
        for n in range(10):
            await author.publish(draft(f"apart, {n}"))
        async with Connection.open(cluster.endpoint("xa-dsc", lead)) as left:
            await left.until_connected(10)
            other = chain(world, 1, "xa-dsc")[0]
            with pytest.raises(BusError) as caught:
                await left.publish(other.subject, other.payload, dict(other.headers))
        assert caught.value.reason in ("unreachable", "no-stream")  # nobody is there to take it
        await until(partial(holds, 20), 60)
        assert cluster.leader("XA_ACTUAL", without=lead) != lead
        cluster.switch.heal()
        for n in range(10):
            await author.publish(draft(f"together, {n}"))
        await until(partial(holds, 30), 60)
        assert await own() == list(range(1, 31))
        assert {channel.partition("/")[0] for channel, _, _ in await admitted(store)} == {"xa-csirt"}
        async with Connection.open(cluster.endpoint("xa-dsc", lead)) as right:
            await right.until_connected(10)
            await until(partial(taken, right, other), 60)  # it is one of the cluster again
        assert service.subscriber.counts["refused"] == 0
