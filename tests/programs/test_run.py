"""`make faults` over whole programs: its seeds, its page, and its short form."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.programs.faults import KILLS, KINDS, OTHERS, done_to, drawn
from tests.programs.stage import staged, traffic

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
SHORT = ("kill-publish", "kill-xb-hub", "other-number", "kill-server-xa", "outbox-log-bit", "kill-nats")
RATE = 0.25


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_gives_the_same_faults(seed: int) -> None:
    """Twice the same kinds in the same order, each with the same numbers of its own."""
    assert drawn(KINDS, 50, random.Random(seed)) == drawn(KINDS, 50, random.Random(seed))


def test_two_hundred_kills_hit_every_program() -> None:
    """With the seed of `make faults`, each kind of kill is drawn."""
    assert {name for name, _ in drawn(KILLS, 200, random.Random(11))} == set(KILLS)
    assert not set(KILLS) & set(OTHERS)


def test_the_page_names_every_kind() -> None:
    """Nothing is done to programs that docs/faults.md does not tell of."""
    page = PAGE.read_text("utf-8")
    assert [name for name in KINDS if f"`{name}`" not in page] == []


@pytest.mark.short_faults
@pytest.mark.timeout(300)
async def test_whole_programs_are_hurt_and_break_no_promise(tmp_path: Path) -> None:
    """Two countries and a union of installed programs, six faults: nothing lost, twice, altered, unsaid or falsely green."""
    async with staged(tmp_path / "run", 1) as stage:
        async with traffic(stage, RATE):
            for number, name in enumerate(SHORT):
                await done_to(stage, name, number)
        outcome = await stage.finish()
    assert outcome.broken() == []
    assert outcome.verdict.accepted > len(SHORT)
    assert sum(outcome.verdict.faults.values()) == len(SHORT)
