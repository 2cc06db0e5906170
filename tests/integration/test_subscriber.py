"""The way in over a real broker: once each, in order per channel, whatever dies."""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from bus.keys.signatures import FileSigner
from bus.subscribing.inbox import Inbox
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.registry import KeyRecord
from schemas.vocab import Tlp
from tests.support.stage import Bus, admitted, has, reading, refusals, say, speaking
from tests.support.waiting import eventually, longest
from tests.support.world import chain, draft, key_record, sign, signed_registry


async def test_a_hub_admits_what_another_country_publishes(bus: Bus, tmp_path: Path) -> None:
    """Published in XA, verified and kept in XB."""
    async with (
        speaking(bus, tmp_path / "outbox.db") as publisher,
        reading(bus, tmp_path / "store.db") as (store, _),
    ):
        accepted = [await publisher.publish(draft(f"number {n}")) for n in range(5)]
        await eventually(lambda: has(store, 5))
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
        await eventually(lambda: has(ours, 2))
        await eventually(lambda: has(theirs, 1))
        assert [channel for channel, _, _ in await admitted(theirs)] == ["xa-dpa/actual.green.community"]


async def test_server_death_and_hub_restart_repeat_nothing(bus: Bus, tmp_path: Path) -> None:
    """With the server killed and the hub restarted in the middle, each bulletin is admitted once, in order."""
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        accepted = []
        async with reading(bus, tmp_path / "store.db") as (store, _):
            accepted += [await publisher.publish(draft(f"number {n}")) for n in range(100)]
            await eventually(lambda: has(store, 50))
        bus.server.kill()
        accepted += [await publisher.publish(draft(f"number {n}")) for n in range(100, 200)]
        await bus.server.restart()
        async with reading(bus, tmp_path / "store.db") as (store, _):
            await eventually(lambda: has(store, 200))
            assert [digest for _, _, digest in await admitted(store)] == [a.digest for a in accepted]


async def test_a_wiped_stream_is_noticed_and_read_again(bus: Bus, tmp_path: Path) -> None:
    """A stream that lost its history makes the reader rewind, and nothing is admitted twice."""
    async with reading(bus, tmp_path / "store.db") as (store, service):
        async with speaking(bus, tmp_path / "one.db") as publisher:
            last = [await publisher.publish(draft(f"number {n}")) for n in range(3)][-1]
            assert await publisher.settled(last.digest, longest()) == "stored"
        await eventually(lambda: has(store, 3))
        await bus.lose()
        async with speaking(bus, tmp_path / "one.db") as publisher:
            after = await publisher.publish(draft("after the loss"))
            assert await publisher.settled(after.digest, longest()) == "stored"
        await eventually(lambda: has(store, 4))
        assert service.subscriber.counts["rewinds"] >= 1
        assert [seq for _, seq, _ in await admitted(store)] == [1, 2, 3, 4]


async def test_a_copy_made_anew_is_told_from_the_one_that_was_read(bus: Bus, tmp_path: Path) -> None:
    """The same bulletins in another record make the reader rewind: what stood between them may be another."""
    async with reading(bus, tmp_path / "store.db") as (store, service):
        async with speaking(bus, tmp_path / "one.db") as publisher:
            last = [await publisher.publish(draft(f"number {n}")) for n in range(3)][-1]
            assert await publisher.settled(last.digest, longest()) == "stored"
        await eventually(lambda: has(store, 3))
        await bus.lose("WORLD_ACTUAL")
        await eventually(lambda: service.subscriber.counts["duplicate"] >= 3)
        assert service.subscriber.counts["rewinds"] == 1
        assert [seq for _, seq, _ in await admitted(store)] == [1, 2, 3]


async def test_a_store_that_was_set_back_reads_again_what_it_lacks(bus: Bus, tmp_path: Path) -> None:
    """A hub whose file is an older copy of itself ends with every bulletin, once, in order."""
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    messages = chain(bus.world, 6)
    await say(bus, *messages[:2])
    async with reading(bus, path) as (store, _):
        await eventually(lambda: has(store, 2))
    shutil.copy(path, copy)
    await say(bus, *messages[2:])
    async with reading(bus, path) as (store, _):
        await eventually(lambda: has(store, 6))
    shutil.copy(copy, path)
    async with reading(bus, path) as (store, service):
        assert len(await admitted(store)) == 2
        await eventually(lambda: has(store, 6))
        assert [digest for _, _, digest in await admitted(store)] == [each.digest for each in messages]
        assert service.subscriber.counts["rewinds"] == 0


@pytest.mark.parametrize("change", ["a key comes", "a key ends"])
async def test_a_registry_that_changes_while_a_batch_is_read_decides_in_the_end(
    bus: Bus, tmp_path: Path, change: str
) -> None:
    """Whenever the next version comes, before, between or within batches, the hub ends with what that version says."""
    comes = change == "a key comes"
    key = FileSigner.generate() if comes else bus.world.signers["xa-csirt"]
    newer = _with_key(
        bus,
        key_record(key, revoked_since=None if comes else bus.world.now - dt.timedelta(minutes=1)),
        key.kid,
    )
    messages = [sign(bus.world, each.bulletin, by=key) for each in chain(bus.world, 60)]
    await say(bus, *messages)
    for call in (3, 6):  # how often the old version is told
        told = itertools.chain(itertools.repeat(bus.world.registry, call), itertools.repeat(newer))
        async with reading(bus, tmp_path / f"{call}.db", registry=told.__next__) as (store, _):
            if comes:
                await eventually(lambda: has(store, 60))
                assert [found for _, _, found in await admitted(store)] == [each.digest for each in messages]
            else:
                await eventually(lambda: is_refused(store, 60))
                assert await admitted(store) == []


async def test_a_full_disk_is_waited_out(bus: Bus, tmp_path: Path) -> None:
    """While the store's disk is full a hub says so and takes nothing; with room again it goes on where it was."""
    async with reading(bus, tmp_path / "store.db") as (store, service):
        await store.read(lambda db: db.execute("PRAGMA max_page_count = 1"))  # no more than it has
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            accepted = [await publisher.publish(draft(f"number {n}")) for n in range(100)]
            with capture_logs() as said:
                await eventually(lambda: "disk" in service.subscriber.problem)
                attached = service.subscriber.attached
                await eventually(lambda: service.subscriber.attached > attached + 4)
            warned = [each for each in said if each["log_level"] == "warning"]
            assert [each["event"] for each in warned].count("reading_interrupted") <= 1
            assert len(await admitted(store)) < len(accepted)
            await store.read(lambda db: db.execute("PRAGMA max_page_count = 1000000"))
            await eventually(lambda: has(store, 100))
        assert [digest for _, _, digest in await admitted(store)] == [a.digest for a in accepted]
        assert service.subscriber.problem == ""


def _with_key(bus: Bus, record: KeyRecord, kid: str) -> VerifiedRegistry:
    """The registry's next version, in which this is a key of xa-csirt."""
    now, held = bus.world.now, bus.world.registry
    had = held.document.authorities["xa-csirt"]
    document = ceremony.next_version(held.document, held.digest, now, dt.timedelta(days=90))
    listed = msgspec.structs.replace(had, keys={**had.keys, kid: record})
    document = proposals.add_authority(document, "xa-csirt", listed)
    return held.update(signed_registry(document, bus.world.roots), now)


async def is_refused(store: Inbox, count: int) -> bool:
    """Whether so many lie in quarantine because their key is revoked."""
    return await refusals(store) == ["key-revoked"] * count
