"""Layouts: a file is brought up to date in one transaction, or refused in one sentence and left as it is."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.errors import StoreError
from bus.storage import lease
from bus.storage.layout import MARK, RECORD, Layout
from bus.storage.sqlite import Database
from schemas.codec import WIRE, WIRES_READ

TOLD = "CREATE TABLE told (n INTEGER PRIMARY KEY, why TEXT);\nCREATE INDEX told_why ON told (why);\n"
MARKED = (
    "CREATE TABLE layouts (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;\n"
    "INSERT INTO layouts VALUES ('reports', 1), ('lease', 1);\n"
    f"PRAGMA application_id = {MARK << 8 | WIRE};\nPRAGMA user_version = {RECORD};\n"
)
OLD = TOLD + MARKED
UNREAD = min(WIRES_READ) - 1
NEW = """
CREATE TABLE IF NOT EXISTS reported (n INTEGER PRIMARY KEY, reason TEXT);
CREATE INDEX IF NOT EXISTS reported_reason ON reported (reason);
"""
STEPS = (
    "DROP INDEX told_why;\nALTER TABLE told RENAME TO reported",
    "ALTER TABLE reported RENAME COLUMN why TO reason",
)
LAYOUT = Layout("reports", NEW, STEPS)
RECORDED = [("lease", 1), ("reports", 3), ("soundness", 1)]  # the last is every file's
LATER = Layout("reports", NEW + "CREATE TABLE IF NOT EXISTS more (n INTEGER);\n", (*STEPS, "SELECT 1"))


def written(path: Path, script: str) -> None:
    """Run SQL on a file, outside of a `Database`."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(script)


def asked(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Rows of a file."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


async def opened(path: Path, *layouts: Layout) -> None:
    """Open and close."""
    async with Database.open(path, layouts):
        pass


async def test_a_new_file_records_its_layouts_and_its_wire(tmp_path: Path) -> None:
    """Versions by name, the version of the record, tocsin's mark with the wire number."""
    path = tmp_path / "s.db"
    await opened(path, LAYOUT, lease.LAYOUT)
    assert asked(path, "SELECT * FROM layouts ORDER BY name") == RECORDED
    assert asked(path, "PRAGMA user_version") == [(RECORD,)]
    assert asked(path, "PRAGMA application_id") == [(MARK << 8 | WIRE,)]


async def test_a_file_of_version_one_goes_all_steps(tmp_path: Path) -> None:
    """Its rows stay, its table and column have the new names, its index is rebuilt."""
    path = tmp_path / "s.db"
    written(path, OLD + "INSERT INTO told VALUES (7, 'late');")
    await opened(path, LAYOUT)
    assert asked(path, "SELECT n, reason FROM reported") == [(7, "late")]
    assert asked(path, "SELECT name FROM sqlite_schema WHERE type = 'index'") == [("reported_reason",)]


@pytest.mark.parametrize("wire", sorted(WIRES_READ - {WIRE}))
async def test_a_file_of_a_wire_that_is_read_is_marked_as_of_this_one(tmp_path: Path, wire: int) -> None:
    """A release that knows only that wire refuses it from then on, since it holds what that release cannot read."""
    path = tmp_path / "s.db"
    await opened(path, LAYOUT, lease.LAYOUT)
    written(path, f"PRAGMA application_id = {MARK << 8 | wire}")
    await opened(path, LAYOUT, lease.LAYOUT)
    assert asked(path, "PRAGMA application_id") == [(MARK << 8 | WIRE,)]


async def test_a_file_of_a_version_between_goes_the_steps_that_are_left(tmp_path: Path) -> None:
    """It is as new afterwards."""
    path = tmp_path / "s.db"
    await opened(path, Layout("reports", NEW.replace("reason", "why"), STEPS[:1]))
    written(path, "INSERT INTO reported VALUES (7, 'late');DROP INDEX reported_why;")
    await opened(path, LAYOUT)
    assert asked(path, "SELECT n, reason FROM reported") == [(7, "late")]


async def test_tables_that_come_later_are_added(tmp_path: Path) -> None:
    """A store that was opened without a picture gets one, and keeps the record of what is not asked for."""
    path = tmp_path / "s.db"
    await opened(path, LAYOUT)
    await opened(path, LAYOUT, lease.LAYOUT)
    await opened(path, LAYOUT)
    assert asked(path, "SELECT * FROM layouts ORDER BY name") == RECORDED


async def test_of_many_that_open_an_old_file_one_changes_it(tmp_path: Path) -> None:
    """The others wait and find it done."""
    path = tmp_path / "s.db"
    written(path, OLD + "INSERT INTO told VALUES (7, 'late');")
    await asyncio.gather(*(opened(path, LAYOUT) for _ in range(8)))
    assert asked(path, "SELECT n, reason FROM reported") == [(7, "late")]


def _later(path: Path) -> None:
    asyncio.run(opened(path, LATER))


REFUSED: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a later version of its tables": (_later, "store-layout", "later release (reports 4, known here: 3)"),
    "a later record": (
        lambda path: written(path, f"{OLD}PRAGMA user_version = 2"),
        "store-layout",
        "later release (record 2, known here: 1)",
    ),
    "another wire": (
        lambda path: written(path, f"{OLD}PRAGMA application_id = {MARK << 8 | 200}"),
        "store-wire",
        "is of wire 200",
    ),
    "a wire that is not read any more": (
        lambda path: written(path, f"{OLD}PRAGMA application_id = {MARK << 8 | UNREAD}"),
        "store-wire",
        f"is of wire {UNREAD}, and this release speaks wire {WIRE}; use the release that wrote it, or move the file away",
    ),
    "no mark": (
        lambda path: written(path, TOLD),
        "store-wire",
        "has no wire number",
    ),
    "another program's mark": (
        lambda path: written(path, f"{TOLD}PRAGMA application_id = 252006"),
        "store-layout",
        "of another program",
    ),
    "another program's version": (
        lambda path: written(path, f"{TOLD}PRAGMA user_version = 12"),
        "store-layout",
        "of another program",
    ),
    "tables of another kind": (
        lambda path: asyncio.run(opened(path, lease.LAYOUT)),
        "store-layout",
        "without the tables of 'reports'",
    ),
    "a missing column": (
        lambda path: written(
            path, "CREATE TABLE told (n INTEGER PRIMARY KEY);CREATE INDEX told_why ON told (n);" + MARKED
        ),
        "store-layout",
        'no such column: "why"',
    ),
    "a missing index": (
        lambda path: written(path, "CREATE TABLE told (n INTEGER PRIMARY KEY, why TEXT);" + MARKED),
        "store-layout",
        "no such index",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_and_stays_as_it_is(tmp_path: Path, name: str) -> None:
    """One sentence with the file's name, a stable reason, and not a row or table changed."""
    path = tmp_path / "s.db"
    make, reason, words = REFUSED[name]
    make(path)
    before = _whole(path)
    with pytest.raises(StoreError) as refused:
        asyncio.run(opened(path, LAYOUT))
    assert refused.value.reason == reason
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert _whole(path) == before


def _whole(path: Path) -> tuple[object, ...]:
    """The whole content of a file."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        marks = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")]
        return (*marks, *db.iterdump())


async def test_a_file_that_a_running_program_holds_is_not_changed_under_it(tmp_path: Path) -> None:
    """While the lease of an earlier release's program stands it is busy; when the lease is given up it is brought up to date."""
    path = tmp_path / "s.db"
    written(path, OLD + lease.SCHEMA)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        now = float(db.execute("SELECT unixepoch()").fetchone()[0])
        db.execute("INSERT INTO lease VALUES (1, ?, ?)", (lease.owner_name(), now + 9))
    before = _whole(path)
    with pytest.raises(StoreError) as refused:
        await opened(path, LAYOUT, lease.LAYOUT)
    assert refused.value.reason == "store-busy"
    assert _whole(path) == before
    written(path, "DELETE FROM lease")
    await opened(path, LAYOUT, lease.LAYOUT)
    assert asked(path, "SELECT count(*) FROM reported") == [(0,)]
