"""Receipts over a real broker: hubs answer, the author sees, a withdrawal reaches every holder."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bus.admission.verdict import Message, decide
from bus.delivery import ledger as answered_by
from bus.delivery.ladder import DeliveryState, Overdue
from bus.delivery.tracker import Calendars, DeliveryTracker
from bus.errors import StoreError
from bus.hub.exchange import receipt_queue
from bus.hub.exchange.receipts import Receipts
from bus.hub.exchange.receipts import draft as receipt_draft
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.policy import deadlines
from bus.publishing.outbox import Outbox, Row
from bus.publishing.publisher import Publisher
from bus.transport.connection import Connection
from bus.transport.streams import consumers
from bus.trust import receipt_grants
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.bodies.system import Receipt, ReceiptItem
from schemas.codec import decode
from schemas.parts import Ref
from schemas.subject import Channel, matches
from schemas.vocab import MsgType, Phase, ReceiptStage, RefRel, Status, Tlp
from tests.support.stage import Bus, reading, send, speaking
from tests.support.waiting import eventually, longest
from tests.support.world import bulletin, draft, sign

HOUR = dt.timedelta(hours=1)


@asynccontextmanager
async def tracked(
    bus: Bus,
    path: Path,
    identity: str,
    *,
    late: dt.timedelta = dt.timedelta(0),
    calendars: Calendars | None = None,
) -> AsyncIterator[tuple[Publisher, DeliveryTracker]]:
    """A publisher and the tracker beside it. `late` is by how much their clock is after the world's."""
    async with (
        speaking(
            bus, path, identity, clock=lambda: bus.world.now + late, tables=answered_by.TABLES
        ) as publisher,
        DeliveryTracker.open(publisher, deadlines.DEFAULTS, calendars) as tracker,
    ):
        yield publisher, tracker


@asynccontextmanager
async def hub(bus: Bus, folder: Path, identity: str) -> AsyncIterator[HubService]:
    """A hub that reads and answers, over files that outlive it."""
    async with (
        speaking(bus, folder / f"{identity}.outbox.db", identity) as publisher,
        reading(
            bus,
            folder / f"{identity}.store.db",
            identity,
            picture=True,
            publisher=publisher,
            intervals=None,
            every_s=0.05,
        ) as (_, service),
    ):
        yield service


async def test_an_author_sees_who_has_received_and_who_withdrew(bus: Bus, tmp_path: Path) -> None:
    """Received once every hub has answered; a withdrawal is confirmed by each that held the original."""
    async with tracked(bus, tmp_path / "author.db", "xa-csirt") as (author, tracker):
        said = await author.publish(draft())
        async with hub(bus, tmp_path, "xa-hub"):
            await eventually(lambda: _received(tracker, said.digest, ["xa-hub"]))
            found = await tracker.standing(said.id)
            assert found is not None
            assert (found.state, found.missing) == (DeliveryState.STORED, ("xb-hub",))
            async with hub(bus, tmp_path, "xb-hub"):
                reached = await tracker.reached(said.digest, DeliveryState.RECEIVED, longest())
                assert reached is not None
                assert (reached.state, reached.missing) == (DeliveryState.RECEIVED, ("xa-hub", "xb-hub"))
                ref = Ref(id=said.id, rel=RefRel.CANCELS)
                await author.publish(draft("Withdrawn", msg_type=MsgType.CANCEL, references=(ref,)))
                await eventually(lambda: _unconfirmed(tracker, said.digest, ()))


async def test_a_tracker_that_comes_later_reads_what_was_answered_before(bus: Bus, tmp_path: Path) -> None:
    """An author publishes and sends from an outbox without tables of receipts; hubs answer; then somebody asks."""
    async with speaking(bus, tmp_path / "author.db") as author:
        said = await author.publish(draft())
        assert await author.settled(said.digest, longest()) == "stored"
    item = ReceiptItem(id=said.id, digest=said.digest, at=bus.world.now)
    for name in ("xa-hub", "xb-hub"):
        async with speaking(bus, tmp_path / f"{name}.db", name) as answering:
            kept = await answering.publish(
                receipt_draft(ReceiptStage.VERIFIED, "xa-csirt", Tlp.GREEN, [item])
            )
            assert await answering.settled(kept.digest, longest()) == "stored"
    async with tracked(bus, tmp_path / "author.db", "xa-csirt") as (_, tracker):
        reached = await tracker.reached(said.digest, DeliveryState.RECEIVED, longest())
    assert reached is not None
    assert reached.state is DeliveryState.RECEIVED


async def test_forged_and_foreign_receipts_count_nothing(bus: Bus, tmp_path: Path) -> None:
    """By somebody who is no hub, of another's bulletin, or of one never said; the true one after them counts."""
    async with tracked(bus, tmp_path / "author.db", "xa-csirt") as (author, tracker):
        said = await author.publish(draft())
        other = sign(bus.world, bulletin(bus.world, "xb-csirt"))
        true = ReceiptItem(id=said.id, digest=said.digest, at=bus.world.now)
        false = [
            ReceiptItem(id=other.bulletin.id, digest=other.digest, at=bus.world.now),
            ReceiptItem(id=said.id, digest=other.digest, at=bus.world.now),
        ]
        async with (
            speaking(bus, tmp_path / "hub.db", "xb-hub") as theirs,
            Connection.open(bus.endpoint("xb-hub")) as reader,
        ):
            await reader.until_connected(longest())
            # Signed by an office that claims to be the hub, on the hub's own subject: refused by every reader.
            say = receipt_draft(ReceiptStage.ACKNOWLEDGED, "xa-csirt", Tlp.GREEN, [true])
            forged = sign(bus.world, bulletin(bus.world, "xb-hub", say=say), by="xb-csirt")
            await send(reader, forged)
            await theirs.publish(receipt_draft(ReceiptStage.ACKNOWLEDGED, "xa-csirt", Tlp.GREEN, false))
            await theirs.publish(receipt_draft(ReceiptStage.VERIFIED, "xa-csirt", Tlp.GREEN, [true]))
            await eventually(lambda: _received(tracker, said.digest, ["xb-hub"]))
        found = await tracker.standing(said.digest)
        assert found is not None
        assert [each.reader for each in found.readers if each.read] == []


async def test_a_receipt_is_read_by_its_author_alone(bus: Bus, tmp_path: Path) -> None:
    """No other authority's consumer or permission covers what comes to an author on status system."""
    registry = bus.world.registry
    channel = Channel(issuer="xa-hub", status=Status.SYSTEM, tlp=Tlp.GREEN, audience="xa-csirt")
    assert registry.readers(channel) == ("xa-csirt",)
    subject = f"{channel.prefix}.coord.receipt.xa.none.p4"
    covering = {
        spec.name
        for spec in consumers(registry)
        if spec.stream == "WORLD_SYSTEM" and any(matches(each, subject) for each in spec.filters)
    }
    assert covering == {"xa-csirt_receipts"}


async def test_what_was_not_said_before_a_crash_is_said_once_after_it(bus: Bus, tmp_path: Path) -> None:
    """A hub that dies between its outbox and its store's note says the same batch again, and the outbox knows it."""
    async with tracked(bus, tmp_path / "author.db", "xa-csirt") as (author, _):
        said = [await author.publish(draft(f"number {n}")) for n in range(3)]
        async with open_store(tmp_path / "store.db") as store:
            messages = chain_of(await author_rows(tmp_path / "author.db"))
            judged = [decide(each, bus.world.registry, bus.world.now) for each in messages]
            await store.settle(judged, None, None, bus.world.now)
            granted = receipt_grants.ways(bus.world.registry, "xb-hub")
            async with speaking(bus, tmp_path / "hub.db", "xb-hub") as theirs:
                await store.write(lambda db: receipt_queue.note(db, "xb-hub", bus.world.now))
                (which,) = await store.write(lambda db: receipt_queue.take_up(db, granted))
                batch = await store.read(lambda db: receipt_queue.batch_of(db, which))
                assert [item.digest for item in batch.items] == [each.digest for each in said]
                first = await theirs.publish(
                    receipt_draft(batch.stage, batch.author, batch.tlp, batch.items), once=batch.once
                )
                # It dies here: kept by the outbox, not noted in the store; more is admitted before it is back.
                later = await author.publish(draft("later"))
                (message,) = chain_of(await author_rows(tmp_path / "author.db"))[3:]
                await store.settle(
                    [decide(message, bus.world.registry, bus.world.now)], None, None, bus.world.now
                )
                answering = Receipts(store, theirs)
                assert await answering.answer() == 2
                assert await answering.answer() == 0
                assert first.seq == 1
            async with Outbox.open(tmp_path / "hub.db") as outbox:
                rows = sorted(await outbox.rows(), key=lambda row: row.seq)
                told = [decode(row.payload).body for row in rows]
            answered = [item.digest for body in told if isinstance(body, Receipt) for item in body.items]
            assert answered == [*(each.digest for each in said), later.digest]


async def author_rows(path: Path) -> list[Row]:
    """What an outbox holds, in its order."""
    async with Outbox.open(path) as outbox:
        return sorted(await outbox.rows(), key=lambda row: row.n)


def chain_of(rows: list[Row]) -> list[Message]:
    """As a stream would hand them on."""
    return [
        Message(
            subject=row.subject,
            headers=tuple(row.header_map().items()),
            payload=row.payload,
            stream="WORLD_ACTUAL",
            stream_seq=row.n,
            digest=row.digest,
        )
        for row in rows
    ]


async def test_overdue_is_said_once_with_whom_to_ask(bus: Bus, tmp_path: Path) -> None:
    """Hubs that are silent past their deadline are told once, and are listed for as long as it is so."""
    async with speaking(bus, tmp_path / "author.db", tables=answered_by.TABLES) as author:
        said = await author.publish(draft())
        assert await author.settled(said.digest, longest()) == "stored"
        found = await answered_by.read(
            author.outbox, lambda db: answered_by.of_one(db, "xa-csirt", bus.world.registry, said.digest)
        )
    assert found is not None
    later = bus.world.now + dt.timedelta(days=2)

    def tell(db: sqlite3.Connection) -> list[Overdue]:
        return answered_by.tell(db, "xa-csirt", bus.world.registry, later, deadlines.DEFAULTS)

    async with Outbox.open(tmp_path / "author.db", tables=answered_by.TABLES) as outbox:
        told = await outbox.write(tell)
        assert [(each.reader, each.what, each.contact) for each in told] == [
            ("xa-hub", "received", None),
            ("xb-hub", "received", None),
        ]
        assert await outbox.write(tell) == []
    listed = answered_by.late([found], later, deadlines.DEFAULTS, bus.world.registry)
    assert [(each.reader, each.step) for each in listed] == [("xa-hub", 2), ("xb-hub", 2)]


async def _received(tracker: DeliveryTracker, digest: str, who: list[str]) -> bool:
    found = await tracker.standing(digest)
    return found is not None and [each.reader for each in found.readers if each.received] == who


async def _unconfirmed(tracker: DeliveryTracker, digest: str, who: tuple[str, ...]) -> bool:
    found = await tracker.standing(digest)
    return found is not None and found.said.is_cancelled and found.unconfirmed == who


async def test_a_running_author_is_told_by_the_calendars_it_can_read(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hours make a p4 late while the country votes; a store that cannot be read just then ends nothing."""
    monkeypatch.setattr("bus.delivery.tracker.TELL_EVERY_S", 0.1)
    window = PhaseWindow(phase=Phase.POLLING, start=bus.world.now - 3 * HOUR, end=bus.world.now + 3 * HOUR)
    answers = iter([StoreError("damaged", reason="store-failed")])

    async def calendars() -> tuple[ElectionCalendar, ...]:
        for problem in answers:
            raise problem
        return (ElectionCalendar(windows=(window,), tz="Europe/Vienna"),)

    async with speaking(bus, tmp_path / "author.db") as author:
        said = await author.publish(draft())
        assert await author.settled(said.digest, longest()) == "stored"
    with capture_logs() as logged:
        way = tracked(bus, tmp_path / "author.db", "xa-csirt", late=2 * HOUR, calendars=calendars)
        async with way:
            await eventually(lambda: any(each["event"] == "answer_overdue" for each in logged))
    late = [(each["id"], each["priority"]) for each in logged if each["event"] == "answer_overdue"]
    assert set(late) == {(said.id, "p4")}
