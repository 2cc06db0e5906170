"""An outbox that has lost, or is said to have lost, what it had accepted: over a real broker."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from bus.errors import OutboxError, StoreError, VersionError
from bus.publishing import versions
from bus.publishing.heads_lines import heads_path
from bus.publishing.reanchor import Reanchoring
from bus.publishing.recovery import Lost, recover
from bus.transport.streams import BEATS_EACH, beat_channels
from schemas.codec import decode
from schemas.subject import beat_subject
from tests.integration.test_room import CHANNEL, _aged, _own, rubbish
from tests.support.publishers import publishing
from tests.support.stage import Bus, speaking, stored
from tests.support.waiting import eventually, longest
from tests.support.world import draft
from tests.unit.bus.publishing.test_heads_file import cut
from tests.unit.bus.publishing.test_versions import cancel, update


async def test_what_is_lost_for_good_is_named_and_its_numbers_are_not_given_again(
    bus: Bus, tmp_path: Path
) -> None:
    """Two are on the bus, three more were accepted without it and are gone: the channel goes on after them, as number six."""
    path = tmp_path / "outbox.db"
    async with speaking(bus, path) as publisher:
        sent = [await publisher.publish(draft(f"{n}")) for n in range(2)]
        assert await publisher.settled(sent[-1].digest, longest()) == "stored"
    async with publishing(path, bus.world) as publisher:
        gone = [await publisher.publish(draft(f"without the bus {n}")) for n in range(3)]
    cut(path, 3)
    async with speaking(bus, path) as publisher:
        with pytest.raises(OutboxError) as refused:
            await publisher.publish(draft("too early"))
        assert refused.value.reason == "outbox-behind"
        found = await publisher.recover(longest())
        assert found.lost == tuple(
            Lost(channel=CHANNEL, seq=each.seq, id=each.id, digest=each.digest) for each in gone
        )
        assert [row["seq"] for row in await publisher.outbox.lost()] == [3, 4, 5]
        after = await publisher.publish(draft("goes on"))
        assert after.seq == 6
        assert await publisher.settled(after.digest, longest()) == "stored"
    there = [decode(message.payload) for message in await stored(bus, 3)]
    assert [each.seq for each in there] == [1, 2, 6]
    assert there[-1].prev == gone[-1].digest


async def test_who_knows_that_nobody_has_it_may_close_the_hole(bus: Bus, tmp_path: Path) -> None:
    """By a re-anchor, before anything else is said there: it takes the first lost number and disowns the last."""
    path = tmp_path / "outbox.db"
    async with speaking(bus, path) as publisher:
        sent = await publisher.publish(draft())
        assert await publisher.settled(sent.digest, longest()) == "stored"
    async with publishing(path, bus.world) as publisher:
        gone = [await publisher.publish(draft(f"without the bus {n}")) for n in range(2)]
    cut(path, 2)
    async with speaking(bus, path) as publisher:
        await publisher.recover(longest())
        async with Reanchoring.open(publisher, longest()) as reanchoring:
            anchor = await reanchoring.proposal(CHANNEL)
            assert (anchor.from_.seq, anchor.lost[0].digest) == (1, gone[-1].digest)
            kept = await reanchoring.reanchor(CHANNEL, anchor, reason="The bus was down.")
        assert kept.seq == 2
        assert (await publisher.publish(draft("goes on"))).seq == 3
    async with publishing(path, bus.world) as publisher:
        assert (await publisher.publish(draft("and on"))).seq == 4


async def test_what_the_bus_has_is_not_lost(bus: Bus, tmp_path: Path) -> None:
    """The outbox has lost its end, and the bus has all of it: nothing is to be said again."""
    path = tmp_path / "outbox.db"
    async with speaking(bus, path) as publisher:
        last = [await publisher.publish(draft(f"{n}")) for n in range(4)][-1]
        assert await publisher.settled(last.digest, longest()) == "stored"
    cut(path, 2)
    async with speaking(bus, path) as publisher:
        found = await publisher.recover(longest())
        assert not found.lost
        assert (await publisher.publish(draft("goes on"))).seq == 5


async def test_rubbish_in_the_place_of_a_head_stops_nobody_who_has_the_heads_file(
    bus: Bus, tmp_path: Path
) -> None:
    """The streams prove no head any more, and the outbox is lost; the file beside it knows the number."""
    path = tmp_path / "outbox.db"
    async with speaking(bus, path) as publisher:
        last = [await publisher.publish(draft(f"{n}")) for n in range(3)][-1]
        assert await publisher.settled(last.digest, longest()) == "stored"
    channel = next(
        each for each in beat_channels(bus.world.registry, "xa-csirt") if each.audience == "community"
    )
    await rubbish(bus, beat_subject(channel, bus.world.registry.authority("xa-csirt").domain), BEATS_EACH)
    await _aged(bus)
    path.unlink()
    async with publishing(path, bus.world) as publisher:
        found = await recover(_own(bus, publisher.outbox), lambda *_: None)
        assert [each.seq for each in found.lost] == [1, 2, 3]
        assert (await publisher.publish(draft("goes on"))).seq == 4


async def test_an_old_copy_signs_once_it_was_compared(bus: Bus, tmp_path: Path) -> None:
    """Outbox and heads file are copied back: without the bus nothing is signed; with it, at once."""
    path = tmp_path / "outbox.db"
    async with speaking(bus, path) as publisher:
        sent = await publisher.publish(draft())
        assert await publisher.settled(sent.digest, longest()) == "stored"
    for each in (path, heads_path(path)):
        shutil.copy2(each, each.with_suffix(".copy"))
        each.with_suffix(".copy").replace(each)
    async with publishing(path, bus.world) as publisher:
        with pytest.raises(OutboxError) as refused:
            await publisher.publish(draft("without the bus"))
        assert refused.value.reason == "outbox-restored"
    async with speaking(bus, path) as publisher:
        assert await publisher.ready(longest())
        assert (await publisher.publish(draft("with it"))).seq == 2
    async with publishing(path, bus.world) as publisher:
        assert (await publisher.publish(draft("and without it again"))).seq == 3


HARM = {
    "payload": "UPDATE bulletins SET payload = x'7b7d' WHERE seq = 1",
    "subject": "UPDATE bulletins SET subject = replace(subject, 'green', 'amber') WHERE seq = 1",
    "headers": "UPDATE bulletins SET headers = replace(headers, 'Tocsin-Sig', 'Tocsin-Sif') WHERE seq = 1",
    "headers that are none": "UPDATE bulletins SET headers = '{' WHERE seq = 1",
    "a text that is none": "UPDATE bulletins SET subject = CAST(x'ff' || CAST(subject AS BLOB) AS TEXT) WHERE seq = 1",
    "digest": "UPDATE bulletins SET digest = replace(digest, substr(digest, 9, 1), '.') WHERE seq = 1",
}


@pytest.mark.parametrize("name", HARM)
async def test_a_row_that_is_not_what_was_signed_is_never_sent(bus: Bus, tmp_path: Path, name: str) -> None:
    """It stands as damaged and is said to be; what follows it goes out."""
    path = tmp_path / "outbox.db"
    async with publishing(path, bus.world) as publisher:
        for n in range(3):
            await publisher.publish(draft(f"{n}"))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(HARM[name])
    async with speaking(bus, path) as publisher:
        assert await publisher.idle(longest())
        counts = await publisher.outbox.counts()
        assert (counts["damaged"], counts["stored"]) == (1, 2)
        (row,) = await publisher.outbox.rows(state="damaged")
        assert row.problem
        with pytest.raises(StoreError) as refused:
            await publisher.outbox.get(row.id)
        assert refused.value.reason == "row-damaged"
    assert [decode(message.payload).seq for message in await stored(bus, 2)] == [2, 3]


async def test_what_was_damaged_before_it_was_sent_is_let_go_by_a_recovery(bus: Bus, tmp_path: Path) -> None:
    """No scrub can bring it back: it is listed as lost, and the outbox is in order again; what was sent stays."""
    path = tmp_path / "outbox.db"
    async with publishing(path, bus.world) as publisher:
        kept = [await publisher.publish(draft(f"{n}")) for n in range(3)]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(HARM["payload"])
    async with speaking(bus, path) as publisher:
        assert await publisher.idle(longest())
        recovery = await publisher.recover(longest())
        assert [(each.seq, each.id) for each in recovery.lost] == [(1, kept[0].id)]
        counts = await publisher.outbox.counts()
        assert (counts["damaged"], counts["superseded"], counts["stored"]) == (0, 1, 2)
        again = await publisher.publish(draft("again"))
        assert again.seq == 4


async def test_a_scrub_brings_back_what_the_bus_has(bus: Bus, tmp_path: Path) -> None:
    """A stored row is damaged: it is not shown, and a scrub writes it anew, to the byte."""
    path = tmp_path / "outbox.db"
    async with speaking(bus, path) as publisher:
        sent = await publisher.publish(draft())
        assert await publisher.settled(sent.digest, longest()) == "stored"
        before = await publisher.outbox.get(sent.id)
        await publisher.outbox.execute(HARM["payload"])
        with pytest.raises(StoreError):
            await publisher.outbox.get(sent.id)
        await publisher.scrub(longest())
        healed = await publisher.outbox.get(sent.id)
        assert before is not None
        assert healed is not None
        assert (healed.payload, healed.subject, healed.state) == (before.payload, before.subject, "stored")


async def test_an_author_whose_clock_is_ahead_of_the_brokers_signs_nothing(bus: Bus, tmp_path: Path) -> None:
    """The world of the tests lies in the broker's future: once it has answered, the author is told, and nothing is kept."""
    async with speaking(bus, tmp_path / "outbox.db", beside_broker=True) as publisher:
        await publisher.heard(longest())
        sender = publisher.sender
        assert sender is not None
        await eventually(lambda: bool(sender.clock_ahead_s))
        with pytest.raises(OutboxError) as refused:
            await publisher.publish(draft())
        assert refused.value.reason == "clock-ahead"
        assert (await publisher.outbox.counts())["kept"] == 0


async def test_a_recovery_learns_versions_and_withdrawals_from_the_bus(bus: Bus, tmp_path: Path) -> None:
    """An old copy, and an outbox begun anew: an update by an old id names the newest, and what is withdrawn stays so."""
    path = tmp_path / "outbox.db"
    async with speaking(bus, path) as publisher:
        first = await publisher.publish(draft("first"))
        gone = await publisher.publish(draft("to be withdrawn"))
        assert await publisher.settled(gone.digest, longest()) == "stored"
    shutil.copy2(path, tmp_path / "copy.db")
    async with speaking(bus, path) as publisher:
        second = await publisher.publish(update(first.id))
        third = await publisher.publish(update(second.id))
        withdrawal = await publisher.publish(cancel(gone.id))
        assert await publisher.settled(withdrawal.digest, longest()) == "stored"
    for name in ("copy.db", "new.db"):
        async with speaking(bus, tmp_path / name) as publisher:
            await publisher.recover(longest())
            for id_ in (first.id, second.id):
                with pytest.raises(VersionError) as refused:
                    await publisher.rehearse(update(id_))
                assert (refused.value.reason, refused.value.living) == ("already-superseded", third.id)
            with pytest.raises(VersionError) as refused:
                await publisher.rehearse(update(gone.id))
            assert refused.value.reason == "already-withdrawn"
            found = await publisher.outbox.read(lambda db: versions.find(db, first.id[:20]))
            assert found is not None
            assert (found.living, found.versions) == (third.id, 3)
            ways = partial(versions.open_ways, thread=found)
            assert await publisher.outbox.read(ways) == {CHANNEL: third.id}
            await publisher.rehearse(update(third.id))
            await publisher.recover(longest())  # twice changes nothing
            again = await publisher.outbox.read(lambda db: versions.find(db, first.id))
            assert again is not None
            assert (again.living, again.versions) == (third.id, 3)
