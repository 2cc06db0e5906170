"""The world's registry on the bus: versions and statements as the registrar or an authority says them, and feeds that follow."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bus.audit import Fact
from bus.keys.signatures import FileSigner
from bus.subscribing.inbox import Inbox
from bus.subscribing.registry_feed import RegistryFeed, publish_trust
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from bus.trust.store import RegistryStore
from tests.support.clocks import RunningClock
from tests.support.stage import Bus, connected, reading, running
from tests.support.world import key_record, shared_world, signed_registry

WORLD = shared_world()
NOW = WORLD.now
DAY = dt.timedelta(days=1)


def hold(folder: Path, clock: Callable[[], dt.datetime]) -> RegistryStore:
    """The world's first version in a folder of its own, or what the folder holds by now."""
    folder.mkdir(exist_ok=True)
    file = folder / "registry.tocsin.json"
    if not file.exists():
        file.write_bytes(WORLD.raw)
    return RegistryStore(
        file, pin=WORLD.pin, domain="test", beacon=folder / "beacon.tocsin.json", clock=clock
    )


def version(before: VerifiedRegistry, **keys: FileSigner) -> bytes:
    """The next version, in which authorities (named with `_` for `-`) have further keys."""
    document = ceremony.next_version(before.document, before.digest, NOW, 90 * DAY)
    records = dict(document.authorities)
    for name, signer in keys.items():
        authority = name.replace("_", "-")
        had = records[authority]
        records[authority] = msgspec.structs.replace(
            had, keys={**had.keys, signer.kid: key_record(signer, NOW)}
        )
    return signed_registry(msgspec.structs.replace(document, authorities=records), WORLD.roots[:2])


def statement(authority: str = "xa-csirt", by: FileSigner | None = None) -> bytes:
    """An authority ends its own key."""
    signer = WORLD.signers[authority]
    return new_statement(
        domain="test",
        authority=authority,
        kids=(signer.kid,),
        since=NOW - dt.timedelta(minutes=1),
        reason="key-compromise",
        signer=by or signer,
        now=NOW,
    )


@asynccontextmanager
async def following(bus: Bus, folder: Path, identity: str) -> AsyncIterator[tuple[Inbox, RegistryStore]]:
    """A hub that runs over its own files, and follows the registry on the bus."""
    clock = RunningClock(NOW)
    held = hold(folder, clock)
    async with reading(bus, folder / "store.db", identity, held, clock=clock) as (store, _):
        yield store, held


@asynccontextmanager
async def feeding(
    bus: Bus,
    held: RegistryStore,
    identity: str = "xb-hub",
    on_news: Callable[[str, Mapping[str, Fact]], None] | None = None,
) -> AsyncIterator[RegistryFeed]:
    """A feed that runs."""
    feed = RegistryFeed(held, bus.endpoint(identity), every=0.2, on_news=on_news)
    async with running(feed.run()):
        yield feed


async def announce(bus: Bus, *files: bytes, identity: str | None = None) -> None:
    """Say on TRUST, as the provisioner or as an authority."""
    async with connected(bus.endpoint(identity) if identity else bus.owner) as connection:
        for raw in files:
            await publish_trust(connection, raw)
