"""The cost of queueing receipts, and the bulletins without a receipt."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection
from pathlib import Path

import pytest

from bus.hub.exchange import Receipts, receipt_queue
from bus.hub.picture.projection import open_store
from bus.subscribing.inbox import Inbox
from bus.trust import VerifiedRegistry, Way, receipt_grants
from tests.support.hubs import judged
from tests.support.world import NOW, bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
REFUSED = 20


async def steps(store: Inbox, sent: int) -> int:
    """How many steps SQLite takes to queue receipts for what was refused, beside so many that were sent."""
    contradictions = [
        judged(sign(WORLD, bulletin(WORLD, say=draft(f"number {n}")))) for n in range(REFUSED + 1)
    ]
    await store.settle(contradictions, None, None, NOW)
    rows = [(f"d{n}", f"i{n}", "xa-csirt", NOW.timestamp()) for n in range(sent)]

    def look(db: sqlite3.Connection) -> int:
        db.executemany(
            "INSERT INTO receipt_queue (stage, digest, id, author, tlp, at, sent) VALUES ('verified', ?, ?, ?, 'green', ?, 1)",
            rows,
        )
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        db.set_progress_handler(step, 1)
        receipt_queue.note(db, "xb-hub", NOW)
        db.set_progress_handler(None, 0)
        return count

    return await store.write(look)


async def test_what_was_refused_is_queued_at_a_cost_that_does_not_grow_with_what_was_sent(
    tmp_path: Path,
) -> None:
    """An author who contradicts itself over and over holds no hub up that has answered much."""
    found = {}
    for sent in (50, 2000):
        async with open_store(tmp_path / f"{sent}.db", hold_s=0) as store:
            found[sent] = await steps(store, sent)
            (row,) = await store.query("SELECT count(*) AS count FROM receipt_queue WHERE stage = 'kept'")
            assert row["count"] == REFUSED
    assert found[2000] < 1.2 * found[50]


async def test_what_has_lost_its_channel_holds_up_no_receipt(tmp_path: Path) -> None:
    """It is damaged, and those beside it are answered; a hub would have answered nobody any more."""
    said = chain(WORLD, 3)
    async with open_store(tmp_path / "s.db", hold_s=0) as store:
        await store.settle([judged(each) for each in said], None, None, NOW)
        await store.execute("UPDATE bodies SET channel = 4096 WHERE seq = 2")
        await store.execute("UPDATE actual SET ended_how = 'cancelled' WHERE row = 2")  # newly withdrawn
        await store.write(lambda db: receipt_queue.note(db, "xb-hub", NOW))
        noted = await store.query("SELECT digest FROM receipt_queue ORDER BY n")
        assert [row["digest"] for row in noted] == [said[0].digest, said[2].digest]


class Silent:
    """A hub that has nothing to publish."""

    authority_id = "xb-hub"

    def registry(self) -> VerifiedRegistry:
        """Who may say what."""
        return WORLD.registry

    def clock(self) -> dt.datetime:
        """The present."""
        return NOW

    async def publish(self, *_: object, **__: object) -> None:
        """Never."""
        raise AssertionError("a receipt for nothing")


async def test_a_batch_that_another_program_has_sent_is_no_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bulletin ack` and the hub answer from one store: what one has sent since it was taken up is left out by the other."""
    take_up = receipt_queue.take_up

    def overtaken(db: sqlite3.Connection, granted: Collection[Way]) -> list[receipt_queue.Open]:
        due = take_up(db, granted)
        db.execute("UPDATE receipt_queue SET sent = 1")
        return due

    monkeypatch.setattr(receipt_queue, "take_up", overtaken)
    monkeypatch.setattr(receipt_grants, "ways", lambda *_: frozenset({("green", "xa-csirt")}))
    async with open_store(tmp_path / "s.db", hold_s=0) as store:
        await store.settle([judged(each) for each in chain(WORLD, 1)], None, None, NOW)
        assert await Receipts(store, Silent()).answer() == 1  # type: ignore[arg-type]
