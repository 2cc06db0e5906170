"""Pages in other languages in Chromium: 40 % longer they fit, scripts speak them, and axe-core finds nothing in letters that are not Latin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bus.console.voices import COOKIE, NAMES
from tests.browser.conftest import Looker, Served, apart
from tests.browser.test_pages import CUT_S, WIDTHS, overflow, paths, violations
from tests.browser.test_people import Staffed
from tests.browser.test_publish import HEADLINE, OFFICE, write
from tests.support import pseudo
from tests.support.consoles import Speaker, fill, night
from tests.support.desks import PASSWORD
from tests.unit.bus.console.test_languages import KNOWN

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def spoken(store: Path) -> Iterator[Served]:
    """A console that also speaks the language that nobody speaks."""
    made = Served(store, voices=pseudo.voices())
    yield made
    made.stop()


def reader(
    chromium: Browser,
    served: Served,
    tag: str,
    width: int = 1440,
    who: tuple[str, str, str] = ("Mara Lind", "", "/"),
) -> Looker:
    """Somebody who is signed in and has chosen a language."""
    context = chromium.new_context(viewport={"width": width, "height": 1000})
    context.add_cookies([{"name": COOKIE, "value": tag, "url": served.url}])
    found = Looker(context, served.url)
    found.sign_in(*who)
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("tag", [pseudo.TAG, "de", "el"])
def test_longer_texts_fit(chromium: Browser, spoken: Served, bulletin: str, tag: str, width: int) -> None:
    """With 40 % more no page is wider than its window; a script reports nothing."""
    looker = reader(chromium, spoken, tag, width)
    found: dict[str, object] = {}
    for name, path in paths(bulletin).items():
        looker.said.clear()
        looker.go(path)
        assert looker.page.evaluate("document.documentElement.lang") == tag
        expected = ["404"] if name == "missing" else []
        said = [line for line in looker.said if not any(code in line for code in expected)]
        if faults := [*said, *filter(None, [overflow(looker.page)])]:
            found[name] = faults
    looker.context.close()
    assert found == {}


WRITTEN = [HEADLINE, "Name of mara", "Name of tom", "Jonas Brekk", "Desk", "SHA-256"]
"""What people have written or are called on these pages."""


def english(looker: Looker, name: str) -> dict[str, object]:
    """What of a page is wider than its window, or still English."""
    found: dict[str, object] = {}
    if wider := overflow(looker.page):
        found[f"{name} wider"] = wider
    if words := pseudo.plain_words(looker.page.content(), KNOWN, WRITTEN):
        found[f"{name} words"] = words
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_of_people_feeds_and_approvals_stay_not_english(
    chromium: Browser, store: Path, width: int
) -> None:
    """Of an administrator, of who has feed addresses, and of a second person: longer texts fit, and none is English."""
    found: dict[str, object] = {}
    staffed, office = Staffed(store, voices=pseudo.voices()), Served(store, OFFICE, voices=pseudo.voices())
    try:
        for who, at, paths_of in (
            ("tom", "/", ("/me", "/feeds?list=/b.atom", "/feeds")),
            (
                "mara",
                "/people",
                ("/people", "/people/tom", "/people/mara", "/audit?verify=1", "/feeds", "/me"),
            ),
        ):
            looker = reader(chromium, staffed, pseudo.TAG, width, who=(who, PASSWORD, at))
            for path in paths_of:
                looker.go(path)
                found |= english(looker, f"{who} {path}")
                if "?list" in path:
                    looker.page.fill("#name", "Desk")
                    looker.follow("form[action^='/feeds/make'] button")
                    found |= english(looker, "shown once")
            looker.context.close()
        mara, jonas = (
            reader(chromium, office, pseudo.TAG, width, who=(name, "", "/"))
            for name in ("Mara Lind", "Jonas Brekk")
        )
        mara.go("/publish?kind=cyber-threat")
        write(mara)
        mara.page.fill('[id="f-observables.paste"]', "polls.example\nstrange")
        mara.page.click("button[name=paste]")
        found |= english(mara, "rows")
        mara.page.click('[value="observables.1"]')
        mara.follow("form#draft .btn.primary")
        mara.follow("form[action$='/ask'] button")
        jonas.go("/approvals")
        found |= english(jonas, "approvals")
        jonas.follow("main a[href^='/approvals/']")
        found |= english(jonas, "approval")
        mara.context.close()
        jonas.context.close()
    finally:
        staffed.stop()
        office.stop()
    assert found == {}


def test_axe_finds_nothing_in_greek(chromium: Browser, served: Served, bulletin: str) -> None:
    """On every page, at the width of a telephone."""
    looker = reader(chromium, served, "el", 390)
    found: dict[str, object] = {}
    for name, path in paths(bulletin).items():
        looker.go(path)
        if faults := violations(looker.page):
            found[name] = faults
    looker.context.close()
    assert found == {}


@pytest.mark.parametrize("scripts", [True, False])
def test_a_language_is_chosen_in_the_menu(chromium: Browser, served: Served, *, scripts: bool) -> None:
    """On the page to sign in and on every page, with scripts and without; one stays where one was."""
    context = chromium.new_context(java_script_enabled=scripts, viewport={"width": 1440, "height": 1000})
    looker = Looker(context, served.url)
    page = looker.page
    looker.go("/sign-in")
    page.select_option("#language", "et")
    looker.follow(".languages button")
    expect(page.locator("html")).to_have_attribute("lang", "et")
    page.fill("#name", "Mara Lind")
    looker.follow("button.primary")
    page.wait_for_url(f"{served.url}/")
    looker.go("/b?order=time")
    for tag in NAMES:
        page.select_option("#rail-language", tag)
        looker.follow(".rail .languages button")
        expect(page.locator("html")).to_have_attribute("lang", tag)
        assert page.url == f"{served.url}/b?order=time"
    context.close()


def test_scripts_speak_the_language_of_the_page(chromium: Browser, tmp_path: Path) -> None:
    """What is new is counted in its plural forms, a signature is checked, a cut line is told: none of it in English."""
    store = tmp_path / "store.db"
    speaker = Speaker("xa-csirt")
    first = [speaker.say("The first", 100)]
    apart(fill(store, first))
    served = Served(store)
    looker = reader(chromium, served, "fr")
    page = looker.page
    looker.go("/b")
    fresh = page.locator("[data-fresh]")
    expect(page.locator("[data-live-text]")).to_have_text("En direct")
    apart(fill(store, [*first, speaker.say("The second", 50)]))
    expect(fresh).to_have_text(re.compile("^1 nouveau, afficher"))
    apart(fill(store, [*first, speaker.say("The third", 40)]))
    expect(fresh).to_have_text(re.compile("^2 nouveaux, afficher"))
    expect(page.locator("[data-announcer]")).to_have_text("2 nouveaux. Appuyez sur n pour afficher.")
    page.keyboard.press("Control+k")
    page.keyboard.type("syst")
    expect(page.locator("[data-announcer]")).to_have_text("1 résultat")
    page.keyboard.press("Escape")
    looker.follow(".row-link")
    page.click("[data-verify]")
    expect(page.locator("[data-verdict]")).to_have_text(re.compile("^Vérifié dans ce navigateur"))
    assert page.locator("[data-verdict].verified").count() == 1
    looker.context.close()
    served.stop()


def test_a_cut_line_is_told_in_the_language_of_the_page(chromium: Browser, tmp_path: Path) -> None:
    """And what is due counts on in its units."""
    store = tmp_path / "store.db"
    apart(fill(store, night()))
    served = Served(store)
    context = chromium.new_context()
    context.add_cookies([{"name": COOKIE, "value": "el", "url": served.url}])
    looker = Looker(context, served.url)
    looker.page.clock.install()
    looker.sign_in()
    expect(looker.page.locator("[data-live-text]")).to_have_text("Ζωντανά")
    served.stop()
    looker.page.clock.run_for((CUT_S + 5) * 1000)
    looker.page.locator("[data-stale]").wait_for(state="visible")
    assert re.match(
        r"Όχι ζωντανά από τις \d\d:\d\d:\d\d", looker.page.locator("[data-live-text]").inner_text()
    )
    assert "σύνδεση με τον κόμβο χάθηκε" in looker.page.locator("[data-announcer]").inner_text()
    assert any("ώ." in each for each in looker.page.locator("[data-due]").all_inner_texts())
    context.close()


def test_an_alarm_that_interrupts_is_told_in_the_language_of_the_page(
    chromium: Browser, served: Served
) -> None:
    """By its code: what comes from the hub is the same for readers of every language."""
    looker = reader(chromium, served, "de")
    looker.page.clock.install()
    event = {"key": "x", "why": "", "priority": 1, "title": "xa-emb: silent", "address": "/channels"}
    alarm = {**event, "name": "xa-emb", "alarm": "silent"}
    body = f"event: alert\ndata: {json.dumps(alarm)}\n\n"
    looker.page.route("**/events**", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    looker.go("/system")
    looker.page.wait_for_timeout(500)
    looker.page.clock.run_for(21_000)
    expect(looker.page.locator(".toast")).to_contain_text("xa-emb schweigt")
    looker.context.close()
