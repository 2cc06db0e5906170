"""The reader's store: in any order of arrival each bulletin is admitted once and in its channel's order."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.admission.verdict import decide
from bus.errors import StoreError
from bus.hub.picture import summary
from bus.hub.picture.projection import Projection
from bus.hub.picture.trace import of_store
from bus.hub.watch.channels import channel_rows
from bus.subscribing import tables
from bus.subscribing.inbox import Inbox
from bus.subscribing.intake import BACKOFF_S
from bus.subscribing.tables import Stored
from bus.transport.cursor import Cursor
from schemas.parts import Ref
from schemas.vocab import MsgType, RefRel, Status
from tests.support.hubs import judged
from tests.support.world import NOW, Message, bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
CHAIN = chain(WORLD, 8)


async def rows(store: Inbox) -> list[tuple[int, str, frozenset[str]]]:
    """Number, digest and labels of what was admitted, in order."""
    return [(row.seq, row.digest, row.labels) async for row in store.follow(0, live=False)]


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 7), min_size=8, max_size=20), st.lists(st.integers(1, 4), min_size=1, max_size=8)
)
def test_any_order_with_duplicates_is_admitted_once_and_in_order(order: list[int], sizes: list[int]) -> None:
    """Shuffled, doubled, in batches of any size, with the store closed and opened between: a prefix, in order."""

    async def work(path: Path) -> None:
        waiting = list(order)
        step = 0
        while waiting:
            size = sizes[step % len(sizes)]
            batch, waiting = waiting[:size], waiting[size:]
            async with Inbox.open(path, projector=Projection()) as store:
                await store.settle(
                    [judged(CHAIN[n]) for n in batch], "WORLD_ACTUAL", Cursor(seq=step + 1, digest="x"), NOW
                )
            step += 1
        async with Inbox.open(path, projector=Projection()) as store:
            found = await rows(store)
            seen = set(order)
            whole = next((n for n in range(8) if n not in seen), 8)
            assert [digest for _, digest, _ in found] == [CHAIN[n].digest for n in range(whole)]
            assert (await store.cursor("WORLD_ACTUAL")).seq == step

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder) / "store.db"))


async def test_a_gap_is_waited_for_and_then_labelled(tmp_path: Path) -> None:
    """A bulletin after a hole is held for a while, then shown with its label; the missing one still fits in later."""
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=30) as store:
        await store.settle([judged(CHAIN[0]), judged(CHAIN[2]), judged(CHAIN[3])], None, None, NOW)
        assert [seq for seq, _, _ in await rows(store)] == [1]
        await store.release(NOW + dt.timedelta(seconds=29))
        assert [seq for seq, _, _ in await rows(store)] == [1]
        await store.release(NOW + dt.timedelta(seconds=31))
        found = await rows(store)
        assert [(seq, "gap" in labels) for seq, _, labels in found] == [(1, False), (3, True), (4, False)]
        await store.settle([judged(CHAIN[1])], None, None, NOW)
        assert [seq for seq, _, _ in await rows(store)] == [1, 3, 4, 2]
        await store.settle([judged(message) for message in CHAIN[:4]], None, None, NOW)
        assert len(await rows(store)) == 4


async def test_a_clock_that_is_set_back_holds_nothing_for_longer(tmp_path: Path) -> None:
    """Held bulletins wait their full time again from the next look at the clock; failed ones are tried at once."""
    before = NOW - dt.timedelta(days=400)
    picture = Stumbling()
    async with Inbox.open(tmp_path / "s.db", projector=picture, hold_s=30) as store:
        await store.settle([judged(each) for each in (*CHAIN[:2], CHAIN[3])], None, None, NOW)
        picture.failing = False
        await store.release(before)
        assert [seq for seq, _, _ in await rows(store)] == [1, 2]
        assert await store.read(lambda db: db.execute("SELECT max(tries) FROM admitted").fetchone()[0]) == 0
        await store.release(before + dt.timedelta(seconds=31))
        assert [seq for seq, _, _ in await rows(store)] == [1, 2, 4]


async def test_a_contradiction_is_kept_as_proof(tmp_path: Path) -> None:
    """Two bulletins at one place: the first stands, the second is quarantined as a fork, with its bytes."""
    other = sign(WORLD, bulletin(WORLD, say=draft("something else")))
    async with Inbox.open(tmp_path / "s.db", projector=Projection()) as store:
        counts = await store.settle([judged(CHAIN[0]), judged(other), judged(other)], None, None, NOW)
        assert counts == {"admitted": 1, "refused": 1, "duplicate": 1}
        (kept,) = await store.read(lambda db: summary.quarantine(db, 10))
        assert (kept.reason, kept.digest, kept.seq) == ("fork", other.digest, 1)
        (payload,) = await store.read(lambda db: db.execute("SELECT payload FROM quarantine").fetchone())
        assert payload == other.payload


async def test_a_signed_but_refused_bulletin_holds_its_place(tmp_path: Path) -> None:
    """A bulletin after a refused one shows no gap, and one that names another predecessor is a broken chain."""
    first = CHAIN[0]
    bad = sign(WORLD, bulletin(WORLD, seq=2, prev=first.digest, expires=NOW - dt.timedelta(days=1)))
    after = sign(WORLD, bulletin(WORLD, seq=3, prev=bad.digest))
    stray = sign(WORLD, bulletin(WORLD, seq=4, prev="A" * 43))
    async with Inbox.open(tmp_path / "s.db", projector=Projection()) as store:
        await store.settle([judged(each) for each in (first, bad, after, stray)], None, None, NOW)
        assert [seq for seq, _, labels in await rows(store) if not labels] == [1, 3]
        found = await store.read(lambda db: {each.reason for each in summary.quarantine(db, 10)})
        assert found == {"rule:R5", "broken-chain"}


async def test_another_with_the_same_payload_takes_nothing_from_what_waits(tmp_path: Path) -> None:
    """Unsigned, or on another subject: what waits for its time is known by all of it, and comes when it is due."""
    ahead = judged(chain(WORLD, 1, issued=NOW + dt.timedelta(minutes=9))[0])
    junk = [
        msgspec.structs.replace(ahead.message, headers=(("Tocsin-Sig", "AA..AA"),)),
        msgspec.structs.replace(ahead.message, subject="tocsin.v1.elsewhere"),
    ]
    async with Inbox.open(tmp_path / "inbox.db") as store:
        await store.settle([ahead], None, None, NOW)
        for each in junk:
            await store.settle([decide(each, WORLD.registry, NOW)], None, None, NOW)
        assert await store.due_future(NOW + dt.timedelta(minutes=10)) == [ahead.message]


async def test_the_future_waits_for_its_time(tmp_path: Path) -> None:
    """A bulletin ahead of the clock is neither shown nor refused; it is admitted when its time comes."""
    ahead = sign(WORLD, bulletin(WORLD, issued=NOW + dt.timedelta(hours=1)))
    async with Inbox.open(tmp_path / "s.db") as store:
        assert await store.settle([judged(ahead)], None, None, NOW) == {"early": 1}
        assert await store.due_future(NOW) == []
        later = NOW + dt.timedelta(hours=1)
        (due,) = await store.due_future(later)
        assert due.digest == ahead.digest
        assert await store.settle([judged(ahead, now=later)], None, None, later) == {"admitted": 1}


class Stumbling(Projection):
    """A projection that fails for one headline."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = True

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[tables.Stored]) -> None:
        """Fail for number 2 while told to."""
        if self.failing and any(row.seq == 2 for row in rows):
            raise ValueError("poison")
        super().apply_many(db, rows)


async def test_a_failing_projection_is_tried_parked_and_driven_again(tmp_path: Path) -> None:
    """Five tries with growing pauses, then parked; the others go on; nothing is lost, and it can be driven again."""
    projector = Stumbling()
    tries: list[int] = []
    async with Inbox.open(tmp_path / "s.db", projector=projector) as store:
        await store.settle([judged(message) for message in CHAIN[:3]], None, None, NOW)
        moment = NOW
        for wait in BACKOFF_S:
            assert (await store.status())["parked"] == 0
            await store.release(moment + dt.timedelta(seconds=wait * 0.9))
            tries.append(
                await store.read(lambda db: db.execute("SELECT max(tries) FROM admitted").fetchone()[0])
            )
            moment += dt.timedelta(seconds=wait)
            await store.release(moment)
        assert tries == [1, 2, 3, 4]
        status = await store.status()
        assert (status["admitted"], status["parked"]) == (3, 1)
        projector.failing = False
        assert await store.redrive() == 1
        await store.release(NOW)
        assert (await store.status())["parked"] == 0
        assert await store.read(lambda db: db.execute("SELECT count(*) FROM actual").fetchone()[0]) == 3


def ending(kind: MsgType, target: Message, issuer: str = "xa-csirt", **place: object) -> Message:
    """An update or cancel of a bulletin."""
    rel = RefRel.CANCELS if kind is MsgType.CANCEL else RefRel.SUPERSEDES
    say = draft("an ending", msg_type=kind, references=(Ref(id=target.bulletin.id, rel=rel),))
    return sign(WORLD, bulletin(WORLD, issuer, say=say, **place))  # type: ignore[arg-type]  # seq and prev


async def test_only_the_issuer_ends_a_bulletin_before_or_after_it_came(tmp_path: Path) -> None:
    """Another authority's cancel changes nothing; the issuer's counts even when it came first."""
    target = CHAIN[0]
    cancel = ending(MsgType.CANCEL, target, seq=2, prev=target.digest)
    foreign = ending(MsgType.CANCEL, target, "xb-csirt")
    for n, order in enumerate(((target, foreign), (target, foreign, cancel), (foreign, cancel, target))):
        async with Inbox.open(tmp_path / f"{n}.db", projector=Projection(), hold_s=0) as store:
            for each in order:
                await store.settle([judged(each)], None, None, NOW)
                await store.release(NOW)
            how = await store.read(
                lambda db: db.execute(
                    "SELECT ended_how FROM actual WHERE id = ?", (target.bulletin.id,)
                ).fetchone()[0]
            )
            assert how == (None if n == 0 else "cancelled")
            if n:
                assert "cancelled" in {
                    step.what for step in await store.read(lambda db: of_store(db, target.bulletin.id))
                }


async def test_exercises_never_stand_beside_actual_bulletins(tmp_path: Path) -> None:
    """A drill fills its own table and no picture of what is real."""
    drill = sign(WORLD, bulletin(WORLD, say=draft("a drill", status=Status.EXERCISE, exercise_id="ce-2027")))
    async with Inbox.open(tmp_path / "s.db", projector=Projection()) as store:
        await store.settle([judged(drill), judged(CHAIN[0])], None, None, NOW)
        picture = await store.read(lambda db: summary.picture(db, NOW, WORLD.registry, "xb-hub"))
        assert (picture.in_force, picture.exercises_in_force) == (1, 1)
        assert [item.headline for item in picture.top] == ["number 1"]
        later = await store.read(lambda db: summary.picture(db, NOW + dt.timedelta(days=31), WORLD.registry))
        assert (later.in_force, later.expired) == (0, 1)


async def test_a_rebuilt_picture_is_the_same(tmp_path: Path) -> None:
    """The projection is a function of the signed bytes."""
    cancel = ending(MsgType.CANCEL, CHAIN[0], seq=9, prev=CHAIN[7].digest)
    async with Inbox.open(tmp_path / "s.db", projector=Projection()) as store:
        await store.settle([judged(message) for message in (*CHAIN, cancel)], None, None, NOW)
        before = await store.read(_dump)
        assert await store.rebuild() == 9
        assert await store.read(_dump) == before


def _dump(db: sqlite3.Connection) -> list[bytes]:
    tables = ("actual", "exercise", "test_and_system", "revisions", "channels", "calendars")
    return [
        msgspec.json.encode([tuple(row) for row in db.execute(f"SELECT * FROM {table}")]) for table in tables
    ]


async def test_channels_show_those_never_heard(tmp_path: Path) -> None:
    """A granted channel that is silent from the beginning is shown as never, not left out."""
    async with Inbox.open(tmp_path / "s.db", projector=Projection()) as store:
        await store.settle([judged(CHAIN[0])], None, None, NOW)
        found = {
            f"{r.authority}/{r.channel}": r.state
            for r in await store.read(lambda db: channel_rows(db, NOW, WORLD.registry, "xb-hub"))
        }
        assert found["xa-csirt/actual.green.community"] == "live"
        assert found["xb-csirt/actual.green.community"] == "unheard"
        assert "xa-dpa/actual.amber-strict.eu-dpas" not in found
        hour = NOW + dt.timedelta(hours=1)
        late = {
            r.state for r in await store.read(lambda db: channel_rows(db, hour, WORLD.registry, "xb-hub"))
        }
        assert late == {"silent", "unheard"}


class Noting(Projection):
    """A picture that notes where copies of pages stand when it is written: 2 is memory, 0 a file."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[int] = []

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """Take them in."""
        super().apply_many(db, rows)
        self.places.append(db.execute("PRAGMA temp_store").fetchone()[0])


async def test_what_may_release_more_than_a_batch_copies_pages_to_a_file(tmp_path: Path) -> None:
    """One bulletin releases all that waited for it, whose pages would have no room in memory; else a batch is brief."""
    picture = Noting()
    async with Inbox.open(tmp_path / "s.db", projector=picture) as store:
        for n in (0, 2, 1, 3, 4):  # it is known that nothing waits once a batch has looked
            await store.settle([judged(CHAIN[n])], None, None, NOW)
        assert [seq for seq, _, _ in await rows(store)] == [1, 2, 3, 4, 5]
    assert picture.places == [0, 0, 0, 0, 2]


class Filling(Projection):
    """A picture that finds the disk full after it has written."""

    is_full = True

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """Take them in."""
        super().apply_many(db, rows)
        pages = db.execute("PRAGMA page_count").fetchone()[0] if self.is_full else 1_000_000
        db.execute(f"PRAGMA max_page_count = {pages}")
        if self.is_full:
            db.execute("INSERT INTO counters VALUES (?, 0)", ("x" * 1_000_000,))


@pytest.mark.parametrize("count", [1, 8])
async def test_a_full_disk_is_no_fault_of_the_picture(tmp_path: Path, count: int) -> None:
    """SQLite undoes all of the transaction then; its reader is told what passes, and takes all of it in when there is room."""
    picture = Filling()
    batch = [judged(each) for each in CHAIN[:count]]
    async with Inbox.open(tmp_path / "s.db", projector=picture) as store:
        with pytest.raises(StoreError) as caught:
            await store.settle(batch, None, None, NOW)
        assert caught.value.reason == "store-full"
        picture.is_full = False
        assert await store.settle(batch, None, None, NOW) == {"admitted": count}
