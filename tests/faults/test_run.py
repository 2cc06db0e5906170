"""`make faults` itself: its seeds, its page, and the fault that is over before it is noticed there."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from bus.transport.connection import Connection
from tests.faults.checker import LEADER
from tests.faults.run import moves, schedule
from tests.faults.stage import PROXY, staged
from tests.support.waiting import eventually, longest, patience

NOTICED_S = 35.0  # of an idle machine
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_gives_the_same_faults_and_each_of_them(seed: int) -> None:
    """Twice the same order; every fault once a round, the leader's death first."""
    assert schedule(random.Random(seed)) == schedule(random.Random(seed))
    assert sorted(schedule(random.Random(seed))) == sorted(moves())
    assert schedule(random.Random(seed))[0] == LEADER


def test_the_page_names_every_fault() -> None:
    """Nothing is injected that docs/faults.md does not tell of."""
    assert [name for name in moves() if f"`{name}`" not in PAGE.read_text("utf-8")] == []


@pytest.mark.faults
async def test_a_half_open_connection_is_noticed(tmp_path: Path) -> None:
    """A link on which nothing comes back, and that nobody has closed, is given up within 35 seconds, and comes back."""
    async with (
        staged(tmp_path / "run", nodes=1, speakers=(), rate=1, forged=1) as stage,
        Connection.open(stage.programs["xa-hub"].place.endpoint()) as connection,
    ):
        await connection.until_connected(longest())
        async with stage.stopped("half-open", PROXY):
            async with asyncio.timeout(NOTICED_S * patience()):  # the bound is the property
                await eventually(lambda: not connection.connected)
        await connection.until_connected(longest())
