"""A console that serves an election night, and a Chromium that looks at it. What its pages report is collected, and must be nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from bus import desk
from bus.console import Demonstration, Reading, app
from bus.console.asking import Line
from bus.console.shield import Shield
from bus.console.voices import Voices
from tests.support import consoles
from tests.support.consoles import EVERYTHING, fill, night, numbers, shelf
from tests.support.signing import signing
from tests.support.waiting import eventually_sync
from tests.support.world import NOW, World

T = TypeVar("T")


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: in that of a test playwright has a loop that runs."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


class Served:
    """A console in a thread of its own."""

    def __init__(
        self,
        store: Path,
        authority: str = consoles.HUB,
        voices: Voices | None = None,
        world: World = consoles.WORLD,
    ) -> None:
        """Serve a store, as the console of an authority of a world whose hub signs, in these languages."""
        self.store, self.authority, self.voices, self.world = store, authority, voices, world
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        eventually_sync(lambda: self._server is not None and self._server.started)

    async def _serve(self) -> None:
        file = self.store.with_name(f"desk-{self._socket.getsockname()[1]}.db")
        async with (
            desk.Desk.open(file, os.urandom) as held,
            Reading.open(
                self.store, shelf(authority=self.authority, registry=lambda: self.world.registry)
            ) as reading,
            signing(file.with_suffix(""), self.world, self.authority) as line,
        ):
            await self.prepare(held)
            config = uvicorn.Config(
                self.console(held, reading, line), log_config=None, ws="none", timeout_graceful_shutdown=1
            )
            self._server = uvicorn.Server(config)
            await self._server.serve(sockets=[self._socket])
            # An end that is forced leaves this out, and the application would be cut off in the middle.
            await self._server.lifespan.shutdown()

    async def prepare(self, held: desk.Desk) -> None:
        """Nobody is added."""

    def console(self, held: desk.Desk, reading: Reading, line: Line) -> Shield:
        """What is served: everybody is signed in who gives a name."""
        people = Demonstration(EVERYTHING, numbers(), consoles.ALL_OF_CONTENT, held)
        return app(
            reading,
            people,
            lambda: NOW,
            numbers(8),
            hub=line,
            hosts=(self.url.removeprefix("http://"),),
            voices=self.voices,
        )

    def stop(self) -> None:
        """End it; its lines break."""
        assert self._server is not None
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()


LEFT = "net::ERR_ABORTED"
"""What Chromium says of a request whose page was left meanwhile, the stream of events above all."""


class Looker:
    """A person at a browser.

    Attributes:
        page: the tab.
        said: what the page has reported: errors of scripts, refusals by the policy, what does not load.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        """Open a tab."""
        self.context, self.url = context, url
        self.said: list[str] = []
        self.page: Page = context.new_page()
        self.page.on(
            "console", lambda each: self.said.append(each.text) if each.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda each: self.said.append(str(each)))
        self.page.on(
            "requestfailed",
            lambda each: self.said.append(f"failed: {each.url}") if each.failure != LEFT else None,
        )

    def sign_in(self, name: str = "Mara Lind", password: str = "", at: str = "/") -> None:
        """Sign in by the page, and come to where one begins."""
        self.page.goto(f"{self.url}/sign-in")
        self.page.fill("#name", name)
        if password:
            self.page.fill("#password", password)
        self.follow("button.primary")
        self.page.wait_for_url(f"{self.url}{at}")

    def follow(self, what: str | Locator) -> None:
        """Click a link or a button that leads to a page, and wait until that page is there: a click alone does not."""
        with self.page.expect_navigation():
            (self.page.locator(what) if isinstance(what, str) else what).first.click()

    def go(self, path: str) -> None:
        """Look at a page."""
        self.page.goto(f"{self.url}{path}")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an election night."""
    path = tmp_path_factory.mktemp("browser") / "store.db"
    apart(fill(path, night()))
    return path


@pytest.fixture(scope="session")
def served(store: Path) -> Iterator[Served]:
    """A console over it."""
    made = Served(store)
    yield made
    made.stop()


@contextmanager
def launched() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is not here (Debian: apt-get install chromium)")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of all tests."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def bulletin(served: Served) -> str:
    """The path of the bulletin that stands out."""

    async def go() -> str:
        async with consoles.signed_in(served.store) as client:
            return f"/b/{(await client.get('/picture.json')).json()['top'][0]['id']}"

    return apart(go())
