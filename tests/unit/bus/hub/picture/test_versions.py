"""A thread at readers: they converge whatever the order, what is withdrawn stays so, and any id leads to the version that lives."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import threads
from bus.admission import Judged
from bus.errors import AmbiguousIdError
from bus.hub.picture import open_store, trace, versions
from bus.hub.picture.projection import Projection
from bus.hub.rows import take_out
from bus.subscribing import erasure
from bus.subscribing.tables import Stored
from schemas.vocab import MsgType, Tlp
from tests.support.earlier import before_counts
from tests.support.hubs import judged
from tests.support.threads import canonical
from tests.support.world import NOW, Message
from tests.unit.bus.hub.picture.test_situation import Channel, admitted

MINUTE = 60.0


def _said() -> dict[str, Message]:
    """Two threads on two channels: two updates of one version, an update of one of them, a cancel of the first; and what comes late."""
    green, narrow = Channel(), Channel(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    said = {"first": green.say("first", age_s=50 * MINUTE), "other": green.say("other", age_s=49 * MINUTE)}
    said["second"] = green.revise(MsgType.UPDATE, said["first"], age_s=40 * MINUTE)
    said["rival"] = narrow.revise(MsgType.UPDATE, said["first"], age_s=30 * MINUTE)
    said["third"] = green.revise(MsgType.UPDATE, said["second"], age_s=20 * MINUTE)
    said["cancel"] = green.revise(MsgType.CANCEL, said["first"], age_s=15 * MINUTE)
    said["late"] = narrow.revise(MsgType.UPDATE, said["rival"], age_s=10 * MINUTE)
    said["moved"] = narrow.revise(MsgType.UPDATE, said["other"], age_s=5 * MINUTE)
    return said


SAID = _said()
VERDICTS: dict[str, Judged] = {name: judged(each) for name, each in SAID.items()}  # type: ignore[misc]
NAME_OF = {each.bulletin.id: name for name, each in SAID.items()}
Ends = dict[str, tuple[str | None, str | None]]


def ends(db: sqlite3.Connection) -> Ends:
    """What has ended each bulletin that stands in the situation, all by their names."""
    rows = db.execute("SELECT id, ended_by, ended_how FROM actual").fetchall()
    return {NAME_OF[row["id"]]: (NAME_OF.get(row["ended_by"]), row["ended_how"]) for row in rows}


def at_a_reader(
    names: Sequence[str], work: Callable[[Projection, sqlite3.Connection, list[Stored]], None]
) -> Any:
    """What a reader has at the end of some work, when these have come in this order."""
    with admitted([VERDICTS[name] for name in names]) as (db, rows):
        work(Projection(), db, rows)
        return ends(db), canonical(db)


def one_by_one(picture: Projection, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
    """As they came."""
    for row in rows:
        picture.apply(db, row)


SOME = st.sets(st.sampled_from(sorted(SAID)), min_size=1)


@settings(max_examples=40, deadline=None)
@given(SOME, st.randoms(use_true_random=False), st.integers(1, 4))
def test_readers_of_the_same_bulletins_converge(names: set[str], dice: Any, size: int) -> None:
    """In whatever order and groups they came, before or after what they refer to; and when the picture is made anew."""

    def grouped(picture: Projection, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        for start in range(0, len(rows), size):
            picture.apply_many(db, rows[start : start + size])
        found = ends(db), canonical(db)
        picture.clear(db)
        one_by_one(picture, db, rows)
        assert (ends(db), canonical(db)) == found

    arrival = sorted(names)
    dice.shuffle(arrival)
    assert at_a_reader(arrival, grouped) == at_a_reader(sorted(names), one_by_one)


def test_of_two_updates_the_newest_stands_and_a_cancel_of_any_version_withdraws_the_thread() -> None:
    """Also what comes later, or refers to what is withdrawn; each bulletin that a cancel names is withdrawn itself."""
    before = [name for name in SAID if name not in ("cancel", "late")]
    found, _ = at_a_reader(before, one_by_one)
    assert {name for name, (_, how) in found.items() if how is None} == {"third", "moved"}
    found, _ = at_a_reader(list(SAID), one_by_one)
    assert {name for name, (_, how) in found.items() if how is None} == {"moved"}
    assert {name for name, (_, how) in found.items() if how == "cancelled"} == {"first", "late"}
    assert found["late"] == ("cancel", "cancelled")
    assert found["second"] == ("third", "superseded")
    assert found["third"] == (
        NAME_OF[SAID["third"].bulletin.id],
        "superseded",
    )  # by none that names it: its thread says what lives


@settings(max_examples=30, deadline=None)
@given(st.permutations(sorted(SAID)), st.sampled_from(("green", "amber+strict")))
def test_what_is_taken_back_ends_nothing(arrival: list[str], tlp: str) -> None:
    """A channel of which all is voided: the rest stands as if it had never come."""

    def voided(picture: Projection, db: sqlite3.Connection, rows: list[Stored]) -> None:
        one_by_one(picture, db, rows)
        mine = [row for row in rows if row.bulletin.tlp == tlp]
        picture.forget(db, mine[0].channel, mine)

    rest = [name for name in sorted(SAID) if SAID[name].bulletin.tlp != tlp]
    found, _ = at_a_reader(arrival, voided)
    assert found == at_a_reader(rest, one_by_one)[0]


@settings(max_examples=40, deadline=None)
@given(st.permutations(sorted(SAID)), st.sets(st.sampled_from(sorted(SAID))), st.integers(1, len(SAID)))
def test_what_is_erased_stays_part_of_its_thread(arrival: list[str], erased: set[str], when: int) -> None:
    """Before or after others come; what it had superseded or withdrawn stays so, also when the picture is made anew."""

    def worked(picture: Projection, db: sqlite3.Connection, rows: list[Stored]) -> None:
        one_by_one(picture, db, rows[:when])
        gone = [row for row in rows[:when] if NAME_OF[row.id] in erased]
        take_out(db, [row.rowid for row in gone])
        places = [db.execute("SELECT * FROM admitted WHERE row = ?", (row.rowid,)).fetchone() for row in gone]
        erasure.erase(db, places, erasure.RETENTION, NOW)
        one_by_one(picture, db, rows[when:])
        found = ends(db)
        left = [row for row in rows if row not in gone]
        picture.clear(db)
        one_by_one(picture, db, left)
        assert ends(db) == found

    found, _ = at_a_reader(arrival, worked)
    whole, _ = at_a_reader(sorted(SAID), one_by_one)
    assert found == {name: whole[name] for name in found}


async def test_a_beginning_an_id_and_a_digest_lead_to_the_version_that_lives(tmp_path: Path) -> None:
    """Of any version, and of the cancel; beginnings that several threads have are refused with the candidates."""
    async with open_store(tmp_path / "store.db", hold_s=0.0) as store:
        await store.settle(list(VERDICTS.values()), None, None, NOW)
        await store.release(NOW + dt.timedelta(seconds=1))
        late = SAID["late"].bulletin.id
        for name in ("first", "second", "rival", "third", "cancel", "late"):
            for wanted in (SAID[name].bulletin.id, SAID[name].digest, SAID[name].bulletin.id[:-1]):
                found = await store.read(lambda db, wanted=wanted: versions.find(db, wanted))  # type: ignore[misc]
                assert found is not None
                assert (found.living, found.versions) == (late, 5)
                assert found.withdrawn_by == SAID["cancel"].bulletin.id
        thread = threads.Thread(id=late, issuer="xa-csirt", status="actual", living=late, withdrawn_by="x")
        assert await store.read(lambda db: versions.state(db, thread, NOW)) == "withdrawn"
        members = await store.read(lambda db: versions.in_thread(db, thread))
        assert [NAME_OF[each.id] for each in members] == [
            "late",
            "cancel",
            "third",
            "rival",
            "second",
            "first",
        ]
        with pytest.raises(AmbiguousIdError) as refused:
            await store.read(lambda db: versions.find(db, SAID["first"].bulletin.id[:4]))
        assert set(refused.value.candidates) <= set(NAME_OF)
        assert await store.read(lambda db: versions.find(db, "ffff")) is None
        moved = await store.read(lambda db: versions.find(db, SAID["other"].bulletin.id))
        assert moved is not None
        assert await store.read(lambda db: versions.state(db, moved, NOW)) == "updated"
        steps = await store.read(lambda db: trace.of_store(db, SAID["third"].bulletin.id))
        assert [step.what for step in steps][2:] == ["withdrawn", "superseded"]


async def test_what_is_known_by_its_id_alone_leads_to_its_thread(tmp_path: Path) -> None:
    """A version that never came here, named by one that did."""
    async with open_store(tmp_path / "store.db", hold_s=0.0) as store:
        await store.settle([VERDICTS["second"]], None, None, NOW)
        await store.release(NOW + dt.timedelta(seconds=1))
        thread = await store.read(lambda db: versions.find(db, SAID["first"].bulletin.id))
        assert thread is not None
        assert (thread.living, thread.versions) == (SAID["second"].bulletin.id, 2)


BEFORE = (
    "DROP TABLE threads",
    "ALTER TABLE revisions RENAME TO later",
    "DROP INDEX revisions_in_order",
    "DROP INDEX revisions_by",
    (
        "CREATE TABLE revisions (target TEXT NOT NULL, issuer TEXT NOT NULL, status TEXT NOT NULL, row INTEGER NOT NULL, "
        "by TEXT NOT NULL, how TEXT NOT NULL, PRIMARY KEY (target, issuer, status, row)) WITHOUT ROWID"
    ),
    "CREATE INDEX revisions_in_order ON revisions (target, issuer, status, how, row)",
    "INSERT INTO revisions SELECT target, issuer, status, row, by, how FROM later",
    "DROP TABLE later",
    "UPDATE actual SET ended_by = NULL, ended_how = NULL WHERE ended_how != 'withdrawal'",
    "UPDATE actual SET ended_by = 'x', ended_how = 'cancelled' WHERE ended_how = 'withdrawal'",
    "DELETE FROM layouts WHERE name = 'threads'",
)


async def test_a_store_of_before_there_were_threads_is_brought_up_to_date(tmp_path: Path) -> None:
    """What an update had left in force though its first version was withdrawn is withdrawn when the store is opened."""
    path = tmp_path / "store.db"
    async with open_store(path, hold_s=0.0) as store:
        await store.settle(list(VERDICTS.values()), None, None, NOW)
        await store.release(NOW + dt.timedelta(seconds=1))
        after = await store.read(ends)

        for change in BEFORE:
            await store.execute(change)
        await store.write(lambda db: before_counts(db, 3))
    async with open_store(path) as store:
        assert await store.read(ends) == after


def test_a_thread_is_told_as_json() -> None:
    """Its fields are fit for it."""
    with admitted([VERDICTS["first"]]) as (db, _):
        thread = versions.find(db, SAID["first"].bulletin.id)
    assert msgspec.to_builtins(thread) == {
        "id": SAID["first"].bulletin.id,
        "issuer": "xa-csirt",
        "status": "actual",
        "living": SAID["first"].bulletin.id,
        "versions": 1,
        "withdrawn_by": None,
        "is_cancel": False,
    }
