"""The store's thread: answered work is on the disk, failed work leaves nothing, and no caller waits for ever."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bus.errors import StoreError
from bus.storage import sqlite
from bus.storage.layout import Layout
from bus.storage.sqlite import Database
from tests.support.places import ROOT
from tests.support.waiting import longest

LAYOUT = Layout("said", "CREATE TABLE IF NOT EXISTS said (n INTEGER PRIMARY KEY, text TEXT UNIQUE);\n")


def say(text: str) -> Callable[[sqlite3.Connection], None]:
    """Work that keeps one row."""

    def work(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO said (text) VALUES (?)", (text,))

    return work


def count(db: sqlite3.Connection) -> int:
    """The number of rows."""
    return int(db.execute("SELECT count(*) FROM said").fetchone()[0])


class Blocked:
    """Holds the thread up in one piece of work, so that what comes meanwhile is one group."""

    def __init__(self, database: Database) -> None:
        self._gate, began = threading.Event(), threading.Event()

        def work(_: sqlite3.Connection) -> None:
            began.set()
            self._gate.wait(longest())

        self.task = asyncio.create_task(database.write(work))
        self._began = began

    async def __aenter__(self) -> None:
        await asyncio.to_thread(self._began.wait, longest())

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)  # one turn of the loop, in which those who wait hand in their work
        self._gate.set()
        await self.task


async def test_those_who_wait_together_share_one_commit(tmp_path: Path) -> None:
    """A hundred writes that wait are one transaction, and each is answered."""
    seen: list[str] = []
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        await database.read(lambda db: db.set_trace_callback(seen.append))
        async with Blocked(database):
            writes = [asyncio.create_task(database.write(say(f"{n}"))) for n in range(100)]
        await asyncio.gather(*writes)
        await database.read(lambda db: db.set_trace_callback(None))
        assert seen.count("BEGIN IMMEDIATE") == 2
        assert await database.read(count) == 100


async def test_one_that_raises_is_undone_alone(tmp_path: Path) -> None:
    """Its caller gets the exception, the rest of the group is kept."""

    def half(db: sqlite3.Connection) -> None:
        say("half")(db)
        raise LookupError("no")

    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            writes = [asyncio.create_task(database.write(work)) for work in (say("a"), half, say("b"))]
        found = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(each) for each in found] == [type(None), LookupError, type(None)]
        assert await database.read(count) == 2
        with pytest.raises(StoreError) as refused:
            await database.write(say("a"))  # breaks UNIQUE, which is no failure of the disk
        assert refused.value.reason == "store-failed"
        await database.write(say("c"))


@pytest.mark.parametrize("first", [True, False])
async def test_whichever_raises_leaves_nothing_and_the_others_stay(tmp_path: Path, first: bool) -> None:
    """The first of a group, which has no savepoint, as any other; what it wrote before is gone."""

    def half(db: sqlite3.Connection) -> None:
        say("half")(db)
        raise LookupError("no")

    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            works = (half, say("a"), half, say("b")) if first else (say("a"), half, say("b"), half)
            writes = [asyncio.create_task(database.write(work)) for work in works]
        found = await asyncio.gather(*writes, return_exceptions=True)
        assert [work is half for work in works] == [isinstance(each, LookupError) for each in found]
        texts = "SELECT text FROM said ORDER BY text"
        assert [row[0] for row in await database.read(lambda db: db.execute(texts).fetchall())] == ["a", "b"]


async def test_what_is_done_alone_copies_no_page(tmp_path: Path) -> None:
    """It has no savepoint, in which SQLite would copy each page before it is changed."""
    seen: list[str] = []
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        await database.read(lambda db: db.set_trace_callback(seen.append))
        await database.write(say("a"))
        await database.read(lambda db: db.set_trace_callback(None))
    assert not any(each.startswith("SAVEPOINT") for each in seen)


async def test_odd_exceptions_do_not_end_the_thread(tmp_path: Path) -> None:
    """StopIteration, which a future cannot carry, and a library's panic reach the caller as RuntimeError."""

    def panic(_: sqlite3.Connection) -> None:
        raise BaseException("panicked")  # noqa: TRY002 (as native libraries do)

    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        with pytest.raises(RuntimeError):
            await database.write(lambda _: next(iter(())))
        with pytest.raises(RuntimeError, match="panicked"):
            await database.write(panic)
        await database.write(say("still there"))
        assert await database.read(count) == 1


async def test_a_full_disk_refuses_and_heals(tmp_path: Path) -> None:
    """Everybody in the group is told, nothing half is kept, and after some space is freed it goes on."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        await database.write(say("before"))
        pages = await database.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        await database.read(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 1}").fetchone())
        async with Blocked(database):
            texts = ["a", "x" * 100_000, "b"]
            writes = [asyncio.create_task(database.write(say(text))) for text in texts]
        found = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(found[1], StoreError)
        assert found[1].reason == "store-full"
        kept = 1 + sum(each is None for each in found)
        assert await database.read(count) == kept
        await database.read(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone())
        await database.write(say("x" * 100_000))
        assert await database.read(count) == kept + 1


FAILING = """
import asyncio, json, resource, sys
from pathlib import Path
from bus.errors import StoreError
from bus.storage.sqlite import Database
from tests.unit.bus.storage.test_sqlite import LAYOUT

async def main(path):
    async with Database.open(path, (LAYOUT,)) as db:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
        answered, reasons = [], []
        for n in range(400):
            try:
                await db.write(lambda tx: tx.execute("INSERT INTO said (text) VALUES (?)", (f"{n} " + "x" * 900,)))
                answered.append(n)
            except StoreError as exc:
                reasons.append(exc.reason)
        print(json.dumps({"answered": answered, "reasons": reasons}))

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_after_an_io_error_nothing_more_is_accepted(tmp_path: Path) -> None:
    """The disk fails in the middle: from then on every write is refused, and all that was answered is there."""
    path = tmp_path / "s.db"
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FAILING, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=longest(),
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout.splitlines()[-1])
    answered = said["answered"]
    assert answered == list(range(len(answered)))
    assert said["reasons"] == ["store-failed"] * (400 - len(answered))
    async with Database.open(path, (LAYOUT,)) as database:
        assert await database.read(count) >= len(answered)


async def test_reads_see_one_moment(tmp_path: Path) -> None:
    """A commit of another process between two statements of a read is not seen by the second."""
    path = tmp_path / "s.db"

    def twice(db: sqlite3.Connection) -> tuple[int, int]:
        before = count(db)
        other = sqlite3.connect(path)
        with other:
            other.execute("INSERT INTO said (text) VALUES ('other')")
        other.close()
        return before, count(db)

    async with Database.open(path, (LAYOUT,)) as database:
        assert await database.read(twice) == (0, 0)
        assert await database.read(count) == 1


async def test_commits_of_others_are_noticed(tmp_path: Path) -> None:
    """The mark moves for another connection's commit and for our own, and stays while nothing happens."""
    path = tmp_path / "s.db"
    async with Database.open(path, (LAYOUT,)) as database:
        mark = await database.changed(-1, 1)
        assert await database.changed(mark, 0.06) == mark
        other = sqlite3.connect(path)
        with other:
            other.execute("INSERT INTO said (text) VALUES ('other')")
        other.close()
        after = await database.changed(mark, longest())
        assert after != mark
        waiting = asyncio.create_task(database.changed(after, longest()))
        await database.write(say("ours"))
        assert await waiting != after


async def test_a_file_opened_twice_here_is_one_file_to_others(tmp_path: Path) -> None:
    """A second opening in one process takes no lock from the first: no other process removes the log under it."""
    path = tmp_path / "store.db"
    look = f"import sqlite3; db = sqlite3.connect({str(path)!r}); print(db.execute('SELECT count(*) FROM said').fetchone()[0])"

    async def seen_elsewhere() -> int:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", f"{look}; db.close()"],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    async with Database.open(path, (LAYOUT,)) as first, Database.open(path, (LAYOUT,)) as second:
        await first.write(say("one"))
        assert await seen_elsewhere() == 1
        await first.write(say("two"))
        await second.write(say("three"))
        assert await seen_elsewhere() == 3
        assert await first.read(count) == await second.read(count) == 3


async def test_a_file_that_another_holds_is_busy_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock held for too long is told as such, reading goes on, and later the same work succeeds."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "s.db"
    async with Database.open(path, (LAYOUT,)) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as refused:
            await database.write(say("a"))
        assert refused.value.reason == "store-busy"
        async with Database.open(path, (LAYOUT,)) as reader:
            assert await reader.read(count) == 0
        other.execute("ROLLBACK")
        other.close()
        await database.write(say("a"))


async def test_many_may_make_the_file_at_once(tmp_path: Path) -> None:
    """Eight that open a file nobody has made yet all get it."""
    path = tmp_path / "new" / "s.db"

    async def one(text: str) -> None:
        async with Database.open(path, (LAYOUT,)) as database:
            await database.write(say(text))

    await asyncio.gather(*(one(f"{n}") for n in range(8)))
    async with Database.open(path, (LAYOUT,)) as database:
        assert await database.read(count) == 8


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """0600 in a 0700 folder, the log beside it too."""
    path = tmp_path / "private" / "s.db"
    async with Database.open(path, (LAYOUT,)) as database:
        await database.write(say("a"))
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        for each in path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600, each


async def test_closing_waits_for_what_was_asked_and_refuses_the_rest(tmp_path: Path) -> None:
    """Nothing handed in before the end is lost; nothing handed in after it hangs."""
    path = tmp_path / "s.db"
    async with Database.open(path, (LAYOUT,)) as database:
        writes = [asyncio.create_task(database.write(say(f"{n}"))) for n in range(20)]
        await asyncio.sleep(0)  # one turn of the loop, in which they are handed in
    await asyncio.gather(*writes)
    with pytest.raises(StoreError) as refused:
        await database.write(say("late"))
    assert refused.value.reason == "store-closed"
    async with Database.open(path, (LAYOUT,)) as again:
        assert await again.read(count) == 20


async def test_a_cancelled_caller_disturbs_nobody(tmp_path: Path) -> None:
    """A caller that no longer waits gets no answer; the others of the group do."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            gone = asyncio.create_task(database.write(say("gone")))
            stays = asyncio.create_task(database.write(say("stays")))
            await asyncio.sleep(0)  # one turn of the loop, in which both are handed in
            gone.cancel()
        await stays
        assert await database.read(count) == 2


DAMAGES: dict[str, tuple[int, bytes]] = {
    "another file": (0, b"# notes of the day\n" * 300),
    "header": (0, b"\x00" * 100),
    "first page": (100, b"\xff" * 900),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_told_at_the_door(tmp_path: Path, name: str) -> None:
    """A damaged file is not opened; damage that opening does not look at is in `test_wrong_hand`."""
    path = tmp_path / "s.db"
    async with Database.open(path, (LAYOUT,)) as database:
        for n in range(40):
            await database.write(say(f"{n}" * 400))
    place, rubbish = DAMAGES[name]
    raw = bytearray(path.read_bytes())
    raw[place : place + len(rubbish)] = rubbish
    path.write_bytes(raw)
    with pytest.raises(StoreError) as refused:
        async with Database.open(path, (LAYOUT,)):
            pass
    assert refused.value.reason == "store-corrupt"


async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A folder where the file should be."""
    (tmp_path / "s.db").mkdir()
    with pytest.raises(StoreError) as refused:
        async with Database.open(tmp_path / "s.db", (LAYOUT,)):
            pass
    assert refused.value.reason == "store-unreadable"


def place(db: sqlite3.Connection) -> int:
    """Where SQLite puts what it may need for a while: 2 is memory, 0 a file."""
    return int(db.execute("PRAGMA temp_store").fetchone()[0])


async def test_what_would_undo_brief_work_stands_in_memory(tmp_path: Path) -> None:
    """For other work it may be large, as for a sorting query; one such piece decides for its whole group."""

    def places(db: sqlite3.Connection, items: list[int]) -> list[int]:
        return [place(db) for _ in items]

    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        assert await database.write(place, brief=True) == 2
        assert await database.write(place) == 0
        assert await database.write_together(places, 1) == 2
        assert await database.read(place) == 0
        async with Blocked(database):
            writes = [
                asyncio.create_task(database.write(place, brief=brief)) for brief in (True, False, True)
            ]
        assert await asyncio.gather(*writes) == [0, 0, 0]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are not listed here")
async def test_brief_work_writes_no_temporary_file(tmp_path: Path) -> None:
    """A statement that triggers follow copies each page that it changes; in files the copies were most of what a reader wrote."""
    layout = Layout(
        "said",
        LAYOUT.schema
        + "CREATE TABLE IF NOT EXISTS told (n INTEGER PRIMARY KEY, text TEXT);\n"
        + "CREATE TRIGGER IF NOT EXISTS said_comes AFTER INSERT ON said BEGIN INSERT INTO told VALUES (new.n, new.text); END;\n",
    )

    def flood(db: sqlite3.Connection) -> int:
        db.executemany(
            "INSERT INTO said (text) VALUES (?)",
            [(f"{n:0500x}",) for n in range(db.total_changes, db.total_changes + 300)],
        )
        return len([each for each in Path("/proc/self/fd").iterdir() if "etilqs" in _target(each)])

    async with Database.open(tmp_path / "s.db", (layout,)) as database:
        found = [await database.write(flood, brief=brief) for brief in (False, False, True)]
    assert found[-1] == 0 < found[1]


async def test_what_is_deleted_is_overwritten_however_sqlite_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is what an update has left in the page: nothing that is done later would reach it."""
    connect = sqlite3.connect

    def as_elsewhere(*args: Any, **more: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*args, **more)
        db.execute("PRAGMA secure_delete = OFF")
        return db

    monkeypatch.setattr(sqlite3, "connect", as_elsewhere)
    path = tmp_path / "s.db"
    async with Database.open(path, (LAYOUT,)) as database:
        await database.write(say("NADIR-EXAMPLE-19"))
        await database.write(lambda db: db.execute("UPDATE said SET text = 'somebody'").rowcount)
        await database.write(say("NADIR-EXAMPLE-19, deleted"))
        await database.write(lambda db: db.execute("DELETE FROM said WHERE text != 'somebody'").rowcount)
    assert b"NADIR-EXAMPLE-19" not in path.read_bytes()


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
