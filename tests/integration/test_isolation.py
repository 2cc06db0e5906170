"""No identity makes the server write or speak for it: whatever it names as the reply of its own calls, nothing gets there.

Each kind of identity, with its real key, makes every call that it may make, with a foreign subject of every class as the
reply. What it reaches is looked for in the streams, at others' inboxes, and by a listener that was put into the account of
the streams, who hears all that goes through there.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg

from bus.demo.federation import found
from bus.errors import BrokerError, UnreachableError
from bus.federation.plan import HOME, BrokerRole, Country, Federation, Node, guests, identity_at
from bus.keys import nkeys
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.server.accounts import members
from bus.server.checks import check
from bus.server.isolation import provisioner_check
from bus.server.provisioning import provisioner_endpoint
from bus.transport.connection import Endpoint, NatsConnection
from bus.transport.jetstream import js_api, publish, stream_names
from bus.transport.permissions import Permissions, permissions_of
from bus.transport.streams import HEADS_EACH, PROVISIONER
from schemas.subject import matches
from tests.faults.cluster import NAMES, nodes
from tests.integration.test_server_follows import changed, may
from tests.support.clocks import utc_now
from tests.support.stage import STREAMS, Bus, connected, federation, send, serving
from tests.support.waiting import eventually, longest
from tests.support.world import chain, shared_world

WORLD = shared_world()
ASKED: tuple[tuple[bytes, dict[str, str] | None], ...] = (
    (b"", None),
    (b'{"batch": 5, "no_wait": true}', None),
    (b'{"batch": 5, "expires": 200000000, "idle_heartbeat": 100000000}', None),
    (b'{"batch": 1000000, "expires": 1}', None),
    (b'{"seq": 1}', None),
    (b"{}", {"Nats-Request-Info": '{"acc":"BUS","svc":"BUS"}'}),
)
"""What a call of the JetStream API may ask: requests of every kind, good and broken."""

SAID: tuple[tuple[bytes, dict[str, str] | None], ...] = (
    (b"+NXT", {"Nats-Msg-Id": "isolated"}),
    (b"x", {"Nats-Expected-Last-Sequence": "9007199254740992"}),
    (b"x", {"Nats-Expected-Stream": "TRUST"}),
    (b"x", {"Nats-Batch-Id": "whole", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"}),
    (b"x", {"Nats-Batch-Id": "broken", "Nats-Batch-Sequence": "7", "Nats-Batch-Commit": "1"}),
    (b"x", {"Nats-Schedule": "@every 1s", "Nats-Schedule-Target": "tocsin.trust.v1.registry"}),
    (b"x", {"Nats-Trace-Dest": "tocsin.trust.v1.registry"}),
    (b"x", {"Nats-Request-Info": '{"acc":"BUS","svc":"BUS"}'}),
    (b"x", {"Nats-Rollup": "all"}),
    (b"x", {"Nats-Incr": "1"}),
    (
        b"x",
        {
            "Nats-Expected-Last-Subject-Sequence": "0",
            "Nats-Expected-Last-Subject-Sequence-Subject": "tocsin.trust.v1.registry",
        },
    ),
    (
        b"x",
        {
            "nats-rollup": "all",
            "nats-ttl": "1s",
            "Nats-Marker-Reason": "Purge",
            "KV-Operation": "PURGE",
            "Nats-Schedule-Source": "tocsin.>",
        },
    ),
)
"""What a message may be: every header by which a server does something more than store it."""

FOREIGN = (
    "tocsin.trust.v1.registry",
    "tocsin.trust.v1.beacon",
    "tocsin.trust.v1.revoke.xa-emb",
    "tocsin.trust.v1.revoke.xc-csirt",
    "tocsin.v1.actual.green.community.xa.emb.cyber.cyber-threat.xa.none.p1",
    "tocsin.v1.actual.green.community.xc.csirt.cyber.cyber-threat.xc.none.p1",
    "tocsin.v1.beat.green.community.xc.hub.system.x.x.x.p4",
    "tocsin.v1.system.green.community.xc.hub.system.channel-status.xc.none.p4",
    "tocsin.probe.heard.x",
    "_INBOX_listener.x",
    "_INBOX_provisioner.x",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.PURGE.TRUST",
    "$JS.API.CONSUMER.DELETE.TRUST.provisioner",
    "$JS.API.CONSUMER.RESET.TRUST.provisioner",
    "$JS.API.CONSUMER.MSG.NEXT.TRUST.provisioner",
    "$JS.API.DIRECT.GET.TRUST",
    "$JS.API.INFO",
    "$JS.ACK.TRUST.provisioner.1.1.1.1.0",
    "$JS.FC.TRUST.provisioner.x",
    "$JS.SNAPSHOT.ACK.TRUST.x",
    "$SYS.REQ.SERVER.PING",
    "$SYS.REQ.SERVER.PING.CONNZ",
    "$SYS.REQ.USER.INFO",
    "$SRV.PING",
    "$KV.b.k",
    "$O.b.C.x",
    "$JS.hub.API.STREAM.NAMES",
    "$JS.EVENT.ADVISORY.STREAM.DELETED.x",
    "$JSC.R.x",
    "$NRG.P.x",
    "$GNR.x",
    "_R_.ABCDEF.ABCDEF",
    "_GR_.ABCDEF.ABCDEF.x",
)
"""A subject of each class that no ordinary identity may speak on."""


NODES = tuple(
    Node(url=f"nats://127.0.0.1:{4222 + n}", route=f"nats-route://127.0.0.1:{6222 + n}") for n in range(3)
)
SEAT = BrokerRole(
    federation=Federation(countries={"xa": Country(carrier=nkeys.generate()[1], nodes=NODES)}), name="xa"
)
"""A cluster's place, for its accounts and streams."""


class Listener:
    """Who stands in the account of the streams and hears everything that goes through it."""

    def __init__(self) -> None:
        self.seed, self.public = nkeys.generate()
        self.heard: list[tuple[str, bytes]] = []

    @property
    def entered(self) -> tuple[str, str]:
        """The change of a configuration by which it may enter."""
        return STREAMS, f"{STREAMS}\n    users: [ {{ nkey: {self.public} }} ]"

    @asynccontextmanager
    async def listening(self, url: str) -> AsyncIterator[None]:
        """Hear everything, from before the context to its end."""
        place = Endpoint(url=url, authority_id="listener", nkey_seed=self.seed, name="listener")

        async def hear(message: Msg) -> None:
            self.heard.append((message.subject, message.data))

        async with connected(place) as connection:
            await connection.client().subscribe(">", cb=hear)
            await connection.client().flush()
            yield
            await connection.client().flush()


MAY_DELETE = "$JS.API.CONSUMER.DELETE."


def literal(pattern: str) -> str:
    """A subject that a pattern of an allow list lets through."""
    return (
        pattern.replace(">", "cyber.cyber-threat.xa.none.p1")
        if pattern.startswith("tocsin.v1")
        else pattern.replace("*", "TRUST", 1).replace("*", PROVISIONER)
    )


def sayable(allowed: Permissions) -> list[str]:
    """A subject for each pattern that an identity may publish on."""
    kinds: dict[str, list[str]] = {}
    for call in allowed.publish:
        # What a stranger's call would delete, the provisioner may; what it may make is asked for with a body that makes nothing.
        if call.startswith(MAY_DELETE):
            continue
        # Calls of one kind differ in whose consumer it is; messages in their channel.
        kind = call.rsplit(".", 2)[0] if call.startswith("$JS") else call.partition(".v1.")[0]
        kinds.setdefault(kind, []).append(literal(call))
    return [call for several in kinds.values() for call in {several[0], several[-1]}]


async def assault(connection: NatsConnection, allowed: Permissions, goals: Iterable[str]) -> list[str]:
    """Every call of an identity with every goal as its reply. Returns the goals that are not its own subjects."""
    own = tuple(allowed.publish)
    foreign = [goal for goal in goals if not any(matches(pattern, goal) for pattern in own)]
    client = connection.client()
    for call in sayable(allowed):
        for goal in foreign:
            for body, headers in ASKED if call.startswith("$JS") else SAID:
                await client.publish(call, body, reply=goal, headers=dict(headers) if headers else None)
        await client.flush()
    # A request that expires is answered then; what was sent before is dealt with before what is asked now.
    await asyncio.sleep(0.4)
    await client.flush()
    return foreign


async def subjects_of(owner: NatsConnection) -> dict[str, Mapping[str, int]]:
    """How many messages each stream has of each subject."""
    found_ = {}
    for name in await stream_names(owner):
        info = await js_api(owner, f"STREAM.INFO.{name}", {"subjects_filter": ">"})
        found_[name] = info["state"].get("subjects") or {}
    return found_


def added(before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]) -> set[str]:
    """The subjects of which a stream has more than before."""
    return {
        subject
        for name, subjects in after.items()
        for subject, count in subjects.items()
        if count > before.get(name, {}).get(subject, 0)
    }


async def nothing_passes(
    owner: NatsConnection, attacker: Endpoint, allowed: Permissions, listener: Listener, url: str
) -> None:
    """Try all, and look everywhere."""
    before = await subjects_of(owner)
    goals = list(FOREIGN)
    async with listener.listening(url), connected(attacker) as connection:
        foreign = await assault(connection, allowed, goals)
    assert len(foreign) > len(goals) // 2
    passed = {subject for subject, _ in listener.heard} & set(foreign)
    assert passed == set(), attacker.authority_id
    more = added(before, await subjects_of(owner))
    assert all(any(matches(pattern, each) for pattern in allowed.publish) for each in more), more
    for name in ("TRUST", "STATEMENTS"):
        await js_api(owner, f"CONSUMER.INFO.{name}.provisioner")  # nobody has deleted it


KINDS = {"speaks and reads": "xa-csirt", "a hub": "xb-hub", "of another country": "xb-dpa"}


@pytest.mark.parametrize("identity", KINDS.values(), ids=KINDS.keys())
async def test_no_reply_of_an_authority_reaches_anything_of_others(tmp_path: Path, identity: str) -> None:
    """A publisher, a hub, and an authority of another country, on one broker."""
    listener = Listener()
    async with (
        serving(tmp_path, WORLD, ServerSettings(), listener.entered) as bus,
        connected(bus.owner) as owner,
    ):
        await speak_once(bus, identity)
        allowed = permissions_of(WORLD.registry, identity)
        await nothing_passes(owner, bus.endpoint(identity), allowed, listener, bus.server.url)


async def speak_once(bus: Bus, identity: str) -> None:
    """Let there be a message that its own consumers would deliver, with headers of its choice."""
    if WORLD.registry.authority(identity).publish and not identity.endswith("hub"):
        async with connected(bus.endpoint(identity)) as speaker:
            await send(speaker, chain(WORLD, 1, identity)[0])


async def test_no_reply_of_the_provisioner_reaches_anything_of_others(tmp_path: Path) -> None:
    """It may make streams; it hears and writes nothing by a reply."""
    listener = Listener()
    async with (
        serving(tmp_path, WORLD, ServerSettings(), listener.entered) as bus,
        connected(bus.owner) as owner,
    ):
        (one,) = [each for each in members(WORLD.registry, bus.provisioner[1]) if each.name == PROVISIONER]
        await nothing_passes(owner, bus.owner, one.permissions, listener, bus.server.url)


async def test_no_reply_of_a_carrier_reaches_anything_of_others(tmp_path: Path) -> None:
    """At a union, where it is a guest, and at home, where it speaks for the others."""
    listener = Listener()
    async with federation(tmp_path, found(utc_now())) as nations:
        carrier = nations.joins.carriers["xa"]
        registry = nations.world.registry
        for place, identity in (("union", identity_at("xa")), ("xa", HOME)):
            server = nations.joins.servers[place]
            await server.reload(server.conf.replace(*listener.entered, 1))
            guest = next(
                each for each in guests(registry, nations.joins.seats[place]) if each.identity == identity
            )
            async with nations.owner(place) as owner:
                await nothing_passes(owner, carrier.endpoints[place], guest.permissions, listener, server.url)


async def test_a_reply_that_is_its_own_subject_is_stored_nowhere(bus: Bus) -> None:
    """The answer ends in the caller's account, where nobody hears it: not even its own channel takes it."""
    own = chain(WORLD, 1)[0]
    place = "WORLD_SYSTEM.xa-csirt_receipts"
    async with connected(bus.owner) as owner, connected(bus.endpoint("xa-csirt")) as author:
        before = await subjects_of(owner)
        client = author.client()
        await client.publish(f"$JS.API.CONSUMER.INFO.{place}", b"", reply=own.subject)
        await client.publish(
            f"$JS.API.CONSUMER.INFO.{place}", b"", reply=f"$JS.API.CONSUMER.MSG.NEXT.{place}"
        )
        await js_api(author, f"CONSUMER.INFO.{place}")  # what was asked before is answered
        assert (await send(author, own)).seq == 1
        assert added(before, await subjects_of(owner)) <= {own.subject}


async def test_a_header_of_the_server_is_shown_to_no_reader(bus: Bus) -> None:
    """Who asked, from which account, is told to the streams' account alone: single, in a batch, and of a claimed one nothing."""
    one, two = chain(WORLD, 2)
    async with (
        connected(bus.endpoint("xa-csirt")) as author,
        bus.machine() as machine,
    ):
        await send(author, one)
        for place in (1, 2):
            batch = {"Nats-Batch-Id": "b", "Nats-Batch-Sequence": str(place)}
            batch |= {"Nats-Batch-Commit": "1"} if place == 2 else {}
            answer = author.request(two.subject, b"%d" % place, batch, longest())
            if place == 2:
                assert (await answer)["count"] == 2
            else:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(answer, 0.2)
        for seq in (1, 2, 3):
            stored = (await js_api(machine, "STREAM.MSG.GET.XA-CSIRT_ACTUAL", {"seq": seq}))["message"]
            assert b"Request-Info" not in base64.b64decode(stored.get("hdrs", ""))


async def test_the_check_of_a_running_broker_tries_its_walls(tmp_path: Path) -> None:
    """Sound as it is made; where one account holds everybody, the walls fail, and nothing of others was written to."""

    async def walls(bus: Bus) -> tuple[bool, str]:
        checks = await check(
            url=bus.server.url,
            monitor_url=bus.server.monitor_url,
            provisioner_seed=bus.provisioner[0],
            registry=WORLD.registry,
            conf_file=bus.server.folder / "nats-server.conf",
            binary=bus.server.binary,
            probe_seeds=bus.probes,
        )
        (one,) = [each for each in checks if each.name == "walls"]
        return one.ok, one.detail

    async with serving(tmp_path, WORLD) as bus:
        ok, detail = await walls(bus)
        assert ok, detail
        # The probe is moved into the account of the streams, with the same allow lists.
        conf = bus.server.conf
        probe = nkeys.public_of(bus.probes[0])
        line = next(each for each in conf.splitlines() if probe in each)
        moved = conf.replace(line, "", 1).replace(STREAMS, f"{STREAMS}\n    users: [\n{line}\n    ]", 1)
        await bus.server.reload(moved)
        async with connected(bus.owner) as owner:
            before = await subjects_of(owner)
            ok, detail = await walls(bus)
            assert not ok
            assert "tocsin.probe.heard" in detail
            assert all(each.startswith("tocsin.probe.") for each in added(before, await subjects_of(owner)))


@pytest.mark.short_faults
async def test_the_check_of_a_running_broker_tries_calls_that_the_provisioner_has_no_need_of(
    bus: Bus,
) -> None:
    """All are refused; where it is given the whole JetStream API, the check fails and names them."""

    async def found_() -> tuple[bool, str]:
        async with connected(bus.owner) as owner:
            one = await provisioner_check(owner)
        return one.ok, one.detail

    assert (await found_())[0]
    (wide,) = [line for line in bus.server.conf.splitlines() if bus.provisioner[1] in line]
    calls = wide[wide.index('"$JS.API.INFO"') : wide.index('"tocsin.trust')]
    exported = '{ service: "tocsin.nobody"'
    import_ = '{ service: { account: BUS, subject: "$JS.API.STREAM.NAMES" } }'
    conf = bus.server.conf.replace(wide, wide.replace(calls, '"$JS.API.>", '))
    conf = conf.replace(exported, f'{{ service: "$JS.API.>", accounts: ["provisioner"] }}\n{exported}', 1)
    await bus.server.reload(conf.replace(import_, import_.replace("STREAM.NAMES", ">"), 1))
    ok, detail = await found_()
    assert not ok
    assert "STREAM.PURGE.PROBE" in detail


@pytest.mark.short_faults
async def test_a_cluster_keeps_its_walls_and_its_ways_after_reloads(tmp_path: Path) -> None:
    """Three nodes, reloaded one after the other with a version that has another authority: it speaks, reads and is walled in at each."""
    seed, public = nkeys.generate()
    record = msgspec.structs.replace(
        WORLD.registry.authority("xa-csirt"), nkeys=(public,), keys={}, seal_keys={}
    )
    newer = changed(WORLD.registry, xa_newcomer=record)
    listener = Listener()
    async with nodes(
        tmp_path, WORLD.registry, NAMES, changed=lambda _, conf: conf.replace(*listener.entered, 1)
    ) as (
        servers,
        provisioner,
    ):
        for name in NAMES:
            server = servers[name]
            await server.reload(renewed(server, newer, provisioner, listener))
        await provision(servers[NAMES[0]].url, provisioner, newer, seat=SEAT)
        for name in NAMES:
            url = servers[name].url
            place = Endpoint(url=url, authority_id="xa-newcomer", nkey_seed=seed, name="newcomer")
            old = Endpoint(url=url, authority_id="xa-csirt", nkey_seed=WORLD.nkeys["xa-csirt"][0], name="old")
            owner_at = provisioner_endpoint(url, provisioner)
            async with connected(place) as newcomer, connected(owner_at) as owner, connected(old) as csirt:
                subject = "tocsin.v1.actual.green.community.xa.newcomer.cyber.x.xa.none.p1"

                async def stored(speaker: NatsConnection = newcomer, subject: str = subject) -> bool:
                    with contextlib.suppress(
                        BrokerError, UnreachableError
                    ):  # its stream has only now a leader
                        return (await publish(speaker, subject, b"x", {})).stream == "XA-NEWCOMER_ACTUAL"
                    return False

                await eventually(stored)
                info = await js_api(
                    newcomer, "CONSUMER.INFO.XA-NEWCOMER_ACTUAL.xa-newcomer_own", timeout=longest()
                )
                assert info["num_pending"] >= 0
                assert await may(csirt, chain(WORLD, 1)[0])
                await eventually(partial(copied, owner))
                await nothing_passes(owner, place, permissions_of(newer, "xa-newcomer"), listener, url)


async def copied(owner: NatsConnection) -> bool:
    """Whether what was said before has come to the streams that copy it, which take it in a little later."""
    held = await subjects_of(owner)
    of_all = {"TRUST", "STATEMENTS", "PROBE"}
    said = {name: each for name, each in held.items() if name not in of_all}
    copies = {name: said.pop(name) for name in held if name.startswith("WORLD_") or name.endswith("_HEADS")}
    everything, world = (
        {subject: count for name in names for subject, count in held[name].items()}
        for names in (said, [name for name in copies if name.startswith("WORLD_")])
    )
    heads = {name: each for name, each in copies.items() if name.endswith("_HEADS")}
    return world == everything and all(
        heads[f"{name.removesuffix('_SYSTEM')}_HEADS"].get(subject) == min(count, HEADS_EACH)
        for name, each in said.items()
        if name.endswith("_SYSTEM")
        for subject, count in each.items()
    )


def renewed(server: NatsServer, registry: Any, provisioner: str, listener: Listener) -> str:
    """The configuration of a node with the accounts of another registry."""
    settings = ServerSettings(seat=SEAT, route_secret="test")
    made = render_conf(registry, settings=settings, provisioner_nkey=nkeys.public_of(provisioner))
    accounts = made[made.index("accounts {") :].replace(*listener.entered, 1)
    return server.conf[: server.conf.index("accounts {")] + accounts


@pytest.mark.short_faults
async def test_a_stranger_on_this_machine_is_no_node(tmp_path: Path) -> None:
    """Whoever connects to a route without the cluster's secret is sent away."""
    async with nodes(tmp_path, WORLD.registry, NAMES) as (servers, _):
        route = json.loads(servers[NAMES[1]].conf.split("  routes: ")[1].splitlines()[0])[0]
        port = int(route.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await reader.readline()  # what the server says of itself
            writer.write(
                b'CONNECT {"server_id":"STRANGER","name":"stranger","cluster":"xa","lnoc":true}\r\nPING\r\n'
            )
            said = await asyncio.wait_for(reader.read(65536), 10)
            while b"-ERR" not in said and (more := await asyncio.wait_for(reader.read(65536), 10)):
                said += more
        finally:
            writer.close()
        assert b"Authorization Violation" in said
