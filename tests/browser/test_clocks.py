"""Clocks in an open page: one that is too late moves and it is said; what is one person's interrupts once, in one tab."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bus.hub.picture import clocked, open_store, ringing
from schemas.bodies.coordination import Rfi
from schemas.parts import Area
from schemas.vocab import Certainty, Severity, Urgency
from tests.browser.conftest import Looker, Served, apart
from tests.support.consoles import HUB, WORLD, Speaker, fill
from tests.support.world import NOW

pytestmark = pytest.mark.browser
HOUR = dt.timedelta(hours=1)
HOME = (Area(scope="national", country="XA"),)
LAW = clocked.law_of(lambda: WORLD.registry, HUB)


async def later(path: Path, now: dt.datetime) -> None:
    """A hub looks at its clocks, at another time."""

    def work(db: sqlite3.Connection) -> bool:
        return ringing.advance(db, LAW(), now)

    async with open_store(path, hold_s=0.0) as store:
        while await store.write(work):
            pass


def test_a_clock_that_is_too_late_moves_on_an_open_page(chromium: Browser, tmp_path: Path) -> None:
    """To the others that are, in another shape, with the counts; a page that does not show it counts a change."""
    store, speaker = tmp_path / "store.db", Speaker("xb-csirt", areas=HOME)
    for text, hours in (("Who saw the order?", 1), ("Which servers?", 2)):
        speaker.say(text, 600.0, body=Rfi(question=text, respond_by=NOW + hours * HOUR, to=("csirt", HUB)))
    apart(fill(store, speaker.made))
    served = Served(store)
    context = chromium.new_context()
    try:
        looker, other = Looker(context, served.url), Looker(context, served.url)
        looker.sign_in()
        looker.go("/clocks")
        page = looker.page
        expect(page.locator("[data-live-text]")).to_have_text("Live")
        other.go("/system")  # it hears from the first tab, which listens for all
        expect(page.locator("[data-late]")).to_be_hidden()
        assert "Answer a request for information" in page.locator(".clock-title").first.inner_text()
        assert "CSIRT" in page.locator(".clock-who").first.inner_text()
        assert "rfi" not in page.locator("main").inner_text()
        apart(later(store, NOW + HOUR + dt.timedelta(minutes=1)))
        expect(page.locator("[data-late] .clock")).to_have_count(1)
        expect(page.locator("[data-late]")).to_be_visible()
        expect(page.locator("[data-late] .s-fail")).to_have_count(1)
        expect(page.locator("[data-announcer]")).to_have_text("Too late: Answer a request for information")
        expect(page.locator("[data-clocks] .clock")).to_have_count(2)
        assert page.locator(".panel-meta").all_inner_texts() == ["1", "1"]
        expect(other.page.locator("[data-announcer]")).to_contain_text("1 changed")
        assert looker.said == []
    finally:
        context.close()
        served.stop()


def test_what_is_to_be_acknowledged_interrupts_once(chromium: Browser, tmp_path: Path) -> None:
    """In the first tab that is looked at; not in another, and not when a page is loaded anew. A wall screen takes it from nobody."""
    store, speaker = tmp_path / "store.db", Speaker("xb-csirt", areas=HOME)
    speaker.say(
        "The order is false",
        4 * 3600.0,
        severity=Severity.SEVERE,
        urgency=Urgency.IMMEDIATE,
        certainty=Certainty.OBSERVED,
    )
    apart(fill(store, speaker.made, now=NOW - 3.5 * HOUR))
    served = Served(store)
    context = chromium.new_context()
    try:
        looker = Looker(context, served.url)
        looker.page.clock.install()
        looker.sign_in()
        other, wall = Looker(context, served.url), Looker(context, served.url)
        other.page.clock.install()
        wall.page.clock.install()
        wall.go("/wall")
        looker.go("/b")
        expect(looker.page.locator("[data-live-text]")).to_have_text("Live")
        other.go("/b")
        looker.page.bring_to_front()
        wall.page.clock.run_for(21_000)
        looker.page.clock.run_for(21_000)
        expect(looker.page.locator(".toast")).to_contain_text("Acknowledge soon: The order is false")
        other.page.clock.run_for(21_000)
        expect(other.page.locator(".toast")).to_have_count(0)
        looker.go("/b")
        expect(other.page.locator("[data-live-text]")).to_have_text(
            "Live"
        )  # it listens now, and is told again
        for each in (looker, other):
            each.page.clock.run_for(21_000)
            expect(each.page.locator(".toast")).to_have_count(0)
    finally:
        context.close()
        served.stop()
