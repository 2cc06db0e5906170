"""What a hub is: one reader for a store, and one end for all its tasks. No broker is there, which ends nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bus.errors import StoreError
from bus.hub import service
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.storage import lease
from bus.subscribing.inbox import Inbox
from bus.transport.connection import Endpoint
from bus.trust.registry import VerifiedRegistry
from tests.support.waiting import eventually
from tests.support.world import NOW, shared_world

WORLD = shared_world()
NOWHERE = Endpoint(
    url="nats://127.0.0.1:9",
    authority_id="xb-hub",
    nkey_seed=WORLD.nkeys["xb-hub"][0],
    name="nobody is there",
)


def hub(
    store: Inbox, *, stand_by: bool = False, registry: Callable[[], VerifiedRegistry] = lambda: WORLD.registry
) -> AbstractAsyncContextManager[HubService]:
    """A hub over a store."""
    return HubService.open(
        authority_id="xb-hub",
        store=store,
        registry=registry,
        endpoint=NOWHERE,
        clock=lambda: NOW,
        stand_by=stand_by,
    )


async def owner(store: Inbox) -> str | None:
    """Who holds the store's lease."""
    row = await store.read(lambda db: db.execute("SELECT owner FROM lease").fetchone())
    return row and str(row["owner"])


async def test_a_store_has_one_reader(tmp_path: Path) -> None:
    """A second hub is refused; when the first has ended it may read."""
    async with open_store(tmp_path / "store.db") as store:
        async with hub(store):
            with pytest.raises(StoreError) as refused:
                async with hub(store):
                    pass
        assert refused.value.reason == "lease-held"
        assert await owner(store) is None
        async with hub(store):
            assert await owner(store) is not None


async def test_who_stands_by_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the one that reads has ended."""
    monkeypatch.setattr(service, "STAND_BY_S", 0.01)
    async with open_store(tmp_path / "store.db") as store:
        async with hub(store):
            first = await owner(store)
            second = hub(store, stand_by=True)
            await second.__aenter__()
            await asyncio.sleep(0)
            assert await owner(store) == first

        async def other() -> bool:
            return await owner(store) not in (None, first)

        await eventually(other)
        await second.__aexit__(None, None, None)
        assert await owner(store) is None


def taken_by(name: str) -> Callable[[sqlite3.Connection], None]:
    """Another process takes the lease, whoever has it."""

    def work(db: sqlite3.Connection) -> None:
        db.execute(
            "REPLACE INTO lease VALUES (1, ?, ?)", (name, (NOW + dt.timedelta(seconds=10)).timestamp())
        )

    return work


async def test_a_hub_that_has_lost_its_store_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason; the lease stays with the process that has it now."""
    monkeypatch.setattr(service, "LEASE_S", 0.03)
    thief = lease.owner_name()
    async with open_store(tmp_path / "store.db") as store:

        async def robbed() -> None:
            async with hub(store):
                await store.write(taken_by(thief))
                await asyncio.Event().wait()

        with pytest.raises(StoreError) as lost:
            await robbed()
        assert lost.value.reason == "lease-held"
        assert await owner(store) == thief


async def test_who_stands_by_stands_by_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that was lost is waited for once more, and the reading goes on with it."""
    monkeypatch.setattr(service, "LEASE_S", 0.03)
    monkeypatch.setattr(service, "STAND_BY_S", 0.01)
    thief = lease.owner_name()
    async with open_store(tmp_path / "store.db") as store:
        with capture_logs() as logs:
            async with hub(store, stand_by=True):

                async def ours() -> bool:
                    return await owner(store) not in (None, thief)

                async def noticed() -> bool:
                    return any(line["event"] == "lease_lost" for line in logs)

                await eventually(ours)
                await store.write(taken_by(thief))
                await eventually(noticed)
                assert await owner(store) == thief
                await store.write(lambda db: lease.drop(db, thief))
                await eventually(ours)


async def test_a_task_that_fails_ends_the_hub_with_its_error(tmp_path: Path) -> None:
    """One of the hub's own as one beside it; and the store is free again."""
    calls = 0

    def registry() -> VerifiedRegistry:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise LookupError("the registry is gone")
        return WORLD.registry

    async def fails() -> None:
        raise LookupError("beside")

    async def beside() -> None:
        async with hub(store) as running:
            running.beside(fails(), "fails")
            await asyncio.Event().wait()

    async with open_store(tmp_path / "store.db") as store:
        with pytest.raises(LookupError, match="the registry is gone"):
            async with hub(store, registry=registry):
                await asyncio.Event().wait()
        with pytest.raises(LookupError, match="beside"):
            await beside()
        assert await owner(store) is None


async def test_a_hub_that_cannot_read_runs_on(tmp_path: Path) -> None:
    """Without a broker it says why, and ends only when it is told to."""
    async with open_store(tmp_path / "store.db") as store, hub(store) as running:

        async def problem() -> bool:
            return bool(running.subscriber.problem)

        await eventually(problem)
        assert not running.subscriber.caught_up()
