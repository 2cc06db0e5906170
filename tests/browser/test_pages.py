"""Every page in Chromium: axe-core finds nothing, the policy reports nothing, nothing overflows; without scripts it reads the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from schemas.parts import Area
from schemas.vocab import Certainty, Severity, Urgency
from tests.browser.conftest import Looker, Served, apart
from tests.support.consoles import HOSTILE, Speaker, fill, night
from tests.unit.bus.console.test_frame import PAGES

pytestmark = pytest.mark.browser
Theme = Literal["light", "dark"]
WIDTHS = (1440, 390)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CUT_S = 30
NAMES = (*PAGES, "bulletin", "text", "incidents", "incident", "missing", "nobody")
"""Every page, one bulletin, incidents and the one of that bulletin, an error, and the page to sign in."""


def paths(bulletin: str) -> dict[str, str]:
    """The path of each page by its name."""
    return {
        **PAGES,
        "bulletin": bulletin,
        "text": f"{bulletin}/text",
        "incidents": "/i",
        "incident": bulletin.replace("/b/", "/i/"),
        "missing": "/b/none",
        "nobody": "/sign-in",
    }


@pytest.fixture(
    params=[(theme, width) for theme in ("light", "dark") for width in WIDTHS], ids=lambda p: f"{p[0]}-{p[1]}"
)
def looker(request: pytest.FixtureRequest, chromium: Browser, served: Served) -> Iterator[Looker]:
    """Somebody who is signed in, with a theme and a width."""
    theme, width = request.param
    context = chromium.new_context(viewport={"width": width, "height": 1000}, color_scheme=theme)
    found = Looker(context, served.url)
    found.sign_in()
    yield found
    context.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds, as rule and element."""
    response = Axe().run(page, options=RULES).response
    return [
        f"{found['id']}: {node['target']} {node.get('failureSummary', '')}"
        for found in response["violations"]
        for node in found["nodes"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_every_page_is_sound(looker: Looker, bulletin: str) -> None:
    """In both themes and widths: axe-core finds nothing, nothing is reported, nothing is wider than the window."""
    found: dict[str, object] = {}
    for name, path in paths(bulletin).items():
        looker.said.clear()
        looker.go(path)
        expected = ["404"] if name == "missing" else []
        said = [line for line in looker.said if not any(code in line for code in expected)]
        for what, faults in (
            ("axe", violations(looker.page)),
            ("said", said),
            ("wider", overflow(looker.page)),
        ):
            if faults:
                found[f"{name} {what}"] = faults
    assert found == {}


def test_the_detectors_see_faults(looker: Looker) -> None:
    """A picture without words, an inline script, an inline style, a script from a string, an element that is too wide: each is seen."""
    looker.go("/system")
    looker.page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert any(each.startswith("image-alt") for each in violations(looker.page))
    looker.page.evaluate(
        "() => { const made = document.createElement('p'); made.textContent = 'x'; made.style.width = '4000px'; document.body.append(made); }"
    )
    assert overflow(looker.page) > 1000
    looker.said.clear()
    looker.page.evaluate(
        "() => { const made = document.createElement('script'); try { made.textContent = 'window.hit = 1'; } catch {} document.body.append(made); }"
    )
    looker.page.evaluate("() => document.body.setAttribute('style', 'color: red')")
    looker.page.evaluate(
        "() => { try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); } catch (e) { console.error(String(e)); } }"
    )
    assert len(looker.said) >= 3
    assert looker.page.evaluate("window.hit") is None


def test_words_that_attack_do_nothing(looker: Looker, served: Served) -> None:
    """On every page that shows them they are text, and the policy had nothing to refuse."""
    looker.go("/b?order=time&ended=1")
    shown = looker.page.locator(".row-link").all_inner_texts()
    assert sum(any(words[:8] in line for line in shown) for words in HOSTILE) >= 8
    links = [str(each.get_attribute("href")) for each in looker.page.locator(".row-link").all()]
    looker.said.clear()
    for path in links:
        looker.go(path)
        assert looker.page.evaluate("window.hit") is None
        assert looker.page.locator("main script, main img, main iframe, main style").count() == 0
    assert looker.said == []
    assert served.url in looker.page.url


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_every_page_reads_the_same(
    chromium: Browser, served: Served, bulletin: str, name: str
) -> None:
    """Signing in, reading and filtering need no JavaScript; what would need it is not offered."""
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    found = Looker(context, served.url)
    found.sign_in()
    found.go(paths(bulletin)[name])
    page = found.page
    assert page.locator("h1").first.inner_text()
    assert page.locator(".needs-js:visible").count() == 0
    assert "Live" not in page.locator("[data-live-text]").all_inner_texts()
    context.close()


def test_the_browser_checks_a_signature_by_itself(looker: Looker, bulletin: str) -> None:
    """From the signed bytes and the key; of altered bytes it says that they do not belong together."""
    looker.go(bulletin)
    looker.page.click("[data-verify]")
    verdict = looker.page.locator("[data-verdict]")
    expect(verdict).to_have_text(re.compile("^Verified in this browser"))

    def altered(route: Route) -> None:
        answer = route.fetch()
        content = answer.json()
        content["payload"] = content["payload"][:-4] + (
            "AAAA" if content["payload"][-4:] != "AAAA" else "BBBB"
        )
        route.fulfill(json=content)

    looker.page.route("**/signed.json", altered)
    looker.page.click("[data-verify]")
    expect(verdict).to_have_text(re.compile("^NOT verified"))


def test_new_bulletins_wait_behind_a_button(chromium: Browser, tmp_path: Path) -> None:
    """They move nothing: the button counts them, `n` shows them."""
    store = tmp_path / "store.db"
    speaker = Speaker("xa-csirt")
    first = [speaker.say("The first", 100)]
    apart(fill(store, first))
    served = Served(store)
    context = chromium.new_context()
    looker = Looker(context, served.url)
    looker.sign_in()
    looker.go("/b")
    expect(looker.page.locator("[data-live-text]")).to_have_text("Live")
    before = looker.page.locator(".row").count()
    apart(fill(store, [*first, speaker.say("The second", 50), speaker.say("The third", 40)]))
    expect(looker.page.locator("[data-fresh]")).to_have_text(re.compile("^2 new"))
    assert looker.page.locator(".row").count() == before
    assert looker.page.title().startswith("(2) ")
    looker.page.keyboard.press("n")
    expect(looker.page.locator(".row")).to_have_count(before + 2)
    context.close()
    served.stop()


COUNT_ALERTS = """() => {
  window.alertsHeard = 0;
  new BroadcastChannel("tocsin").addEventListener("message", ({ data }) => { window.alertsHeard += data.what === "alert"; });
}"""
"""A page that listens tells the other tabs what it has heard."""


def test_what_interrupts_counts_up_in_one_toast(chromium: Browser, tmp_path: Path) -> None:
    """Three grave bulletins of one incident: one toast after 20 s, which counts; nothing under the pointer moves."""
    store = tmp_path / "store.db"
    emb = Speaker("xa-emb", areas=(Area(scope="national", country="XA"),))
    first = emb.say("Network of accounts", 400)
    apart(fill(store, emb.made))
    served = Served(store)
    try:
        looker = Looker(chromium.new_context(), served.url)
        looker.page.clock.install()
        looker.sign_in()
        heard = looker.page.locator("[data-fresh]")
        made = [
            emb.say(text, 60, incident_id=first.bulletin.id, severity=Severity.EXTREME,
                    urgency=Urgency.IMMEDIATE, certainty=Certainty.OBSERVED)
            for text in ("False order closes polling places", "A second false order", "A third")
        ]  # fmt: skip
        looker.go("/b")
        expect(looker.page.locator("[data-live-text]")).to_have_text("Live")  # who comes later is not told
        looker.page.evaluate(COUNT_ALERTS)
        apart(fill(store, made))
        expect(heard).to_contain_text("3 new")
        looker.page.wait_for_function(
            "() => alertsHeard === 3"
        )  # as words it is evaluated by the page, whose policy forbids that
        toast = looker.page.locator(".toast")
        expect(toast).to_have_count(0)
        looker.page.clock.fast_forward(21_000)
        expect(toast).to_have_count(1)
        expect(toast).to_contain_text("and 2 more")
        looker.context.close()
    finally:
        served.stop()


def test_a_cut_line_is_said_within_half_a_minute(chromium: Browser, tmp_path: Path) -> None:
    """The page says from when it is, by another shape, too; what it says is announced."""
    store = tmp_path / "store.db"
    apart(fill(store, night()))
    served = Served(store)
    context = chromium.new_context()
    looker = Looker(context, served.url)
    looker.page.clock.install()
    looker.sign_in()
    expect(looker.page.locator("[data-live-text]")).to_have_text("Live")
    served.stop()
    looker.page.clock.run_for(CUT_S * 1000 - 5000)
    assert not looker.page.locator("[data-stale]").is_visible()
    looker.page.clock.run_for(10_000)
    looker.page.locator("[data-stale]").wait_for(state="visible")
    assert re.match(r"Not live since \d\d:\d\d:\d\d", looker.page.locator("[data-live-text]").inner_text())
    assert looker.page.locator(".live .s-silent").count() == 1
    assert "line to the hub is lost" in looker.page.locator("[data-announcer]").inner_text()
    context.close()


def test_the_keyboard_leads_everywhere(looker: Looker) -> None:
    """Rows, pages, the search and the palette; nothing acts while somebody types."""
    looker.go("/b")
    looker.page.keyboard.press("j")
    looker.page.keyboard.press("j")
    looker.page.keyboard.press("k")
    assert looker.page.evaluate("document.activeElement === document.querySelectorAll('.row-link')[0]")
    looker.page.keyboard.press("Enter")
    looker.page.wait_for_url("**/b/*")
    looker.page.keyboard.press("g")
    looker.page.keyboard.press("e")
    looker.page.wait_for_url("**/e")
    looker.page.keyboard.press("/")
    looker.page.keyboard.type("ge portals")
    looker.page.keyboard.press("Enter")
    looker.page.wait_for_url("**/b?q=ge+portals")
    looker.page.keyboard.press("Control+k")
    looker.page.keyboard.type("sys")
    looker.page.keyboard.press("Enter")
    looker.page.wait_for_url("**/system")


def test_keys_and_the_palette_act_and_what_was_turned_off_is_turned_on_again(
    chromium: Browser, served: Served, bulletin: str
) -> None:
    """An id and words lead somewhere, actions are those of the page; without single keys the switches are reached by a button."""
    context = chromium.new_context(viewport={"width": 390, "height": 900})
    looker = Looker(context, served.url)
    looker.sign_in()
    page, sheet = looker.page, looker.page.locator("#keys-dialog")

    def palette(words: str) -> None:
        page.keyboard.press("Control+k")
        page.keyboard.type(words)
        page.keyboard.press("Enter")

    looker.go("/system")
    palette(bulletin.removeprefix("/b/"))
    page.wait_for_url(f"**{bulletin}")
    palette("flood of")
    page.wait_for_url("**/b?q=flood%20of")
    group = page.request.get(f"{served.url}/b.json?priority=p2").json()["groups"][0]
    looker.go(f"/b/{group['rows'][0]['id']}")
    page.keyboard.press("s")
    assert page.evaluate("document.activeElement.name") == "end"
    looker.go("/help")
    for _ in ("turned off", "turned on"):
        page.get_by_role("button", name="Keys and sounds").last.click()
        sheet.locator("[data-keys-on]").click()
        sheet.get_by_role("button", name="Close").click()
        is_on = page.evaluate("document.querySelector('[data-keys-on]').checked")
        page.keyboard.press("?")
        assert sheet.is_visible() == is_on
    assert looker.said == []
    context.close()


def test_a_page_in_print_has_its_marking_and_a_line_to_sign(looker: Looker) -> None:
    """And neither navigation nor buttons."""
    looker.go("/b")
    looker.page.emulate_media(media="print")
    assert looker.page.locator(".marking").is_visible()
    assert looker.page.locator(".signature").is_visible()
    assert not looker.page.locator(".rail, .tabs, .top, .facets").locator("visible=true").count()
