"""A hub that was stopped and goes on, as a process: what waits unread meanwhile is nobody's silence."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.support.clocks import utc_now
from tests.support.hubs import office_at, store_of
from tests.support.stage import serving, speaking
from tests.support.waiting import eventually, longest
from tests.support.watching import beats_of
from tests.support.world import make_world

EVERY_S = 10
"""So often the author of `beats_of` says that it is there."""
STOPPED_S = 3.5 * EVERY_S
"""Longer than a channel may be quiet."""
HUB = "xb-hub"

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


def asked(store: Path, sql: str) -> list[tuple[object, ...]]:
    """Rows of the hub's store; none while it has no such table."""
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=30)) as db,
    ):
        return db.execute(sql).fetchall()
    return []


async def test_nobody_is_silent_whose_heartbeats_waited(tmp_path: Path) -> None:
    """Stopped for longer than a channel may be quiet, twice: the hub is blind, then sees, and has accused nobody."""
    world = make_world(utc_now())
    async with (
        serving(tmp_path / "server", world) as bus,
        speaking(bus, tmp_path / "author.db", "xa-csirt", clock=utc_now) as author,
    ):
        office = office_at(tmp_path / "office", world, bus.server.url, HUB)
        store, log = store_of(office.folder, HUB), office.folder / "hub.log"
        hub = office.start("hub", "run")
        try:
            async with beats_of(author).running():
                heard = (
                    "SELECT last_heard FROM channels WHERE channel LIKE 'xa-csirt/beat.%' ORDER BY last_heard"
                )
                await eventually(lambda: asked(store, heard), describe=log.read_text)
                for _ in range(2):
                    before = asked(store, heard)
                    os.kill(hub.pid, signal.SIGSTOP)
                    await asyncio.sleep(STOPPED_S)  # a real stop
                    os.kill(hub.pid, signal.SIGCONT)
                    await eventually(lambda: asked(store, heard) > before, describe=log.read_text)  # noqa: B023
                    await asyncio.sleep(EVERY_S / 2)  # a real delay: time for looks, none of which may accuse
                    found = asked(store, "SELECT channel, reason FROM alarms WHERE reason = 'silent'")
                    assert [each for each in found if str(each[0]).startswith("xa-csirt/")] == [], (
                        log.read_text()
                    )
            hub.terminate()
            assert await asyncio.to_thread(hub.wait, longest()) == 0
        finally:
            hub.kill()
            hub.wait()
