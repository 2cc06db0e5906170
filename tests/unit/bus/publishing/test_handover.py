"""Rows handed to the sender in memory: never anything but what the table has, and each as new only once."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.publishing import handover
from bus.publishing import outbox as outbox_module
from bus.publishing.due import due
from bus.publishing.handover import Handover
from bus.publishing.outbox import MOST_BYTES, Outbox, Row, Settled
from bus.publishing.publisher import Publisher
from tests.support.counting import calls
from tests.support.publishers import keeping
from tests.support.world import NOW, draft

LATER = NOW.timestamp() + 1


@asynccontextmanager
async def handing(path: Path) -> AsyncIterator[tuple[Publisher, Outbox]]:
    """A publisher in whose process a sender leads and is connected; the test is that sender."""
    async with keeping(path) as (publisher, outbox):
        outbox.handover.is_open = True
        stamping = msgspec.structs.replace(publisher.stamping, handover=outbox.handover)
        yield msgspec.structs.replace(publisher, stamping=stamping), outbox


async def claimed(outbox: Outbox, fresh: int = 800) -> list[Row]:
    """The due rows of every status, in order."""
    found = await outbox.claim((), LATER, fresh)
    return sorted((row for rows in found.values() for row in rows), key=lambda row: row.n)


async def in_the_table(outbox: Outbox) -> list[Row]:
    """All rows, in order."""
    return sorted(await outbox.rows(), key=lambda row: row.n)


def as_new(rows: list[Row]) -> list[Row]:
    """The rows as they are before they were sent."""
    return [msgspec.structs.replace(row, attempted_at=None) for row in rows]


async def test_what_is_handed_over_is_what_the_table_has(tmp_path: Path) -> None:
    """To the last column; it is new to the sender, and the table says already that it may have been sent."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(3)], once=["a", None, "b"])
        kept = await in_the_table(outbox)
        assert all(row.attempted_at is not None for row in kept)
        assert await claimed(outbox) == as_new(kept)
        assert await claimed(outbox) == kept


async def test_without_a_sender_nothing_is_marked(tmp_path: Path) -> None:
    """The sender makes the mark when it sends the row."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        outbox.handover.is_open = False
        await publisher.publish(draft())
        (kept,) = await in_the_table(outbox)
        assert kept.attempted_at is None
        assert await claimed(outbox) == [kept]
        assert [row.attempted_at for row in await in_the_table(outbox)] == [LATER]


async def test_what_waits_longer_goes_first(tmp_path: Path) -> None:
    """From the table and from memory, in the order of their numbers."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        outbox.handover.is_open = False
        await publisher.publish(draft("before"))
        outbox.handover.is_open = True
        await publisher.publish(draft("after"))
        assert [row.seq for row in await claimed(outbox)] == [1, 2]


async def test_what_was_rolled_back_is_not_sent(tmp_path: Path) -> None:
    """Its number is another bulletin's then."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        heads: Any = outbox.heads
        committing, heads.committing = heads.committing, _full
        await publisher.publish_many([draft("lost"), draft("lost too")])
        heads.committing = committing
        outbox.handover.is_open = False  # so that memory still has the lost ones
        await publisher.publish(draft("said"))
        assert await claimed(outbox) == as_new(await in_the_table(outbox))


async def test_what_is_left_to_another_process_is_not_new_any_more(tmp_path: Path) -> None:
    """It may have been sent there; a stream that has it already is no alarm."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft())
        outbox.handover.drop()
        outbox.handover.is_open = True
        assert await claimed(outbox) == await in_the_table(outbox)


async def test_what_the_budget_keeps_back_is_still_new_later(tmp_path: Path) -> None:
    """A row that gets no turn stays where it is."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(3)])
        kept = as_new(await in_the_table(outbox))
        assert await claimed(outbox, fresh=2) == kept[:2]
        await outbox.settle([Settled(n=n, stream="XA", stream_seq=n) for n in (1, 2)], 1.0)
        assert await claimed(outbox) == kept[2:]


async def test_a_sender_that_is_behind_does_not_compare_all_that_memory_holds(tmp_path: Path) -> None:
    """While one row is only in the table, a look costs the same whether memory holds four others or forty."""
    costs = []
    for held in (4, 40):
        async with handing(tmp_path / f"{held}.db") as (publisher, outbox):
            await publisher.publish_many([draft(f"number {n}") for n in range(held)])
            outbox.handover.is_open = False
            await publisher.publish(draft("in the table"))

            def look(db: sqlite3.Connection, memory: Handover = outbox.handover) -> int:
                return calls(lambda: due(db, "actual", 1, MOST_BYTES, 1, memory))

            costs.append(await outbox.write(look))
            assert outbox.handover.count == held - 1
    assert costs[0] == costs[1]


async def test_what_is_behind_goes_on_past_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that finds more than it may take leaves the rest in memory, where all of that is."""
    monkeypatch.setattr(outbox_module, "MOST", 2)
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(5)])
        kept = as_new(await in_the_table(outbox))
        assert await claimed(outbox) == kept[:2]
        assert outbox.handover.is_whole
        assert list(outbox.handover.ready(9, 2**20) or ()) == kept[2:]


@pytest.mark.parametrize("fresh", [1, 9])
async def test_what_memory_lacks_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: int
) -> None:
    """Whether the number of a round or the budget ends it: a row further on that is in the table alone keeps the table asked."""
    monkeypatch.setattr(outbox_module, "MOST", 2)
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        for is_open in (True, True, True, False, True):
            outbox.handover.is_open = is_open
            await publisher.publish(draft())
        assert len(await claimed(outbox, fresh)) == min(fresh, 2)
        assert not outbox.handover.is_whole


async def test_what_changes_on_the_disk_is_not_what_is_sent(tmp_path: Path) -> None:
    """A row from the handover is sent as signed; a resend reads the table and finds the damage."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft())
        (kept,) = await in_the_table(outbox)
        await outbox.execute("UPDATE bulletins SET payload = ?", b"{}")
        assert [row.payload for row in await claimed(outbox)] == [kept.payload]
        assert await claimed(outbox) == []
        assert [row.state for row in await in_the_table(outbox)] == ["damaged"]


@pytest.mark.parametrize(("name", "most"), [("MOST_ROWS", 2), ("MOST_BYTES", 3000)])
async def test_memory_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    """Rows beyond the bound are read from the table, as any others."""
    monkeypatch.setattr(handover, name, most)
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        for n in range(4):
            await publisher.publish(draft(f"number {n}"))
        marked = [row.attempted_at is not None for row in await in_the_table(outbox)]
        assert (marked[0], marked[-1]) == (True, False)
        assert await claimed(outbox) == as_new(await in_the_table(outbox))
        await publisher.publish(draft("with room again"))
        assert (await in_the_table(outbox))[-1].attempted_at is not None


async def test_headers_count_as_much_as_payloads(tmp_path: Path) -> None:
    """They have the signatures, which may be larger than what is signed."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft())
        (row,) = await in_the_table(outbox)
    waiting = Handover()
    waiting.is_open = True
    signed = msgspec.structs.replace(row, headers="x" * (handover.MOST_BYTES - len(row.payload)))
    assert waiting.takes(1, handover.size_of((signed,)))
    waiting.offer([signed])
    assert not waiting.takes(1, 1)
    assert waiting.take(signed.n, signed.digest) == signed
    assert waiting.takes(1, handover.MOST_BYTES)


async def test_what_is_offered_after_all_was_left_to_the_table_stays_there(tmp_path: Path) -> None:
    """The thread that keeps has asked for room, and meanwhile another process may send."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft())
        (row,) = await in_the_table(outbox)
    waiting = Handover()
    waiting.is_open = True
    assert waiting.takes(1, 1)
    waiting.drop()
    waiting.offer([row])
    waiting.committing([(row.n, row.digest)])
    waiting.committed()
    assert waiting.take(row.n, row.digest) is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 4)),
        st.tuples(st.just("fail"), st.integers(1, 4)),
        st.tuples(st.just("claim"), st.integers(0, 5)),
        st.tuples(st.sampled_from(["open", "close", "drop"]), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_a_sender_is_given_what_it_would_read(steps: list[tuple[str, int]]) -> None:
    """In any history the rows and their order are those of the table, and no row is new twice."""

    async def work(path: Path) -> None:
        async with handing(path) as (publisher, outbox):
            heads: Any = outbox.heads
            committing = heads.committing
            new: set[int] = set()
            for step, count in steps:
                if step in ("publish", "fail"):
                    heads.committing = _full if step == "fail" else committing
                    await publisher.publish_many([draft(f"number {n}") for n in range(count)])
                elif step == "claim":
                    heads.committing = committing
                    kept = await in_the_table(outbox)
                    found = await claimed(outbox, fresh=count)
                    due = [row for row in kept if row.n in {each.n for each in found}]
                    assert as_new(found) == as_new(due)
                    fresh = [row.n for row in found if row.attempted_at is None]
                    assert len(fresh) <= count
                    assert new.isdisjoint(fresh)
                    new |= set(fresh)
                    assert all(
                        row.attempted_at is not None for row in await in_the_table(outbox) if row.n in new
                    )
                elif step == "drop":
                    outbox.handover.drop()
                else:
                    outbox.handover.is_open = step == "open"

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder) / "o.db"))


def _full(_: Any) -> None:
    raise MemoryError


def test_a_row_is_given_once() -> None:
    """And only under its own digest."""
    waiting = Handover()
    waiting.is_open = True
    assert waiting.takes(1, 1)
    assert waiting.take(1, "digest") is None
