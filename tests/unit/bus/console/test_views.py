"""Saved views of Bulletins: saved, opened, renamed, replaced and dropped by forms; each person's own, with nothing in it but filters."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus.desk.refusals import MAX_VIEWS
from tests.support.consoles import HOSTILE, fill, form_of, night
from tests.support.desk_consoles import desk_console


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read it."""
    path = tmp_path_factory.mktemp("console") / "store.db"
    asyncio.run(fill(path, night()))
    return path


async def send(c: httpx.AsyncClient, deed: str, **fields: str) -> httpx.Response:
    """Send a form of the page."""
    return await c.post(deed, data={"form": form_of((await c.get("/b")).text), **fields})


async def saved(c: httpx.AsyncClient, path: str = "/b.json") -> list[dict[str, Any]]:
    """What the page says of saved views."""
    found: list[dict[str, Any]] = (await c.get(path)).json()["views"]["saved"]
    return found


def test_a_view_lives(store: Path, tmp_path: Path) -> None:
    """Saved, it is opened by its address, which shows the same; then renamed, replaced, and dropped."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down()
            shown = (await c.get("/b?priority=p1&priority=p2&q=flood&after=p1_1_1")).text
            query = "q=flood&amp;priority=p1&amp;priority=p2"
            assert f'name="query" value="{query}"' in shown, "the place in the list is no part of it"
            answer = await send(
                c, "/views/save", name="Grave floods", query="priority=p1&priority=p2&q=flood"
            )
            assert (answer.status_code, answer.headers["location"]) == (
                303,
                f"/b?{query.replace('&amp;', '&')}",
            )
            (view,) = await saved(c)
            assert view == {
                "name": "Grave floods",
                "address": answer.headers["location"],
                "is_current": False,
            }
            page = (await c.get(view["address"])).text
            assert 'aria-current="true" translate="no">Grave floods' in page
            assert "Rename" in page
            await send(
                c, "/views/save", name="Floods", old="Grave floods", query="q=flood&priority=p1&priority=p2"
            )
            assert [each["name"] for each in await saved(c)] == ["Floods"]
            await send(c, "/views/save", name="Floods", query="q=botnet")
            assert [each["address"] for each in await saved(c)] == ["/b?q=botnet"]
            answer = await send(c, "/views/drop", name="Floods", query="q=botnet")
            assert answer.headers["location"] == "/b?q=botnet"
            assert await saved(c) == []

    asyncio.run(go())


def test_a_view_keeps_filters_alone(store: Path, tmp_path: Path) -> None:
    """Whatever a form sends as a query, the address of the view leads to this page, with its parameters and no others."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down()
            for query in (
                "//evil.example",
                "javascript:x",
                "next=/x&q=a&form=1",
                "q=a%0d%0aset-cookie:%20b",
                "%",
                "&&&=",
                "q=&kind=",
            ):
                answer = await send(c, "/views/save", name="v", query=query)
                assert answer.status_code == 303
                (view,) = await saved(c)
                assert answer.headers["location"] == view["address"]
                assert view["address"].split("?")[0] == "/b"
                assert not {"next", "form"} & {each.split("=")[0] for each in view["address"][3:].split("&")}
                assert "\n" not in view["address"]
            for query in ("q=" + "x" * 501, "&".join(f"q={n}" for n in range(41))):
                assert (await send(c, "/views/save", name="v", query=query)).status_code == 400

    asyncio.run(go())


def test_a_name_is_text(store: Path, tmp_path: Path) -> None:
    """A hostile name is shown as text, or refused where it hides something."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down()
            for name in HOSTILE:
                answer = await send(c, "/views/save", name=name, query="q=a")
                assert answer.status_code == (
                    400 if any(ord(each) > 8000 or each == "\t" for each in name) else 303
                )
            page = (await c.get("/b")).text
            assert "<script>window" not in page
            assert "&lt;script&gt;window.hit=1" in page
            for name in ("", " ", "a" * 81):
                assert (await send(c, "/views/save", name=name, query="q=a")).status_code == 400

    asyncio.run(go())


def test_views_are_ones_own(store: Path, tmp_path: Path) -> None:
    """Nobody sees, replaces or drops those of another; what is not there, is dropped by nobody; there are so many and no more."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down("ann")
            await send(c, "/views/save", name="mine", query="q=a")
            c = await console.sit_down("bob")
            assert await saved(c) == []
            assert (await send(c, "/views/drop", name="mine", query="")).status_code == 404
            await send(c, "/views/save", name="mine", query="q=b")
            for n in range(MAX_VIEWS - 1):
                assert (await send(c, "/views/save", name=f"v{n}", query="q=b")).status_code == 303
            assert (await send(c, "/views/save", name="more", query="q=b")).status_code == 409
            assert (await send(c, "/views/save", name="more", old="mine", query="q=b")).status_code == 303
            c = await console.sit_down("ann", is_new=False)
            assert [each["address"] for each in await saved(c)] == ["/b?q=a"]

    asyncio.run(go())


def test_a_form_needs_its_page(store: Path, tmp_path: Path) -> None:
    """Without its token, or signed out, nothing is saved."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = console.browser
            assert (await c.post("/views/save", data={"name": "a", "query": ""})).status_code == 303
            c = await console.sit_down()
            assert (await c.post("/views/save", data={"name": "a", "query": ""})).status_code == 400
            assert await saved(c) == []

    asyncio.run(go())


def test_in_a_demonstration_too(store: Path, tmp_path: Path) -> None:
    """A visitor has views under the name that was given."""

    async def go() -> None:
        async with desk_console(store, tmp_path, is_demonstration=True) as console:
            c = await console.sit_down("Mara Lind", is_new=False)
            assert (await send(c, "/views/save", name="mine", query="q=a")).status_code == 303
            assert [each["name"] for each in await saved(c)] == ["mine"]

    asyncio.run(go())
