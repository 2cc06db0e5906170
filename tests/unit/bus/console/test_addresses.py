"""Addresses that people write by hand: whatever stands in them, a page answers or says that it is not here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bus.console.rows import spot_of
from tests.support import consoles
from tests.support.consoles import Speaker, signed_in


@pytest.mark.parametrize(
    "text", ["p1_nan_1", "p1_inf_1", f"p1_1_{9 * '9' * 9}", "p1_1_-1", "p1_1", "", "p1_x_1"]
)
def test_a_place_that_no_list_has_is_none(text: str) -> None:
    """Numbers beyond those of any store are no place."""
    assert spot_of(text) is None


def test_a_place_by_hand_breaks_no_page(tmp_path: Path) -> None:
    """The list begins anew."""

    async def go() -> None:
        path = tmp_path / "hub" / "store.db"
        await consoles.fill(path, [Speaker("xa-csirt").say("One", 50)])
        async with signed_in(path) as c:
            answer = await c.get(f"/b?after=p1_1_{'9' * 40}")
            assert answer.status_code == 200
            answer = await c.post("/sign-out", headers={"content-length": "9" * 5000})
            assert answer.status_code == 413

    asyncio.run(go())
