"""Sheets of every page in each theme and width, beside a prototype: `python -m tests.browser.sheets --out FOLDER [--prototype FOLDER]`.

Without `--console` it serves an election night with drafts, notes and a handover; with it, a console that runs and asks for no
password, as that of `make demo`. People look at the sheets; nothing is compared by itself.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from html import escape
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from playwright.sync_api import Browser, BrowserContext, Error

from bus import desk
from bus.console import Reading, app
from bus.console.asking import Line
from bus.console.desks import DeskPeople
from bus.console.shield import Shield
from bus.console.voices import COOKIE, NAMES
from bus.desk import Role
from tests.browser.conftest import Looker, Served, apart, launched
from tests.support import desks
from tests.support.consoles import AUDIENCES, EVERYTHING, HUB, WORLD, fill, night, numbers
from tests.support.countries import audiences
from tests.support.desks import PASSWORD
from tests.support.world import DOMAIN, NOW, World, found

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
WIDTHS, WALL_WIDTH, PAPER_WIDTH = (1440, 390), 1920, 794
PLACES = {
    "picture": "/",
    "bulletins": "/b",
    "bulletins by time": "/b?order=time&ended=1",
    "bulletins, none": "/b?q=nothing-has-this",
    "bulletin": "/b/{bulletin}",
    "text": "/b/{bulletin}/text",
    "incidents": "/i",
    "incident": "/i/{incident}",
    "clocks": "/clocks",
    "channels": "/channels",
    "uptime": "/channels?show=uptime",
    "history": "/channels?show=history",
    "publish": "/publish",
    "writing": "/publish?kind=cyber-threat",
    "approvals": "/approvals",
    "elections": "/e",
    "election": "/e/{election}",
    "drills": "/drills",
    "drill": "/drills/{drill}",
    "handover": "/handover",
    "quarantine": "/quarantine",
    "feed addresses": "/feeds?list=/b.atom&q=flood",
    "system": "/system",
    "wall": "/wall",
    "account": "/me",
    "help": "/help",
    "fresh": "/fresh?next=/b",
    "missing": "/b/none",
}
"""Every page by its name; ids in braces are of what stands out."""
OF_ACCOUNTS = {
    "draft": "/publish/1",
    "approval": "/approvals/1",
    "people": "/people",
    "person": "/people/jonas",
    "audit": "/audit?verify=1",
}
"""Pages that a demonstration has not, or whose numbers are those of the night that is served here."""
PROTOTYPE = {
    "picture": "index.html",
    "bulletins": "bulletins.html",
    "bulletin": "bulletin.html",
    "incident": "incident.html",
    "clocks": "clocks.html",
    "channels": "channels.html",
    "writing": "publish.html",
    "elections": "elections.html",
    "drill": "drill.html",
    "quarantine": "quarantine.html",
    "system": "system.html",
    "wall": "wall.html",
}
"""The page of the prototype that answers the same question; the others stand alone."""


class Look(NamedTuple):
    """How a page is looked at: the way (`screen`, `forced-colours` or `print`), the theme, the width in pixels, the language."""

    way: str
    theme: Theme
    width: int
    language: str

    def context(self, chromium: Browser) -> BrowserContext:
        """A browser that looks like this."""
        return chromium.new_context(
            viewport={"width": self.width, "height": 1080 if self.width == WALL_WIDTH else 900},
            color_scheme=self.theme,
            forced_colors="active" if self.way == "forced-colours" else "none",
            reduced_motion="reduce",
        )

    def __str__(self) -> str:
        """For a caption and the name of a file."""
        way = "" if self.way == "screen" else f"-{self.way}"
        return f"{self.theme}-{self.width}{way}-{self.language}"


def _world() -> World:
    """The tests' world, in which the hub, which owes acknowledgements and answers, publishes what its CSIRT does."""
    records = dict(WORLD.registry.document.authorities)
    hub = records[HUB]
    says = (*hub.publish, *records["xa-csirt"].publish)
    records[HUB] = msgspec.structs.replace(hub, publish=says)
    return found(DOMAIN, records, audiences(), signers=WORLD.signers, transport=WORLD.nkeys, now=NOW)


class Staffed(Served):
    """A console with two people who may do everything."""

    async def prepare(self, held: desk.Desk) -> None:
        """Mara and Jonas."""
        for name in ("mara", "jonas"):
            await desks.add(
                held, name, *Role, at=NOW.timestamp(), ceiling=EVERYTHING.ceiling, audiences=AUDIENCES
            )

    def console(self, held: desk.Desk, reading: Reading, line: Line) -> Shield:
        """People sign in by a password."""
        hosts = (self.url.removeprefix("http://"),)
        return app(reading, DeskPeople(held, os.urandom), lambda: NOW, numbers(8), hub=line, hosts=hosts)


@contextmanager
def staffed(chromium: Browser) -> Iterator[str]:
    """The address of a console that serves an election night, at which people have worked."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.db"
        world = _world()
        apart(fill(store, night(), registry=world.registry))
        served = Staffed(store, world=world)
        try:
            looker = Looker(chromium.new_context(), served.url)
            looker.sign_in("mara", PASSWORD)
            _work(looker)
            looker.context.close()
            yield served.url
        finally:
            served.stop()


def _work(looker: Looker) -> None:
    """A draft with faults and one that waits for an approval, a note, a handover."""
    page = looker.page
    for headline, facts in (
        ("x" * 200, "titlex = 1"),
        ("A flood hits the results portal", ""),
    ):
        looker.go("/publish?kind=cyber-threat")
        page.fill("#f-headline", headline)
        page.fill("#f-summary", "Since 18:40 UTC. Sources in 192.0.2.0/24.")
        page.fill('[id="f-facts.title"]', "Flood")
        page.locator("details:has(#f-facts)").evaluate("(each) => { each.open = true; }")
        page.fill("#f-facts", facts)
        looker.follow(page.get_by_role("button", name="Save"))
    looker.follow(page.get_by_role("button", name="Ask for the approval"))
    looker.go(f"/b/{_ids(looker)['bulletin']}")
    page.locator("details:has(#note) summary").click()
    page.fill("#note", "The ministry asks for it in writing.")
    looker.follow("form:has(#note) button")
    looker.go("/handover")
    page.fill("#words", "Telephone XB at 21:00.")
    looker.follow(page.get_by_role("button", name="Hand over"))


def _ids(looker: Looker) -> dict[str, str]:
    """The bulletin that stands out, and the first incident, election and exercise; `none` where there is none."""

    def first(path: str, listed: str) -> Any:
        return next(iter(looker.page.request.get(f"{looker.url}{path}.json").json()[listed]), {})

    return {
        "bulletin": first("/picture", "top").get("id", "none"),
        "incident": first("/i", "incidents").get("id", "none"),
        "election": first("/e", "elections").get("standing", {}).get("election", "none"),
        "drill": first("/drills", "exercises").get("id", "none"),
    }


def shot(looker: Looker, address: str, look: Look) -> bytes:
    """A picture of a whole page, with its letters loaded."""
    page = looker.page
    page.emulate_media(media="print" if look.way == "print" else "screen", color_scheme=look.theme)
    page.goto(address)
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready.then(() => true)")
    return page.screenshot(full_page=True, animations="disabled")


def sheet(chromium: Browser, caption: str, pictures: Sequence[tuple[str, bytes]]) -> bytes:
    """Pictures beside each other, each with its name, below a caption."""
    columns = "".join(
        f"<figure><figcaption>{escape(name)}</figcaption><img src='data:image/png;base64,{base64.b64encode(each).decode()}'></figure>"
        for name, each in pictures
    )
    page = chromium.new_page(viewport={"width": 400, "height": 300})
    page.set_content(
        "<!doctype html><style>body{margin:16px;font:16px sans-serif;width:max-content;background:#888}"
        "main{display:flex;gap:16px;align-items:start}figure{margin:0}figcaption{padding:8px;background:#fff}img{display:block}</style>"
        f"<h1>{escape(caption)}</h1><main>{columns}</main>"
    )
    made = page.locator("body").screenshot()
    page.close()
    return made


def index(out: Path, files: Sequence[str]) -> None:
    """The page that leads to every sheet."""
    links = "".join(f"<li><a href='{escape(each)}'>{escape(each)}</a></li>" for each in files)
    out.joinpath("index.html").write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Sheets</title><h1>Sheets</h1><ul>{links}</ul></html>",
        "utf-8",
    )


def looks(given: argparse.Namespace) -> Iterator[Look]:
    """Every way to look at a page. Paper and forced colours have no theme of the page's own, and paper has one width."""
    if given.way == "print":
        yield Look(given.way, "light", PAPER_WIDTH, given.language)
        return
    for theme, width in product(THEMES, (*WIDTHS, WALL_WIDTH)):
        yield Look(given.way, theme, width, given.language)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheets. Returns 1 where a page could not be shown."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.sheets", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the sheets")
    parser.add_argument("--prototype", type=Path, help="folder with the pages of a prototype")
    parser.add_argument(
        "--console", default="", help="address of a console that runs and asks for no password"
    )
    parser.add_argument("--language", choices=tuple(NAMES), default="en")
    parser.add_argument("--way", choices=("screen", "forced-colours", "print"), default="screen")
    parser.add_argument("--only", nargs="*", help="names of pages")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    places = PLACES if given.console else PLACES | OF_ACCOUNTS
    files: list[str] = []
    failed = 0
    with ExitStack() as stack:
        chromium = stack.enter_context(launched())
        url = given.console.rstrip("/") or stack.enter_context(staffed(chromium))
        for look in looks(given):
            context = look.context(chromium)
            context.add_cookies([{"name": COOKIE, "value": look.language, "url": url}])
            looker = Looker(context, url)
            looker.sign_in("mara", "" if given.console else PASSWORD)
            ids = _ids(looker)
            for name, path in places.items():
                if (given.only and name not in given.only) or (look.width == WALL_WIDTH and name != "wall"):
                    continue
                theirs = given.prototype / PROTOTYPE[name] if given.prototype and name in PROTOTYPE else None
                try:
                    pictures = [("console", shot(looker, url + path.format(**ids), look))]
                    if theirs is not None:
                        pictures.append(("prototype", shot(looker, theirs.resolve().as_uri(), look)))
                except Error as problem:
                    sys.stderr.write(f"{name}, {look}: {problem}\n")
                    failed += 1
                    continue
                files.append(f"{name.replace(' ', '-').replace(',', '')}-{look}.png")
                given.out.joinpath(files[-1]).write_bytes(sheet(chromium, f"{name}, {look}", pictures))
            context.close()
    index(given.out, sorted(files))
    sys.stdout.write(f"{len(files)} sheets: {given.out / 'index.html'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
