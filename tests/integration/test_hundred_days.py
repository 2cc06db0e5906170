"""A hub that is cut off for a hundred days, beyond the life of its registry: it goes on, says so, and comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from bus.admission.admit import verify_file
from bus.errors import AdmissionError
from bus.hub.picture import summary
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.keys import nkeys
from bus.keys.nkeys import save_nkey
from bus.keys.signatures import FileSigner
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.subscribing.inbox import Inbox
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from bus.trust.store import HeldRegistry
from schemas.envelope import SIG_HEADER, parse_header, write_signed
from tests.integration.conftest import Bus
from tests.integration.test_subscriber import admitted, say, until
from tests.integration.test_trust_feed import announce, hold
from tests.office import Desk
from tests.worlds import Message, bulletin, draft, key_record, make_world, sign, signed_registry

DAY = dt.timedelta(days=1)
HUB = "xb-hub"


class Link:
    """The way from a hub to its broker, which may be cut."""

    def __init__(self, url: str) -> None:
        self.whole = True
        self.url = ""
        self._to = urlsplit(url)
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Link]:
        """From a free port on loopback."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Nothing comes through any more, and nobody is told why."""
        self.whole = False
        for writer in self._open:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._open |= {writer, back}
        with contextlib.suppress(OSError):
            await asyncio.gather(_pour(reader, back), _pour(there, writer))
        self._open -= {writer, back}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


class Years:
    """A clock that is set, and does not move by itself."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        """Now."""
        return self.now


class Hub(msgspec.Struct, frozen=True, kw_only=True):
    """A hub that runs: its store, its service, and the registry it holds."""

    store: Inbox
    service: HubService
    held: HeldRegistry

    async def picture(self, now: dt.datetime) -> summary.Picture:
        """The situation as it shows it."""
        return await self.store.read(lambda db: summary.picture(db, now, self.held()))


@asynccontextmanager
async def hub(bus: Bus, link: Link, folder: Path, clock: Years) -> AsyncIterator[Hub]:
    """A hub over the files of a folder."""
    held = hold(folder, clock)
    endpoint = msgspec.structs.replace(bus.endpoint(HUB), url=link.url)
    async with (
        open_store(folder / "store.db", hold_s=1.0) as store,
        HubService.open(
            authority_id=HUB, store=store, registry=held, endpoint=endpoint, clock=clock
        ) as service,
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
    return write_signed(message.payload, parse_header(dict(message.headers)[SIG_HEADER]))


async def everything(found: Hub, folder: Path) -> object:
    """All that a hub holds: its store, and the files of its registry."""

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
        return {name: [tuple(row) for row in db.execute(f"SELECT * FROM {name}")] for name in tables}  # type: ignore[attr-defined]

    return await found.store.read(rows), await asyncio.to_thread(files, folder)


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.json")}


@pytest.mark.timeout(120)
async def test_a_hub_goes_on_for_a_hundred_days_alone_and_is_fresh_again_by_itself(
    bus: Bus, tmp_path: Path
) -> None:
    """It verifies what it holds and what comes by file, says `expired`, does nothing by itself, and then catches up."""
    world, clock, folder = bus.world, Years(bus.world.now), tmp_path / "hub"
    first = [sign(world, bulletin(world, say=draft("before")))]
    await say(bus, *first)
    await announce(bus, beacon(bus, world.registry, world.now))
    async with Link(bus.server.url).laid() as link:
        async with hub(bus, link, folder, clock) as found:
            await until(lambda: found.held().state(clock()) == "fresh")
            await until(lambda: _count(found, 1))
            link.cut()
            await until(lambda: found.service.subscriber.problem)
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
            await until(lambda: found.service.subscriber.problem)
            assert (await found.picture(clock())).trust == "expired"
            assert await everything(found, folder) == alone
            link.whole = True
            await until(lambda: found.held().state(clock()) == "fresh", 30)
            await until(lambda: _count(found, 4), 30)
            assert [each for _, _, each in await admitted(found.store)] == [each.digest for each in first]
            assert found.held().version == 3
            assert (await found.picture(clock())).trust == "fresh"


async def _count(found: Hub, count: int) -> bool:
    return len(await admitted(found.store)) >= count


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
            reading = office.start("hub", "run")
            try:
                _wait(lambda: _told(office, "hub", "status").get("admitted") == 1)
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
                _wait(lambda: _told(office, "picture")["trust"] == "fresh")
                office.run("verify", "said.tocsin.json", "--require-fresh")
            finally:
                reading.send_signal(signal.SIGINT)
                reading.wait(20)
        finally:
            runner.run(server.stop())


def _told(office: Desk, *command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(office.run(*command, "--json"))
    return found


def _wait(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.1)
