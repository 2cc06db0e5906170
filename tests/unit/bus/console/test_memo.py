"""What is worked out once: it holds until something happens, is nobody else's, and is bounded; figures of pages are never of before."""

from __future__ import annotations

import datetime as dt
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus import desk
from bus.console.memo import MOST, Memo
from bus.desk import people
from bus.hub.picture import open_store
from bus.policy import Clearance
from schemas.vocab import Tlp
from tests.support.consoles import Speaker, at, fill, night, sign_in_as, signed_in, with_desk
from tests.support.desks import add
from tests.support.hubs import STREAM, judged
from tests.support.world import NOW

ASKED = (
    "/b.json",
    "/b.json?q=kind:cyber-threat",
    "/b.json?issuer=xa-csirt",
    "/b.json?tlp=green",
    "/b.json?q=polls",
)


def test_an_answer_holds_as_long_as_its_stamp_and_for_its_key() -> None:
    """The same again is not worked out; another stamp or another key is."""
    memo, number = Memo(), count()
    assert [memo.once("a", 1, number.__next__) for _ in range(3)] == [0, 0, 0]
    assert memo.once("b", 1, number.__next__) == 1
    assert [memo.once("a", 2, number.__next__) for _ in range(2)] == [2, 2]


def test_the_last_used_are_kept() -> None:
    """However many are asked for; what is used stays."""
    memo, number = Memo(), count()
    for n in range(3 * MOST):
        memo.once(n, 0, number.__next__)
        assert memo.once(0, 0, lambda: -1) == 0
        assert len(memo) <= MOST


async def figures(to: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The figures of a page."""
    answer = (await to.get(path)).raise_for_status().json()
    return {name: answer[name] for name in ("total", "found", "bars", "facets")}


@pytest.mark.parametrize("path", ASKED)
async def test_figures_are_those_of_now(tmp_path: Path, path: str) -> None:
    """After another bulletin came, and after one has expired, a console that was asked before says what a new one says."""
    store, moment = tmp_path / "store.db", [NOW]
    await fill(store, night())
    async with signed_in(store, clock=lambda: moment[0]) as asked_before:
        seen = [await figures(asked_before, path)]
        short = Speaker("xb-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts").say(
            "Polls", 5.0, expires=at(-60)
        )
        async with open_store(store, hold_s=0.0) as opened:
            await opened.settle([judged(short, now=NOW)], STREAM, None, NOW)
            await opened.release(NOW)
        for moment[0] in (NOW, NOW + dt.timedelta(seconds=61)):
            async with signed_in(store, clock=lambda: moment[0]) as new:
                expected = await figures(new, path)
            assert await figures(asked_before, path) == expected
            seen.append(expected)
    assert seen[0]["total"] + 1 == seen[1]["total"] == seen[2]["total"] + 1


@pytest.mark.parametrize("path", ASKED)
async def test_figures_are_nobody_elses(tmp_path: Path, path: str) -> None:
    """Two readers of one console with different limits, in turns, see what each sees alone."""
    store = tmp_path / "store.db"
    await fill(store, night())
    limits = {"ann": Tlp.CLEAR, "bob": Tlp.RED, "eve": Tlp.GREEN}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in limits}
    async with with_desk(store, tmp_path / "desk", clock=lambda: NOW) as (to, held):
        for name, ceiling in limits.items():
            await add(held, name, desk.Role.READER, at=NOW.timestamp(), ceiling=ceiling)
        for name in (*limits, *limits):
            assert (await sign_in_as(to, name)).status_code == 303
            found[name].append(await figures(to, path))
    for name, ceiling in limits.items():
        clearance = Clearance(ceiling=ceiling, audiences=frozenset(people.AUDIENCES))
        async with signed_in(store, clearance) as alone:
            assert found[name] == [await figures(alone, path)] * 2, name
    assert found["ann"][0] != found["eve"][0]
