"""A short run over one real server: what is killed comes back, and the checker finds nothing broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.checker import PROMISES
from tests.faults.history import Admitted, Forged
from tests.faults.stage import FORGER, staged


@pytest.mark.short_faults
async def test_death_of_server_hub_and_publisher_breaks_no_promise(tmp_path: Path) -> None:
    """Kill -9 of each of them under traffic, with a forger at work: nothing lost, twice, forged, altered or disordered."""
    folder = tmp_path / "run"
    async with staged(folder, nodes=1, speakers=("xa-csirt", "xa-dpa"), rate=20, forged=10) as stage:
        await stage.begun()
        await stage.kill_server("kill-server", "n1", 0.5)
        await stage.kill_program("kill-hub", "xa-hub", 0.2)
        await stage.kill_program("kill-publisher", "xa-csirt", 0.2)
        await stage.kill_program("cut", "proxy", 0.5)
        await stage.tells("xa-hub", Admitted)
        await stage.tells(FORGER, Forged, 1)
        await stage.finish()
        verdict = stage.verdict()
    assert verdict.broken(PROMISES) == []
    assert verdict.forgeries > 0
    assert verdict.stored == verdict.accepted + verdict.untold > 0
