"""A hub with a backlog: it says that it lags, every view says so, and nobody is accused."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from tests.support.households import world_of_now
from tests.support.stage import say, serving
from tests.support.views import HUB, NOT_RELIABLE, household, write_down
from tests.support.world import chain

MANY = 20_000


@pytest.mark.faults
async def test_a_hub_that_lags_is_blind(tmp_path: Path) -> None:
    """While it reads what waits for more than 15 seconds every view is bad; when it has read it all, all is well again."""
    world = world_of_now()
    async with serving(tmp_path / "server", world) as bus:
        await say(bus, *chain(world, MANY, issued=dt.datetime.now(dt.UTC)))
        await asyncio.sleep(15)  # what waits must be so old

        def scene() -> None:
            with household(tmp_path / "house", bus) as hub:
                hub.begin()
                hub.until(lambda view: view.code == 503 and "lagging" in view.codes)
                views = hub.views()
                write_down("lag", views)
                assert {name: view.code for name, view in views.items() if name != "/healthz"} == {
                    "doctor": NOT_RELIABLE,
                    "hub status": NOT_RELIABLE,
                    "picture": NOT_RELIABLE,
                }
                assert all("lagging" in view.codes for view in views.values())
                assert hub.house.told(HUB, "hub", "status", "--json").json()["behind"] > 0
                rows = hub.house.told(HUB, "channels", "--json").json()
                assert {row["state"] for row in rows} == {"unknown"}
                hub.until(lambda view: view.code == 200 and not view.codes)

        await asyncio.to_thread(scene)
