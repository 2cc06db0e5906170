"""Hubs over a real broker: what an insider can do to their readers, and what dies between two commits."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from bus.audit import Fact
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.keys import nkeys
from bus.publishing.heartbeat import PART_S
from bus.publishing.outbox import Outbox, RowState
from schemas.parts import PersonalData
from schemas.vocab import PersonalFlag
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.stage import Bus, admitted, connected, has, reading, refusals, send, serving
from tests.support.waiting import eventually, longest
from tests.support.world import bulletin, chain, draft, make_world, sign

PREFIX = "tocsin.v1.actual.green.community.xb.csirt"
SUBJECT = f"{PREFIX}.cyber.cyber-threat.xb.none.p4".encode()

HOSTILE: dict[str, tuple[bytes, bytes, bytes]] = {
    # what it pretends to be: subject, header lines, payload
    "heartbeat": (SUBJECT, b"Status: 100\r\n", b""),
    "end of request": (SUBJECT, b"Status: 404\r\nDescription: No Messages\r\n", b""),
    "refused request": (SUBJECT, b"Status: 409\r\nDescription: Exceeded MaxWaiting\r\n", b""),
    "no responders": (SUBJECT, b"Status: 503\r\n", b""),
    "not a subject": (PREFIX.encode() + b".\xff\xfe", b"", b"{}"),
    "control bytes": (SUBJECT, b"Tocsin-Sig: a\x00b\x1b[2Jc\xe9\n..x\r\n", b"{}"),
    "no header name": (SUBJECT, b": x\r\nno colon at all\r\n", b"{}"),
    "an inner status": (SUBJECT, b"NATS/1.0 503\r\n", b"x"),
    "empty": (SUBJECT, b"", b""),
}


async def shout(bus: Bus, identity: str, subject: bytes, lines: bytes, payload: bytes) -> None:
    """Publish bytes as they are, past everything a client would refuse to send."""
    head = b"NATS/1.0\r\n" + lines + b"\r\n"
    size = len(head)
    async with connected(bus.endpoint(identity)) as speaker:
        client = speaker.client()
        client._transport.write(  # type: ignore[union-attr]  # there is no other way to say such things
            b"HPUB %s %d %d\r\n%s%s\r\n" % (subject, size, size + len(payload), head, payload)
        )
        await client.flush()


@pytest.mark.parametrize("name", HOSTILE)
async def test_an_insider_cannot_stop_a_reader(
    bus: Bus, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """Whatever stands in the stream before it, the next bulletin is admitted, and the odd message is quarantined."""
    first, second = chain(bus.world, 2)
    other = chain(bus.world, 1, "xb-dpa")[0]
    async with connected(bus.endpoint("xa-csirt")) as speaker:
        await send(speaker, first)
        await shout(bus, "xb-csirt", *HOSTILE[name])
        await send(speaker, second)
    async with connected(bus.endpoint("xb-dpa")) as neighbour:
        await send(neighbour, other)
    async with reading(bus, tmp_path_factory.mktemp("hub") / "store.db") as (store, service):
        await eventually(lambda: has(store, 3))
        await eventually(lambda: refusals(store))
        assert await refusals(store) == ["empty" if not HOSTILE[name][2] else "malformed-envelope"]
        await eventually(lambda: _all_attached(service))


async def _all_attached(service: HubService) -> bool:
    return service.subscriber.attached == len(("ACTUAL", "BEAT", "EXERCISE", "SYSTEM", "TEST"))


async def test_a_connection_pings_as_often_as_it_is_told(bus: Bus) -> None:
    """The interval of the endpoint is the client's, also when it changes, so that a dead link is noticed sooner in a vote."""
    seconds = 10
    endpoint = msgspec.structs.replace(bus.endpoint("xa-csirt"), ping_s=lambda: seconds)
    async with connected(endpoint) as connection:
        assert connection.client().options["ping_interval"] == 10
        seconds = 5
        await eventually(lambda: connection.client().options["ping_interval"] == 5)
        assert connection.epoch == 1


async def test_a_hub_that_runs_erases_what_may_be_kept_no_longer(bus: Bus, tmp_path: Path) -> None:
    """By itself, when it starts, and on the audit record; it reads on meanwhile."""
    heard: list[tuple[str, dict[str, Fact]]] = []
    last = bus.world.now + dt.timedelta(days=5)
    said = draft(
        "about somebody",
        expires=last,
        personal_data=PersonalData(
            flag=PersonalFlag.PERSONAL,
            lawful_basis="celex:32016R0679#6.1.e",
            purpose="p",
            retention_until=last.date(),
        ),
    )
    about = sign(bus.world, bulletin(bus.world, say=said))
    path = tmp_path / "store.db"
    await take_in(path, bus.world, [about])

    def hear(event: str, facts: Mapping[str, Fact]) -> None:
        heard.append((event, dict(facts)))

    def the_day_after() -> dt.datetime:
        return last + dt.timedelta(days=1)

    async with reading(bus, path, picture=True, on_news=hear, clock=the_day_after) as (store, service):
        await eventually(lambda: heard == [("personal-data-erased", {"count": 1})])
        assert await admitted(store) == []
        await eventually(service.subscriber.caught_up)


async def test_a_hub_that_is_told_to_end_ends_though_its_broker_is_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SIGTERM, cleanly; it waits only until its farewell is sent, less than 5 seconds, and leaves its store to others."""
    assert PART_S < 5.0
    world = make_world(dt.datetime.now(dt.UTC))
    office = hub_desk(tmp_path / "office", monkeypatch, world, "xb-hub")
    nkeys.save_nkey(office.folder / "xb-hub.nk", world.nkeys["xb-hub"][0])
    async with serving(tmp_path / "server", world) as bus:
        office.run(
            "context", "add", "xb-hub", "--authority", "xb-hub", "--domain", "test", "--pin", world.pin,
            "--registry", "xb-hub/registry.tocsin.json", "--beacon", "xb-hub/beacon.tocsin.json",
            "--server", bus.server.url, "--nkey", "xb-hub.nk", "--key", "xb-hub.pem", "--passphrase-file", "xb-hub.pass",
            "--state", "state/xb-hub",
        )  # fmt: skip
        outbox_file = store_of(office.folder, "xb-hub").with_name("outbox.db")
        hub = office.start("hub", "run", "--context", "xb-hub")
        try:
            async with Outbox.open(outbox_file) as outbox:

                async def has_spoken() -> bool:
                    return (await outbox.counts())[RowState.STORED] > 0

                await eventually(has_spoken)
            os.kill(bus.server.pid, signal.SIGSTOP)
            hub.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(hub.wait, longest()) == 0
            async with open_store(store_of(office.folder, "xb-hub")) as store:
                lease = await store.read(lambda db: db.execute("SELECT owner FROM lease").fetchall())
            assert lease == []
        finally:
            hub.kill()
            os.kill(bus.server.pid, signal.SIGCONT)
