"""The tracker works beside the publisher: it finds published bulletins, and receipts that other processes have read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bus.delivery.ladder import DeliveryState
from bus.delivery.ledger import TABLES
from bus.delivery.tracker import DeliveryTracker
from bus.policy import deadlines
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from tests.support.publishers import keeping
from tests.support.waiting import longest
from tests.support.world import draft
from tests.unit.bus.delivery.test_pruning import HUBS, answer, store_all


@asynccontextmanager
async def tracked(path: Path) -> AsyncIterator[tuple[Publisher, Outbox, DeliveryTracker]]:
    """A publisher that only keeps, and the tracker beside it."""
    async with (
        keeping(path, tables=TABLES) as (publisher, outbox),
        DeliveryTracker.open(publisher, deadlines.DEFAULTS) as tracker,
    ):
        yield publisher, outbox, tracker


async def test_a_tracker_finds_what_was_published_before_it_was_there(tmp_path: Path) -> None:
    """Published into an outbox that has no tables of receipts; nothing is lost by tracking later."""
    path = tmp_path / "o.db"
    async with keeping(path) as (publisher, _):
        said = [(await publisher.publish(draft(f"{n}"))).digest for n in range(3)]
    async with tracked(path) as (_, outbox, tracker):
        found = [await tracker.standing(digest) for digest in said]
        assert [each and (each.state, each.missing) for each in found] == [(DeliveryState.ACCEPTED, HUBS)] * 3
        await store_all(outbox)
        await answer(outbox, said[1])
        found = [await tracker.standing(digest) for digest in said]
        assert [each and each.state for each in found] == [
            DeliveryState.STORED,
            DeliveryState.RECEIVED,
            DeliveryState.STORED,
        ]


async def test_it_knows_only_what_was_said_here(tmp_path: Path) -> None:
    """A bulletin of another outbox has no state."""
    async with tracked(tmp_path / "o.db") as (_, _, tracker):
        assert await tracker.standing("A" * 43) is None
        assert await tracker.reached("A" * 43, DeliveryState.RECEIVED, longest()) is None


async def test_what_another_process_reads_in_ends_the_wait(tmp_path: Path) -> None:
    """The wait goes by the file, and ends at the state that was asked for."""
    path = tmp_path / "o.db"
    async with tracked(path) as (publisher, outbox, tracker), Outbox.open(path, tables=TABLES) as other:
        said = await publisher.publish(draft())
        await store_all(outbox)
        waiting = asyncio.create_task(tracker.reached(said.digest, DeliveryState.RECEIVED, longest()))
        await answer(other, said.digest, hubs=HUBS[:1])
        await answer(other, said.digest, hubs=HUBS[1:])
        found = await waiting
        assert found is not None
        assert (found.state, found.missing) == (DeliveryState.RECEIVED, HUBS)  # by all, and read by nobody


async def test_an_outbox_without_room_for_receipts_is_refused_at_once(tmp_path: Path) -> None:
    """A tracker over an outbox that was opened without `TABLES` says what to write instead."""
    async with keeping(tmp_path / "o.db") as (publisher, _):
        with pytest.raises(ValueError, match=r"Outbox\.open\(path, tables=bus\.delivery\.TABLES\)"):
            async with DeliveryTracker.open(publisher, deadlines.DEFAULTS):
                pass


async def test_without_a_bus_nothing_is_read_and_nobody_waits_for_it(tmp_path: Path) -> None:
    """It answers from the file, and says at once that it has not caught up."""
    async with tracked(tmp_path / "o.db") as (publisher, _, tracker):
        said = await publisher.publish(draft())
        assert not await tracker.caught_up(60)
        found = await tracker.reached(said.digest, DeliveryState.READ, 0)
        assert found is not None
        assert found.state is DeliveryState.ACCEPTED
