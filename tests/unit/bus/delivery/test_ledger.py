"""The bound on receipts that hubs can make an author keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from structlog.testing import capture_logs

from bus.delivery.ledger import SAME, TABLES, ReceiptLedger
from bus.publishing.outbox import Outbox
from bus.subscribing.tables import Stored
from schemas.bodies.system import Receipt, ReceiptItem
from schemas.codec import digest, encode
from schemas.subject import channel_of, subject_for
from schemas.vocab import ReceiptStage, Status
from tests.support.publishers import keeping
from tests.support.world import NOW, bulletin, draft, shared_world

WORLD = shared_world()


def receipt(row: int, items: Sequence[ReceiptItem], stage: ReceiptStage = ReceiptStage.VERIFIED) -> Stored:
    """A receipt of the hub of XB as it was admitted."""
    say = draft(
        body=Receipt(stage=stage, items=tuple(items)),
        status=Status.SYSTEM,
        audience="xa-csirt",
    )
    made = bulletin(WORLD, "xb-hub", seq=row, prev=None if row == 1 else "A" * 43, say=say)
    return Stored(
        rowid=row, digest=digest(encode(made)), id=made.id, channel=str(channel_of(made)), seq=row, subject=subject_for(made),
        signature="", payload=encode(made), kid="", admitted_at=NOW, labels=frozenset(), trust="", endorsers=(),
    )  # fmt: skip


async def kept(box: Outbox) -> list[int]:
    """The receipts that are kept, by their rows."""
    return await box.read(
        lambda db: [row["row"] for row in db.execute("SELECT row FROM receipts ORDER BY row")]
    )


async def test_of_one_readers_receipts_for_a_stage_the_first_are_kept(tmp_path: Path) -> None:
    """However often it says the same; what falls with a key makes room for none that was not kept."""
    ledger = ReceiptLedger("xa-csirt", lambda: WORLD.registry)
    async with keeping(tmp_path / "outbox.db", tables=TABLES) as (publisher, box):
        said = await publisher.publish(draft("said"))
        item = ReceiptItem(id=said.id, digest=said.digest, at=NOW)

        def work(db: object) -> None:
            for row in range(1, 20):
                ledger.apply(db, receipt(row, [item] * 3))  # type: ignore[arg-type]

        await box.write(work)
        assert await kept(box) == list(range(1, SAME + 1))


async def test_what_is_disregarded_of_a_receipt_is_one_line_in_the_log(tmp_path: Path) -> None:
    """It names five hundred bulletins that were never said."""
    ledger = ReceiptLedger("xa-csirt", lambda: WORLD.registry)
    item = ReceiptItem(id=bulletin(WORLD).id, digest="A" * 43, at=NOW)
    async with keeping(tmp_path / "outbox.db", tables=TABLES) as (_, box):
        with capture_logs() as lines:
            await box.write(lambda db: ledger.apply(db, receipt(1, [item] * 500)))
        assert [(line["event"], line["count"]) for line in lines] == [("receipts_disregarded", 500)]
        assert await kept(box) == []


async def test_a_reader_that_says_it_admits_nothing_fills_no_log(tmp_path: Path) -> None:
    """A line for each receipt that says something new, however many bulletins it names and however often."""
    ledger = ReceiptLedger("xa-csirt", lambda: WORLD.registry)
    async with keeping(tmp_path / "outbox.db", tables=TABLES) as (publisher, box):
        said = [await publisher.publish(draft(f"said {number}")) for number in range(3)]
        items = [ReceiptItem(id=each.id, digest=each.digest, at=NOW) for each in said]
        with capture_logs() as lines:
            for row in range(1, 40):
                again = receipt(row, items * 50, ReceiptStage.KEPT)
                await box.write(lambda db, again=again: ledger.apply(db, again))  # type: ignore[misc]
        assert {line["event"] for line in lines} == {"held_and_not_admitted"}
        assert len(lines) <= SAME
        assert lines[0]["id"] == said[0].id
