"""For how many syncs of a disk one after the other a bulletin waits, from `publish` until a hub has it."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

from tests.support.stage import Bus, reading, speaking
from tests.support.syncs import Sync, synced, syncs_in
from tests.support.waiting import eventually, longest
from tests.support.world import draft

TRACE = """\
11 100.5 fdatasync(7</a/outbox.db-wal>) = 0 <0.25>
12 101.0 fsync(9</b/1.blk> <unfinished ...>
11 101.1 fsync(3</c>) = -1 EIO (Input/output error) <0.1>
12 101.5 <... fsync resumed>) = 0 <0.5>
"""
TIMES = 5


def test_a_trace_is_read_with_what_another_thread_breaks() -> None:
    """A call that another line cuts in two is one; one that failed synced nothing."""
    assert list(syncs_in(TRACE)) == [Sync("/a/outbox.db-wal", 100.5, 100.75), Sync("/b/1.blk", 101.0, 101.5)]


def waited_for(syncs: list[Sync], begun: float, handled: float) -> list[str]:
    """The files that a bulletin had to wait for, in order: what came before it was sent, its streams, the hub's store.

    Nobody waits for the author's note that it is stored, which goes with a later transaction, nor for the copy of heads.
    """
    within = [each for each in syncs if begun <= each.began and each.ended <= handled]
    origin = [each for each in within if "/XA-CSIRT_ACTUAL/msgs/" in each.path]
    sent = min((each.began for each in origin), default=handled)
    before = [each for each in within if "/outbox" in each.path and each.ended <= sent]
    copies = [each for each in within if "/WORLD_ACTUAL/msgs/" in each.path]
    store = [each for each in within if "/store.db" in each.path]
    return [Path(each.path).name for each in (*before, *origin, *copies, *store)]


async def test_a_bulletin_waits_for_three_syncs(bus: Bus, tmp_path: Path) -> None:
    """The outbox's, the author's stream's, the store's: the least of some bulletins, since others sync for other reasons."""
    times: list[tuple[float, float]] = []
    async with (
        speaking(bus, tmp_path / "outbox.db") as publisher,
        reading(bus, tmp_path / "store.db") as (_, service),
    ):

        async def has(count: int) -> bool:
            return service.subscriber.counts["admitted"] >= count

        first = await publisher.publish(draft("files are made"))
        assert await publisher.settled(first.digest, longest()) == "stored"
        await eventually(partial(has, 1))
        async with synced(tmp_path, os.getpid(), bus.server.pid) as syncs:
            for n in range(TIMES):
                begun = time.time()
                await publisher.publish(draft(f"number {n}"))
                await eventually(partial(has, n + 2))
                times.append((begun, time.time()))
                assert await publisher.idle(longest())
    found = [waited_for(syncs, *each) for each in times]
    least = min(found, key=len)
    assert least == ["outbox.db-wal", "1.blk", "store.db-wal"], found
