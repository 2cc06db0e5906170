"""Programs and a broker that may open nothing more: what they have open goes on, and nothing is lost when they may again."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.faults.checker import Bounds
from tests.faults.history import Accepted, Admitted, Stored
from tests.faults.stage import PROXY, Stage, staged
from tests.support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
AUTHOR, OTHER, HUB, BROKER = "xa-csirt", "xa-dpa", "xa-hub", "n1"


@asynccontextmanager
async def starved(stage: Stage, *names: str) -> AsyncIterator[None]:
    """Programs or brokers get no new descriptor meanwhile."""
    pids = [
        stage.servers[name].pid if name in stage.servers else stage.programs[name].process.pid
        for name in names
    ]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids}
    async with stage.fault("descriptors", " ".join(names)):
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, hard))
        try:
            yield
        finally:
            for pid, limits in before.items():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def has_none(log: Path) -> bool:
    """Whether somebody has said that it may open nothing more."""
    return "too many open files" in log.read_text("utf-8", "replace").lower()


async def test_a_program_without_descriptors_waits_and_goes_on(tmp_path: Path) -> None:
    """An author accepts and a hub stands, cut off, until both may connect again; each says why it does not."""
    folder = tmp_path / "run"
    async with staged(folder, nodes=1, speakers=(AUTHOR, OTHER), rate=20, forged=5) as stage:
        await stage.begun()
        async with starved(stage, AUTHOR, HUB):
            await stage.kill_program("cut", PROXY, 0.2)
            for name in (AUTHOR, HUB):
                await eventually(partial(has_none, folder / f"{name}.log"))
            await stage.tells(AUTHOR, Accepted)
        await stage.tells(HUB, Admitted)
        await stage.finish()
        verdict = stage.verdict()
    assert verdict.broken(Bounds()) == []
    assert verdict.faults["descriptors"] == 1


async def test_a_broker_without_descriptors_keeps_whom_it_has(tmp_path: Path) -> None:
    """Who comes is kept waiting, who is connected publishes and reads; in the end everything is there."""
    folder = tmp_path / "run"
    async with staged(folder, nodes=1, speakers=(AUTHOR, OTHER), rate=20, forged=5) as stage:
        await stage.begun()
        await stage.tells(OTHER, Stored)  # it is connected, too; who is not is kept waiting
        async with starved(stage, BROKER):
            await stage.kill_program("kill-publisher", AUTHOR, 0.2)
            await eventually(partial(has_none, stage.servers[BROKER].log_file))
            await stage.tells(OTHER, Stored)
            await stage.tells(HUB, Admitted)
        await stage.tells(AUTHOR, Stored)
        await stage.finish()
        verdict = stage.verdict()
    assert verdict.broken(Bounds()) == []
    assert verdict.faults["descriptors"] == 1
