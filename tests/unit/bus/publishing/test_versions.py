"""What goes on with a version that is superseded or withdrawn is refused before anything is signed, by each way in."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
import sqlite3
from pathlib import Path

import pytest

from bus.errors import AmbiguousIdError, VersionError
from bus.publishing import outbox_table as table
from bus.publishing import versions
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.publishing.stamping import Accepted
from bus.threads import Thread
from schemas.bulletin import Draft
from schemas.codec import decode
from schemas.parts import Ref
from schemas.vocab import MsgType, RefRel, Status
from tests.support.publishers import keeping, publishing
from tests.support.world import NOW, draft, shared_world


def update(*targets: str, **of: object) -> Draft:
    """A draft that supersedes these."""
    refs = tuple(Ref(id=each, rel=RefRel.SUPERSEDES) for each in targets)
    return draft(secrets.token_hex(4), msg_type=MsgType.UPDATE, references=refs, **of)


def cancel(*targets: str, **of: object) -> Draft:
    """A draft that cancels these."""
    refs = tuple(Ref(id=each, rel=RefRel.CANCELS) for each in targets)
    return draft(secrets.token_hex(4), msg_type=MsgType.CANCEL, references=refs, **of)


async def refused(publisher: Publisher, said: Draft) -> tuple[str, str]:
    """The reason and the living version, when it is published and when that is rehearsed; nothing is kept."""
    before = await publisher.outbox.counts()
    with pytest.raises(VersionError) as rehearsed:
        await publisher.rehearse(said)
    with pytest.raises(VersionError) as found:
        await publisher.publish(said)
    (of_many,) = await publisher.publish_many([said])
    for other in (rehearsed.value, of_many):
        assert isinstance(other, VersionError)
        assert str(other) == str(found.value)
    assert found.value.living in str(found.value)
    assert await publisher.outbox.counts() == before
    return found.value.reason, found.value.living


async def test_only_the_version_that_lives_is_updated_or_cancelled(tmp_path: Path) -> None:
    """An earlier one is refused with the living one named; so is everything about a thread that is withdrawn."""
    async with keeping(tmp_path / "outbox.db") as (publisher, _):
        first = (await publisher.publish(draft())).id
        second = (await publisher.publish(update(first))).id
        for said in (update(first), cancel(first)):
            assert await refused(publisher, said) == ("already-superseded", second)
        third = (await publisher.publish(update(second, first))).id
        withdrawal = (await publisher.publish(cancel(third))).id
        for target in (first, second, third, withdrawal):
            for said in (update(target), cancel(target)):
                assert await refused(publisher, said) == ("already-withdrawn", third)


async def test_a_draft_that_joins_two_threads_names_the_living_version_of_each(tmp_path: Path) -> None:
    """From then on they are one."""
    async with keeping(tmp_path / "outbox.db") as (publisher, _):
        one, other = [(await publisher.publish(draft())).id for _ in range(2)]
        other_now = (await publisher.publish(update(other))).id
        assert await refused(publisher, update(one, other)) == ("already-superseded", other_now)
        both = (await publisher.publish(update(one, other_now))).id
        for target in (one, other_now):
            assert await refused(publisher, cancel(target)) == ("already-superseded", both)


async def test_what_this_outbox_does_not_know_it_does_not_judge(tmp_path: Path) -> None:
    """It was said from another outbox, or lost: readers decide by the same rule. What follows here is judged."""
    async with keeping(tmp_path / "outbox.db") as (publisher, _):
        unknown = "01a5adaf-a100-7d7d-a72e-dcd5701f53a9"
        second = (await publisher.publish(update(unknown))).id
        assert await refused(publisher, update(unknown)) == ("already-superseded", second)
        elsewhere = (await publisher.publish(draft(status=Status.TEST))).id
        await publisher.publish(update(elsewhere))  # at another status it names nothing


async def test_of_two_publishers_at_once_one_is_refused(tmp_path: Path) -> None:
    """Two programs over one outbox, and two drafts of one group."""
    path, world = tmp_path / "outbox.db", shared_world()
    async with publishing(path, world) as one, publishing(path, world) as other:
        first = (await one.publish(draft())).id
        outcomes = await asyncio.gather(
            *(each.publish(update(first)) for each in (one, other) * 4), return_exceptions=True
        )
        (living,) = [each.id for each in outcomes if isinstance(each, Accepted)]
        assert {each.living for each in outcomes if isinstance(each, VersionError)} == {living}
        group = await one.publish_many([draft(), update(living), draft(), cancel(living), draft()])
        assert [isinstance(each, Accepted) for each in group] == [True, True, True, False, True]


async def test_an_update_is_dated_after_what_it_supersedes(tmp_path: Path) -> None:
    """However many in one moment, and when the clock was set back: for readers the newest counts."""
    now = NOW

    def clock() -> dt.datetime:
        return now

    async with publishing(tmp_path / "outbox.db", shared_world(), clock=clock) as publisher:
        said = [await publisher.publish(draft())]
        for back_s in (0, 0, 60):
            now -= dt.timedelta(seconds=back_s)
            said.append(await publisher.publish(update(said[-1].id)))
        issued = [decode(row.payload).issued for row in reversed(await publisher.outbox.rows())]
        assert issued == sorted(set(issued))


async def test_what_is_said_of_one_thing_goes_on_with_the_version_that_lives(tmp_path: Path) -> None:
    """Also when a person has corrected it meanwhile; when a person has withdrawn it, the source begins anew."""
    async with keeping(tmp_path / "outbox.db") as (publisher, outbox):
        first = (await publisher.publish(draft(), origin="case 7")).id
        by_hand = (await publisher.publish(update(first))).id
        said, by_source, refuses = await publisher.publish_many(
            [draft(), draft(), update(by_hand)], origins=[None, "case 7", None]
        )
        assert isinstance(said, Accepted)
        assert isinstance(by_source, Accepted)
        assert isinstance(refuses, VersionError)
        (row,) = [row for row in await outbox.rows() if row.id == by_source.id]
        assert [ref.id for ref in decode(row.payload).references] == [by_hand]
        await publisher.publish(cancel(by_source.id))
        anew = await publisher.publish(draft(), origin="case 7")
        found = await outbox.get(anew.id)
        assert found is not None
        assert decode(found.payload).msg_type is MsgType.ALERT


async def of(outbox: Outbox, wanted: str) -> Thread:
    """The thread of what is called so."""
    thread = await outbox.read(lambda db: versions.find(db, wanted))
    assert thread is not None
    return thread


async def test_a_beginning_an_id_and_a_digest_lead_to_the_version_that_lives(tmp_path: Path) -> None:
    """Beginnings that several threads have are refused with the candidates."""
    async with keeping(tmp_path / "outbox.db") as (publisher, outbox):
        first = await publisher.publish(draft())
        second = await publisher.publish(update(first.id))
        for wanted in (first.id, first.digest, second.id, first.id[:-1], first.id.upper(), first.id[:14]):
            thread = await of(outbox, wanted)
            assert (thread.living, thread.versions) == (second.id, 2)
        other = await publisher.publish(draft())
        with pytest.raises(AmbiguousIdError) as several:
            await of(outbox, other.id[:8])
        assert set(several.value.candidates) == {first.id, second.id, other.id}
        assert await outbox.read(lambda db: versions.find(db, "ffff")) is None
        versions.refuse_withdrawn(await of(outbox, first.id), first.id)


async def test_what_has_lost_its_place_supersedes_nothing(tmp_path: Path) -> None:
    """It was never said: its target lives again."""
    async with keeping(tmp_path / "outbox.db") as (publisher, outbox):
        first = (await publisher.publish(draft())).id
        second = (await publisher.publish(update(first))).id
        row = await outbox.get(second)
        assert row is not None
        await outbox.write(lambda db: versions.take_back(db, [row]))
        assert (await of(outbox, first)).living == first


async def test_a_thread_is_known_as_long_as_one_of_it_is_kept(tmp_path: Path) -> None:
    """Then all of it is forgotten, and a draft that names one of it is not judged any more."""

    def pruned(db: sqlite3.Connection, id_: str) -> None:
        n, status = db.execute("SELECT n, status FROM bulletins WHERE id = ?", (id_,)).fetchone()
        table.remove(db, [n])
        versions.prune(db, [(id_, status)])

    async with keeping(tmp_path / "outbox.db") as (publisher, outbox):
        first = (await publisher.publish(draft())).id
        second = (await publisher.publish(update(first))).id
        await outbox.write(lambda db: pruned(db, first))
        assert (await of(outbox, first)).living == second
        assert await refused(publisher, cancel(first)) == ("already-superseded", second)
        await outbox.write(lambda db: pruned(db, second))
        for table_ in ("threads", "revisions"):
            assert await outbox.query(f"SELECT * FROM {table_}") == []
        assert await outbox.read(lambda db: versions.find(db, first)) is None
        await publisher.publish(cancel(first))


BEFORE = (
    "DROP TABLE threads",
    "DROP TABLE revisions",
    "DELETE FROM layouts WHERE name = 'threads'",
    "UPDATE layouts SET version = 4 WHERE name = 'publishing'",
)


async def test_an_outbox_of_before_there_were_threads_learns_them(tmp_path: Path) -> None:
    """From what it holds, when it is opened."""
    path = tmp_path / "outbox.db"
    async with keeping(path) as (publisher, outbox):
        first = (await publisher.publish(draft())).id
        second = (await publisher.publish(update(first))).id
        for change in BEFORE:
            await outbox.execute(change)
    async with keeping(path) as (publisher, outbox):
        assert await refused(publisher, cancel(first)) == ("already-superseded", second)
