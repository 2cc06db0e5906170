"""One walk without a mouse, over whole programs: from signing in at one hub to an update that has reached the other country's hub."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.keyboard import SLOW_MS, Keyboard, published
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.browser
TOCSIN = Path(sys.executable).parent / "tocsin"
SITE = "polls-xa.example"
DRAFT = """tlp = "green"
audience = "community"
severity = "severe"
urgency = "immediate"
certainty = "observed"
dimensions = ["electoral-process", "disinformation"]
[election]
id = "{election}"
type = "parliamentary"
phase = "campaign"
[[areas]]
scope = "national"
country = "{country}"
[[info]]
lang = "en"
headline = "{headline}"
summary = "The page {site} copies the site of the Electoral Commission and names another day."
instruction = "Block the page; do not link to it."
[[observables]]
type = "domain-name"
value = "{site}"
personal = "none"
actionable = true
[body]
kind = "cyber-threat"
title = "Cloned site"
"""
FIRST, SECOND = "Cloned site gives a false polling date for XA", "The same cloned site is advertised in XB"
OWN, UPDATED = "Seven offices on duty in XA, one matter open", "Seven offices on duty in XA, nothing open"


class Demonstration:
    """`tocsin demo` as a program, without its story."""

    def __init__(self, folder: Path) -> None:
        """Start it, and wait until both consoles answer."""
        self.folder = folder / "demo"
        self._said = folder / "said.txt"
        words: list[str | Path] = [TOCSIN, "demo", "--dir", self.folder, "--no-browser", "--no-story"]
        with self._said.open("wb") as out:
            env = {**os.environ, "TOCSIN_CONSOLE": ""}
            self._program = subprocess.Popen(words, stdout=out, stderr=out, env=env)
        eventually_sync(lambda: len(self.consoles) == 2, describe=self._said.read_text)

    @property
    def consoles(self) -> dict[str, str]:
        """Where each console answers, by the hub."""
        return dict(re.findall(r"^(\S+) console: (http://\S+)/$", self._said.read_text(), re.MULTILINE))

    def publish(self, context: str, headline: str, country: str) -> None:
        """Publish as an office, at the command line."""
        year = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
        file = self.folder.parent / "walk.toml"
        file.write_text(
            DRAFT.format(headline=headline, country=country, site=SITE, election=f"xa-parl-{year.year}")
        )
        done = subprocess.run(
            [TOCSIN, "--context", context, "publish", file],
            env={**os.environ, "TOCSIN_HOME": str(self.folder)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def close(self) -> None:
        """End it."""
        self._program.terminate()
        self._program.wait()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A demonstration in which two offices have spoken of one site."""
    made = Demonstration(tmp_path_factory.mktemp("walk"))
    made.publish("xa-csirt", FIRST, "XA")
    made.publish("xb-csirt", SECOND, "XB")
    yield made
    made.close()


def test_a_walk_without_a_mouse(chromium: Browser, shown: Demonstration) -> None:
    """See what is new, filter, rely on it, check it, join it, acknowledge, answer; then update one's own with a second person."""
    own, other = shown.consoles["xa-hub"], shown.consoles["xb-hub"]
    ada = Keyboard(chromium, own, "Ada First")
    page = ada.page
    # What is new, then the list by election and subject.
    expect(page.locator("#since")).to_have_text("In the last hour")
    expect(page.get_by_role("link", name=FIRST).first).to_be_visible()
    ada.press("g", "b")
    page.wait_for_url(re.compile("/b$"))
    year = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
    ada.press("/")
    ada.type(f"election:xa-parl-{year.year} dimension:disinformation country:XA")
    ada.press("Enter")
    page.wait_for_url(re.compile(r"/b\?q="))
    expect(page.locator(".row-link")).to_have_count(1)
    ada.press("j", "Enter")
    page.wait_for_url(re.compile("/b/[0-9a-f-]+$"))
    first = page.url
    expect(page.locator("h1")).to_have_text(FIRST)
    # Why it is trusted, and checked by the browser itself.
    assert page.locator("section:has(#why) .steps li").count() >= 5
    ada.activate("button", "Check here")
    expect(page.locator("[data-verdict]")).to_contain_text("belong together", timeout=SLOW_MS)
    # Acknowledge and answer: the hub signs.
    ada.press("a")
    expect(page.locator("section:has(#ours)")).to_contain_text("Ada First has read it")
    expect(page.locator("section:has(#ours)")).to_contain_text("The receipt to its author is signed.")
    ada.activate("summary", "Answer it")
    ada.reach(page.get_by_label("What the answer says"))
    page.keyboard.type("False")
    ada.fill("In a sentence", "The page belongs to a test of the Commission.")
    ada.activate("button", "Sign and send")
    page.wait_for_url(re.compile("#others$"))

    def answered() -> bool:
        page.goto(first)
        return "belongs to a test of the Commission" in page.locator("section:has(#others)").inner_text()

    eventually_sync(answered)
    # Join it to the incident.
    page.goto(first.replace("/b/", "/i/"))
    ada.activate("button", re.compile(f"^It belongs to it: {SECOND}"))
    decided = page.get_by_role("region", name="Decisions")
    expect(decided).to_contain_text(f"Belongs {SECOND}")
    expect(decided).to_contain_text("Ada First")
    # One's own bulletin, then its update, each with a second person.
    jonas = Keyboard(chromium, own, "Jonas Second")
    ada.page.goto(f"{own}/publish?kind=situation-report")
    start = dt.datetime.now(dt.UTC).replace(microsecond=0)
    ada.fill("Headline", OWN)
    ada.fill("What is known, and what is not", "All seven offices answer the telephone.")
    ada.fill("Period from (needed)", f"{start - dt.timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}")
    ada.fill("Period until (needed)", f"{start:%Y-%m-%dT%H:%M:%SZ}")
    ada.choose(page.get_by_label("Alert level (needed)"), "heightened")
    ada.activate("button", "Add one")
    ada.choose(page.get_by_label("Dimension (needed)"), "electoral-process")
    ada.fill("Incidents (needed)", "1")
    published(ada, jonas)
    ada.activate("link", "The bulletin")
    expect(page.locator("h1")).to_have_text(OWN)
    ada.activate("link", re.compile("^Update"))
    ada.fill("Headline", UPDATED)
    published(ada, jonas)
    ada.activate("link", "The bulletin")
    expect(page.locator("h1")).to_have_text(UPDATED)
    # It has reached the other country's hub.
    eva = Keyboard(chromium, other, "Eva Elsewhere")
    path = page.url.removeprefix(own)

    def reached() -> bool:
        eva.page.goto(f"{other}{path}")
        return eva.page.locator("h1").inner_text() == UPDATED

    eventually_sync(reached)
    for each in (ada, jonas, eva):
        each.context.close()
