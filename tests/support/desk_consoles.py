"""A console whose people are in a desk's file: who sits down is added, sets a password, and signs in by the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from bus.console import Demonstration, People, Reading, app
from bus.console.desks import DeskPeople
from bus.desk import Desk, Role
from schemas.vocab import Tlp
from tests.support.consoles import AUDIENCES, EVERYTHING, HOST, form_of, numbers, shelf
from tests.support.desks import PASSWORD, invite, open_desk
from tests.support.world import NOW


class Console:
    """A console with its desk, and one browser."""

    def __init__(self, desk: Desk, browser: httpx.AsyncClient) -> None:
        self.desk, self.browser = desk, browser

    async def sit_down(
        self,
        name: str = "ann",
        *roles: Role,
        ceiling: Tlp = Tlp.RED,
        audiences: Iterable[str] = AUDIENCES,
        is_new: bool = True,
    ) -> httpx.AsyncClient:
        """Somebody signs in at the browser, in the place of who was there; a new person is added first."""
        c = self.browser
        if is_new:
            at = NOW.timestamp()
            setup = await invite(
                self.desk, name, *(roles or (Role.READER,)), at=at, ceiling=ceiling, audiences=audiences
            )
            await self.desk.set_first_password(setup, PASSWORD, at, "192.0.2.7")
        c.cookies.clear()
        data = {
            "form": form_of((await c.get("/sign-in")).text),
            "name": name,
            "password": PASSWORD,
            "next": "/",
        }
        answer = await c.post("/sign-in", data=data)
        assert answer.status_code == 303, answer.text
        return c


@asynccontextmanager
async def desk_console(
    store: Path,
    folder: Path,
    *,
    clock: Callable[[], dt.datetime] = lambda: NOW,
    is_demonstration: bool = False,
) -> AsyncIterator[Console]:
    """A console over a store and a desk in a folder."""
    async with open_desk(folder) as desk, Reading.open(store, shelf()) as reading:
        people: People = DeskPeople(desk, numbers())
        if is_demonstration:
            people = Demonstration(EVERYTHING, numbers(), ("analyst",), desk)
        made = app(reading, people, clock, numbers(8), hosts=(HOST,))
        transport = httpx.ASGITransport(app=made, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as browser:
            yield Console(desk, browser)
