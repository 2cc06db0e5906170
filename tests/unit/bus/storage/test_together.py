"""Items that wait for one handler are one call and one commit; what befalls one of them leaves the others alone."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bus.errors import StoreError
from bus.storage import Database, Lease, Store, lease, sqlite
from tests.support.waiting import longest
from tests.unit.bus.storage import test_wrong_hand
from tests.unit.bus.storage.test_sqlite import LAYOUT, Blocked, count, say
from tests.unit.bus.storage.test_wrong_hand import Failing

NOW = dt.datetime(2027, 5, 1, 12, tzinfo=dt.UTC)
failing = test_wrong_hand.failing


class Sayings:
    """A handler that keeps a row for each text, refuses those that begin with `no`, and notes what it was given."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, db: sqlite3.Connection, texts: list[str]) -> Sequence[int | Exception]:
        """Length of each text that was kept."""
        self.calls.append(texts)
        good = [text for text in texts if not text.startswith("no")]
        db.executemany("INSERT INTO said (text) VALUES (?)", [(text,) for text in good])
        return [len(text) if text in good else LookupError(text) for text in texts]


def together(
    database: Database | Store,
    handler: Callable[[sqlite3.Connection, list[str]], Sequence[int | Exception]],
    *texts: str,
) -> list[asyncio.Task[int]]:
    """Somebody who waits for each text."""
    return [asyncio.create_task(database.write_together(handler, text)) for text in texts]


async def test_many_who_wait_are_one_call_and_one_commit(tmp_path: Path) -> None:
    """In the order in which they came; each gets its own result."""
    handler, seen = Sayings(), list[str]()
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        await database.read(lambda db: db.set_trace_callback(seen.append))
        async with Blocked(database):
            waiting = together(database, handler, *(f"{n}" for n in range(100)))
        assert await asyncio.gather(*waiting) == [1] * 10 + [2] * 90
        await database.read(lambda db: db.set_trace_callback(None))
        assert handler.calls == [[f"{n}" for n in range(100)]]
        assert seen.count("BEGIN IMMEDIATE") == 2  # the first is the one that held the thread up
        assert await database.read(count) == 100


async def test_one_who_waits_alone_is_handled_alone(tmp_path: Path) -> None:
    """Nobody waits for a group to fill."""
    handler = Sayings()
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        assert await database.write_together(handler, "a") == 1
        assert await database.write_together(handler, "bc") == 2
    assert handler.calls == [["a"], ["bc"]]


async def test_one_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    """It gets the exception that the handler gave for it, and the others their results."""
    handler = Sayings()
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            waiting = together(database, handler, "a", "no", "b")
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in found] == [int, LookupError, int]
        assert await database.read(count) == 2


async def test_a_handler_that_raises_keeps_nothing_of_its_own(tmp_path: Path) -> None:
    """All of its items get the exception; other handlers, and work that stands alone, are not touched."""

    def half(db: sqlite3.Connection, texts: list[str]) -> list[int]:
        say(texts[0])(db)
        raise LookupError("no")

    handler = Sayings()
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            lost = together(database, half, "x", "y")
            kept = together(database, handler, "a", "b")
            alone = asyncio.create_task(database.write(say("c")))
        found = await asyncio.gather(*lost, return_exceptions=True)
        assert [type(each) for each in found] == [LookupError, LookupError]
        assert await asyncio.gather(*kept) == [1, 1]
        await alone
        assert await database.read(count) == 3


@pytest.mark.parametrize("results", [[], [1], [1, 2, 3]])
async def test_a_handler_that_miscounts_keeps_nothing(tmp_path: Path, results: list[int]) -> None:
    """Nobody gets the result of another."""

    def miscounting(db: sqlite3.Connection, texts: list[str]) -> list[int]:
        say(texts[0])(db)
        return results

    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            waiting = together(database, miscounting, "a", "b")
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in found] == [RuntimeError, RuntimeError]
        assert await database.read(count) == 0


async def test_what_a_future_cannot_carry_is_told_otherwise(tmp_path: Path) -> None:
    """StopIteration of one item reaches its caller as RuntimeError."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        with pytest.raises(RuntimeError):
            await database.write_together(lambda _, texts: [StopIteration() for _ in texts], "a")
        await database.write(say("still there"))


async def test_a_handler_without_a_hash_is_refused_at_once(tmp_path: Path) -> None:
    """Its caller alone is told."""

    class Unhashable(Sayings):
        __hash__ = None  # type: ignore[assignment]

    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        with pytest.raises(TypeError):
            await database.write_together(Unhashable(), "a")


@pytest.mark.parametrize("step", ["BEGIN IMMEDIATE", "INSERT", "COMMIT"])
async def test_without_memory_all_are_answered_and_nothing_is_kept(
    tmp_path: Path, failing: Callable[[str, int], None], step: str
) -> None:
    """Whichever statement finds none; it passes, and the thread lives."""

    def each(db: sqlite3.Connection, texts: list[str]) -> list[int]:
        return [db.execute("INSERT INTO said (text) VALUES (?)", (text,)).rowcount for text in texts]

    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        failing(step, 2)  # once for each, should the thread take the first before the second is there
        waiting = together(database, each, "a", "b")
        found = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), longest())
        Failing.times = 0
        assert [error.reason for error in found if isinstance(error, StoreError)] == ["store-memory"] * 2
        assert await database.read(count) == 0
        await asyncio.gather(*together(database, each, "a", "b"))
        assert await database.read(count) == 2


async def test_a_full_disk_refuses_all_and_heals(tmp_path: Path) -> None:
    """Nothing half is kept, and after some space is freed it goes on."""
    handler = Sayings()
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        pages = await database.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        await database.read(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 1}").fetchone())
        async with Blocked(database):
            waiting = together(database, handler, "a", "x" * 100_000, "b")
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [each.reason for each in found if isinstance(each, StoreError)] == ["store-full"] * 3
        assert await database.read(count) == 0
        await database.read(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone())
        await asyncio.gather(*together(database, handler, "a", "x" * 100_000, "b"))
        assert await database.read(count) == 3


async def test_who_is_cancelled_disturbs_nobody(tmp_path: Path) -> None:
    """Its item is handled, and the others get the results that are theirs."""
    handler = Sayings()
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            first, gone, last = together(database, handler, "a", "bc", "def")
            await asyncio.sleep(0)  # one turn of the loop, in which they are handed in
            gone.cancel()
        assert [await first, await last] == [1, 3]
        assert gone.cancelled()
        assert handler.calls == [["a", "bc", "def"]]


async def test_closing_waits_for_what_was_asked_and_refuses_the_rest(tmp_path: Path) -> None:
    """Nothing handed in before the end is lost; nothing handed in after it hangs."""
    handler = Sayings()
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        waiting = together(database, handler, *(f"{n}" for n in range(20)))
        await asyncio.sleep(0)  # one turn of the loop, in which they are handed in
    assert len(await asyncio.gather(*waiting)) == 20
    with pytest.raises(StoreError) as refused:
        await database.write_together(handler, "late")
    assert refused.value.reason == "store-closed"


async def test_a_flood_holds_up_neither_writes_nor_reads(tmp_path: Path) -> None:
    """A write and a read that wait in a flood are answered with their group, not after the whole flood."""
    handler = Sayings()
    most = sqlite.MAX_GROUP
    seen_by_read: list[int] = []
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            before = together(database, handler, *(f"a{n}" for n in range(most + 10)))
            write = asyncio.create_task(database.write(say("written")))
            read = asyncio.create_task(database.read(lambda db: seen_by_read.append(count(db))))
            after = together(database, handler, *(f"b{n}" for n in range(2 * most)))
        await asyncio.gather(*before, write, read, *after)
    # The rest of the second group is the write and the read.
    assert [len(call) for call in handler.calls] == [most, most - 2, most, 12]
    assert seen_by_read == [2 * most - 2 + 1]


async def test_no_call_is_larger_than_a_group(tmp_path: Path) -> None:
    """This holds for any number of waiting items."""
    handler = Sayings()
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            waiting = together(database, handler, *(f"{n}" for n in range(3000)))
        await asyncio.gather(*waiting)
    assert [len(call) for call in handler.calls] == [512] * 5 + [3000 - 5 * 512]


async def test_it_renews_the_lease_of_its_writer(tmp_path: Path) -> None:
    """In the same transaction and the same call as others; not when each item failed."""
    now, handler = NOW, Sayings()
    async with Database.open(tmp_path / "s.db", (LAYOUT, lease.LAYOUT)) as database:
        store = Store(database)
        mine, other = Lease(store, lambda: now, by_writing=True), Lease(Store(database), lambda: now)
        assert await mine.is_ours()
        now += dt.timedelta(seconds=8)
        async with Blocked(database):
            waiting = together(store, handler, "a", "no", "b")
        await asyncio.gather(*waiting, return_exceptions=True)
        assert handler.calls == [["a", "no", "b"]]
        now += dt.timedelta(seconds=8)
        assert not await other.is_ours()
        with pytest.raises(LookupError):
            await store.write_together(handler, "no")
        now += dt.timedelta(seconds=3)
        assert await other.is_ours()
