"""Countries joined by real servers: what goes where, what a cut costs, and what a union cannot do."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus.demo.federation import COUNTRIES, Founded, Joined, found, joined
from bus.errors import DeniedError
from bus.federation.carrier import Carrier
from bus.federation.ledger import Ledger
from bus.federation.registry_relay import TrustRelay
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.hub.watch.alarms import alarms
from bus.keys import nkeys
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.server import ServerSettings, provision, render_conf
from bus.server.checks import check
from bus.server.provision import provisioner_endpoint
from bus.subscribing.inbox import Inbox
from bus.subscribing.registry_feed import TrustFeed, publish_trust
from bus.tasks import background
from bus.transport.connection import Connection, Endpoint
from bus.transport.jetstream import js_api, publish
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from bus.trust.store import HeldRegistry
from schemas.subject import PREFIX
from schemas.vocab import Tlp
from tests.integration.test_heartbeats import beats_of
from tests.worlds import DEFAULTS, chain, draft, shared_world, signed_registry

PATIENCE_S = 60.0  # `examples/federation` measures how fast it is

pytestmark = pytest.mark.timeout(240)


def now() -> dt.datetime:
    """The present."""
    return dt.datetime.now(dt.UTC)


@asynccontextmanager
async def speaking(joins: Joined, identity: str, folder: Path) -> AsyncIterator[Publisher]:
    """An authority at its country's server."""
    async with (
        Outbox.open(folder / f"{identity}.db") as outbox,
        Publisher.open(
            authority_id=identity,
            outbox=outbox,
            registry=lambda: joins.founded.registry,
            signers=(joins.founded.signers[identity],),
            endpoint=joins.endpoint(identity),
            defaults=DEFAULTS,
            clock=now,
            rng=secrets.token_bytes,
        ) as publisher,
    ):
        assert await publisher.ready(20)
        yield publisher


@asynccontextmanager
async def reading(
    joins: Joined, identity: str, folder: Path, clock: Callable[[], dt.datetime] = now
) -> AsyncIterator[Inbox]:
    """A hub at its country's server."""
    async with (
        open_store(folder / f"{identity}.db", hold_s=60.0) as store,
        HubService.open(
            authority_id=identity,
            store=store,
            registry=lambda: joins.founded.registry,
            endpoint=joins.endpoint(identity),
            clock=clock,
            look_s=0.2,
        ),
    ):
        yield store


async def read(store: Inbox, channel: str) -> list[int]:
    """The numbers admitted on a channel, in the order they were."""
    return await store.read(
        lambda db: [
            row["seq"]
            for row in db.execute("SELECT seq FROM admitted WHERE channel = ? ORDER BY row", (channel,))
        ]
    )


async def until(ready: Callable[[], Awaitable[bool]], patience: float) -> float:
    """Wait for a condition; after how many seconds it came true."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await ready():
        assert loop.time() - began < patience, "it did not come true in time"
        await asyncio.sleep(0.05)
    return loop.time() - began


def green(country: str) -> str:
    """The channel on which the tests speak."""
    return f"{country}-csirt/actual.green.community"


async def test_the_checks_know_the_carriers(tmp_path: Path) -> None:
    """Everything stands as it must at a country's broker and at a union's, and who carries is there."""
    async with joined(tmp_path, found(now())) as joins:
        for name, carriers in (
            ("xa", {"carrier", "countries"}),
            ("union", {f"carrier_{cc}" for cc in COUNTRIES}),
        ):

            async def sound(name: str = name, carriers: set[str] = carriers) -> bool:
                server = joins.servers[name]
                checks = await check(
                    url=server.url,
                    monitor_url=server.monitor_url,
                    provisioner_seed=joins.provisioners[name][0],
                    registry=joins.founded.registry,
                    seat=joins.seats[name],
                    conf_file=server.folder / "nats-server.conf",
                    binary=server.binary,
                )
                assert [each.detail for each in checks if each.hard and not each.ok] == []
                return {each.name for each in checks if each.ok} >= carriers

            await until(sound, 20)


async def test_a_cut_country_goes_on_and_catches_up_when_it_is_joined_again(tmp_path: Path) -> None:
    """Publishing and reading at home never stop; afterwards nothing is lost, twice or out of order, on any side."""
    async with (
        joined(tmp_path, found(now())) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        speaking(joins, "xb-csirt", tmp_path) as theirs,
        reading(joins, "xa-hub", tmp_path) as at_home,
        reading(joins, "xb-hub", tmp_path) as abroad,
        reading(joins, "xc-hub", tmp_path) as elsewhere,
    ):
        stores = (at_home, abroad, elsewhere)

        async def have(count: int, *places: Inbox) -> bool:
            return all(
                [len(await read(store, green(cc))) >= count for store in places for cc in ("xa", "xb")]
            )

        for publisher in (ours, theirs):
            await publisher.publish(draft("before"))
        await until(lambda: have(1, *stores), 30)
        await joins.cut("xa")
        for n in range(20):
            for publisher in (ours, theirs):
                await publisher.publish(draft(f"while cut, {n}"))
        assert await ours.idle(10)  # stored at home, with the link down
        await until(lambda: _read_at_least(at_home, green("xa"), 21), 10)
        assert await read(at_home, green("xb")) == [1]
        assert await read(abroad, green("xa")) == [1]
        await joins.mend("xa")
        for publisher in (ours, theirs):
            await publisher.publish(draft("after"))
        await until(lambda: have(22, *stores), PATIENCE_S)
        for store in stores:
            for country in ("xa", "xb"):
                assert await read(store, green(country)) == list(range(1, 23))


async def _read_at_least(store: Inbox, channel: str, count: int) -> bool:
    return len(await read(store, channel)) >= count


async def test_of_two_unions_one_may_die_and_a_path_needs_none(tmp_path: Path) -> None:
    """Each bulletin is there once, though it comes several ways; with no union left, the direct path carries it."""
    async with (
        joined(tmp_path, found(now()), unions=("east", "west"), paths=(("xa", "xb"),)) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as neighbour,
        reading(joins, "xc-hub", tmp_path) as elsewhere,
    ):
        await ours.publish(draft("one"))
        await until(lambda: _read_at_least(neighbour, green("xa"), 1), 30)
        await until(lambda: _read_at_least(elsewhere, green("xa"), 1), 30)
        await joins.servers["east"].stop()
        await ours.publish(draft("two"))
        await until(lambda: _read_at_least(elsewhere, green("xa"), 2), PATIENCE_S)
        await joins.servers["west"].stop()
        await ours.publish(draft("three"))
        await until(lambda: _read_at_least(neighbour, green("xa"), 3), PATIENCE_S)
        for place, count in (("xb", 3), ("xc", 2)):
            async with provisioner(joins, place) as connection:
                info = await js_api(connection, "STREAM.INFO.XA_ACTUAL")
                assert info["state"]["messages"] == count


async def test_a_union_of_three_goes_on_without_its_leader(tmp_path: Path) -> None:
    """Killed, not stopped: what was said before and meanwhile arrives once, in order."""
    async with (
        joined(tmp_path, found(now()), nodes=3) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as abroad,
    ):
        await ours.publish(draft("before"))
        await until(lambda: _read_at_least(abroad, green("xa"), 1), 90)
        async with provisioner(joins, "union-1") as connection:
            leader = (await js_api(connection, "STREAM.INFO.XA_ACTUAL"))["cluster"]["leader"]
        joins.servers[leader].kill()
        for n in range(5):
            await ours.publish(draft(f"without a leader, {n}"))
        await until(lambda: _read_at_least(abroad, green("xa"), 6), 90)
        assert await read(abroad, green("xa")) == list(range(1, 7))


@asynccontextmanager
async def provisioner(joins: Joined, place: str) -> AsyncIterator[Connection]:
    """The identity that makes the streams of a place."""
    endpoint = provisioner_endpoint(joins.servers[place].url, joins.provisioners[place][0])
    async with Connection.open(endpoint) as connection:
        await connection.until_connected(5)
        yield connection


async def test_a_union_that_lost_its_store_is_given_everything_again(tmp_path: Path) -> None:
    """Wiped under traffic: the carrier notices by what is stored anew, and the readers see nothing twice."""
    async with (
        joined(tmp_path, found(now())) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as abroad,
    ):
        for n in range(12):
            await ours.publish(draft(f"before, {n}"))
        await until(lambda: _read_at_least(abroad, green("xa"), 12), 30)
        union = joins.servers["union"]
        await union.stop()
        shutil.rmtree(tmp_path / "union" / "jetstream")
        await union.start()
        seat = joins.seats["union"]
        await provision(union.url, joins.provisioners["union"][0], joins.founded.registry, seat=seat)
        await ours.publish(draft("after"))
        await until(lambda: _read_at_least(abroad, green("xa"), 13), 30)
        assert await read(abroad, green("xa")) == list(range(1, 14))
        async with provisioner(joins, "union") as connection:

            async def whole() -> bool:
                info = await js_api(connection, "STREAM.INFO.XA_ACTUAL")
                return bool(info["state"]["messages"] == 13)

            await until(whole, PATIENCE_S)


async def test_whoever_holds_a_union_speaks_for_nobody(tmp_path: Path) -> None:
    """What he makes of his own streams reaches no country's: it is not released, or not theirs who are asked for it."""
    async with (
        joined(tmp_path, found(now())) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as abroad,
        provisioner(joins, "union") as owner,
    ):
        await ours.publish(draft("first"))
        await until(lambda: _read_at_least(abroad, green("xa"), 1), 30)
        # A consumer that gives XB its own country's words, and others that are not for it.
        found_ = await js_api(owner, "CONSUMER.INFO.WORLD_ACTUAL.to_xb")
        wider = {**found_["config"], "filter_subjects": [f"{PREFIX}.>"]}
        await js_api(
            owner, "CONSUMER.CREATE.WORLD_ACTUAL.to_xb", {"stream_name": "WORLD_ACTUAL", "config": wider}
        )
        union = joins.servers["union"]
        seed, public = nkeys.generate()  # whoever holds the server may do anything there
        await union.reload(union.conf.replace("users: [", f"users: [\n      {{ nkey: {public} }}", 1))
        anything = Endpoint(url=union.url, authority_id="owner", nkey_seed=seed, name="owner")
        forged = chain(shared_world(), 3, issuer="xb-csirt")[2]
        red = forged.subject.replace(".green.community.xb.", ".red.xa-csirt.xa.")
        async with Connection.open(anything) as forger:
            await forger.until_connected(5)
            for subject in (forged.subject, red):
                await publish(forger, subject, forged.payload + subject.encode(), dict(forged.headers))
        said = await ours.publish(draft("second"))
        await until(lambda: _read_at_least(abroad, green("xa"), said.seq), PATIENCE_S)
        async with provisioner(joins, "xb") as connection:
            for stream, count in (("XB_ACTUAL", 0), ("XA_ACTUAL", 2)):
                info = await js_api(connection, f"STREAM.INFO.{stream}")
                assert info["state"]["messages"] == count


async def test_a_carrier_may_say_only_what_its_country_released(tmp_path: Path) -> None:
    """With its transport key: nothing of another country's at a union, nothing of its own country's at home."""
    async with joined(tmp_path, found(now())) as joins:
        mine, other = (chain(shared_world(), 1, issuer=f"{cc}-csirt")[0] for cc in ("xa", "xb"))
        endpoints = joins.carriers["xa"].endpoints
        for place, message in (("union", other), ("xa", mine)):
            async with Connection.open(endpoints[place]) as connection:
                await connection.until_connected(5)
                with pytest.raises(DeniedError):
                    await publish(connection, message.subject, message.payload, dict(message.headers), 2.0)


async def test_a_carrier_that_is_not_known_says_what_to_look_at(tmp_path: Path) -> None:
    """With another key than the one that the federation's file names, its problem names the file."""
    async with joined(tmp_path, found(now())) as joins, Ledger.open(tmp_path / "other.db") as ledger:
        known = joins.carriers["xa"].endpoints
        unknown = msgspec.structs.replace(known["union"], nkey_seed=nkeys.generate()[0])
        stranger = Carrier(
            country="xa",
            federation=joins.seats["xa"].federation,
            registry=lambda: joins.founded.registry,
            endpoints={**known, "union": unknown},
            ledger=ledger,
        )

        async def told() -> bool:
            return "in the federation file there" in stranger.problems.get(("xa", "union"), "")

        task = asyncio.create_task(stranger.run())
        try:
            await until(told, PATIENCE_S)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def without_strict(founded: Founded, reader: str) -> VerifiedRegistry:
    """The next version, in which somebody reads nothing at TLP:AMBER+STRICT."""
    before = founded.registry
    document = ceremony.next_version(before.document, before.digest, now(), dt.timedelta(days=90))
    record = document.authorities[reader]
    reads = tuple(grant for grant in record.read if Tlp.AMBER_STRICT not in grant.tlps)
    authorities = {**document.authorities, reader: msgspec.structs.replace(record, read=reads)}
    document = msgspec.structs.replace(document, authorities=authorities)
    return before.update(signed_registry(document, founded.roots), now())


async def test_what_nobody_there_may_read_does_not_go_there(tmp_path: Path) -> None:
    """A grant taken away closes the way for that channel; given back, what was said meanwhile is carried too."""
    founded = found(now())
    narrowed, current = without_strict(founded, "xc-hub"), [founded.registry]
    strict = "xa-csirt/actual.amber-strict.eu-csirts"
    async with (
        joined(tmp_path, founded, registry=lambda: current[0]) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as abroad,
        provisioner(joins, "xc") as there,
    ):

        async def follow(registry: VerifiedRegistry) -> None:
            for name, server in joins.servers.items():
                seed, public = joins.provisioners[name]
                settings = ServerSettings(
                    name=name, port=int(server.url.rsplit(":", 1)[1]), seat=joins.seats[name]
                )
                await server.reload(render_conf(registry, settings=settings, provisioner_nkey=public))
                await provision(server.url, seed, registry, seat=joins.seats[name])
            current[0] = registry

        async def audiences() -> set[str]:
            info = await js_api(there, "STREAM.INFO.XA_ACTUAL", {"subjects_filter": ">"})
            return {subject.split(".")[4] for subject in info["state"].get("subjects") or {}}

        async def community_alone() -> bool:
            return await audiences() == {"community"}

        async def both() -> bool:
            return await audiences() == {"community", "eu-csirts"}

        await follow(narrowed)
        for tlp, audience in ((Tlp.AMBER_STRICT, "eu-csirts"), (Tlp.GREEN, "community")):
            await ours.publish(draft(f"to {audience}", tlp=tlp, audience=audience))
        await until(lambda: _read_at_least(abroad, strict, 1), 30)
        await until(community_alone, PATIENCE_S)
        await follow(founded.registry)
        await until(both, PATIENCE_S)


def hold(folder: Path, founded: Founded) -> HeldRegistry:
    """The first version, as one identity holds it."""
    folder.mkdir()
    (folder / "registry.tocsin.json").write_bytes(founded.raw)
    return HeldRegistry(
        folder / "registry.tocsin.json",
        pin=founded.registry.digest,
        domain=founded.registry.domain,
        beacon=folder / "beacon.tocsin.json",
        clock=now,
    )


async def test_what_is_said_of_trust_comes_to_every_country(tmp_path: Path) -> None:
    """A version published at a union, and a statement at its authority's own broker, reach a hub of another country."""
    founded = found(now())
    async with joined(tmp_path, founded) as joins, AsyncExitStack() as ledgers, background() as tasks:
        for cc in ("xa", "xb"):
            held = hold(tmp_path / f"{cc}-server", founded)
            home = provisioner_endpoint(joins.servers[cc].url, joins.provisioners[cc][0])
            ledger = await ledgers.enter_async_context(Ledger.open(tmp_path / f"{cc}-trust.db"))
            relay = TrustRelay(
                country=cc, held=held, endpoints=joins.carriers[cc].endpoints, ledger=ledger, every=0.2
            )
            for work in (relay.run(), TrustFeed(held, home, every=0.2).run()):
                tasks.start(work, f"trust of {cc}")
        hub = hold(tmp_path / "xb-hub", founded)
        feed = TrustFeed(hub, joins.endpoint("xb-hub"), every=0.2)
        tasks.start(feed.run(), "trust of the hub")
        narrowed = without_strict(founded, "xc-hub")
        async with provisioner(joins, "union") as registrar:
            await publish_trust(registrar, narrowed.raw)

        async def second() -> bool:
            return hub().version == 2

        await until(second, 30)
        stolen = founded.signers["xa-csirt"]
        end = new_statement(
            domain=founded.registry.domain,
            authority="xa-csirt",
            kids=(stolen.kid,),
            since=now() - dt.timedelta(minutes=1),
            reason="key-compromise",
            signer=stolen,
            now=now(),
        )
        async with Connection.open(joins.endpoint("xa-csirt")) as officer:
            await officer.until_connected(5)
            await publish_trust(officer, end)

        async def ended() -> bool:
            return stolen.kid in hub().revoked()

        await until(ended, 30)
        async with provisioner(joins, "xb") as there:
            info = await js_api(there, "STREAM.INFO.TRUST")
            assert info["state"]["messages"] == 1  # each thing once


async def test_silence_in_one_country_is_an_alarm_in_another(tmp_path: Path) -> None:
    """Heartbeats go over the union: who falls silent is missed abroad, and who speaks again is not any more."""
    ahead = dt.timedelta(0)

    async with (
        joined(tmp_path, found(now())) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path, lambda: now() + ahead) as abroad,
    ):
        beats = beats_of(ours)

        async def stands(*reasons: str) -> bool:
            rows = await abroad.read(lambda db: alarms(db, ended=False))
            return [row.reason for row in rows if row.channel == green("xa")] == list(reasons)

        async def heard(count: int) -> bool:
            return len(await read(abroad, "xa-csirt/system.green.community")) == count

        await beats.beat(anyway=True)
        await until(lambda: heard(1), PATIENCE_S)
        assert await stands()
        ahead = dt.timedelta(seconds=25)
        await until(lambda: stands("silent"), PATIENCE_S)
        ahead = dt.timedelta(0)
        await beats.beat(anyway=True)
        await until(lambda: heard(2), PATIENCE_S)
        await until(stands, PATIENCE_S)
