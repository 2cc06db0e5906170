"""What is counted for pages is what a look at every bulletin counts, whatever has come, ended, expired or been erased, in any order."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bus.filters import indexed, said
from bus.hub.picture import counts, events, index, projection, tallies
from bus.hub.picture.projection import Projection
from bus.hub.rows import SITUATION, take_out
from bus.storage.layout import bring_up_to_date
from bus.subscribing.tables import LAYOUT, Stored
from schemas.bulletin import Bulletin
from schemas.subject import priority
from schemas.vocab import TLP_RANK, MsgType
from tests.support.earlier import before_counts
from tests.support.world import NOW
from tests.unit.bus.hub.picture.test_situation import VERDICTS, admitted

HOUR = 3600.0


def tally_of(db: sqlite3.Connection, bulletins: dict[int, Bulletin]) -> Counter[tuple[Any, ...]]:
    """The tally, by a look at each row and at what its bulletin says."""
    found: Counter[tuple[Any, ...]] = Counter()
    for table in tallies.COUNTED:
        for (row,) in db.execute(f"SELECT row FROM {table} WHERE ended_by IS NULL AND NOT is_over"):
            b = bulletins[row]
            limits = (TLP_RANK[b.tlp], b.audience, priority(b))
            facts = [each for each in said(b) if each[0] in counts.FIELDS]
            found.update((table, *each, *limits) for each in (*facts, (counts.ALL, "")))
    return found


def hours_of(db: sqlite3.Connection, bulletins: dict[int, Bulletin]) -> Counter[tuple[Any, ...]]:
    """What was issued in each hour, by the same look."""
    found: Counter[tuple[Any, ...]] = Counter()
    for table in tallies.COUNTED:
        for (row,) in db.execute(f"SELECT row FROM {table}"):
            b = bulletins[row]
            if b.msg_type is not MsgType.CANCEL:
                hour = int(b.issued.timestamp() // counts.HOUR_S)
                limits = (TLP_RANK[b.tlp], b.audience, priority(b))
                found.update((table, hour, each, *limits) for each in {"", *map(str, b.dimensions)})
    return found


def held(db: sqlite3.Connection, table: str) -> dict[tuple[Any, ...], int]:
    """What is counted, but for nothing."""
    return {tuple(row[:-1]): row[-1] for row in db.execute(f"SELECT * FROM {table} WHERE n != 0")}


class Counting(RuleBasedStateMachine):
    """A picture into which bulletins come in any order, and in which anything may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self._opened = admitted(VERDICTS)
        self.db, self.rows = self._opened.__enter__()
        self.bulletins = {row.rowid: row.bulletin for row in self.rows}
        self.picture = Projection()
        self.left = list(self.rows)
        self.erased: set[int] = set()

    def teardown(self) -> None:
        """Close the store."""
        self._opened.__exit__(None, None, None)

    def there(self) -> list[Stored]:
        """What was taken in and is kept."""
        left = {row.rowid for row in self.left}
        return [row for row in self.rows if row.rowid not in left | self.erased]

    @precondition(lambda self: self.left)
    @rule(data=st.data(), size=st.integers(1, 12), is_shown=st.booleans())
    def come(self, data: st.DataObject, size: int, is_shown: bool) -> None:
        """Some come, in any order; or one that has no effect."""
        order = data.draw(st.permutations(self.left))
        taken = order[: 1 if is_shown else size]
        self.left = [row for row in self.left if row not in taken]
        if is_shown:
            self.picture.show(self.db, taken[0])
        else:
            self.picture.apply_many(self.db, taken)

    @rule(hours=st.integers(-48, 24 * 40))
    def expire(self, hours: int) -> None:
        """Time passes, or a clock is set back."""
        projection.sweep(self.db, NOW.timestamp() + hours * HOUR)

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        """One is erased."""
        row = data.draw(st.sampled_from(self.there()))
        take_out(self.db, [row.rowid])
        self.erased.add(row.rowid)

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def take_channel_out(self, data: st.DataObject) -> None:
        """A channel is taken out of the picture, and may come back later."""
        channel = data.draw(st.sampled_from(sorted({row.channel for row in self.there()})))
        mine = [row for row in self.there() if row.channel == channel]
        self.picture.forget(self.db, channel, mine)
        self.left += mine

    @rule()
    def make_anew(self) -> None:
        """The picture is made anew of what is kept."""
        there = self.there()
        self.picture.clear(self.db)
        for row in there:
            self.picture.apply(self.db, row)

    @rule(most=st.integers(1, 30))
    def index_some(self, most: int) -> None:
        """The index is made, a part of it."""
        index.advance(self.db, most)

    @invariant()
    def holds(self) -> None:
        """What is counted is what there is."""
        assert held(self.db, "tally") == tally_of(self.db, self.bulletins)
        assert held(self.db, "hourly") == hours_of(self.db, self.bulletins)


TestCounting = Counting.TestCase
TestCounting.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)


def test_a_file_of_before_is_counted_once() -> None:
    """Its rows get what pages need of them, and the counts are those of a picture that was made with them."""
    with admitted(VERDICTS) as (db, rows):
        Projection().apply_many(db, rows)
        tallies.roll(db, NOW.timestamp() + 3 * HOUR)
        db.execute("DELETE FROM events")
        while index.advance(db):
            pass

        def dump() -> list[object]:
            columns = "row, tlp_rank, live, msg_type, areas"
            found = [
                db.execute(f"SELECT {columns} FROM {table} ORDER BY row").fetchall() for table in SITUATION
            ]
            found.append(db.execute("SELECT rowid, text FROM words ORDER BY rowid").fetchall())
            return [[tuple(row) for row in each] for each in found] + [held(db, "tally"), held(db, "hourly")]

        expected = dump()
        bulletins = {row.rowid: row.bulletin for row in rows}
        for (row,) in db.execute("SELECT rowid FROM words").fetchall():
            db.execute("UPDATE words SET text = ? WHERE rowid = ?", (indexed(bulletins[row]), row))
        before_counts(db)
        db.execute("COMMIT")
        bring_up_to_date(db, Path("memory"), (LAYOUT, *Projection().layouts))
        assert dump() == expected
        db.execute("BEGIN")
        assert events.newest(db) == 0


def test_a_damaged_row_can_be_taken_out() -> None:
    """What cannot be read is counted under nothing, and stops nobody."""
    with admitted(VERDICTS) as (db, rows):
        Projection().apply_many(db, rows)
        db.execute("UPDATE actual SET dimensions = '[\"a', areas = 'x', tlp = 'pink'")
        take_out(db, [row.rowid for row in rows])
        assert db.execute("SELECT count(*) FROM actual").fetchone()[0] == 0
