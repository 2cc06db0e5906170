"""The way in over a real broker: once each, in order per channel, whatever dies."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bus.hub.run import HubService
from bus.inbox import Inbox
from bus.server import provision
from schemas.vocab import Tlp
from tests.integration.conftest import Bus
from tests.integration.test_publisher import speaking
from tests.worlds import draft


@asynccontextmanager
async def reading(bus: Bus, path: Path, identity: str = "xb-hub") -> AsyncIterator[tuple[Inbox, HubService]]:
    """A hub over its own store."""
    async with Inbox.open(path, hold_s=1.0) as store:
        service = HubService(
            authority_id=identity,
            store=store,
            registry=lambda: bus.world.registry,
            endpoint=bus.endpoint(identity),
            clock=lambda: bus.world.now,
        )
        task = asyncio.create_task(service.run())
        try:
            yield store, service
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(question: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(seconds):
        while True:
            found = question()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)


async def admitted(store: Inbox) -> list[tuple[str, int, str]]:
    """Channel, number and digest of everything admitted, in order."""
    return await store.ask(
        lambda db: [
            (row["channel"], row["seq"], row["digest"])
            for row in db.execute("SELECT * FROM admitted ORDER BY row")
        ]
    )


async def test_a_hub_admits_what_another_country_publishes(bus: Bus, tmp_path: Path) -> None:
    """Published in XA, verified and kept in XB."""
    async with (
        speaking(bus, tmp_path / "outbox.db") as publisher,
        reading(bus, tmp_path / "store.db") as (store, _),
    ):
        accepted = [await publisher.publish(draft(f"number {n}")) for n in range(5)]
        await until(lambda: _count(store, 5))
        assert [digest for _, _, digest in await admitted(store)] == [a.digest for a in accepted]


async def test_each_hub_reads_exactly_what_its_grants_name(bus: Bus, tmp_path: Path) -> None:
    """A data-protection network bulletin reaches the hub that is a member and not the other."""
    async with (
        speaking(bus, tmp_path / "outbox.db", "xa-dpa") as publisher,
        reading(bus, tmp_path / "a.db", "xa-hub") as (ours, _),
        reading(bus, tmp_path / "b.db", "xb-hub") as (theirs, _),
    ):
        await publisher.publish(draft("to the network", tlp=Tlp.AMBER_STRICT, audience="eu-dpas"))
        await publisher.publish(draft("to all"))
        await until(lambda: _count(ours, 2))
        await until(lambda: _count(theirs, 1))
        assert [channel for channel, _, _ in await admitted(theirs)] == ["xa-dpa/actual.green.community"]


@pytest.mark.timeout(90)
async def test_server_death_and_hub_restart_repeat_nothing(bus: Bus, tmp_path: Path) -> None:
    """With the server killed and the hub restarted in the middle, each bulletin is admitted once, in order."""
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        accepted = []
        async with reading(bus, tmp_path / "store.db") as (store, _):
            accepted += [await publisher.publish(draft(f"number {n}")) for n in range(100)]
            await until(lambda: _count(store, 50))
        bus.server.kill()
        accepted += [await publisher.publish(draft(f"number {n}")) for n in range(100, 200)]
        await bus.server.restart()
        async with reading(bus, tmp_path / "store.db") as (store, _):
            await until(lambda: _count(store, 200), 30)
            assert [digest for _, _, digest in await admitted(store)] == [a.digest for a in accepted]


@pytest.mark.timeout(90)
async def test_a_wiped_stream_is_noticed_and_read_again(bus: Bus, tmp_path: Path) -> None:
    """A stream that lost its history makes the reader rewind, and nothing is admitted twice."""
    async with reading(bus, tmp_path / "store.db") as (store, service):
        async with speaking(bus, tmp_path / "one.db") as publisher:
            last = [await publisher.publish(draft(f"number {n}")) for n in range(3)][-1]
            assert await publisher.settled(last.digest, 5) == "stored"
        await until(lambda: _count(store, 3))
        await _lose(bus, bus.server.folder / "jetstream")
        async with speaking(bus, tmp_path / "one.db") as publisher:
            after = await publisher.publish(draft("after the loss"))
            assert await publisher.settled(after.digest, 10) == "stored"
        await until(lambda: _count(store, 4), 30)
        assert service.subscriber.counts["rewinds"] >= 1
        assert [seq for _, seq, _ in await admitted(store)] == [1, 2, 3, 4]


@pytest.mark.timeout(90)
async def test_a_copy_made_anew_is_told_from_the_one_that_was_read(bus: Bus, tmp_path: Path) -> None:
    """The same bulletins in another record make the reader rewind: what stood between them may be another."""
    async with reading(bus, tmp_path / "store.db") as (store, service):
        async with speaking(bus, tmp_path / "one.db") as publisher:
            last = [await publisher.publish(draft(f"number {n}")) for n in range(3)][-1]
            assert await publisher.settled(last.digest, 5) == "stored"
        await until(lambda: _count(store, 3))
        (copy,) = (bus.server.folder / "jetstream").glob("**/WORLD_ACTUAL")
        await _lose(bus, copy)
        await until(lambda: service.subscriber.counts["duplicate"] >= 3, 30)
        assert service.subscriber.counts["rewinds"] == 1
        assert [seq for _, seq, _ in await admitted(store)] == [1, 2, 3]


async def test_a_full_disk_is_waited_out(bus: Bus, tmp_path: Path) -> None:
    """While the store's disk is full a hub says so and takes nothing; with room again it goes on where it was."""
    async with reading(bus, tmp_path / "store.db") as (store, service):
        await store.ask(lambda db: db.execute("PRAGMA max_page_count = 1"))  # no more than it has
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            accepted = [await publisher.publish(draft(f"number {n}")) for n in range(100)]
            await until(lambda: "disk" in service.subscriber.problem)
            assert len(await admitted(store)) < len(accepted)
            await store.ask(lambda db: db.execute("PRAGMA max_page_count = 1000000"))
            await until(lambda: _count(store, 100))
        assert [digest for _, _, digest in await admitted(store)] == [a.digest for a in accepted]
        assert service.subscriber.problem == ""


async def _lose(bus: Bus, folder: Path) -> None:
    """The server dies, a folder of it is lost, and it is started and provisioned again."""
    bus.server.kill()
    shutil.rmtree(folder)
    await bus.server.restart()
    await provision(bus.server.url, bus.provisioner[0], bus.world.registry)


async def _count(store: Inbox, count: int) -> bool:
    return len(await admitted(store)) >= count
