"""tocsin with everything on: outbox and inbox fsynced, chains, grants, admission whole, projection, sync always."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.keys.files import load_signer
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.transport.connection import Endpoint
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.cyber import CyberThreat
from schemas.bulletin import Draft
from schemas.parts import Info, Observable
from schemas.vocab import PersonalFlag
from tests.bench.role import TEXT, Role, main
from tests.support.world import DEFAULTS

WINDOW = 256
"""So many calls of `publish` wait at once."""
GROUP, GROUPS = 512, 4
"""So many drafts are one call of `publish_many`, and so many calls are on their way."""


def opened_world(role: Role) -> tuple[Path, VerifiedRegistry, dict[str, str]]:
    """The folder of this run, the registry, and the seeds of the transport keys by authority."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(role.options.world)
    registry = VerifiedRegistry.open((folder / "registry.tocsin.json").read_bytes())
    nkeys: dict[str, str] = json.loads((folder / "nkeys.json").read_text())
    return folder, registry, nkeys


def now() -> dt.datetime:
    """The present."""
    return dt.datetime.now(dt.UTC)


def draft(n: int) -> Draft:
    """A draft whose bulletin has about 1.5 kB, as `role.document` has."""
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
    """An officer's publisher: many calls of `publish` at once, or `publish_many` in groups."""
    folder, registry, nkeys = opened_world(role)
    endpoint = Endpoint(url=role.url, authority_id="xa-csirt", nkey_seed=nkeys["xa-csirt"], name="bench")
    drafts = [draft(n) for n in range(role.n)]
    async with (
        Outbox.open(folder / f"outbox-{secrets.token_hex(4)}.db") as outbox,
        Publisher.open(
            authority_id="xa-csirt",
            outbox=outbox,
            registry=lambda: registry,
            signers=(load_signer(folder / "xa-csirt.pem", b"bench"),),
            endpoint=endpoint,
            defaults=DEFAULTS,
            clock=now,
            rng=secrets.token_bytes,
        ) as publisher,
    ):
        await publisher.ready(10)
        role.go()
        await (_in_groups if role.way == "publish_many" else _one_by_one)(role, publisher, drafts)
        await publisher.idle(120)
        role.done()


async def _one_by_one(role: Role, publisher: Publisher, drafts: list[Draft]) -> None:
    window = asyncio.Semaphore(WINDOW)
    async with asyncio.TaskGroup() as tasks:
        for n, each in enumerate(drafts):
            await window.acquire()
            await role.pace(n)
            tasks.create_task(publisher.publish(each)).add_done_callback(lambda _: window.release())


async def _in_groups(role: Role, publisher: Publisher, drafts: list[Draft]) -> None:
    window = asyncio.Semaphore(GROUPS)

    async def group(some: list[Draft]) -> None:
        for outcome in await publisher.publish_many(some):
            if isinstance(outcome, Exception):
                raise outcome

    async with asyncio.TaskGroup() as tasks:
        for start in range(0, len(drafts), GROUP):
            await window.acquire()
            some = drafts[start : start + GROUP]
            for n in range(start, start + len(some)):
                await role.pace(n)
            tasks.create_task(group(some)).add_done_callback(lambda _: window.release())


class _Handled(Counter[str]):
    """A subscriber's counts, telling the driver about bulletins once their transaction is done."""

    def __init__(self, role: Role) -> None:
        self.role, self.all_there = role, asyncio.Event()
        super().__init__()

    def update(self, found: Mapping[str, int] | Iterable[str] | None = None, /, **more: int) -> None:  # type: ignore[override]
        """As of any counter."""
        super().update(found, **more)
        if isinstance(found, Mapping):
            self.role.got(found.get("admitted", 0))
            if len(self.role.stamps) >= self.role.n:
                self.all_there.set()


async def consumer(role: Role) -> None:
    """A hub of the other country."""
    folder, registry, nkeys = opened_world(role)
    endpoint = Endpoint(url=role.url, authority_id="xb-hub", nkey_seed=nkeys["xb-hub"], name="bench")
    async with (
        open_store(folder / f"store-{secrets.token_hex(4)}.db") as store,
        HubService.open(
            authority_id="xb-hub", store=store, registry=lambda: registry, endpoint=endpoint, clock=now
        ) as service,
    ):
        service.subscriber.counts = handled = _Handled(role)
        async with asyncio.timeout(20):
            while service.subscriber.attached == 0:
                await asyncio.sleep(0.01)
        role.go()
        await handled.all_there.wait()
        role.done()


if __name__ == "__main__":
    main(producer, consumer)
