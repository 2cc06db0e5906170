"""Hubs for tests: stores that have taken in what a broker would have brought, and desks at which hubs are asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from bus.admission.verdict import Judged, Refused, decide
from bus.admission.verdict import Message as Received
from bus.hub.picture.projection import open_store
from bus.keys.nkeys import save_nkey
from bus.publishing import heartbeat
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import Head
from schemas.subject import Channel
from schemas.vocab import ChannelState, Status, Tlp
from tests.support.clocks import utc_now
from tests.support.office import Desk, Office
from tests.support.world import BEACON_LIFETIME, NOW, Message, World, bulletin, shared_world, sign

STREAM = "WORLD_ACTUAL"
GREEN = Channel(issuer="xa-csirt", status=Status.BEAT, tlp=Tlp.GREEN, audience="community")
INTERVAL = 60  # seconds between heartbeats, as they say


def judged(
    message: Message, registry: VerifiedRegistry | None = None, now: dt.datetime = NOW
) -> Judged | Refused:
    """A message through admission, by the shared world's registry or another, as the subscriber hands it on."""
    kept = Received(
        subject=message.subject,
        headers=message.headers,
        payload=message.payload,
        stream=STREAM,
        stream_seq=1,
        digest=message.digest,
    )
    return decide(kept, registry or shared_world().registry, now)


def beat(
    *heads: Head, seq: int = 1, prev: str | None = None, state: ChannelState = ChannelState.UP, **body: object
) -> Message:
    """A signed heartbeat of the CSIRT of XA in the shared world."""
    said = heartbeat.draft(GREEN, heads, INTERVAL, NOW, state=state)
    said = msgspec.structs.replace(said, body=msgspec.structs.replace(said.body, **body))
    return sign(shared_world(), bulletin(shared_world(), say=said, seq=seq, prev=prev))


async def take_in(
    path: Path, world: World, messages: Sequence[Message], now: dt.datetime | None = None
) -> None:
    """Settle messages into a hub's store; the file is made when it is not there."""
    moment = now or world.now
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with open_store(path, hold_s=0.0) as store:
        await store.settle([judged(each, world.registry, moment) for each in messages], STREAM, None, moment)
        await store.release(moment)


def hub_desk(folder: Path, patch: pytest.MonkeyPatch, world: World, *identities: str) -> Desk:
    """A desk with one context for each identity, its state in `state/IDENTITY`; those that sign have their keys."""
    folder.mkdir(exist_ok=True)
    desk = Desk(folder, patch)
    for name in identities:
        home = folder / name
        home.mkdir()
        (home / "registry.tocsin.json").write_bytes(world.raw)
        arguments = [
            "context", "add", name, "--authority", name, "--domain", world.registry.domain, "--pin", world.pin,
            "--registry", f"{name}/registry.tocsin.json", "--beacon", f"{name}/beacon.tocsin.json",
            "--state", f"state/{name}",
        ]  # fmt: skip
        if world.registry.document.authorities[name].keys:
            desk.hold(name, world.signers[name])
            arguments += ["--key", f"{name}.pem", "--passphrase-file", f"{name}.pass"]
        desk.run(*arguments)
    return desk


def office_at(folder: Path, world: World, url: str, identity: str) -> Office:
    """An office whose one context is that of an identity at a broker, with its keys and its state in `state/IDENTITY`."""
    folder.mkdir(parents=True, exist_ok=True)
    office = Office(folder)
    (folder / "registry.tocsin.json").write_bytes(world.raw)
    beacon = ceremony.new_beacon(world.registry, world.beacon, utc_now(), BEACON_LIFETIME)
    (folder / "beacon.tocsin.json").write_bytes(beacon)
    save_nkey(folder / f"{identity}.nk", world.nkeys[identity][0])
    office.hold(identity, world.signers[identity])
    office.run(
        "context", "add", identity, "--authority", identity, "--domain", world.registry.domain, "--pin", world.pin,
        "--registry", "registry.tocsin.json", "--beacon", "beacon.tocsin.json", "--server", url,
        "--nkey", f"{identity}.nk", "--key", f"{identity}.pem", "--passphrase-file", f"{identity}.pass",
        "--state", f"state/{identity}", "--use",
    )  # fmt: skip
    return office


def store_of(folder: Path, identity: str) -> Path:
    """Where an identity's store lies."""
    return folder / "state" / identity / "store.db"
