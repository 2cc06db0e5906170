"""The live log: what has happened to what is shown, in an order that can be replayed, whoever is told."""

from __future__ import annotations

import sqlite3
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.hub.picture import events, projection
from bus.hub.picture.projection import Projection
from bus.hub.rows import SITUATION, take_out
from bus.policy import Clearance
from schemas.vocab import TALK, MsgType, Tlp
from tests.support.hubs import judged
from tests.support.world import NOW
from tests.unit.bus.hub.picture.test_situation import POOL, VERDICTS, Channel, admitted

EVERYBODY = Clearance(ceiling=Tlp.RED, audiences=frozenset({"community", "eu-csirts", "public"}))
COMES = (events.NEW, events.UPDATED, events.ANSWERED, events.RESTORED)
GOES = (events.SUPERSEDED, events.WITHDRAWN, events.EXPIRED, events.ERASED)


def logged(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """What the log says, in order."""
    return [(row["what"], row["row"]) for row in db.execute("SELECT * FROM events ORDER BY n")]


def live(db: sqlite3.Connection) -> set[int]:
    """The rows that are live."""
    said = f"status NOT IN ({', '.join(repr(str(each)) for each in TALK)})"
    return {
        row for table in SITUATION for (row,) in db.execute(f"SELECT row FROM {table} WHERE live AND {said}")
    }


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(len(POOL))), st.lists(st.integers(1, 20), min_size=1, max_size=4), st.data())
def test_who_replays_the_log_has_what_is_live(
    order: list[int], sizes: list[int], data: st.DataObject
) -> None:
    """In whatever order and groups bulletins came, and whatever expired or was erased in between."""
    with admitted([VERDICTS[n] for n in order]) as (db, rows):
        picture = Projection()
        start = turn = 0
        erased: set[int] = set()
        while start < len(rows):
            size = sizes[turn % len(sizes)]
            picture.apply_many(db, rows[start : start + size])
            start, turn = start + size, turn + 1
            if data.draw(st.booleans()):
                gone = data.draw(st.sampled_from(rows[:start]))
                take_out(db, [gone.rowid])
                erased.add(gone.rowid)
            if data.draw(st.booleans()):
                projection.sweep(db, NOW.timestamp() + data.draw(st.integers(0, 60)) * 60.0)
        shown: set[int] = set()
        for what, row in logged(db):
            (shown.add if what in COMES else shown.discard)(row)
        assert shown == live(db)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(len(POOL))))
def test_a_picture_that_is_made_anew_tells_nothing_again(order: list[int]) -> None:
    """The log is as it was, but for one word that all is to be read again; what comes then is told."""
    with admitted([VERDICTS[n] for n in order]) as (db, rows):
        picture = Projection()
        picture.apply_many(db, rows[:-3])
        before = logged(db)
        for _ in range(2):
            picture.clear(db)
            for row in rows[:-3]:
                picture.apply(db, row)
        for channel in {row.channel for row in rows[:-3]}:
            mine = [row for row in rows[:-3] if row.channel == channel]
            picture.forget(db, channel, mine)
            picture.apply_many(db, mine)
        assert logged(db) == [*before, (events.REMADE, 0)]
        picture.apply_many(db, rows[-3:])
        came = [
            row
            for row in rows[-3:]
            if row.bulletin.status not in TALK and row.bulletin.msg_type is not MsgType.CANCEL
        ]
        assert [row for what, row in logged(db)[len(before) + 1 :] if what in COMES[:3]] == [
            row.rowid for row in came
        ]


def test_what_was_failed_is_told_when_it_is_taken_in() -> None:
    """Though later ones were told of before."""
    channel = Channel()
    for n in range(3):
        channel.say(f"number {n}")
    with admitted([judged(each) for each in channel.made]) as (db, rows):
        picture = Projection()
        picture.apply_many(db, rows[1:])
        late: Any = type(rows[0])(
            **{name: getattr(rows[0], name) for name in rows[0].__struct_fields__} | {"tries": 1}
        )
        picture.apply(db, late)
        assert [row for _, row in logged(db)] == [2, 3, 1]


def test_the_log_is_let_go_of_from_its_beginning_and_never_whole() -> None:
    """What is older than a week or beyond the bound goes, a part at a time; the newest stays, so that numbers go on."""
    with admitted([]) as (db, _):
        some = "(at, what, row, of, about, tlp_rank, audience) VALUES (?, 'new', 1, 'actual', '', 0, 'community')"
        moments = [float(n) for n in range(2 * events.AT_ONCE + 10)]
        db.executemany(f"INSERT INTO events {some}", [(moment,) for moment in moments])
        now = events.KEPT_S + moments[-3]
        turns = 1
        while events.let_go(db, now):
            turns += 1
        assert turns == 3
        assert [n for (n,) in db.execute("SELECT n FROM events")] == [
            len(moments) - 2,
            len(moments) - 1,
            len(moments),
        ]
        assert not events.is_due(db, now)
        told = events.events_after(db, EVERYBODY, 5)
        assert not told.is_whole
        events.let_go(db, now * 2)
        assert events.newest(db) == len(moments)
        again = events.events_after(db, EVERYBODY, len(moments))
        assert (again.events, again.upto, again.is_whole) == ((), len(moments), True)


def test_a_number_that_the_log_never_had_is_said_to_be_none() -> None:
    """As after a store was put back from a copy: all is to be read again."""
    with admitted([]) as (db, _):
        told = events.events_after(db, EVERYBODY, 7)
        assert (told.is_whole, told.upto) == (False, 0)
