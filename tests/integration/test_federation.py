"""Countries joined by real servers: what goes where, what a cut costs, and what a union cannot do."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus.demo.federation import COUNTRIES, Founded, found
from bus.errors import DeniedError
from bus.federation.carrier import Carrier
from bus.federation.ledger import Ledger
from bus.federation.registry_relay import RegistryRelay
from bus.hub.watch.alarms import recorded_alarms
from bus.keys import FileSigner, nkeys, sign_entry
from bus.server import ServerSettings, provision, render_conf
from bus.server.checks import check
from bus.server.provisioning import provisioner_endpoint
from bus.subscribing.inbox import Inbox
from bus.subscribing.registry_feed import RegistryFeed, publish_trust
from bus.tasks import background
from bus.transport.connection import Endpoint
from bus.transport.jetstream import js_api, publish
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from bus.trust.store import RegistryStore
from schemas.envelope import SIG_HEADER, format_header
from schemas.subject import PREFIX
from schemas.vocab import Tlp
from tests.support.clocks import utc_now
from tests.support.stage import Union, connected, federation, reading, running, say, speaking
from tests.support.waiting import eventually, longest
from tests.support.watching import beats_of
from tests.support.world import chain, draft, shared_world, signed_registry, within

pytestmark = pytest.mark.timeout(240)


@asynccontextmanager
async def hub(
    nations: Union, folder: Path, identity: str, clock: Callable[[], dt.datetime] = utc_now
) -> AsyncIterator[Inbox]:
    """A hub at its country's server, which waits for what is on its way for as long as a test takes."""
    path = folder / f"{identity}.db"
    async with reading(nations, path, identity, clock=clock, picture=True, hold_s=longest(), look_s=0.2) as (
        store,
        _,
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


def green(country: str) -> str:
    """The channel on which the tests speak."""
    return f"{country}-csirt/actual.green.community"


async def test_the_checks_know_the_carriers(tmp_path: Path) -> None:
    """Everything stands as it must at a country's broker and at a union's, and who carries is there."""
    async with federation(tmp_path, found(utc_now())) as nations:
        for name, carriers in (
            ("xa", {"carrier", "countries"}),
            ("union", {f"carrier_{cc}" for cc in COUNTRIES}),
        ):

            async def sound(name: str = name, carriers: set[str] = carriers) -> bool:
                server = nations.joins.servers[name]
                checks = await check(
                    url=server.url,
                    monitor_url=server.monitor_url,
                    provisioner_seed=nations.joins.provisioners[name][0],
                    registry=nations.world.registry,
                    seat=nations.joins.seats[name],
                    conf_file=server.folder / "nats-server.conf",
                    binary=server.binary,
                    settings=ServerSettings(name=name, seat=nations.joins.seats[name]),
                )
                assert [each.detail for each in checks if each.hard and not each.ok] == []
                return {each.name for each in checks if each.ok} >= carriers

            await eventually(sound)


async def test_a_cut_country_goes_on_and_catches_up_when_it_is_joined_again(tmp_path: Path) -> None:
    """Publishing and reading at home never stop; afterwards nothing is lost, twice or out of order, on any side."""
    async with (
        federation(tmp_path, found(utc_now())) as nations,
        speaking(nations, tmp_path / "xa-csirt.db", "xa-csirt", clock=utc_now) as ours,
        speaking(nations, tmp_path / "xb-csirt.db", "xb-csirt", clock=utc_now) as theirs,
        hub(nations, tmp_path, "xa-hub") as at_home,
        hub(nations, tmp_path, "xb-hub") as abroad,
        hub(nations, tmp_path, "xc-hub") as elsewhere,
    ):
        stores = (at_home, abroad, elsewhere)

        async def have(count: int, *places: Inbox) -> bool:
            return all(
                [len(await read(store, green(cc))) >= count for store in places for cc in ("xa", "xb")]
            )

        for publisher in (ours, theirs):
            await publisher.publish(draft("before"))
        await eventually(lambda: have(1, *stores))
        await nations.joins.cut("xa")
        for n in range(20):
            for publisher in (ours, theirs):
                await publisher.publish(draft(f"while cut, {n}"))
        assert await ours.idle(longest())  # stored at home, with the link down
        await eventually(lambda: _read_at_least(at_home, green("xa"), 21))
        assert await read(at_home, green("xb")) == [1]
        assert await read(abroad, green("xa")) == [1]
        await nations.joins.mend("xa")
        for publisher in (ours, theirs):
            await publisher.publish(draft("after"))
        await eventually(lambda: have(22, *stores))
        for store in stores:
            for country in ("xa", "xb"):
                assert await read(store, green(country)) == list(range(1, 23))


async def _read_at_least(store: Inbox, channel: str, count: int) -> bool:
    return len(await read(store, channel)) >= count


async def test_of_two_unions_one_may_die_and_a_path_needs_none(tmp_path: Path) -> None:
    """Each bulletin is there once, though it comes several ways; with no union left, the direct path carries it."""
    async with (
        federation(tmp_path, found(utc_now()), unions=("east", "west"), paths=(("xa", "xb"),)) as nations,
        speaking(nations, tmp_path / "xa-csirt.db", "xa-csirt", clock=utc_now) as ours,
        hub(nations, tmp_path, "xb-hub") as neighbour,
        hub(nations, tmp_path, "xc-hub") as elsewhere,
    ):
        await ours.publish(draft("one"))
        await eventually(lambda: _read_at_least(neighbour, green("xa"), 1))
        await eventually(lambda: _read_at_least(elsewhere, green("xa"), 1))
        await nations.joins.servers["east"].stop()
        await ours.publish(draft("two"))
        await eventually(lambda: _read_at_least(elsewhere, green("xa"), 2))
        await nations.joins.servers["west"].stop()
        await ours.publish(draft("three"))
        await eventually(lambda: _read_at_least(neighbour, green("xa"), 3))
        for place, count in (("xb", 3), ("xc", 2)):
            async with nations.owner(place) as connection:
                info = await js_api(connection, "STREAM.INFO.XA-CSIRT_ACTUAL")
                assert info["state"]["messages"] == count


async def test_of_two_unions_a_hostile_one_takes_nothing_away(tmp_path: Path) -> None:
    """It brings each bulletin first, with signatures that are nobody's, under its message id: all arrive once, in order."""
    async with (
        federation(tmp_path, found(utc_now()), unions=("east", "west")) as nations,
        hub(nations, tmp_path, "xb-hub") as abroad,
    ):
        said = chain(nations.world, 4, issued=utc_now())
        stranger = FileSigner.generate()
        async with connected(nations.joins.carriers["xa"].endpoints["east"]) as union:
            for each in said:
                for signer, text in ((stranger, each.payload), (nations.world.signers["xa-csirt"], b"{}")):
                    entry = sign_entry(signer, text, within(domain=nations.world.registry.domain))
                    headers = {**dict(each.headers), SIG_HEADER: format_header((entry,))}
                    await publish(union, each.subject, each.payload, headers, longest())
        await say(nations.at["xa"], *said)
        await eventually(lambda: _read_at_least(abroad, green("xa"), len(said)))
        assert await read(abroad, green("xa")) == [1, 2, 3, 4]
        async with nations.owner("xb") as connection:
            info = await js_api(connection, "STREAM.INFO.XA-CSIRT_ACTUAL")
            assert info["state"]["messages"] == len(said)


@pytest.mark.short_faults
async def test_a_union_of_three_goes_on_without_its_leader(tmp_path: Path) -> None:
    """Killed, not stopped: what was said before and meanwhile arrives once, in order."""
    async with (
        federation(tmp_path, found(utc_now()), nodes=3) as nations,
        speaking(nations, tmp_path / "xa-csirt.db", "xa-csirt", clock=utc_now) as ours,
        hub(nations, tmp_path, "xb-hub") as abroad,
    ):
        await ours.publish(draft("before"))
        await eventually(lambda: _read_at_least(abroad, green("xa"), 1))
        async with nations.owner("union-1") as connection:
            leader = (await js_api(connection, "STREAM.INFO.XA-CSIRT_ACTUAL"))["cluster"]["leader"]
        nations.joins.servers[leader].kill()
        for n in range(5):
            await ours.publish(draft(f"without a leader, {n}"))
        await eventually(lambda: _read_at_least(abroad, green("xa"), 6))
        assert await read(abroad, green("xa")) == list(range(1, 7))


async def test_a_union_that_lost_its_store_is_given_everything_again(tmp_path: Path) -> None:
    """Wiped under traffic: the carrier notices by what is stored anew, and the readers see nothing twice."""
    async with (
        federation(tmp_path, found(utc_now())) as nations,
        speaking(nations, tmp_path / "xa-csirt.db", "xa-csirt", clock=utc_now) as ours,
        hub(nations, tmp_path, "xb-hub") as abroad,
    ):
        for n in range(12):
            await ours.publish(draft(f"before, {n}"))
        await eventually(lambda: _read_at_least(abroad, green("xa"), 12))
        union = nations.joins.servers["union"]
        await union.stop()
        shutil.rmtree(tmp_path / "union" / "jetstream")
        await union.start()
        seat = nations.joins.seats["union"]
        await provision(union.url, nations.joins.provisioners["union"][0], nations.world.registry, seat=seat)
        await ours.publish(draft("after"))
        await eventually(lambda: _read_at_least(abroad, green("xa"), 13))
        assert await read(abroad, green("xa")) == list(range(1, 14))
        async with nations.owner("union") as connection:

            async def whole() -> bool:
                info = await js_api(connection, "STREAM.INFO.XA-CSIRT_ACTUAL")
                return bool(info["state"]["messages"] == 13)

            await eventually(whole)


async def test_whoever_holds_a_union_speaks_for_nobody(tmp_path: Path) -> None:
    """What he makes of his own streams reaches no country's: it is not released, or not theirs who are asked for it."""
    async with (
        federation(tmp_path, found(utc_now())) as nations,
        speaking(nations, tmp_path / "xa-csirt.db", "xa-csirt", clock=utc_now) as ours,
        hub(nations, tmp_path, "xb-hub") as abroad,
        nations.owner("union") as owner,
    ):
        await ours.publish(draft("first"))
        await eventually(lambda: _read_at_least(abroad, green("xa"), 1))
        # A consumer that gives XB its own country's words, and others that are not for it.
        found_ = await js_api(owner, "CONSUMER.INFO.WORLD_ACTUAL.to_xb")
        wider = {**found_["config"], "filter_subjects": [f"{PREFIX}.>"]}
        await js_api(
            owner, "CONSUMER.CREATE.WORLD_ACTUAL.to_xb", {"stream_name": "WORLD_ACTUAL", "config": wider}
        )
        union = nations.joins.servers["union"]
        seed, public = nkeys.generate()  # whoever holds the server may do anything there
        await union.reload(
            union.conf.replace(
                "jetstream: enabled", f"jetstream: enabled\n    users: [ {{ nkey: {public} }} ]", 1
            )
        )
        anything = Endpoint(url=union.url, authority_id="owner", nkey_seed=seed, name="owner")
        forged = chain(shared_world(), 3, issuer="xb-csirt")[2]
        red = forged.subject.replace(".green.community.xb.", ".red.xa-csirt.xa.")
        async with connected(anything) as forger:
            for subject in (forged.subject, red):
                await publish(
                    forger, subject, forged.payload + subject.encode(), dict(forged.headers), longest()
                )
        said = await ours.publish(draft("second"))
        await eventually(lambda: _read_at_least(abroad, green("xa"), said.seq))
        async with nations.owner("xb") as connection:
            for stream, count in (("XB-CSIRT_ACTUAL", 0), ("XA-CSIRT_ACTUAL", 2)):
                info = await js_api(connection, f"STREAM.INFO.{stream}")
                assert info["state"]["messages"] == count


async def test_a_carrier_may_say_only_what_its_country_released(tmp_path: Path) -> None:
    """With its transport key: nothing of another country's at a union, nothing of its own country's at home."""
    async with federation(tmp_path, found(utc_now())) as nations:
        mine, other = (chain(shared_world(), 1, issuer=f"{cc}-csirt")[0] for cc in ("xa", "xb"))
        endpoints = nations.joins.carriers["xa"].endpoints
        for place, message in (("union", other), ("xa", mine)):
            async with connected(endpoints[place]) as connection:
                with pytest.raises(DeniedError):
                    await publish(
                        connection, message.subject, message.payload, dict(message.headers), longest()
                    )


async def test_a_carrier_that_is_not_known_says_what_to_look_at(tmp_path: Path) -> None:
    """With another key than the one that the federation's file names, its problem names the file."""
    async with (
        federation(tmp_path, found(utc_now())) as nations,
        Ledger.open(tmp_path / "other.db") as ledger,
    ):
        known = nations.joins.carriers["xa"].endpoints
        unknown = msgspec.structs.replace(known["union"], nkey_seed=nkeys.generate()[0])
        stranger = Carrier(
            country="xa",
            federation=nations.joins.seats["xa"].federation,
            registry=lambda: nations.world.registry,
            endpoints={**known, "union": unknown},
            ledger=ledger,
            clock=utc_now,
        )

        async def told() -> bool:
            problems = [why for ends, why in stranger.problems.items() if ends[:2] == ("xa", "union")]
            return any("in the federation file there" in why for why in problems)

        async with running(stranger.run()):
            await eventually(told)


def without_strict(founded: Founded, reader: str) -> VerifiedRegistry:
    """The next version, in which somebody reads nothing at TLP:AMBER+STRICT."""
    before = founded.registry
    document = ceremony.next_version(before.document, before.digest, utc_now(), dt.timedelta(days=90))
    record = document.authorities[reader]
    reads = tuple(grant for grant in record.read if Tlp.AMBER_STRICT not in grant.tlps)
    authorities = {**document.authorities, reader: msgspec.structs.replace(record, read=reads)}
    document = msgspec.structs.replace(document, authorities=authorities)
    return before.update(signed_registry(document, founded.roots), utc_now())


async def test_what_nobody_there_may_read_does_not_go_there(tmp_path: Path) -> None:
    """A grant taken away closes the way for that channel; given back, what was said meanwhile is carried too."""
    founded = found(utc_now())
    narrowed, current = without_strict(founded, "xc-hub"), [founded.registry]
    strict = "xa-csirt/actual.amber-strict.eu-csirts"
    async with (
        federation(tmp_path, founded, registry=lambda: current[0]) as nations,
        speaking(nations, tmp_path / "xa-csirt.db", "xa-csirt", clock=utc_now) as ours,
        hub(nations, tmp_path, "xb-hub") as abroad,
        nations.owner("xc") as there,
    ):

        async def follow(registry: VerifiedRegistry) -> None:
            for name, server in nations.joins.servers.items():
                seed, public = nations.joins.provisioners[name]
                settings = ServerSettings(
                    name=name, port=int(server.url.rsplit(":", 1)[1]), seat=nations.joins.seats[name]
                )
                await server.reload(render_conf(registry, settings=settings, provisioner_nkey=public))
                await provision(server.url, seed, registry, seat=nations.joins.seats[name])
            current[0] = registry

        async def audiences() -> set[str]:
            info = await js_api(there, "STREAM.INFO.XA-CSIRT_ACTUAL", {"subjects_filter": ">"})
            return {subject.split(".")[4] for subject in info["state"].get("subjects") or {}}

        async def community_alone() -> bool:
            return await audiences() == {"community"}

        async def both() -> bool:
            return await audiences() == {"community", "eu-csirts"}

        await follow(narrowed)
        for tlp, audience in ((Tlp.AMBER_STRICT, "eu-csirts"), (Tlp.GREEN, "community")):
            await ours.publish(draft(f"to {audience}", tlp=tlp, audience=audience))
        await eventually(lambda: _read_at_least(abroad, strict, 1))
        await eventually(community_alone)
        await follow(founded.registry)
        await eventually(both)


def hold(folder: Path, founded: Founded) -> RegistryStore:
    """The first version, as one identity holds it."""
    folder.mkdir()
    (folder / "registry.tocsin.json").write_bytes(founded.raw)
    return RegistryStore(
        folder / "registry.tocsin.json",
        pin=founded.registry.digest,
        domain=founded.registry.domain,
        beacon=folder / "beacon.tocsin.json",
        clock=utc_now,
    )


async def test_what_is_said_of_trust_comes_to_every_country(tmp_path: Path) -> None:
    """A version published at a union, and a statement at its authority's own broker, reach a hub of another country."""
    founded = found(utc_now())
    async with federation(tmp_path, founded) as nations, AsyncExitStack() as ledgers, background() as tasks:
        for cc in ("xa", "xb"):
            held = hold(tmp_path / f"{cc}-server", founded)
            home = provisioner_endpoint(nations.joins.servers[cc].url, nations.joins.provisioners[cc][0])
            ledger = await ledgers.enter_async_context(Ledger.open(tmp_path / f"{cc}-trust.db"))
            relay = RegistryRelay(
                country=cc,
                held=held,
                endpoints=nations.joins.carriers[cc].endpoints,
                ledger=ledger,
                clock=utc_now,
                every=0.2,
            )
            for work in (relay.run(), RegistryFeed(held, home, every=0.2).run()):
                tasks.start(work, f"trust of {cc}")
        hub = hold(tmp_path / "xb-hub", founded)
        feed = RegistryFeed(hub, nations.endpoint("xb-hub"), every=0.2)
        tasks.start(feed.run(), "trust of the hub")
        narrowed = without_strict(founded, "xc-hub")
        async with nations.owner("union") as registrar:
            await publish_trust(registrar, narrowed.raw)

        async def second() -> bool:
            return hub().version == 2

        await eventually(second)
        stolen = founded.signers["xa-csirt"]
        end = new_statement(
            domain=founded.registry.domain,
            authority="xa-csirt",
            kids=(stolen.kid,),
            since=utc_now() - dt.timedelta(minutes=1),
            reason="key-compromise",
            signer=stolen,
            now=utc_now(),
        )
        async with connected(nations.endpoint("xa-csirt")) as officer:
            await publish_trust(officer, end)

        async def ended() -> bool:
            return stolen.kid in hub().revoked()

        await eventually(ended)
        async with nations.owner("xb") as there:
            info = await js_api(there, "STREAM.INFO.TRUST")
            assert info["state"]["messages"] == 1  # each thing once


async def test_silence_in_one_country_is_an_alarm_in_another(tmp_path: Path) -> None:
    """Heartbeats go over the union: who falls silent is missed abroad, and who speaks again is not any more."""
    ahead = dt.timedelta(0)

    async with (
        federation(tmp_path, found(utc_now())) as nations,
        speaking(nations, tmp_path / "xa-csirt.db", "xa-csirt", clock=utc_now) as ours,
        hub(nations, tmp_path, "xb-hub", lambda: utc_now() + ahead) as abroad,
    ):
        beats = beats_of(ours)

        async def stands(*reasons: str) -> bool:
            rows = await abroad.read(lambda db: recorded_alarms(db, ended=False))
            return [row.reason for row in rows if row.channel == green("xa")] == list(reasons)

        async def heard(count: int) -> bool:
            return len(await read(abroad, "xa-csirt/beat.green.community")) == count

        await beats.beat(anyway=True)
        await eventually(lambda: heard(1))
        assert await stands()
        ahead = dt.timedelta(seconds=25)
        await eventually(lambda: stands("silent"))
        ahead = dt.timedelta(0)
        await beats.beat(anyway=True)
        await eventually(lambda: heard(2))
        await eventually(stands)
