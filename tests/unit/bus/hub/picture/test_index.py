"""The index follows the picture: whatever came in which order, it says what the bulletins say, and goes with them."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.filters import Selection, of_text
from bus.hub.picture import index, selected, summary
from bus.hub.picture.projection import Projection, open_store
from bus.hub.rows import take_out
from bus.hub.service import Indexing
from bus.storage.layout import bring_up_to_date
from bus.subscribing.tables import LAYOUT
from schemas.parts import Observable
from schemas.vocab import PersonalFlag, Status
from tests.support.hubs import judged
from tests.support.world import NOW
from tests.unit.bus.hub.picture.test_situation import POOL, VERDICTS, WORLD, Channel, admitted

ASKED = (
    "",
    "kind:cyber-incident",
    "country:xa",
    "text:number",
    "results.example",
    "issuer:xb-csirt",
    "dimension:cybercrime",
)


def drained(db: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """What the index has once nothing waits any more."""
    while index.advance(db, 7):
        pass
    return {
        table: sorted(map(tuple, db.execute(f"SELECT {columns} FROM {table}").fetchall()))
        for table, columns in (
            ("facts", "field, value, row"),
            ("observables", "*"),
            ("words", "rowid, text"),
            ("to_index", "*"),
            ("words_deleted", "*"),
        )
    }


def found(db: sqlite3.Connection, line: str, status: Status = Status.ACTUAL) -> list[int]:
    """The rows that a filter finds, newest first."""
    return [row.rowid for row in selected.newest(db, of_text(line), status, NOW)]


@settings(max_examples=5)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_it_is_the_same_after_a_rebuild(sizes: list[int], rng: Any) -> None:
    """However bulletins were grouped, forgotten and taken in again, with or without turns of the index in between."""
    with admitted(VERDICTS) as (db, rows):
        picture = Projection()
        picture.clear(db)
        picture.apply_many(db, rows)
        expected = drained(db)
        for channel in sorted({row.channel for row in rows}):
            mine = [row for row in rows if row.channel == channel]
            picture.forget(db, channel, mine)
            if rng.random() < 0.5:
                index.advance(db, sizes[0])
            picture.apply_many(db, mine)
        assert drained(db) == expected
        picture.clear(db)
        assert not any(drained(db).values())
        start = turn = 0
        while start < len(rows):
            size = sizes[turn % len(sizes)]
            picture.apply_many(db, rows[start : start + size])
            index.advance(db, size)
            start, turn = start + size, turn + 1
        assert drained(db) == expected


@pytest.mark.parametrize("indexed", [0, 5, 1000])
def test_what_waits_is_found_too(indexed: int) -> None:
    """A filter finds the same whether all, some or nothing is indexed, and counts what it finds."""
    with admitted(VERDICTS) as (db, rows):
        picture = Projection()
        picture.apply_many(db, rows)
        if indexed:
            index.advance(db, indexed)
        for line in ASKED:
            for status in Status:
                selection = of_text(line)
                expected = [
                    row.rowid
                    for row in reversed(rows)
                    if row.bulletin.status is status and selection.matches(row.bulletin, NOW)
                ]
                assert found(db, line, status) == expected
                assert selected.count(db, selection, status, NOW).number == len(expected)


def test_what_programs_say_is_not_indexed() -> None:
    """Heartbeats do not wait for the index, nor stand in it."""
    with admitted(VERDICTS) as (db, rows):
        talk = {row.rowid for row in rows if row.bulletin.status in (Status.SYSTEM, Status.BEAT)}
        assert talk
        assert {row for (row,) in db.execute("SELECT row FROM to_index")}.isdisjoint(talk)


def test_what_is_erased_leaves_no_word_in_the_file(tmp_path: Path) -> None:
    """Facts, observables and words go with the bulletin; after the turns that follow no byte of them is left in the file."""
    path = tmp_path / "words.db"
    secret = "zyxsecretword"
    channel = Channel()
    for n in range(150):
        channel.say(
            f"{secret} number {n}" if n == 7 else f"number {n} of many words that fill pages of the index"
        )
    seen = Observable(type="domain-name", personal=PersonalFlag.NONE, value=f"{secret}.example")
    channel.say("one more", observables=(seen,))
    db = sqlite3.connect(path, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous = OFF")
    with admitted([judged(each) for each in channel.made]) as (memory, rows):
        bring_up_to_date(db, path, (LAYOUT, *Projection().layouts))
        for start in range(0, len(rows), 50):
            index._write(db, [(row.rowid, row.bulletin) for row in rows[start : start + 50]])
        memory.execute("ROLLBACK")
    gone = [n for (n,) in db.execute("SELECT rowid FROM words WHERE words MATCH ?", (f"{secret}*",))]
    assert len(gone) == 2
    assert secret.encode() in path.read_bytes()
    db.execute("PRAGMA secure_delete = ON")
    take_out(db, gone)
    turns = 0
    while index.advance(db):
        turns += 1
        assert turns < 1000
    stated = "SELECT count(*) FROM fact_names WHERE n NOT IN (SELECT fact FROM fact_rows)"
    assert db.execute(stated).fetchone()[0] == 0
    db.close()
    assert secret.encode() not in path.read_bytes()


def test_a_damaged_bulletin_is_passed_over() -> None:
    """One whose bytes have changed is not indexed, and does not hold up those behind it."""
    with admitted([judged(each) for each in channel_of(3)]) as (db, rows):
        picture = Projection()
        picture.clear(db)
        picture.apply_many(db, rows)
        db.execute("UPDATE bodies SET payload = X'7B7D' WHERE row = ?", (rows[1].rowid,))
        assert index.advance(db) is False
        assert {n for (n,) in db.execute("SELECT rowid FROM words")} == {rows[0].rowid, rows[2].rowid}
        assert found(db, "text:number") == [rows[2].rowid, rows[0].rowid]


def channel_of(count: int) -> list[Any]:
    """So many bulletins of one channel."""
    channel = Channel()
    for n in range(count):
        channel.say(f"number {n}")
    return channel.made


def test_a_picture_without_an_index_gets_one() -> None:
    """A file of the version before is migrated: all that stands in its picture waits to be indexed, and is found meanwhile."""
    with admitted(VERDICTS) as (db, rows):
        Projection().apply_many(db, rows)
        expected = drained(db)
        assert expected["words"]
        for statement in (
            "DROP VIEW facts",
            *(
                f"DROP TABLE {name}"
                for name in ("to_index", "fact_rows", "fact_names", "observables", "words", "words_deleted")
            ),
            *filter(str.strip, index.INDEX_ALL.split(";\n")),
        ):
            db.execute(statement)
        assert found(db, "text:number")
        assert drained(db) == expected


async def test_it_waits_while_much_comes_in(tmp_path: Path) -> None:
    """While bulletins come in by the hundred the index waits; it is made when they end, and a part of it now and then before."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with open_store(tmp_path / "s.db") as store:
        look = Indexing(store, sleep).look

        async def waits() -> int:
            return int(await store.read(index.waiting))

        async def come(first: int) -> None:
            rows = [(n,) for n in range(first, first + index.BUSY + 1)]
            await store.write(lambda db: db.executemany("INSERT INTO to_index VALUES (?)", rows).rowcount)

        last = 1
        for _ in range(index.PATIENCE):
            await come(last)
            last += index.BUSY + 1
            await look()
        assert await waits() == last - 1
        await come(last)
        await look()
        assert await waits() == last + index.BUSY - index.AT_ONCE
        assert slept == []
        await look()
        assert await waits() == 0
        assert slept


def test_an_id_is_named_by_a_beginning_that_no_other_has() -> None:
    """Thirteen characters, the millisecond of its making, or as many more as tell it from its neighbours."""
    with admitted(VERDICTS) as (db, rows):
        ids = sorted({row.id for row in rows})
        for id_ in ids:
            name = selected.short(db, id_)
            assert len(name) >= 13
            assert [other for other in ids if other.startswith(name)] == [id_]


def test_the_picture_tells_of_what_is_asked_for_alone() -> None:
    """With a filter it counts and shows what fits and is in force, indexed or not, and says what was asked for."""
    registry = WORLD.registry
    with admitted(VERDICTS) as (db, rows):
        Projection().apply_many(db, rows)
        whole = summary.picture(db, NOW, registry)
        asked = of_text("issuer:xb-csirt")
        for most in (0, 3, 1000):
            if most:
                index.advance(db, most)
            part = summary.picture(db, NOW, registry, selection=asked)
            assert (part.filter, part.in_force) == ("issuer:xb-csirt", sum(part.by_priority.values()))
            assert {item.issuer for item in part.top} == {"xb-csirt"}
            assert part.in_force == sum(
                1 for n in selected.in_force(db, Selection(), NOW) if n in found(db, "issuer:xb-csirt")
            )
            assert 0 < part.in_force < whole.in_force


def test_a_filter_of_nothing_finds_all() -> None:
    """Without a condition a list is what it was."""
    with admitted(VERDICTS) as (db, rows):
        Projection().apply_many(db, rows)
        actual = [row.rowid for row in reversed(rows) if row.bulletin.status is Status.ACTUAL]
        assert found(db, "") == actual
        assert Selection().is_any
        assert len(POOL) == len(rows)
        assert selected.count(db, Selection(), Status.ACTUAL, NOW + dt.timedelta()).number == len(actual)
