"""A program with the file open reads it whole once a day and after an unclean end; the pages of a new file are larger."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bus.storage import lease, soundness, sqlite
from bus.storage.layout import bring_up_to_date
from bus.storage.soundness import DAY_S, LOOK_AGAIN_S, WholeChecks
from bus.storage.sqlite import Database
from tests.unit.bus.storage.test_sqlite import LAYOUT, count, say

GONE = f"{lease.owner_name().split(':')[0]}:4194999:1:dead"  # no kernel gives this process id
OF_ANOTHER_BOOT = "9c1d52de-0000-4000-8000-000000000000:1:1:cut"


class Watch:
    """A clock that is set by hand, a file, and how often it was read whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reads = 0
        self.finding = ""
        self.told: list[str] = []
        self.now = 1_000_000.0
        self.db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        self.db.row_factory = sqlite3.Row

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    time = monotonic

    def read(self, *_: object, **__: object) -> str:
        """Read the file whole."""
        self.reads += 1
        return self.finding

    def checks(self) -> WholeChecks:
        """The checks of one program."""
        return WholeChecks(self.path, goes_on=lambda: True, tell=self.told.append)

    def looks(self, checks: WholeChecks, after: float = LOOK_AGAIN_S) -> None:
        """A look some seconds later, and the end of the check that it may begin."""
        self.now += after
        checks.look(self.db)
        if checks._thread is not None:
            checks._thread.join()

    def owners(self) -> list[str]:
        """The programs with the file open, by its own record."""
        return [row[0] for row in self.db.execute("SELECT owner FROM open_by ORDER BY owner")]


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A new file under a clock that is set by hand."""
    watch = Watch(tmp_path / "s.db")
    watch.db.execute("BEGIN")
    bring_up_to_date(watch.db, watch.path, (soundness.LAYOUT,))
    watch.db.execute("COMMIT")
    monkeypatch.setattr(soundness, "time", SimpleNamespace(monotonic=watch.monotonic, time=watch.time))
    monkeypatch.setattr(soundness, "look_through", watch.read)
    with contextlib.closing(watch.db):
        yield watch


def test_who_ends_at_once_reads_nothing_and_leaves_nothing(watch: Watch) -> None:
    """A command that has the file open for less than five seconds."""
    checks = watch.checks()
    watch.looks(checks, 4.9)
    checks.close(watch.db)
    assert (watch.reads, watch.owners()) == (0, [])


def test_a_sound_file_is_read_whole_once_a_day(watch: Watch) -> None:
    """This holds for any number of programs and any time."""
    for _ in range(3):
        checks = watch.checks()
        for _ in range(5):
            watch.looks(checks)
        checks.close(watch.db)
    assert watch.reads == 1
    watch.looks(stays := watch.checks(), DAY_S)
    watch.looks(stays)
    assert watch.reads == 2
    watch.looks(stays, DAY_S)
    assert watch.reads == 3


@pytest.mark.parametrize("owner", [GONE, OF_ANOTHER_BOOT])
def test_it_is_read_whole_after_an_unclean_end(watch: Watch, owner: str) -> None:
    """A program that had it open is gone, or the machine was: once, and the trace of it is taken away."""
    first = watch.checks()
    watch.looks(first)
    watch.looks(first)
    first.close(watch.db)
    assert (watch.reads, watch.owners()) == (1, [])
    watch.db.execute("INSERT INTO open_by VALUES (?)", (owner,))
    second = watch.checks()
    for _ in range(4):
        watch.looks(second)
    assert watch.reads == 2
    assert owner not in watch.owners()


def test_a_clock_that_was_set_back_delays_no_check(watch: Watch) -> None:
    """A last check in the future counts for nothing."""
    watch.db.execute("INSERT INTO read_whole VALUES (1, ?)", (watch.now + 10 * DAY_S,))
    watch.looks(watch.checks())
    assert watch.reads == 1


def test_what_is_wrong_is_told_and_not_noted_as_sound(watch: Watch) -> None:
    """The next program reads it again."""
    watch.finding = "page 7 is rubbish"
    watch.looks(watch.checks())
    watch.looks(watch.checks())
    assert watch.told == ["page 7 is rubbish"] * 2


def test_a_file_that_another_writes_is_waited_for_by_nobody(watch: Watch) -> None:
    """The check is done all the same, and noted once it can be."""
    checks = watch.checks()
    with contextlib.closing(sqlite3.connect(watch.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        watch.looks(checks)
        watch.looks(checks)
        assert (watch.reads, watch.owners()) == (1, [])
        assert watch.db.execute("PRAGMA busy_timeout").fetchone()[0] == 10_000
        other.execute("ROLLBACK")
    watch.looks(checks)
    assert len(watch.owners()) == 1
    watch.looks(checks)
    assert watch.reads == 1


async def test_an_open_store_is_noted_and_its_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record names this process while it has the file open, and nobody afterwards."""
    monkeypatch.setattr(soundness, "CHECK_AFTER_S", 0.0)
    monkeypatch.setattr(sqlite, "LOOK_S", 0.0)
    owners = "SELECT owner FROM open_by"
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        while not (found := await database.read(lambda db: db.execute(owners).fetchall())):
            await asyncio.sleep(0)
        assert [lease.is_alive(row[0]) for row in found] == [True]
    with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as db:
        assert db.execute(owners).fetchall() == []


async def test_a_new_file_has_larger_pages_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    """Both are opened and written."""
    old = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(old)) as db:
        db.execute("PRAGMA page_size = 4096")
        db.execute("BEGIN")
        bring_up_to_date(db, old, (LAYOUT,))
        db.execute("COMMIT")
    for path, size in ((old, 4096), (tmp_path / "new.db", 8192)):
        async with Database.open(path, (LAYOUT,)) as database:
            await database.write(say("a"))
            assert await database.read(lambda db: db.execute("PRAGMA page_size").fetchone()[0]) == size
            assert await database.read(count) == 1
