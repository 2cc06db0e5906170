"""The broker follows the registry while it runs: who is gone is cut, what was taken away is refused, what was given works."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.keys import nkeys
from bus.keys.signatures import FileSigner
from bus.server import ServerSettings, follow_registry, provision, render_conf
from bus.server.binary import ServerError
from bus.server.checks import check
from bus.subscribing.inbox import Inbox
from bus.subscribing.registry_feed import RegistryFeed
from bus.transport.connection import Connection, Endpoint
from bus.transport.jetstream import (
    consumer_info,
    consumer_names,
    js_api,
    publish,
    stream_differs,
    stream_info,
    stream_names,
)
from bus.transport.pull_consumer import PullConsumer, Received
from bus.transport.streams import consumers, streams_of, world_stream
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.registry import AuthorityRecord, Registry
from schemas.vocab import Status, Tlp
from tests.support.clocks import RunningClock
from tests.support.countries import HUBS
from tests.support.stage import Bus, admitted, connected, running, serving
from tests.support.trust import NOW, WORLD, announce, following, hold
from tests.support.waiting import eventually, longest
from tests.support.world import Message, bulletin, chain, draft, sign, signed_registry


def changed(before: VerifiedRegistry, **records: AuthorityRecord | None) -> VerifiedRegistry:
    """The next version with other records, named with `_` for `-`; None takes one out, of audiences and receipts too."""
    document = ceremony.next_version(before.document, before.digest, NOW, dt.timedelta(days=90))
    authorities = dict(document.authorities)
    audiences = dict(document.audiences)
    for key, record in records.items():
        name = key.replace("_", "-")
        authorities.pop(name, None)
        if record is not None:
            authorities[name] = record
            continue
        for title, audience in audiences.items():
            members = tuple(each for each in audience.members if each != name)
            audiences[title] = msgspec.structs.replace(audience, members=members)
    document = msgspec.structs.replace(document, authorities=authorities, audiences=audiences)
    if None in records.values():
        for hub_id in (each.id for each in HUBS if each.id in authorities):
            document = proposals.grant_receipts(document, hub_id)
    return before.update(_signed(document), NOW)


def _signed(document: Registry) -> bytes:
    return signed_registry(document, WORLD.roots[:2])


@asynccontextmanager
async def served(bus: Bus, folder: Path) -> AsyncIterator[None]:
    """The broker, following what is published on it."""
    held = hold(folder, RunningClock(NOW))
    seed = bus.provisioner[0]
    async with running(
        RegistryFeed(held, bus.owner, every=0.2).run(),
        follow_registry(
            bus.server, held, standing=WORLD.pin, seed=seed, settings=ServerSettings(), every=0.1
        ),
    ):
        yield


async def may(connection: Connection, message: Message) -> bool:
    """Whether the broker stores it from this identity, now."""
    try:
        await publish(connection, message.subject, message.payload, dict(message.headers), longest() / 4)
    except (DeniedError, UnreachableError, BrokerError):
        return False
    return True


async def test_a_removed_authority_is_cut_and_stays_out(bus: Bus, tmp_path: Path) -> None:
    """Its open connection is closed within seconds of the version being published, a new one is refused, others go on."""
    gone, stays = chain(WORLD, 1, "xb-dpa")[0], chain(WORLD, 2, "xb-emb")
    async with (
        served(bus, tmp_path),
        connected(bus.endpoint("xb-dpa")) as out,
        connected(bus.endpoint("xb-emb")) as other,
    ):
        assert await may(out, gone)
        assert await may(other, stays[0])
        epoch = other.epoch
        await announce(bus, changed(WORLD.registry, xb_dpa=None).raw)
        await eventually(lambda: not out.connected)
        await eventually(lambda: out.denied)
        assert await may(other, stays[1])
        assert other.epoch == epoch


async def test_an_exchanged_transport_key_cuts_the_old_one(bus: Bus, tmp_path: Path) -> None:
    """The old nkey's connection ends and is refused; the new one speaks on the same channels."""
    seed, public = nkeys.generate()
    record = msgspec.structs.replace(WORLD.registry.authority("xb-dpa"), nkeys=(public,))
    new = msgspec.structs.replace(bus.endpoint("xb-dpa"), nkey_seed=seed)
    async with served(bus, tmp_path), connected(bus.endpoint("xb-dpa")) as old:
        await announce(bus, changed(WORLD.registry, xb_dpa=record).raw)
        await eventually(lambda: old.denied)
        async with connected(new) as connection:
            assert await may(connection, chain(WORLD, 1, "xb-dpa")[0])


async def test_a_narrowed_grant_refuses_the_next_publish_and_a_widened_one_works(
    bus: Bus, tmp_path: Path
) -> None:
    """Both on connections that stay open: xa-csirt loses its network, xa-dpa may speak to it."""
    amber = draft("to the network", tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    csirt, dpa = WORLD.registry.authority("xa-csirt"), WORLD.registry.authority("xa-dpa")
    narrowed = msgspec.structs.replace(
        csirt, publish=tuple(g for g in csirt.publish if "eu-csirts" not in g.audiences)
    )
    lost = tuple(g for g in csirt.publish if "eu-csirts" in g.audiences)
    widened = msgspec.structs.replace(dpa, publish=(*dpa.publish, *lost))
    async with (
        served(bus, tmp_path),
        connected(bus.endpoint("xa-csirt")) as loser,
        connected(bus.endpoint("xa-dpa")) as winner,
    ):
        epochs = (loser.epoch, winner.epoch)
        assert await may(loser, sign(WORLD, bulletin(WORLD, say=amber)))
        assert not await may(winner, sign(WORLD, bulletin(WORLD, "xa-dpa", say=amber)))
        await announce(bus, changed(WORLD.registry, xa_csirt=narrowed, xa_dpa=widened).raw)

        async def changed_hands() -> bool:
            return await may(winner, sign(WORLD, bulletin(WORLD, "xa-dpa", say=amber)))

        await eventually(changed_hands)
        assert not await may(loser, sign(WORLD, bulletin(WORLD, say=amber)))
        assert await may(loser, chain(WORLD, 1)[0])
        assert (loser.epoch, winner.epoch) == epochs


def _with_dpas_for_xb_hub(instead_of: str | None = None) -> Registry:
    """Version 2, in which xb-hub reads the data-protection network, beside what it read or instead of a part of it."""
    hub_record = WORLD.registry.authority("xb-hub")
    reads = tuple(
        msgspec.structs.replace(
            grant,
            audiences=tuple(
                dict.fromkeys(
                    name
                    for each in grant.audiences
                    for name in (("eu-dpas",) if each == instead_of else (each, "eu-dpas"))
                )
                if "eu-csirts" in grant.audiences
                else grant.audiences
            ),
        )
        for grant in hub_record.read
    )
    document = ceremony.next_version(
        WORLD.registry.document, WORLD.registry.digest, NOW, dt.timedelta(days=90)
    )
    dpas = document.audiences["eu-dpas"]
    return msgspec.structs.replace(
        document,
        authorities={**document.authorities, "xb-hub": msgspec.structs.replace(hub_record, read=reads)},
        audiences={
            **document.audiences,
            "eu-dpas": msgspec.structs.replace(dpas, members=(*dpas.members, "xb-hub")),
        },
    )


async def test_a_reader_hears_what_it_is_granted_from_then_on_and_no_more(bus: Bus, tmp_path: Path) -> None:
    """xb-hub, running, is given a network that was withheld, and loses one it had; its consumers follow."""
    document = _with_dpas_for_xb_hub(instead_of="eu-csirts")
    given = sign(
        WORLD, bulletin(WORLD, "xa-dpa", say=draft("dpas", tlp=Tlp.AMBER_STRICT, audience="eu-dpas"))
    )
    taken = sign(
        WORLD, bulletin(WORLD, "xa-csirt", say=draft("csirts", tlp=Tlp.AMBER_STRICT, audience="eu-csirts"))
    )
    seen: set[str] = set()
    async with served(bus, tmp_path / "server"), following(bus, tmp_path / "hub", "xb-hub") as (store, held):
        await announce(bus, _signed(document))
        await eventually(lambda: held().version == 2)
        async with connected(bus.owner) as provisioner:

            async def follows() -> bool:
                try:
                    info = await js_api(provisioner, "CONSUMER.INFO.WORLD_ACTUAL.xb-hub")
                except BrokerError:  # a consumer with other subjects is made anew, and not there for a moment
                    return False
                return any("eu-dpas" in each for each in info["config"]["filter_subjects"])

            await eventually(follows)
        for message in (taken, given, chain(WORLD, 1, "xb-emb")[0]):
            async with connected(bus.endpoint(message.bulletin.issuer.id)) as speaker:
                assert await may(speaker, message)

        async def both() -> bool:
            rows = await store.read(lambda db: db.execute("SELECT digest FROM admitted").fetchall())
            seen.update(row[0] for row in rows)
            return len(seen) == 2

        await eventually(both)
        assert given.digest in seen
        assert taken.digest not in seen


async def test_a_question_that_meets_a_reload_is_answered(bus: Bus) -> None:
    """A server that takes a new configuration is deaf for a moment; nobody is told that there is no stream."""
    answered = 0

    async def ask(connection: Connection, done: asyncio.Event) -> None:
        nonlocal answered
        while not done.is_set():
            assert (await js_api(connection, "STREAM.INFO.WORLD_ACTUAL"))["config"]["name"] == "WORLD_ACTUAL"
            answered += 1

    async with connected(bus.owner) as connection:
        done = asyncio.Event()
        async with asyncio.TaskGroup() as asking:
            for _ in range(8):
                asking.create_task(ask(connection, done))
            for _ in range(10):
                record = msgspec.structs.replace(
                    WORLD.registry.authority("xb-dpa"), nkeys=(nkeys.generate()[1],)
                )
                version = changed(WORLD.registry, xb_dpa=record)
                conf = render_conf(version, settings=ServerSettings(), provisioner_nkey=bus.provisioner[1])
                await bus.server.reload(conf)
            done.set()


async def test_a_widened_grant_brings_its_history_once_and_in_order(bus: Bus, tmp_path: Path) -> None:
    """xb-hub is given a network: what was said there before is read, then what follows, each once; then it restarts."""
    audience = {"tlp": Tlp.AMBER_STRICT, "audience": "eu-dpas"}
    given: list[Message] = []
    for seq in range(1, 9):
        prev = given[-1].digest if given else None
        said = bulletin(WORLD, "xa-dpa", seq=seq, prev=prev, say=draft(f"dpas {seq}", **audience))
        given.append(sign(WORLD, said))
    open_to_all = chain(WORLD, 6, "xa-dpa")

    async def seen(store: Inbox) -> list[tuple[str, int]]:
        return [(channel, seq) for channel, seq, _ in await admitted(store)]

    dpas, all_ = "xa-dpa/actual.amber-strict.eu-dpas", "xa-dpa/actual.green.community"
    async with served(bus, tmp_path / "server"), connected(bus.endpoint("xa-dpa")) as speaker:
        async with following(bus, tmp_path / "hub", "xb-hub") as (store, held):
            for hidden, shown in zip(given[:5], open_to_all[:5], strict=True):
                assert await may(speaker, hidden)
                assert await may(speaker, shown)
            await eventually(partial(_length, store, 5))
            assert await seen(store) == [(all_, seq) for seq in range(1, 6)]
            await announce(bus, _signed(_with_dpas_for_xb_hub()))
            await eventually(lambda: held().version == 2)
            await eventually(partial(_length, store, 10))
            assert (await seen(store))[5:] == [(dpas, seq) for seq in range(1, 6)]
            for message in (given[5], open_to_all[5], given[6]):
                assert await may(speaker, message)
            await eventually(partial(_length, store, 13))
            labels = await store.read(
                lambda db: {row[0] for row in db.execute("SELECT labels FROM admitted")}
            )
            assert not any(word in each for each in labels for word in ("gap", "filled", "trimmed"))
            assert (await store.status())["duplicates"] == 0
        async with following(bus, tmp_path / "hub", "xb-hub") as (store, held):
            assert await may(speaker, given[7])
            await eventually(partial(_length, store, 14))
            assert (await seen(store))[-1] == (dpas, 8)
            assert (await store.status())["duplicates"] == 0


async def _length(store: Inbox, count: int) -> bool:
    return len(await admitted(store)) >= count


async def test_a_running_hub_begins_to_read_a_status_that_it_is_granted(bus: Bus, tmp_path: Path) -> None:
    """Version 2 takes the tests from xb-hub, version 3 gives them back; it reads both streams without a restart."""
    hub_record = WORLD.registry.authority("xb-hub")
    fewer = msgspec.structs.replace(
        hub_record,
        read=tuple(
            msgspec.structs.replace(
                grant, statuses=tuple(each for each in grant.statuses if each is not Status.TEST)
            )
            for grant in hub_record.read
        ),
    )
    second = changed(WORLD.registry, xb_hub=fewer)
    third = changed(second, xb_hub=hub_record)
    tried = sign(WORLD, bulletin(WORLD, say=draft("TEST", status=Status.TEST)))
    async with (
        served(bus, tmp_path / "server"),
        following(bus, tmp_path / "hub", "xb-hub") as (store, held),
        connected(bus.endpoint("xa-csirt")) as speaker,
    ):
        await announce(bus, second.raw)
        await eventually(lambda: held().version == 2)
        await eventually(partial(_is_narrow, bus, second))
        assert await may(speaker, tried)
        assert await may(speaker, chain(WORLD, 1)[0])
        await eventually(partial(admitted, store))
        assert tried.digest not in {found for _, _, found in await admitted(store)}
        await announce(bus, third.raw)

        async def heard() -> bool:
            return tried.digest in {found for _, _, found in await admitted(store)}

        await eventually(heard)


async def test_a_broker_that_has_ended_is_not_followed_in_silence(bus: Bus) -> None:
    """Whoever runs it is told, with its last words."""
    bus.server.kill()
    with pytest.raises(ServerError) as told:
        await follow_registry(
            bus.server,
            lambda: WORLD.registry,
            standing=WORLD.pin,
            seed=bus.provisioner[0],
            settings=ServerSettings(),
            every=0.01,
        )
    assert told.value.reason == "not-running"


async def test_a_configuration_that_is_refused_leaves_the_server_as_it_was(bus: Bus, tmp_path: Path) -> None:
    """While the server refuses to reload it serves by the old registry, and would start with it."""
    current = [WORLD.registry]
    wrong = ServerSettings(store_dir=tmp_path / "elsewhere")
    second = changed(WORLD.registry, xb_dpa=None)
    async with connected(bus.endpoint("xb-dpa")) as speaker:
        first, then = chain(WORLD, 2, "xb-dpa")
        follows = follow_registry(
            bus.server,
            lambda: current[0],
            standing=WORLD.pin,
            seed=bus.provisioner[0],
            settings=wrong,
            every=0.01,
        )
        async with running(follows):  # raises if it had ended
            current[0] = second
            await eventually(lambda: "Failed to reload" in bus.server.log_file.read_text())
            assert await may(speaker, first)
        assert await may(speaker, then)
        assert (bus.server.folder / "nats-server.conf").read_text() == bus.server.conf


async def test_what_a_stranger_writes_into_the_log_decides_no_reload(bus: Bus) -> None:
    """The log says at once that the reload failed, and then that another went well; the server is asked itself."""
    second = changed(WORLD.registry, xb_dpa=None)
    conf = render_conf(
        second,
        settings=ServerSettings(probe_nkeys=tuple(map(nkeys.public_of, bus.probes))),
        provisioner_nkey=bus.provisioner[1],
    )

    async def scribble() -> None:
        while True:
            with bus.server.log_file.open("a") as log:
                log.write("[ERR] Failed to reload server configuration: says a stranger\n")
                log.write("[INF] Reloaded server configuration, says a stranger\n")
            await asyncio.sleep(0.001)

    async with running(scribble()):
        await bus.server.reload(conf)
        assert bus.server.conf == conf
        with pytest.raises(ServerError) as told:
            await bus.server.reload(conf.replace("sync_interval: always", "sync_interval: nonsense"))
        assert told.value.reason == "server-reload"
    assert bus.server.conf == conf
    assert (bus.server.folder / "nats-server.conf").read_text() == conf


async def test_a_country_that_joins_and_one_that_leaves(bus: Bus, tmp_path: Path) -> None:
    """XC's streams are made on a broker whose store is shared out; when XB has left, its bulletins are still there."""
    signer, (seed, public) = FileSigner.generate(), nkeys.generate()
    record = msgspec.structs.replace(
        WORLD.registry.authority("xa-csirt"),
        country="XC",
        name="XC National CSIRT",
        keys={signer.kid: msgspec.structs.replace(_key_of("xa-csirt"), jwk=signer.jwk)},
        nkeys=(public,),
    )
    joined = changed(WORLD.registry, xc_csirt=record)
    left = changed(
        joined, **{name.replace("-", "_"): None for name in joined.document.authorities if name[:2] == "xb"}
    )
    (before,) = chain(WORLD, 1, "xb-emb")
    async with connected(bus.endpoint("xb-emb")) as speaker:
        assert await may(speaker, before)
    async with served(bus, tmp_path), connected(bus.endpoint("xa-hub")) as reader:
        await announce(bus, joined.raw)
        newcomer = Endpoint(url=bus.server.url, authority_id="xc-csirt", nkey_seed=seed, name="xc")
        async with connected(newcomer) as connection:
            message = sign(
                WORLD, bulletin(msgspec.structs.replace(WORLD, registry=joined), "xc-csirt"), by=signer
            )

            async def speaks() -> bool:
                return await may(connection, message)

            await eventually(speaks)
        await announce(bus, left.raw)

        async def settled() -> bool:
            found = await check(
                url=bus.server.url,
                monitor_url=bus.server.monitor_url,
                provisioner_seed=bus.provisioner[0],
                registry=left,
            )
            return all(
                each.ok for each in found if each.name == "consumers" or each.name.startswith("stream ")
            )

        await eventually(settled)
        said: list[Received] = []
        await reader.until_connected(longest())  # a reload may have closed it
        async with PullConsumer.attach(reader, "WORLD_ACTUAL", "xa-hub", 1) as pull:
            while len(said) < 2:
                said += await pull.next(10, longest())
        assert {each.payload for each in said} == {before.payload, message.payload}


async def test_room_is_made_before_the_streams_of_a_further_country(tmp_path: Path) -> None:
    """XA joins a broker that XB had for itself; all four of its streams fit, although XB's come later by name."""
    alone = changed(
        WORLD.registry,
        **{name.replace("-", "_"): None for name in WORLD.registry.document.authorities if name[:2] == "xa"},
    )
    async with serving(tmp_path, msgspec.structs.replace(WORLD, registry=alone)) as home:
        await provision(home.server.url, home.provisioner[0], WORLD.registry)
        async with connected(home.owner) as provisioner:
            for spec in streams_of(WORLD.registry):
                info = await js_api(provisioner, f"STREAM.INFO.{spec.name}")
                assert info["config"]["max_bytes"] == spec.max_bytes


def _replaced() -> tuple[VerifiedRegistry, VerifiedRegistry]:
    """XB-DPA leaves; then XB-DPZ comes in its place while xb-hub loses what it read beside its first status."""
    gone = changed(WORLD.registry, xb_dpa=None)
    record, hub = WORLD.registry.authority("xb-dpa"), gone.authority("xb-hub")
    signer = FileSigner.generate()
    publish = tuple(
        msgspec.structs.replace(grant, audiences=audiences)
        for grant in record.publish
        if (audiences := tuple(each for each in grant.audiences if each in gone.document.audiences))
    )
    new = msgspec.structs.replace(
        record,
        name="New Office",
        nkeys=(nkeys.generate()[1],),
        keys={signer.kid: msgspec.structs.replace(_key_of("xb-dpa"), jwk=signer.jwk)},
        seal_keys={},
        publish=publish,
        read=(),
    )
    narrowed = msgspec.structs.replace(
        hub, read=tuple(msgspec.structs.replace(grant, statuses=grant.statuses[:1]) for grant in hub.read[:1])
    )
    return gone, changed(gone, xb_dpz=new, xb_hub=narrowed)


async def _is_narrow(bus: Bus, registry: VerifiedRegistry) -> bool:
    wanted = {spec.stream: set(spec.filters) for spec in consumers(registry) if spec.name == "xb-hub"}
    async with connected(bus.owner) as owner:
        for status in Status:
            stream = world_stream(status)
            has = "xb-hub" in await consumer_names(owner, stream)
            if has and (await consumer_info(owner, stream, "xb-hub")).filters - wanted.get(stream, set()):
                return False
    return True


async def test_one_authority_takes_anothers_place(bus: Bus) -> None:
    """The departed's streams are kept with what they hold and give back the rest; all others are made, all readers narrowed."""
    gone, replaced = _replaced()
    async with connected(bus.endpoint("xb-dpa")) as speaker:
        assert await may(speaker, chain(WORLD, 1, "xb-dpa")[0])
    for registry in (gone, replaced, replaced):
        await provision(bus.server.url, bus.provisioner[0], registry)
    assert await _is_narrow(bus, replaced)
    async with connected(bus.owner) as owner:
        kept = await stream_info(owner, "XB-DPA_ACTUAL")
        assert kept.state.messages == 1
        assert kept.max_bytes == kept.state.bytes
        for spec in streams_of(replaced):
            assert not set(stream_differs(spec, await stream_info(owner, spec.name))) - {"max_bytes"}


async def test_a_stream_without_room_stops_no_other_and_no_narrowing(bus: Bus) -> None:
    """All room is taken by a stream of nobody's: the new authority has none, which the check says; rights are taken all the same."""
    gone, replaced = _replaced()
    await provision(bus.server.url, bus.provisioner[0], gone)
    async with bus.machine() as owner:
        free = bus.server.monitor("jsz")
        left = free["config"]["max_storage"] - free["reserved_storage"]
        for name in await stream_names(owner):
            if name.startswith("XB-DPA_"):
                left += (await stream_info(owner, name)).max_bytes
                await js_api(owner, f"STREAM.DELETE.{name}")
            elif name.startswith("XA-"):  # so that these have nothing to give back
                info = await stream_info(owner, name)
                left += info.max_bytes - 4096
                small = {**info.config, "max_bytes": 4096}
                await js_api(owner, f"STREAM.UPDATE.{name}", small)
        await js_api(
            owner, "STREAM.CREATE.ELSEWHERE", {"name": "ELSEWHERE", "subjects": ["x"], "max_bytes": left}
        )
    await provision(bus.server.url, bus.provisioner[0], replaced)
    assert await _is_narrow(bus, replaced)
    found = await check(
        url=bus.server.url,
        monitor_url=bus.server.monitor_url,
        provisioner_seed=bus.provisioner[0],
        registry=replaced,
    )
    failed = {each.name for each in found if each.hard and not each.ok}
    assert any(name.startswith("stream XB-DPZ_") for name in failed)
    assert "room for all" in failed
    assert not any(name.startswith("stream XA-") for name in failed)


def _key_of(authority: str):  # type: ignore[no-untyped-def]  # a key record
    return next(iter(WORLD.registry.authority(authority).keys.values()))


async def test_what_was_deleted_by_hand_is_made_again(bus: Bus, tmp_path: Path) -> None:
    """A consumer that was deleted by hand is back after the next version, and `provision` is safe to repeat."""
    async with connected(bus.owner) as provisioner:
        await js_api(provisioner, "CONSUMER.DELETE.WORLD_ACTUAL.xb-hub")
        async with served(bus, tmp_path):
            await announce(bus, changed(WORLD.registry).raw)

            async def back() -> bool:
                try:
                    await js_api(provisioner, "CONSUMER.INFO.WORLD_ACTUAL.xb-hub")
                except BrokerError:
                    return False
                return True

            await eventually(back)
        await provision(bus.server.url, bus.provisioner[0], changed(WORLD.registry))
