"""`tocsin hub run` is killed in the middle of five thousand bulletins and started again: its console shows each of them once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import httpx
import pytest

from bus.publishing.publisher import Publisher
from schemas.errors import TocsinError
from tests.support.clocks import utc_now
from tests.support.consoles import form_of
from tests.support.households import Household, world_of_now
from tests.support.proxies import free_port
from tests.support.publishers import publishing
from tests.support.stage import serving
from tests.support.waiting import eventually, longest
from tests.support.world import draft

AUTHOR, HUB = "xa-csirt", "xb-hub"
COUNT = 5000
PASSWORD = "seven lamps over the quiet harbour"


async def started(house: Household, port: int, times: int) -> tuple[subprocess.Popen[bytes], str]:
    """The hub, begun for the so-manieth time, and where its console answers."""
    hub = house.start(HUB, "hub", "run", "--console", f"127.0.0.1:{port}", env={"TOCSIN_CONSOLE": ""})

    def places() -> list[str]:
        return re.findall(r"console: (http://127\.0\.0\.1:\d+)/", house.log(HUB).read_text())

    await eventually(lambda: len(places()) == times, describe=lambda: house.log(HUB).read_text())
    return hub, places()[-1]


def children_of(pid: int) -> list[int]:
    """The processes that a process has begun."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def is_there(pid: int) -> bool:
    """Whether a process is running."""
    return Path(f"/proc/{pid}").exists()


async def entered(house: Household, place: str) -> httpx.AsyncClient:
    """A reader of this hub, who has set a password and signed in with it."""
    await asyncio.to_thread(house.told, HUB, "people", "add", "ann", "--name", "Ann", "--role", "reader")
    told = await asyncio.to_thread(house.told, HUB, "people", "token", "ann", "--json")
    token = re.findall(r"[A-Za-z0-9_-]{20,}", told.out)[-1]
    client = httpx.AsyncClient(base_url=place, timeout=longest())
    fields = {"form": form_of((await client.get(f"/set-password?token={token}")).text), "token": token}
    sent = await client.post("/set-password", data=fields | {"password": PASSWORD, "again": PASSWORD})
    assert sent.status_code == 303, sent.text
    fields = {"form": form_of((await client.get("/sign-in")).text), "name": "ann", "password": PASSWORD}
    assert (await client.post("/sign-in", data=fields)).status_code == 303
    return client


async def said(author: Publisher, count: int) -> set[str]:
    """The ids of so many bulletins, which are on this disk and on their way."""
    outcomes = await author.publish_many([draft(f"number {n}") for n in range(count)])
    assert not [each for each in outcomes if isinstance(each, TocsinError)]
    return {each.id for each in outcomes if not isinstance(each, TocsinError)}


def held(file: Path) -> Counter[str]:
    """How often the live log of a store says of each bulletin that it is new."""
    with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        return Counter(about for (about,) in db.execute("SELECT about FROM events WHERE what = 'new'"))


async def listed(client: httpx.AsyncClient) -> list[str]:
    """The ids that the list of bulletins has, page by page to its end."""
    found, address = [], "/b.json?order=time"
    while address:
        answer = await client.get(address)
        if answer.status_code == 429:  # a person asks so many pages a second
            await asyncio.sleep(float(answer.headers["retry-after"]))
            continue
        page = answer.raise_for_status().json()
        found += [row["id"] for group in page["groups"] for row in group["rows"]]
        address = page["next"].replace("/b?", "/b.json?", 1)
    return found


@pytest.mark.short_faults
async def test_a_hub_killed_among_five_thousand_bulletins_shows_each_once(tmp_path: Path) -> None:
    """Kill -9 while it takes in the first half: its console ends with it; started again, list, figure and live log have each once.

    Who was signed in before is so after.
    """
    world = world_of_now(HUB)
    async with (
        serving(tmp_path / "server", world) as bus,
        publishing(
            tmp_path / "author.db", world, AUTHOR, endpoint=bus.endpoint(AUTHOR), clock=utc_now
        ) as author,
    ):
        house = Household(tmp_path, world, bus.server.url, HUB)
        store, port = house.state(HUB) / "store.db", free_port()
        try:
            hub, place = await started(house, port, 1)
            children = children_of(hub.pid)
            assert children
            client = await entered(house, place)
            ids = await said(author, COUNT // 2)
            await eventually(lambda: held(store))
            os.kill(hub.pid, signal.SIGKILL)
            hub.wait()
            await eventually(lambda: not any(map(is_there, children)))
            assert 0 < len(held(store)) < COUNT
            with pytest.raises(httpx.ConnectError):
                await client.get("/b")
            ids |= await said(author, COUNT - COUNT // 2)
            assert len(ids) == COUNT

            await started(house, port, 2)
            await eventually(lambda: len(held(store)) == COUNT, describe=lambda: len(held(store)))
            async with contextlib.aclosing(client):
                assert sorted(await listed(client)) == sorted(ids)
                page = (await client.get("/b.json")).json()
                assert (page["total"], page["found"]) == (COUNT, COUNT)
                assert f"{COUNT} bulletins in force" in (await client.get("/b")).text
            assert held(store) == Counter(ids)
        finally:
            house.close()
