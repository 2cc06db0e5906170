"""What is asked of a store, and what it costs to admit, takes the same steps of SQLite's machine however long its past is."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.hub.picture import lists, narrowing, open_store, searching
from tests.growth.looks import looks, steps
from tests.growth.rows import fill
from tests.support.hubs import STREAM, judged
from tests.support.world import chain, shared_world

WORLD = shared_world()
LOOKS = looks(WORLD)
ADMITTING = "admitting"
SHORT, MIDDLE, LONG = 1_000, 20_000, 100_000
MORE = 1.5
"""So many times the steps of a short past may be needed with a long one."""
BOUNDS = (
    (narrowing, "FEW", 100),
    (lists, "FEW", 100),
    (searching, "MOST", 100),
    (lists, "_AT_ONCE", 300),
)
"""So many matches and rows are looked at, in place of thousands, so that a short past has more."""
SHOWS_MORE = {"arrivals": 1000, "live log": 100, "word": 300, "words": 300, "beginning": 300}
"""So many more steps, in tens, by how the name of a look ends: a day or a week of a longer past of as many days has more, and
words stand in a few more segments of their index."""


async def admitting(path: Path) -> int:
    """How many steps it takes to admit twenty bulletins of a new channel, in tens."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    def handle(db: sqlite3.Connection, handler: Callable[[], int] | None) -> None:
        db.set_progress_handler(handler, 10)

    async with open_store(path, hold_s=0.0) as store:
        await store.read(lambda db: handle(db, step))
        batch = [judged(each, WORLD.registry, WORLD.now) for each in chain(WORLD, 20, "xa-emb")]
        await store.settle(batch, STREAM, None, WORLD.now)
        await store.read(lambda db: handle(db, None))
    return count


async def counted(path: Path, rows: int) -> dict[str, int]:
    """The steps of every look, and of admitting, at so many rows."""
    await fill(path, WORLD, rows)
    async with open_store(path) as store:
        with pytest.MonkeyPatch.context() as patch:
            for module, name, bound in BOUNDS:
                patch.setattr(module, name, bound)
            found = {
                name: await store.read(lambda db, look=look: steps(db, look))  # type: ignore[misc]  # bound now
                for name, look in LOOKS.items()
            }
    return {**found, ADMITTING: await admitting(path)}


def most(name: str, short: dict[str, int]) -> float:
    """So many steps, in tens, a look may take with a longer past."""
    return MORE * short[name] + 2 + next((more for end, more in SHOWS_MORE.items() if name.endswith(end)), 0)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Steps with a short past."""
    return asyncio.run(counted(tmp_path_factory.mktemp("short") / "store.db", SHORT))


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Steps with a past twenty times as long."""
    return asyncio.run(counted(tmp_path_factory.mktemp("middle") / "store.db", MIDDLE))


@pytest.mark.parametrize("name", [*LOOKS, ADMITTING])
def test_the_steps_do_not_grow_with_the_past(
    short: dict[str, int], middle: dict[str, int], name: str
) -> None:
    """Whatever is asked."""
    assert middle[name] <= most(name, short)


@pytest.mark.faults
async def test_nor_do_they_with_a_hundred_thousand(tmp_path: Path, short: dict[str, int]) -> None:
    """All of them, with a past a hundred times as long."""
    found = await counted(tmp_path / "store.db", LONG)
    assert {name: count for name, count in found.items() if count > most(name, short)} == {}
