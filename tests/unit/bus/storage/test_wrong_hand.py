"""Faults from outside for an open store: its file is replaced, memory runs out, a page is damaged. No caller waits for ever."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bus.errors import StoreError
from bus.storage import soundness, sqlite
from bus.storage.sqlite import Database
from tests.support.waiting import longest
from tests.unit.bus.storage.test_sqlite import LAYOUT, Blocked, count, say


class Failing(sqlite3.Connection):
    """A connection that runs out of memory at the statements that begin so, so many times."""

    armed: str = ""
    times: int = 0

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        """Execute normally, or without memory."""
        if Failing.times and sql.startswith(Failing.armed):
            Failing.times -= 1
            raise MemoryError
        return super().execute(sql, *arguments)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Arms every connection that is opened from now on."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **named: connect(*args, **named, factory=Failing))
    monkeypatch.setattr(Failing, "times", 0)

    def arm(sql: str, times: int = 1) -> None:
        Failing.armed, Failing.times = sql, times

    return arm


STEPS = ("BEGIN IMMEDIATE", "INSERT", "COMMIT")


@pytest.mark.parametrize("step", STEPS)
async def test_a_write_without_memory_is_answered_and_keeps_nothing(
    tmp_path: Path, failing: Callable[[str, int], None], step: str
) -> None:
    """If any statement of a commit finds no memory, the caller gets a passing error, and the thread lives."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        await database.write(say("before"))
        failing(step, 1)
        with pytest.raises(StoreError) as refused:
            await asyncio.wait_for(database.write(say("without")), longest())
        assert refused.value.reason == "store-memory"
        assert refused.value.is_passing
        await database.write(say("after"))
        assert await database.read(count) == 2


@pytest.mark.parametrize("step", ["BEGIN IMMEDIATE", "INSERT", "SAVEPOINT", "RELEASE"])
async def test_of_two_that_wait_each_is_answered_rightly(
    tmp_path: Path, failing: Callable[[str, int], None], step: str
) -> None:
    """If any statement of their commit finds no memory, nothing is kept exactly for those who get a passing error."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        async with Blocked(database):
            writes = [asyncio.create_task(database.write(say(text))) for text in ("one", "two")]
            await asyncio.sleep(0)
            failing(step, 1)
        found = await asyncio.wait_for(asyncio.gather(*writes, return_exceptions=True), longest())
        refused = [each for each in found if each is not None]
        assert refused
        assert all(isinstance(each, StoreError) and each.reason == "store-memory" for each in refused)
        assert await database.read(count) == 2 - len(refused)
        await database.write(say("after"))


@pytest.mark.parametrize("step", ["ROLLBACK", "BEGIN IMMEDIATE"])
async def test_an_undoing_without_memory_of_the_first_tells_all(
    tmp_path: Path, failing: Callable[[str, int], None], step: str
) -> None:
    """The first of two raises, and its rollback finds no memory: both get an error, and the next work starts fresh."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:

        def half(db: sqlite3.Connection) -> None:
            say("half")(db)
            failing(step, 1)
            raise LookupError("no")

        async with Blocked(database):
            writes = [asyncio.create_task(database.write(work)) for work in (half, say("two"))]
        found = await asyncio.wait_for(asyncio.gather(*writes, return_exceptions=True), longest())
        assert all(isinstance(each, StoreError) and each.reason == "store-memory" for each in found)
        await database.write(say("after"))
        assert await database.read(count) == 1


async def test_an_undoing_without_memory_leaves_nothing_behind(
    tmp_path: Path, failing: Callable[[str, int], None]
) -> None:
    """Neither the commit nor its rollback finds memory: both callers are answered, and the next work starts fresh."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        await database.write(say("before"))

        def half(db: sqlite3.Connection) -> None:
            say("half")(db)
            failing("ROLLBACK", 2)
            raise LookupError("no")

        with pytest.raises(StoreError):
            await asyncio.wait_for(database.write(half), longest())
        await database.write(say("after"))
        assert await database.read(count) == 2


@pytest.mark.parametrize("step", ["BEGIN", "SELECT", "COMMIT"])
async def test_a_read_without_memory_is_answered(
    tmp_path: Path, failing: Callable[[str, int], None], step: str
) -> None:
    """A question finds no memory at some statement: it is answered, rightly or with an error that passes."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        await database.write(say("one"))
        failing(step, 1)
        try:
            assert await asyncio.wait_for(database.read(count), longest()) == 1
        except StoreError as exc:
            assert exc.reason == "store-memory"
        Failing.times = 0
        assert await database.read(count) == 1
        await database.write(say("two"))


@pytest.mark.parametrize(
    "step", ["BEGIN", "PRAGMA application_id", "PRAGMA journal_mode", "CREATE", "COMMIT"]
)
async def test_an_opening_without_memory_is_said(
    tmp_path: Path, failing: Callable[[str, int], None], step: str
) -> None:
    """The opening program gets an error, and the next one opens the store."""
    failing(step, 1)
    with pytest.raises(StoreError) as refused:
        async with Database.open(tmp_path / "s.db", (LAYOUT,)):
            pass
    assert refused.value.reason == "store-memory"
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        await database.write(say("one"))


async def test_a_thread_that_cannot_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine gives no thread: the store is not opened, and says why."""

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    with pytest.raises(StoreError) as refused:
        async with Database.open(tmp_path / "s.db", (LAYOUT,)):
            pass
    assert refused.value.reason == "store-memory"


@pytest.mark.parametrize("where", ["_next", "_look_around", "_serve"])
@pytest.mark.parametrize("what", [MemoryError, RuntimeError, KeyboardInterrupt])
async def test_whatever_fails_in_the_thread_nobody_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, what: type[BaseException]
) -> None:
    """A step of the thread itself fails: everybody is answered, and the next work is done."""
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        real = getattr(Database, where)
        left = [1]

        def once(*arguments: Any) -> Any:
            if left and where != "_next":
                left.clear()
                raise what
            found = real(*arguments)
            if left:
                left.clear()
                raise what
            return found

        monkeypatch.setattr(Database, where, once)
        for text in ("a", "b"):
            try:
                await asyncio.wait_for(database.write(say(text)), longest())
            except StoreError as exc:
                assert exc.reason in ("store-memory", "store-failed")
        await database.write(say("c"))


async def test_when_the_thread_has_died_all_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread ends against all precautions: who waited and who comes later are both told."""

    def dies(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(Database, "_work_on", dies)
    async with Database.open(tmp_path / "s.db", (LAYOUT,)) as database:
        for _ in range(2):
            with pytest.raises(StoreError) as refused:
                await asyncio.wait_for(database.write(say("a")), longest())
            assert refused.value.reason == "store-failed"


async def make(path: Path, *texts: str) -> None:
    """A file with these rows."""
    async with Database.open(path, (LAYOUT,)) as database:
        for text in texts:
            await database.write(say(text))


def delete(path: Path) -> None:
    """The file is gone, with its log."""
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def move(path: Path) -> None:
    """The file is elsewhere."""
    path.rename(path.with_name("elsewhere.db"))


def replace(path: Path) -> None:
    """Another file is in its place."""
    other = path.with_name("other.db")
    shutil.copy(path, other)
    other.replace(path)


def replace_log(path: Path) -> None:
    """Another log is in the place of its own."""
    log = path.with_name(f"{path.name}-wal")
    other = path.with_name("other-wal")
    shutil.copy(log, other)
    other.replace(log)


async def forever() -> None:
    """A program that never calls its store."""
    await asyncio.wait_for(asyncio.Event().wait(), longest())


async def use(path: Path, *works: Callable[[sqlite3.Connection], None], hand: Callable[[Path], None]) -> None:
    """Open the file, write, let a wrong hand at it, do this work, and go on without the store."""
    async with Database.open(path, (LAYOUT,)) as database:
        await database.write(say("one"))
        hand(path)
        for work in works:
            await database.write(work)
            pytest.fail("acknowledged into a lost file")
        await forever()


@pytest.mark.parametrize("hand", [delete, move, replace, replace_log])
async def test_a_file_that_is_lost_ends_the_body(tmp_path: Path, hand: Callable[[Path], None]) -> None:
    """A program that asks nothing of its store is told all the same that the file is not its own any more."""
    with pytest.raises(StoreError) as lost:
        await use(tmp_path / "s.db", hand=hand)
    assert lost.value.reason == "store-replaced"
    assert lost.value.is_final


@pytest.mark.parametrize("hand", [delete, move, replace])
async def test_nothing_is_acknowledged_into_a_lost_file(tmp_path: Path, hand: Callable[[Path], None]) -> None:
    """The very next write after the wrong hand is refused."""
    with pytest.raises(StoreError) as refused:
        await use(tmp_path / "s.db", say("two"), hand=hand)
    assert refused.value.reason == "store-replaced"


async def test_a_file_lost_while_it_was_written_is_no_success(tmp_path: Path) -> None:
    """The file is replaced between the work and its commit: no caller is told that it was kept."""
    path = tmp_path / "s.db"

    def work(db: sqlite3.Connection) -> None:
        say("two")(db)
        delete(path)

    with pytest.raises(StoreError) as refused:
        await use(path, work, hand=lambda _: None)
    assert refused.value.reason == "store-replaced"


async def damaged_in_its_midst(path: Path) -> None:
    """A file of many pages, one leaf of which is rubbish; what opening looks at is sound."""
    await make(path, *(f"{n:03d}" + "x" * 1200 for n in range(200)))
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # The leaf of a row in the middle.
    with path.open("r+b") as file:
        page = file.read().index(b"100x") // sqlite.PAGE_BYTES + 1
        file.seek(sqlite.PAGE_BYTES * (page - 1))
        file.write(b"\xff" * sqlite.PAGE_BYTES)


async def test_a_damaged_page_is_said_when_it_is_read(tmp_path: Path) -> None:
    """Opening does not read it; the first reader gets an error, and the store takes no more work."""
    path = tmp_path / "s.db"
    await damaged_in_its_midst(path)
    async with Database.open(path, (LAYOUT,)) as database:
        with pytest.raises(StoreError) as refused:
            await database.read(lambda db: db.execute("SELECT text FROM said ORDER BY n").fetchall())
        assert refused.value.reason == "store-corrupt"
        with pytest.raises(StoreError) as later:
            await database.write(say("more"))
        assert later.value.reason == "store-corrupt"


async def test_a_text_that_is_none_is_damage_and_costs_no_other_row(tmp_path: Path) -> None:
    """Texts are written as UTF-8 alone; who reads another row goes on."""
    path = tmp_path / "s.db"
    await make(path, "a", "b")
    async with Database.open(path, (LAYOUT,)) as database:
        await database.write(
            lambda db: db.execute("UPDATE said SET text = CAST(x'ff' AS TEXT) WHERE text = 'a'")
        )
        with pytest.raises(StoreError) as refused:
            await database.read(lambda db: db.execute("SELECT text FROM said").fetchall())
        assert refused.value.reason == "store-corrupt"
        found = await database.read(
            lambda db: db.execute("SELECT text FROM said WHERE text = 'b'").fetchall()
        )
        assert [row["text"] for row in found] == ["b"]


async def test_a_file_that_stays_open_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that never reads the damaged page is told of it all the same."""
    path = tmp_path / "s.db"
    await damaged_in_its_midst(path)
    monkeypatch.setattr(soundness, "CHECK_AFTER_S", 0.0)
    with pytest.raises(StoreError) as lost:
        async with Database.open(path, (LAYOUT,)):
            await forever()
    assert lost.value.reason == "store-corrupt"


async def test_a_check_finds_what_opening_does_not(tmp_path: Path) -> None:
    """Asked for, the whole file is read at once; a sound one passes."""
    path = tmp_path / "s.db"
    await make(path, "a", "b")
    async with Database.open(path, (LAYOUT,)) as database:
        await database.check()
    await damaged_in_its_midst(tmp_path / "bad.db")
    async with Database.open(tmp_path / "bad.db", (LAYOUT,)) as database:
        with pytest.raises(StoreError) as refused:
            await database.check()
        assert refused.value.reason == "store-corrupt"


async def test_a_file_that_was_cut_is_refused_at_the_door(tmp_path: Path) -> None:
    """Its end is missing."""
    path = tmp_path / "s.db"
    await make(path, *("x" * 2000 + f"{n}" for n in range(50)))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - sqlite.PAGE_BYTES)
    with pytest.raises(StoreError) as refused:
        async with Database.open(path, (LAYOUT,)):
            pass
    assert refused.value.reason == "store-corrupt"


async def test_opening_asks_no_more_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same statements, none of which reads the whole, whether there are ten rows or two thousand."""
    said: list[list[str]] = []
    connect = sqlite3.connect

    def traced(*arguments: Any, **named: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*arguments, **named)
        said.append([])
        db.set_trace_callback(said[-1].append)
        return db

    for name, rows in (("small", 10), ("large", 2000)):
        await make(tmp_path / name)
        with closing(connect(tmp_path / name)) as db, db:
            db.executemany("INSERT INTO said (text) VALUES (?)", [(f"{n}",) for n in range(rows)])
        monkeypatch.setattr(sqlite3, "connect", traced)
        async with Database.open(tmp_path / name, (LAYOUT,)):
            pass
        monkeypatch.setattr(sqlite3, "connect", connect)
    assert said[0] == said[1]
    assert not any("check" in sql for sql in said[0])
