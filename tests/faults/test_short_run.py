"""A short run over one real server: what is killed comes back, and the checker finds nothing broken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.checker import Bounds
from tests.faults.stage import staged


@pytest.mark.slow
async def test_death_of_server_hub_and_publisher_breaks_no_promise(tmp_path: Path) -> None:
    """Kill -9 of each of them under traffic, with a forger at work: nothing lost, twice, forged, altered or disordered."""
    folder = tmp_path / "run"
    async with staged(folder, nodes=1, speakers=("xa-csirt", "xa-dpa"), rate=20, forged=10) as stage:
        await begun(folder, 500)
        await stage.kill_server("kill-server", "n1", 0.5)
        await stage.kill_program("kill-hub", "xa-hub", 0.2)
        await stage.kill_program("kill-publisher", "xa-csirt", 0.2)
        await stage.kill_program("cut", "proxy", 0.5)
        await asyncio.sleep(2)
        await stage.finish()
        verdict = stage.verdict()
    assert verdict.broken(Bounds()) == []
    assert verdict.forgeries > 0
    assert verdict.stored == verdict.accepted + verdict.untold > 0


async def begun(folder: Path, much: int) -> None:
    """Wait until authors and the hub have told so many bytes of what they did."""
    async with asyncio.timeout(30):
        while True:
            told = {path.stem: path.stat().st_size for path in (folder / "history").glob("*.jsonl")}
            if all(told.get(name, 0) > much for name in ("xa-csirt", "xa-dpa", "xa-hub")):
                return
            await asyncio.sleep(0.05)
