"""People, accounts and wall screens in Chromium: the pages are sound in each theme and width, and need no JavaScript."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bus import desk
from bus.console import Reading, app
from bus.console.asking import Line
from bus.console.desks import DeskPeople
from bus.console.shield import Shield
from bus.desk import Role
from tests.browser.conftest import Looker, Served
from tests.browser.test_pages import WIDTHS, overflow, violations
from tests.support import desks
from tests.support.consoles import EVERYTHING, numbers
from tests.support.desks import PASSWORD
from tests.support.world import NOW

pytestmark = pytest.mark.browser
PEOPLE = (
    "/people",
    "/people/tom",
    "/people/mara",
    "/audit?verify=1",
    "/me",
    "/fresh?next=/people",
    "/system",
    "/wall/begin?key=x",
)
NEW = "nine green boats on a lake"


class Staffed(Served):
    """A console with accounts."""

    async def prepare(self, held: desk.Desk) -> None:
        """An administrator and a duty officer."""
        for name, role in (("mara", Role.ADMINISTRATOR), ("tom", Role.DUTY)):
            await desks.add(held, name, role, at=NOW.timestamp(), ceiling=EVERYTHING.ceiling)

    def console(self, held: desk.Desk, reading: Reading, line: Line) -> Shield:
        """People sign in by a password."""
        hosts = (self.url.removeprefix("http://"),)
        people = DeskPeople(held, os.urandom)
        return app(reading, people, lambda: NOW, numbers(8), hub=line, hosts=hosts, voices=self.voices)


@pytest.fixture(scope="module")
def staffed(store: Path) -> Iterator[Served]:
    """A console with accounts: an administrator and a duty officer."""
    made = Staffed(store)
    yield made
    made.stop()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_of_people_is_sound(chromium: Browser, staffed: Served, theme: str, width: int) -> None:
    """As an administrator and as a duty officer; a form that was refused, too, and an address that is shown once."""
    found: dict[str, object] = {}

    def check(name: str) -> None:
        said = [line for line in looker.said if "400" not in line]
        faults = (violations(looker.page), said, overflow(looker.page))
        if any(faults):
            found[name] = faults
        looker.said.clear()

    for who, at, paths in (("mara", "/people", PEOPLE), ("tom", "/", ("/me", "/fresh"))):
        context = chromium.new_context(
            viewport={"width": width, "height": 1000}, color_scheme="dark" if theme == "dark" else "light"
        )
        looker = Looker(context, staffed.url)
        looker.sign_in(who, PASSWORD, at)
        for path in paths:
            looker.go(path)
            check(f"{who} {path}")
        if who == "mara":
            looker.go("/people")
            looker.page.fill("#add-id", "X")
            looker.page.fill("#add-name", "Somebody")
            looker.follow("form[action='/people/add'] button")
            expect(looker.page.get_by_role("alert")).to_contain_text("An id has 2 to 40 small letters")
            check("refused")
        else:
            looker.page.goto(f"{staffed.url}/me")
            looker.follow("form[action='/me/wall'] button")
            expect(looker.page.locator("#handed")).to_contain_text("/wall/begin?key=")
            check("shown once")
        context.close()
    assert found == {}


def test_a_person_is_added_without_scripts_and_comes_in(chromium: Browser, staffed: Served) -> None:
    """Added, given a token, the password set, signed in; then set aside, and out at once."""
    office, home = (chromium.new_context(java_script_enabled=False) for _ in range(2))
    administrator, newcomer = Looker(office, staffed.url), Looker(home, staffed.url)
    administrator.sign_in("mara", PASSWORD, "/people")
    page = administrator.page
    page.fill("#add-id", "new")
    page.fill("#add-name", "New Person")
    administrator.follow("form[action='/people/add'] button")
    page.wait_for_url(f"{staffed.url}/people/new")
    administrator.follow("form[action='/people/new/token'] button")
    newcomer.page.goto(page.locator("#handed").inner_text())
    for name in ("password", "again"):
        newcomer.page.fill(f"#{name}", NEW)
    newcomer.follow("button.primary")
    newcomer.sign_in("new", NEW)
    expect(newcomer.page.locator(".rail")).not_to_contain_text("People")
    page.goto(f"{staffed.url}/people/new")
    page.click("text=Set this person aside")
    administrator.follow("form[action='/people/new/disable'] button")
    expect(page.get_by_text("This person cannot sign in")).to_be_visible()
    newcomer.page.reload()
    assert "/sign-in" in newcomer.page.url
    office.close()
    home.close()


def test_a_screen_becomes_a_wall(chromium: Browser, staffed: Served) -> None:
    """From the address that a duty officer has made; it is live and shows nothing else."""
    desk, screen = (chromium.new_context() for _ in range(2))
    officer = Looker(desk, staffed.url)
    officer.sign_in("tom", PASSWORD)
    officer.go("/me")
    officer.follow("form[action='/me/wall'] button")
    wall = Looker(screen, staffed.url)
    wall.page.goto(officer.page.locator("#handed").inner_text())
    wall.follow("button.primary")
    wall.page.wait_for_url(f"{staffed.url}/wall")
    expect(wall.page.locator("[data-live-text]")).to_have_text("Live")
    wall.page.goto(f"{staffed.url}/b")
    expect(wall.page.get_by_role("heading", level=1)).to_contain_text("A wall screen shows")
    desk.close()
    screen.close()
