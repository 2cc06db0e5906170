"""An outbox of an earlier layout is opened, migrated, and holds what it held."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bus.delivery import TABLES
from bus.publishing.acknowledged import stored_from
from bus.publishing.outbox import Outbox, Settled
from bus.publishing.outbox_layout import LAYOUT
from bus.publishing.outbox_rows import RowState
from tests.support.publishers import publishing
from tests.support.world import draft, shared_world

FIXTURES = Path(__file__).parent.parent / "fixtures"
COMMITS = ("d1f7da8", "3a77329")
COLUMNS = (
    "n, status, channel, seq, id, digest, prev, subject, headers, payload, kept_at, attempted_at, stored_at, stream, stream_seq, "
    "state, problem, once, origin, sum"
)


def written(path: Path, commit: str) -> Path:
    """The file as it was when it was made into text."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript((FIXTURES / f"outbox_{commit}" / "outbox.sql").read_text("utf-8"))
    path.chmod(0o600)
    return path


def rows_of(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Each row with all its columns."""
    return [tuple(row) for row in db.execute(f"SELECT {COLUMNS} FROM outbox ORDER BY n")]


@pytest.mark.parametrize("commit", COMMITS)
async def test_each_row_is_as_it_was(tmp_path: Path, commit: str) -> None:
    """Every value, in every state; what waits is found, and nothing is left of the table before."""
    path = written(tmp_path / "outbox.db", commit)
    with contextlib.closing(sqlite3.connect(path)) as db:
        before = rows_of(db)
    assert {row[15] for row in before} == set(RowState)
    async with Outbox.open(path, tables=TABLES) as outbox:
        assert await outbox.read(rows_of) == before
        assert await outbox.counts() == {state: sum(row[15] == state for row in before) for state in RowState}
        assert (await outbox.oldest())[0] == sum(row[15] == "kept" for row in before)
        assert set((await outbox.unsettled()).values()) == {
            row[0] for row in before if row[15] in ("kept", "parked")
        }
        assert all(row.is_whole for row in await outbox.rows())
        await outbox.database.check()
        names = await outbox.query(
            "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        versions = dict(
            await outbox.read(lambda db: db.execute("SELECT name, version FROM layouts").fetchall())
        )
    assert versions[LAYOUT.name] == LAYOUT.version >= 4
    async with Outbox.open(tmp_path / "new.db", tables=TABLES) as outbox:
        new = await outbox.query(
            "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        )
    assert [row[0] for row in names] == [row[0] for row in new]


@pytest.mark.parametrize("commit", COMMITS)
async def test_what_comes_next_goes_on_where_the_old_file_ended(tmp_path: Path, commit: str) -> None:
    """A row number is never given twice, and the next of a chain is its next."""
    path = written(tmp_path / "outbox.db", commit)
    async with publishing(path, shared_world(), tables=TABLES) as publisher:
        before = max(row.n for row in await publisher.outbox.rows())
        last = max(before, 11)  # one that was pruned
        await publisher.outbox.vouch()  # it is a copy
        accepted = await publisher.publish(draft("after"))
        (row,) = await publisher.outbox.rows(limit=1)
    assert (row.n, row.digest, row.seq) == (last + 1, accepted.digest, last)


async def test_what_was_stored_alone_and_together_reads_the_same(tmp_path: Path) -> None:
    """A row that an older release noted as stored, and those that are noted together now, stand in one order."""
    path = written(tmp_path / "outbox.db", "3a77329")
    async with publishing(path, shared_world(), tables=TABLES) as publisher:
        outbox = publisher.outbox
        await outbox.vouch()
        await publisher.publish_many([draft(f"more {n}") for n in range(4)])
        new = sorted(row.n for row in await outbox.rows(limit=4))
        await outbox.settle([Settled(n=n, stream="XA_CSIRT_ACTUAL", stream_seq=200 + n) for n in new], 5.0)
        places = await outbox.read(lambda db: [tuple(row) for row in stored_from(db, "XA_CSIRT_ACTUAL", 0)])
        assert [row[4] for row in places] == [11, 13, 14, 112, 113, *(200 + n for n in new)]
        assert [row.stream_seq for row in await outbox.rows(limit=4)] == [200 + n for n in reversed(new)]
        assert len(await outbox.query("SELECT 1 FROM sent WHERE count = 4")) == 1
