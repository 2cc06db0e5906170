"""Acknowledgements wait for the next commit, and rows go to the sender past the table: nothing is lost or said twice."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.errors import StoreError
from bus.publishing import outbox_table as table
from bus.publishing.acks import LATE_S, Acks
from bus.publishing.drafted import Asked
from bus.publishing.outbox import Outbox, Row, Settled
from tests.support.publishers import keeping
from tests.support.world import draft
from tests.unit.bus.publishing.test_handover import as_new, claimed, handing, in_the_table


def ack(row: Row) -> Settled:
    """That its stream has a row."""
    return Settled(n=row.n, stream="XA-CSIRT_ACTUAL", stream_seq=row.n)


def taken(outbox: Outbox, most: int = 100) -> list[Row]:
    """What a sender is given from memory."""
    return list(outbox.handover.ready(most, 1 << 20) or ())


async def states(outbox: Outbox) -> list[str]:
    """Of all rows, in order."""
    return [row.state for row in await in_the_table(outbox)]


async def test_an_acknowledgement_goes_with_the_next_commit(tmp_path: Path) -> None:
    """Whatever that is for; with the moment at which it came, and with no transaction of its own."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft("one"))
        (row,) = await claimed(outbox)
        outbox.acks.add([ack(row)], 7.0, 0.0)
        assert await states(outbox) == ["kept"]
        await publisher.publish(draft("two"))
        assert await states(outbox) == ["stored", "kept"]
        assert [row.stored_at for row in await in_the_table(outbox)] == [7.0, None]
        assert not outbox.acks


async def test_a_commit_that_fails_gives_acknowledgements_back(tmp_path: Path) -> None:
    """They go with the one after it."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft("one"))
        (row,) = await claimed(outbox)
        outbox.acks.add([ack(row)], 7.0, 0.0)
        heads: Any = outbox.heads
        committing, heads.committing = heads.committing, _full
        with pytest.raises(StoreError):
            await publisher.publish(draft("two"))
        heads.committing = committing
        assert len(outbox.acks) == 1
        assert await states(outbox) == ["kept"]
        await outbox.note_acks()
        assert await states(outbox) == ["stored"]


async def test_an_acknowledgement_of_what_was_set_aside_meanwhile_holds_up_nothing(tmp_path: Path) -> None:
    """Another process went on before the row, whose place is another's now; commits go on."""
    path = tmp_path / "o.db"
    async with handing(path) as (publisher, outbox), keeping(path) as (other, theirs):
        await publisher.publish(draft("one"))
        (row,) = await claimed(outbox)
        outbox.acks.add([ack(row)], 7.0, 0.0)
        stamping = msgspec.structs.replace(other.stamping, head=table.head)
        asked = Asked(draft=draft("instead"), registry=other.registry(), moment=other.clock())

        def go_on(db: sqlite3.Connection) -> None:
            table.set_aside(db, [row], "its channel went on before it")
            table.clear_head(db, row.channel)
            stamping.keep(db, asked)

        await theirs.write(go_on)
        await outbox.note_acks()
        assert await states(outbox) == ["superseded", "kept"]
        assert not outbox.acks


async def test_a_crash_before_the_note_sends_again_and_numbers_nothing_twice(tmp_path: Path) -> None:
    """The row is on the disk, marked as perhaps sent: it goes again as the same bytes, is no first attempt, and the chain goes on."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await claimed(outbox)
        said = await publisher.publish(draft("one"))
        (row,) = taken(outbox)
        outbox.acks.add([ack(row)], 7.0, 0.0)
        (tmp_path / "crashed").mkdir()
        for name in ("o.db", "o.db-wal", "o.db.heads"):
            shutil.copy(tmp_path / name, tmp_path / "crashed")
    async with keeping(tmp_path / "crashed" / "o.db") as (publisher, outbox):
        await outbox.vouch()  # it is a copy, which is not what this is about
        (again,) = await claimed(outbox)
        assert (again.digest, again.payload, again.headers) == (row.digest, row.payload, row.headers)
        assert row.attempted_at is None
        assert again.attempted_at is not None
        assert (await publisher.publish(draft("two"))).seq == said.seq + 1


async def test_the_table_is_asked_again_when_another_process_has_kept_something(tmp_path: Path) -> None:
    """Its row lies between ours, and goes out between them."""
    async with handing(tmp_path / "o.db") as (publisher, outbox), keeping(tmp_path / "o.db") as (other, _):
        assert await claimed(outbox) == []
        await publisher.publish(draft("one"))
        assert [row.seq for row in taken(outbox)] == [1]
        await other.publish(draft("theirs"))
        await publisher.publish(draft("two"))
        assert outbox.handover.ready(100, 1 << 20) is None
        assert [row.seq for row in await claimed(outbox)] == [1, 2, 3]


async def test_a_claim_that_fails_sends_the_sender_back_to_the_table(tmp_path: Path) -> None:
    """What it took out of memory was not given to anybody; it is found again, before what is kept later."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft("one"))
        heads: Any = outbox.heads
        committing, heads.committing = heads.committing, _full
        with pytest.raises(StoreError):
            await claimed(outbox)
        heads.committing = committing
        await publisher.publish(draft("two"))
        assert outbox.handover.ready(100, 1 << 20) is None
        assert [row.seq for row in await claimed(outbox)] == [1, 2]


async def test_a_parked_row_keeps_the_sender_at_the_table(tmp_path: Path) -> None:
    """Its channel waits behind it, which only the table knows."""
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft("one"))
        (row,) = await claimed(outbox)
        await outbox.park([row.n], "refused")
        outbox.handover.is_whole = False  # as the sender sees that it was not stored
        await publisher.publish(draft("two"))
        assert await claimed(outbox) == []
        assert outbox.handover.ready(100, 1 << 20) is None


@pytest.mark.parametrize("is_asked", [False, True])
def test_an_acknowledgement_waits_for_so_long_and_not_while_somebody_asks(*, is_asked: bool) -> None:
    """From the first that waits."""
    acks = Acks()
    assert acks.wait_s(5.0) == LATE_S
    acks.add([Settled(n=1, stream="S", stream_seq=1)], 0.0, 5.0)
    acks.add([Settled(n=2, stream="S", stream_seq=2)], 0.0, 5.1)
    if is_asked:
        with acks.awaited():
            assert acks.wait_s(5.0) == 0.0
    assert acks.wait_s(5.0) == pytest.approx(LATE_S)
    assert acks.wait_s(5.0 + LATE_S) == 0.0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["fail", "break", "others"]), st.just(2)),
        st.tuples(st.just("ready"), st.integers(1, 5)),
        st.tuples(st.just("ready"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["claim", "open", "open", "close", "drop"]), st.just(0)),
    ),
    max_size=16,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_memory_gives_what_the_table_would(steps: list[tuple[str, int]]) -> None:
    """Whatever happens between, of this process or another: in order, each once, and none is left behind."""

    async def work(path: Path) -> None:
        async with handing(path) as (publisher, outbox), keeping(path) as (other, _):
            heads: Any = outbox.heads
            committing = heads.committing
            sent: list[int] = []
            theirs: set[int] = set()
            asked = Asked(draft=draft(), registry=publisher.registry(), moment=publisher.clock())
            for step, count in steps:
                if step in ("publish", "fail"):
                    heads.committing = _full if step == "fail" else committing
                    await publisher.publish_many([draft(f"number {n}") for n in range(count)])
                    heads.committing = committing
                elif step == "break":
                    with pytest.raises(ZeroDivisionError):
                        await outbox.write(lambda db: (publisher.stamping.keep_all(db, [asked]), 1 / 0))
                elif step == "others":
                    before = {row.n for row in await in_the_table(outbox)}
                    await other.publish_many([draft(f"number {n}") for n in range(count)])
                    theirs |= {row.n for row in await in_the_table(outbox)} - before
                elif step == "ready":
                    was_whole = outbox.handover.is_whole
                    waiting = [row for row in await in_the_table(outbox) if row.n not in sent]
                    found = taken(outbox, count)
                    if was_whole:
                        assert found == as_new(waiting[: len(found)])
                        # Of what others have kept since, only the table knows.
                        assert len(found) == count or all(row.n in theirs for row in waiting[len(found) :])
                    sent += [row.n for row in found]
                elif step == "claim":
                    outbox.acks.add(
                        [ack(row) for row in await in_the_table(outbox) if row.n in sent], 1.0, 0.0
                    )
                    found = await claimed(outbox)
                    assert [row.n for row in found] == sorted(
                        {row.n for row in await in_the_table(outbox)} - set(sent)
                    )
                    sent += [row.n for row in found]
                elif step == "drop":
                    outbox.handover.drop()
                else:
                    outbox.handover.is_open = step == "open"

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder) / "o.db"))


def _full(_: Any) -> None:
    raise MemoryError
