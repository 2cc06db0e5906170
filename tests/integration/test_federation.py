"""Countries joined by real servers: what goes where, what a cut costs, and what a union cannot do."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus import ceremony, nkey
from bus.connection import Connection, Endpoint
from bus.errors import BrokerError, UnreachableError
from bus.hub.projection import Projection
from bus.hub.run import HubService
from bus.inbox import Inbox
from bus.links import FED_PREFIX
from bus.outbox import Outbox
from bus.publisher import Publisher
from bus.server import provision, render_conf
from bus.server.joins import LINKER
from bus.trust import VerifiedRegistry
from schemas.subject import PREFIX
from schemas.vocab import Tlp
from tests.federated import Joined, joined
from tests.worlds import DEFAULTS, World, chain, draft, signed_registry

CATCH_UP_S = 15.0


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
            registry=lambda: joins.world.registry,
            signers=(joins.world.signers[identity],),
            endpoint=joins.endpoint(identity),
            defaults=DEFAULTS,
            clock=now,
            rng=secrets.token_bytes,
        ) as publisher,
    ):
        assert await publisher.ready(20)
        yield publisher


@asynccontextmanager
async def reading(joins: Joined, identity: str, folder: Path) -> AsyncIterator[Inbox]:
    """A hub at its country's server."""
    async with Inbox.open(folder / f"{identity}.db", projector=Projection(), hold_s=60.0) as store:
        service = HubService(
            authority_id=identity,
            store=store,
            registry=lambda: joins.world.registry,
            endpoint=joins.endpoint(identity),
            clock=now,
        )
        task = asyncio.create_task(service.run())
        try:
            yield store
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def read(store: Inbox, channel: str) -> list[int]:
    """The numbers admitted on a channel, in the order they were."""
    return await store.ask(
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


async def test_a_cut_country_goes_on_and_catches_up_when_it_is_joined_again(tmp_path: Path) -> None:
    """Publishing and reading at home never stop; afterwards nothing is lost, twice or out of order, on any side."""
    async with (
        joined(tmp_path, now()) as joins,
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
        assert await until(lambda: have(22, *stores), 60) < CATCH_UP_S
        for store in stores:
            for country in ("xa", "xb"):
                assert await read(store, green(country)) == list(range(1, 23))


async def _read_at_least(store: Inbox, channel: str, count: int) -> bool:
    return len(await read(store, channel)) >= count


async def test_of_two_unions_one_may_die_and_a_path_needs_none(tmp_path: Path) -> None:
    """Each bulletin is there once, though it comes several ways; with no union left, the direct path carries it."""
    async with (
        joined(tmp_path, now(), unions=("east", "west"), paths=(("xa", "xb"),)) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as neighbour,
        reading(joins, "xc-hub", tmp_path) as elsewhere,
    ):
        await ours.publish(draft("one"))
        await until(lambda: _read_at_least(neighbour, green("xa"), 1), 30)
        await until(lambda: _read_at_least(elsewhere, green("xa"), 1), 30)
        await joins.servers["east"].stop()
        await ours.publish(draft("two"))
        await until(lambda: _read_at_least(elsewhere, green("xa"), 2), CATCH_UP_S)
        await joins.servers["west"].stop()
        await ours.publish(draft("three"))
        await until(lambda: _read_at_least(neighbour, green("xa"), 3), CATCH_UP_S)
        for place in ("xb", "xc"):
            async with Connection.open(linker(joins, place)) as connection:
                await connection.until_connected(5)
                info = await connection.js_api("STREAM.INFO.IN_XA")
                assert info["state"]["messages"] == (3 if place == "xb" else 2)


async def test_a_union_of_three_goes_on_without_its_leader(tmp_path: Path) -> None:
    """Killed, not stopped: what was said before and meanwhile arrives once, in order."""
    async with (
        joined(tmp_path, now(), nodes=3) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as abroad,
    ):
        await ours.publish(draft("before"))
        await until(lambda: _read_at_least(abroad, green("xa"), 1), 40)
        async with Connection.open(linker(joins, "union-1")) as connection:
            await connection.until_connected(5)
            leader = (await connection.js_api("STREAM.INFO.FED_XA"))["cluster"]["leader"]
        joins.servers[leader].kill()
        for n in range(5):
            await ours.publish(draft(f"without a leader, {n}"))
        await until(lambda: _read_at_least(abroad, green("xa"), 6), 60)
        assert await read(abroad, green("xa")) == list(range(1, 7))


def linker(joins: Joined, place: str) -> Endpoint:
    """The identity that owns the streams of a place's links: the most that whoever holds its server has there."""
    member = joins.settings[place].member
    assert member is not None
    return Endpoint(
        url=joins.servers[place].url, authority_id=LINKER, nkey_seed=member.linker_seed, name=LINKER
    )


CALLS = (
    *("STREAM.INFO.OUT", "STREAM.DELETE.OUT", "STREAM.INFO.XA_ACTUAL", "STREAM.NAMES", "INFO"),
    *("CONSUMER.INFO.OUT.TO_UNION", "CONSUMER.CREATE.OUT", "CONSUMER.MSG.NEXT.WORLD_ACTUAL.xa-hub"),
)


async def test_a_union_reaches_nothing_and_speaks_for_nobody(tmp_path: Path) -> None:
    """Its owner can neither call a country's server nor bring in one country's words as another's, nor live ones."""
    async with (
        joined(tmp_path, now()) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as abroad,
    ):
        await ours.publish(draft("first"))
        await until(lambda: _read_at_least(abroad, green("xa"), 1), 30)
        union = joins.servers["union"]
        seed, public = nkey.generate()  # whoever holds the server may do anything there
        await union.reload(
            union.conf.replace(
                "FED {\n    jetstream: enabled\n    users: [",
                f"FED {{\n    jetstream: enabled\n    users: [\n      {{ nkey: {public} }}",
            )
        )
        anything = Endpoint(url=union.url, authority_id="owner", nkey_seed=seed, name="owner")
        async with Connection.open(anything) as owner:
            await owner.until_connected(5)
            for call in CALLS:
                with pytest.raises((BrokerError, UnreachableError)):
                    await owner.publish(f"$JS.xa.API.{call}", b"", {}, 0.5)
            forged = chain(joins.world, 3, issuer="xa-csirt")[2]
            held = await owner.js_api("STREAM.INFO.FED_XC")
            wider = [f"{FED_PREFIX}.xc.>", f"{PREFIX}.>"]
            await owner.js_api("STREAM.UPDATE.FED_XC", {**held["config"], "subjects": wider})
            for subject in (forged.subject, f"{FED_PREFIX}.xc.{forged.subject}"):
                await owner.publish(subject, forged.payload, dict(forged.headers))
        said = await ours.publish(draft("second"))
        await until(lambda: _read_at_least(abroad, green("xa"), said.seq), CATCH_UP_S)
        assert await read(abroad, green("xa")) == [1, 2]
        async with Connection.open(linker(joins, "xb")) as inside:
            await inside.until_connected(5)
            assert (await inside.js_api("STREAM.INFO.IN_XC"))["state"]["messages"] == 0


def without_strict(world: World, reader: str) -> VerifiedRegistry:
    """The next version, in which somebody reads nothing at TLP:AMBER+STRICT."""
    before = world.registry
    document = ceremony.next_version(before.document, before.digest, world.now, dt.timedelta(days=90))
    record = document.authorities[reader]
    reads = tuple(grant for grant in record.read if Tlp.AMBER_STRICT not in grant.tlps)
    authorities = {**document.authorities, reader: msgspec.structs.replace(record, read=reads)}
    document = msgspec.structs.replace(document, authorities=authorities)
    return before.update(signed_registry(document, world.roots), world.now)


async def test_what_nobody_there_may_read_does_not_go_there(tmp_path: Path) -> None:
    """A grant taken away closes the link for that channel at the origin and at the union, and for nobody else."""
    async with (
        joined(tmp_path, now()) as joins,
        speaking(joins, "xa-csirt", tmp_path) as ours,
        reading(joins, "xb-hub", tmp_path) as abroad,
    ):
        narrowed = without_strict(joins.world, "xc-hub")
        for name, server in joins.servers.items():
            settings = joins.settings[name]
            seed, public = joins.provisioners[name]
            await server.reload(render_conf(narrowed, settings=settings, provisioner_nkey=public))
            await provision(server.url, seed, narrowed, settings=settings)
        for tlp, audience in ((Tlp.AMBER_STRICT, "eu-csirts"), (Tlp.GREEN, "community")):
            await ours.publish(draft(f"to {audience}", tlp=tlp, audience=audience))
        await until(lambda: _read_at_least(abroad, "xa-csirt/actual.amber-strict.eu-csirts", 1), 30)
        async with Connection.open(linker(joins, "xc")) as connection:
            await connection.until_connected(5)

            async def arrived() -> bool:
                info = await connection.js_api("STREAM.INFO.IN_XA", {"subjects_filter": ">"})
                return bool(info["state"]["messages"])

            await until(arrived, CATCH_UP_S)
            info = await connection.js_api("STREAM.INFO.IN_XA", {"subjects_filter": ">"})
        assert [subject.split(".")[4] for subject in info["state"]["subjects"]] == ["community"]
        assert all(subject.startswith(PREFIX) for subject in info["state"]["subjects"])
