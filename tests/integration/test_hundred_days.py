"""A hub that is cut off for a hundred days, beyond the life of its registry: it goes on, says so, and comes back by itself."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.admission.steps import verify_file
from bus.demo.federation import Cable
from bus.errors import AdmissionError
from bus.hub.picture import summary
from bus.hub.service import HubService
from bus.keys import nkeys
from bus.keys.nkeys import save_nkey
from bus.keys.signatures import FileSigner
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.subscribing.inbox import Inbox
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from bus.trust.store import RegistryStore
from schemas.envelope import SIG_HEADER, file_form
from tests.support.clocks import Clock
from tests.support.office import Desk
from tests.support.stage import Bus, admitted, cabled, has, reading, say
from tests.support.trust import announce, hold
from tests.support.waiting import COMMAND_PAUSE_S, eventually, eventually_sync
from tests.support.world import Message, bulletin, draft, key_record, make_world, sign, signed_registry

DAY = dt.timedelta(days=1)
HUB = "xb-hub"


class Hub(msgspec.Struct, frozen=True, kw_only=True):
    """A hub that runs: its store, its service, and the registry it holds."""

    store: Inbox
    service: HubService
    held: RegistryStore

    async def picture(self, now: dt.datetime) -> summary.Picture:
        """The situation as it shows it."""
        return await self.store.read(lambda db: summary.picture(db, now, self.held()))


@asynccontextmanager
async def hub(bus: Bus, link: Cable, folder: Path, clock: Clock) -> AsyncIterator[Hub]:
    """A hub over the files of a folder."""
    held = hold(folder, clock)
    endpoint = msgspec.structs.replace(bus.endpoint(HUB), url=f"nats://127.0.0.1:{link.port}")
    path = folder / "store.db"
    async with reading(bus, path, HUB, held, clock=clock, endpoint=endpoint, picture=True) as (
        store,
        service,
    ):
        yield Hub(store=store, service=service, held=held)


def beacon(bus: Bus, registry: VerifiedRegistry, now: dt.datetime) -> bytes:
    """A beacon for six hours."""
    return ceremony.new_beacon(registry, bus.world.beacon, now, DAY / 4)


def next_version(bus: Bus, before: VerifiedRegistry, now: dt.datetime, *further: FileSigner) -> bytes:
    """The next version, for ninety days, with further keys of xa-csirt."""
    document = ceremony.next_version(before.document, before.digest, now, 90 * DAY)
    record = document.authorities["xa-csirt"]
    keys = {**record.keys, **{each.kid: key_record(each, now) for each in further}}
    changed = msgspec.structs.replace(record, keys=keys)
    return signed_registry(proposals.add_authority(document, "xa-csirt", changed), bus.world.roots[:2])


def file_of(message: Message) -> bytes:
    """The file form of a message."""
    return file_form(message.payload, dict(message.headers)[SIG_HEADER])


async def everything(found: Hub, folder: Path) -> object:
    """All that a hub holds: its store, but for the mark by which what has expired is counted, and the files of its registry."""

    def rows(db: object) -> object:
        tables = (
            "admitted",
            "links",
            "quarantine",
            "held_back",
            "deferred",
            "ended_keys",
            "actual",
            "cursors",
        )
        return {
            name: [
                tuple(row[column] for column in row.keys() if column not in ("is_over", "live"))  # noqa: SIM118 (a row is no dict)
                for row in db.execute(f"SELECT * FROM {name}")  # type: ignore[attr-defined]
            ]
            for name in tables
        }

    return await found.store.read(rows), await asyncio.to_thread(files, folder)


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.json")}


async def test_a_hub_goes_on_for_a_hundred_days_alone_and_is_fresh_again_by_itself(
    bus: Bus, tmp_path: Path
) -> None:
    """It verifies what it holds and what comes by file, says `expired`, does nothing by itself, and then catches up."""
    world, clock, folder = bus.world, Clock(bus.world.now), tmp_path / "hub"
    first = [sign(world, bulletin(world, say=draft("before")))]
    await say(bus, *first)
    await announce(bus, beacon(bus, world.registry, world.now))
    async with cabled(bus.server) as link:
        async with hub(bus, link, folder, clock) as found:
            await eventually(lambda: found.held().state(clock()) == "fresh")
            await eventually(lambda: has(found.store, 1))
            await link.cut()
            await eventually(lambda: found.service.subscriber.problem)
            alone = await everything(found, folder)

            # Meanwhile the others go on: two versions of the registry, a new key, bulletins by either key.
            new = FileSigner.generate()
            second = next_version(bus, world.registry, world.now + 45 * DAY, new)
            after = world.registry.update(second, world.now + 45 * DAY)
            third = next_version(bus, after, world.now + 99 * DAY)
            last = after.update(third, world.now + 99 * DAY)
            for day, signer in ((40, world.signers["xa-csirt"]), (60, new), (99, new)):
                made = bulletin(
                    world, seq=len(first) + 1, prev=first[-1].digest, issued=world.now + day * DAY, say=draft(f"day {day}")
                )  # fmt: skip
                first.append(sign(world, made, by=signer))
            await announce(bus, second, third, beacon(bus, last, world.now + 100 * DAY))
            await say(bus, *first[1:])

            states = []
            for _ in range(100):
                clock.now += DAY
                states.append((await found.picture(clock())).trust)
                shown = verify_file(file_of(first[0]), registry=found.held(), now=clock())
                assert shown.trust == states[-1]
            assert states == ["stale"] * 89 + ["expired"] * 11

            by_file = verify_file(file_of(first[1]), registry=found.held(), now=clock())
            assert by_file.trust == "expired"
            assert by_file.labels == {"late", "expired"}
            with pytest.raises(AdmissionError) as refused:
                verify_file(file_of(first[2]), registry=found.held(), now=clock())
            assert refused.value.reason == "unknown-key"
            spoilt = file_of(sign(world, bulletin(world), by=FileSigner.generate()))
            with pytest.raises(AdmissionError):
                verify_file(spoilt, registry=found.held(), now=clock())
            assert await everything(found, folder) == alone

        # It is started anew, alone still, with a registry that has run out.
        async with hub(bus, link, folder, clock) as found:
            await eventually(lambda: found.service.subscriber.problem)
            assert (await found.picture(clock())).trust == "expired"
            assert await everything(found, folder) == alone
            await link.mend()
            await eventually(lambda: found.held().state(clock()) == "fresh")
            await eventually(lambda: has(found.store, 4))
            assert [each for _, _, each in await admitted(found.store)] == [each.digest for each in first]
            assert found.held().version == 3
            assert (await found.picture(clock())).trust == "fresh"


def test_commands_say_expired_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that is started when its registry has run out reads, shows, verifies, and is fresh when the next one comes."""
    now = dt.datetime.now(dt.UTC)
    world = make_world(now - 100 * DAY)
    office = Desk(tmp_path, monkeypatch)
    (tmp_path / "registry.tocsin.json").write_bytes(world.raw)
    save_nkey(tmp_path / "hub.nk", world.nkeys[HUB][0])
    seed, public = nkeys.generate()
    conf = render_conf(world.registry, settings=ServerSettings(), provisioner_nkey=public)
    server = NatsServer(tmp_path / "server", conf)
    with asyncio.Runner() as runner:
        runner.run(server.start())
        try:
            runner.run(provision(server.url, seed, world.registry))
            bus = Bus(world=world, server=server, provisioner=(seed, public))
            office.run(
                "context", "add", HUB, "--authority", HUB, "--domain", "test", "--pin", world.pin, "--registry",
                "registry.tocsin.json", "--beacon", "beacon.tocsin.json", "--server", server.url, "--nkey", "hub.nk",
                "--state", "state", "--use",
            )  # fmt: skip
            said = sign(world, bulletin(world, issued=now))
            runner.run(say(bus, said))
            with office.running("hub", "run"):
                eventually_sync(
                    lambda: _told(office, "hub", "status").get("admitted") == 1, pause_s=COMMAND_PAUSE_S
                )
                assert _told(office, "hub", "status")["trust"] == "expired"
                shown = _told(office, "picture")
                assert (shown["trust"], shown["in_force"]) == ("expired", 1)
                (tmp_path / "said.tocsin.json").write_text(
                    office.run("bulletin", "show", said.bulletin.id, "--file")
                )
                assert _told(office, "verify", "said.tocsin.json")["trust"] == "expired"
                office.run("verify", "said.tocsin.json", "--require-fresh", code=6)
                second = next_version(bus, world.registry, now)
                runner.run(announce(bus, second, beacon(bus, world.registry.update(second, now), now)))
                eventually_sync(lambda: _told(office, "picture")["trust"] == "fresh", pause_s=COMMAND_PAUSE_S)
                office.run("verify", "said.tocsin.json", "--require-fresh")
        finally:
            runner.run(server.stop())


def _told(office: Desk, *command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(office.view(*command, "--json"))
    return found
