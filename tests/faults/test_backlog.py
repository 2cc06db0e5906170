"""The memory of a hub that comes to a stream which has grown without it: `tocsin hub run`, a process beside a real broker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.bulletin import Draft
from tests.faults.backlog import (
    AUTHORS,
    HUB,
    backlog_world,
    curve,
    fill,
    large,
    small,
    watched,
)
from tests.support.hubs import office_at, store_of
from tests.support.stage import serving
from tests.support.waiting import longest

MOST_MB = 150.0
SHORT = 20_000

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(("size", "share"), [(small, 1), (large, 40)], ids=["1 kB", "180 kB"])
async def test_a_backlog_fills_no_memory(tmp_path: Path, size: Callable[[int], Draft], share: int) -> None:
    """However much waits and however large it is: it waits at the broker. TOCSIN_BACKLOG says how many; 100 000 are the whole."""
    count = int(os.environ.get("TOCSIN_BACKLOG", SHORT)) // share // len(AUTHORS)
    world = backlog_world()
    async with serving(tmp_path / "server", world) as bus:
        await fill(bus, count, size)
        office = office_at(tmp_path / "office", world, bus.server.url, HUB)
        process = office.start("hub", "run")
        try:
            store = store_of(office.folder, HUB)
            samples = await asyncio.to_thread(watched, process, store, count * len(AUTHORS))
            process.terminate()
            assert await asyncio.to_thread(process.wait, longest()) == 0
        finally:
            process.kill()
    (tmp_path / "curve.txt").write_text(curve(samples) + "\n")
    assert max(each.rss_mb for each in samples) < MOST_MB, curve(samples)
