"""A store: its lease, and rows that become structs."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import msgspec
import pytest

from bus.errors import StoreError
from bus.storage import Database, Lease, Store, from_row, lease, single

NOW = dt.datetime(2027, 5, 1, 12, tzinfo=dt.UTC)


class Seen(msgspec.Struct, frozen=True):
    """What a row may become."""

    name: str
    at: dt.datetime
    ended: dt.datetime | None
    is_new: bool


def row(columns: str) -> sqlite3.Row:
    """One row with these columns."""
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    found: sqlite3.Row = db.execute(f"SELECT {columns}").fetchone()
    db.close()
    return found


def test_a_row_becomes_a_struct() -> None:
    """Seconds are a time in UTC, 1 is true, NULL is None, and a column without a field is left out."""
    found = row(f"'a' AS name, {NOW.timestamp() + 0.25} AS at, NULL AS ended, 1 AS is_new, x'00' AS payload")
    assert from_row(Seen, found) == Seen("a", NOW + dt.timedelta(seconds=0.25), None, True)


def test_what_is_given_wins_over_a_column() -> None:
    """It also replaces a missing one."""
    found = row(f"'a' AS name, {NOW.timestamp()} AS at, 0 AS is_new")
    assert from_row(Seen, found, name="b", ended=NOW) == Seen("b", NOW, NOW, False)


def test_a_number_is_selected_with_its_arguments() -> None:
    """A count, a maximum, or whether something exists."""
    db = sqlite3.connect(":memory:")
    assert single(db, "SELECT ?1 + ?2", 3, 4) == 7
    db.close()


async def test_a_lease_is_renewed_until_another_has_it(tmp_path: Path) -> None:
    """Then the former holder gets the reason; it cannot release the other's lease."""
    now = NOW
    async with Database.open(tmp_path / "store.db", (lease.LAYOUT,)) as database:
        mine, others = (Lease(Store(database), lambda: now) for _ in range(2))
        assert await mine.is_ours()
        await mine.renew()
        assert not await others.is_ours()
        now += dt.timedelta(seconds=11)
        assert await others.is_ours()
        with pytest.raises(StoreError) as lost:
            await mine.renew()
        assert lost.value.reason == "lease-held"
        await mine.drop()
        await others.renew()
        await others.drop()
        assert await mine.is_ours()


async def test_a_lease_of_a_store_that_fails_is_left_to_run_out(tmp_path: Path) -> None:
    """Giving it back raises nothing, so that what ended the work is what its caller sees."""
    async with Database.open(tmp_path / "store.db", (lease.LAYOUT,)) as database:
        held = Lease(Store(database), lambda: NOW)
        assert await held.is_ours()
    await held.drop()


async def test_one_that_gives_way_loses_a_lease_to_one_that_does_not(tmp_path: Path) -> None:
    """At once; never the other way round, nor to its like."""
    async with Database.open(tmp_path / "store.db", (lease.LAYOUT,)) as database:
        watch, another = (
            Lease(Store(database), lambda: NOW, lease.owner_name(gives_way=True)) for _ in range(2)
        )
        hub = Lease(Store(database), lambda: NOW)
        assert await watch.is_ours()
        assert not await another.is_ours()
        assert not await watch.is_lost()
        assert await Store(database).read(lambda db: lease.is_held(db, NOW.timestamp()))
        assert await hub.is_ours()
        assert await watch.is_lost()
        assert not await watch.is_ours()
        assert not await hub.is_lost()


async def test_what_is_written_renews_the_lease_of_its_writer(tmp_path: Path) -> None:
    """In the same transaction, so that work which takes long is a sign of life; not once it is lost or given back."""
    now = NOW
    async with Database.open(tmp_path / "store.db", (lease.LAYOUT,)) as database:
        store = Store(database)
        mine = Lease(store, lambda: now, by_writing=True)
        other = Lease(Store(database), lambda: now)
        assert await mine.is_ours()
        for _ in range(5):
            now += dt.timedelta(seconds=8)
            await store.execute("SELECT 1")
        assert not await other.is_ours()
        now += dt.timedelta(seconds=11)
        assert await other.is_ours()
        await store.execute("SELECT 1")
        assert not await mine.is_ours()
        await other.drop()
        assert await mine.is_ours()
        await mine.drop()
        await store.execute("SELECT 1")
        assert await other.is_ours()


async def test_work_that_fails_renews_no_lease(tmp_path: Path) -> None:
    """Nothing of it is kept, so it is no sign of life either."""
    now = NOW
    async with Database.open(tmp_path / "store.db", (lease.LAYOUT,)) as database:
        store = Store(database)
        mine, other = Lease(store, lambda: now, by_writing=True), Lease(Store(database), lambda: now)
        assert await mine.is_ours()
        now += dt.timedelta(seconds=9)
        with pytest.raises(StoreError):
            await store.execute("no SQL")
        now += dt.timedelta(seconds=2)
        assert await other.is_ours()


def test_a_process_of_another_container_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number means another process here: by that alone two containers would take one lease from each other for ever."""
    boot, pid, began, nonce = lease.owner_name().split(":")
    there = f"{boot.partition('/')[0]}/1:{pid}:{int(began) + 1}:{nonce}"
    assert lease.is_alive(there)
    assert not lease.is_alive(f"{boot}:{pid}:{int(began) + 1}:{nonce}")
