"""Shared data of many outbox rows is stored once: the opening of a batch's signatures, and the stream's acknowledgement."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.publishing import outbox_table as table
from bus.publishing.acknowledged import stored_from
from bus.publishing.outbox import Outbox, Row, RowState, Settled
from schemas.envelope import MESSAGE_ID, SIG_HEADER
from tests.support.publishers import keeping
from tests.support.world import draft

COUNT = 5


async def rows_of(outbox: Outbox) -> list[Row]:
    """All rows, in order."""
    return sorted(await outbox.rows(), key=lambda row: row.n)


async def count_of(outbox: Outbox, name: str) -> int:
    """The number of rows of a table."""
    (found,) = await outbox.query(f"SELECT count(*) FROM {name}")
    return int(found[0])


async def test_a_batch_has_one_opening_and_one_that_is_signed_alone_has_none(tmp_path: Path) -> None:
    """The header of each row is whole all the same, and what was signed."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(COUNT)])
        await publisher.publish(draft("alone"))
        rows = await rows_of(outbox)
        assert await count_of(outbox, "openings") == 1
        assert [tuple(row) for row in await outbox.query("SELECT n, last FROM openings")] == [(1, COUNT)]
        assert all(row.is_whole and row.header_map()[MESSAGE_ID] == row.digest for row in rows)
        assert len({row.header_map()[SIG_HEADER].split("~")[0] for row in rows}) == 2


async def test_an_opening_goes_with_the_last_row_of_its_batch(tmp_path: Path) -> None:
    """And not before; that of another batch stays."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        for name in ("first", "second"):
            await publisher.publish_many([draft(f"{name} {n}") for n in range(COUNT)])
        await outbox.write(lambda db: table.remove(db, range(1, COUNT)))
        assert await count_of(outbox, "openings") == 2
        assert all(row.is_whole for row in await outbox.rows())
        await outbox.write(lambda db: table.remove(db, [COUNT]))
        assert [row[0] for row in await outbox.query("SELECT n FROM openings")] == [COUNT + 1]


async def test_a_row_without_its_message_id_keeps_its_signature(tmp_path: Path) -> None:
    """It has its headers to itself then; the others of its batch share theirs."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(COUNT)])
        before = await rows_of(outbox)
        await outbox.drop_message_id(2, "why")
        after = await rows_of(outbox)
        assert after[1].header_map() == {SIG_HEADER: before[1].header_map()[SIG_HEADER]}
        assert all(row.is_whole for row in after)
        assert [row.headers for row in after if row.n != 2] == [row.headers for row in before if row.n != 2]


HARM = {
    "the opening": ("UPDATE openings SET text = replace(text, substr(text, 9, 1), '.')", range(1, COUNT + 1)),
    "an opening that is no text": ("UPDATE openings SET text = CAST(x'ff' AS TEXT)", range(1, COUNT + 1)),
    "an opening that is gone": ("DELETE FROM openings", range(1, COUNT + 1)),
    "which opening": ("UPDATE bulletins SET opening = 9 WHERE n = 2", [2]),
    "that there is one": ("UPDATE bulletins SET opening = NULL WHERE n = 2", [2]),
    "the rest": (
        "UPDATE bulletins SET headers = replace(headers, substr(headers, 9, 1), '.') WHERE n = 2",
        [2],
    ),
    "the sum": ("UPDATE bulletins SET sum = '00000000' WHERE n = 2", [2]),
    "the place": ("UPDATE bulletins SET prev = NULL WHERE n = 2", [2]),
}


@pytest.mark.parametrize("name", HARM)
async def test_what_is_not_what_was_signed_is_set_aside(tmp_path: Path, name: str) -> None:
    """Each row that is hurt, and no other; all of them can be looked at."""
    sql, hurt = HARM[name]
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(COUNT)])
        await outbox.execute(sql)
        claimed = [row.n for rows in (await outbox.claim((), 1.0)).values() for row in rows]
        damaged = sorted(row.n for row in await outbox.rows(state=RowState.DAMAGED))
    assert (claimed, damaged) == ([n for n in range(1, COUNT + 1) if n not in hurt], list(hurt))


async def test_what_a_stream_stored_together_is_one_row(tmp_path: Path) -> None:
    """Consecutive rows at consecutive places; told again it changes nothing, and what has gaps is noted one by one."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(COUNT + 4)])
        together = [Settled(n=n, stream="S", stream_seq=100 + n) for n in range(1, COUNT + 1)]
        for at in (1.0, 2.0):
            await outbox.settle(together, at)
        apart = [Settled(n=COUNT + n, stream="S", stream_seq=200 + 2 * n) for n in range(1, 4)]
        await outbox.settle(apart, 3.0)
        sent = [tuple(row) for row in await outbox.query("SELECT n, count, stored_at, stream_seq FROM sent")]
        assert sent == [(1, COUNT, 1.0, 101), *[(COUNT + n, 1, 3.0, 200 + 2 * n) for n in range(1, 4)]]
        assert [row.n for row in await outbox.rows(state=RowState.KEPT)] == [COUNT + 4]
        found = await outbox.read(lambda db: [row["stream_seq"] for row in stored_from(db, "S", 103)])
        assert found == [103, 104, 105, 202, 204, 206]


async def test_what_was_set_aside_keeps_its_neighbours_apart(tmp_path: Path) -> None:
    """A row that was superseded while its batch was on its way stays that; the others are stored."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(COUNT)])
        rows = await rows_of(outbox)
        await outbox.write(lambda db: table.set_aside(db, rows[2:3], "why"))
        await outbox.settle([Settled(n=row.n, stream="S", stream_seq=row.n) for row in rows], 1.0)
        states = [row.state for row in await rows_of(outbox)]
    assert states == ["stored", "stored", "superseded", "stored", "stored"]
