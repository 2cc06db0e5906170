"""tocsin with everything on: outbox and inbox fsynced, chains, grants, admission whole, projection, sync always."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
from pathlib import Path

import structlog

from bus.hub.picture.projection import Projection
from bus.hub.service import HubService
from bus.keys.files import load_signer
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.subscribing.inbox import Inbox
from bus.transport.connection import Endpoint
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.cyber import CyberThreat
from schemas.bulletin import Draft
from schemas.parts import Info, Observable
from schemas.vocab import PersonalFlag
from tests.bench.role import TEXT, Role, main
from tests.support.world import DEFAULTS

WINDOW = 256


def _world(role: Role) -> tuple[Path, VerifiedRegistry, dict[str, str]]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(role.options.world)
    registry = VerifiedRegistry.open((folder / "registry.tocsin.json").read_bytes())
    nkeys: dict[str, str] = json.loads((folder / "nkeys.json").read_text())
    return folder, registry, nkeys


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _draft(n: int) -> Draft:
    observables = (
        Observable(type="ipv4-addr", personal=PersonalFlag.NONE, value=f"192.0.2.{n % 256}", actionable=True),
        Observable(
            type="domain-name", personal=PersonalFlag.NONE, value=f"cdn-{n:010x}.example", actionable=True
        ),
        Observable(
            type="url", personal=PersonalFlag.NONE, value=f"https://cdn-{n:010x}.example/gate/{n:08x}"
        ),
    )
    headline = f"Loader family {n:06x} active against edge appliances"
    return Draft(
        info=(Info(lang="en", headline=headline, summary=TEXT),),
        body=CyberThreat(title=headline),
        observables=observables,
    )


async def producer(role: Role) -> None:
    """An officer's publisher, many drafts at once as an adapter would."""
    folder, registry, nkeys = _world(role)
    endpoint = Endpoint(url=role.url, authority_id="xa-csirt", nkey_seed=nkeys["xa-csirt"], name="bench")
    drafts = [_draft(n) for n in range(role.n)]
    async with (
        Outbox.open(folder / f"outbox-{secrets.token_hex(4)}.db") as outbox,
        Publisher.open(
            authority_id="xa-csirt",
            outbox=outbox,
            registry=lambda: registry,
            signers=(load_signer(folder / "xa-csirt.pem", b"bench"),),
            endpoint=endpoint,
            defaults=DEFAULTS,
            clock=_now,
            rng=secrets.token_bytes,
        ) as publisher,
    ):
        await publisher.ready(10)
        role.go()
        window = asyncio.Semaphore(WINDOW)
        async with asyncio.TaskGroup() as tasks:
            for n, draft in enumerate(drafts):
                await window.acquire()
                await role.pace(n)
                tasks.create_task(publisher.publish(draft)).add_done_callback(lambda _: window.release())
        await publisher.idle(120)
        role.done()


class _Stamping(Projection):
    """The hub's projection, telling the driver about each bulletin it has taken in."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def apply(self, db, row) -> None:  # type: ignore[no-untyped-def]  # as Projection.apply
        super().apply(db, row)
        self.role.got()


async def consumer(role: Role) -> None:
    """A hub of the other country."""
    folder, registry, nkeys = _world(role)
    endpoint = Endpoint(url=role.url, authority_id="xb-hub", nkey_seed=nkeys["xb-hub"], name="bench")
    async with (
        Inbox.open(folder / f"store-{secrets.token_hex(4)}.db", projector=_Stamping(role)) as store,
        HubService.open(
            authority_id="xb-hub", store=store, registry=lambda: registry, endpoint=endpoint, clock=_now
        ) as service,
    ):
        async with asyncio.timeout(20):
            while service.subscriber.attached == 0:
                await asyncio.sleep(0.01)
        role.go()
        while len(role.stamps) < role.n:
            await asyncio.sleep(0.005)
        # The last stamps are inside their transaction; it is done when the store says so.
        async with asyncio.timeout(30):
            while service.subscriber.counts["admitted"] < role.n:
                await asyncio.sleep(0.005)
        role.done()


if __name__ == "__main__":
    main(producer, consumer)
