"""Publish and Approvals in Chromium, at the console of an agency that signs beside its own outbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Looker, Served
from tests.browser.keyboard import SLOW_MS, Keyboard, published
from tests.browser.test_pages import WIDTHS, overflow, violations
from tests.support.consoles import HOSTILE

pytestmark = pytest.mark.browser
OFFICE = "xa-csirt"
HEADLINE = "A flood of requests hits the results portal"


@pytest.fixture(scope="module")
def office(store: Path) -> Iterator[Served]:
    """The console of an agency."""
    made = Served(store, OFFICE)
    yield made
    made.stop()


def write(looker: Looker, headline: str = HEADLINE) -> None:
    """Fill in a draft without a fault."""
    looker.page.fill("#f-headline", headline)
    looker.page.fill("#f-summary", "Since 18:40 UTC. Sources in 192.0.2.0/24.")
    looker.page.fill('[id="f-facts.title"]', "Flood")


def write_toml(looker: Looker, text: str) -> None:
    """Fill in the facts that no field can say."""
    looker.page.locator("details:has(#f-facts)").evaluate("(each) => { each.open = true; }")
    looker.page.fill("#f-facts", text)


def press(looker: Looker, words: str) -> None:
    """Press a button that sends a form."""
    looker.follow(looker.page.get_by_role("button", name=words))


LISTS = (
    "info", "actions", "references", "personal_data", "attribution", "actors", "targets", "legal", "deadlines", "things", "places", "ballot", "co_issuers",
)  # fmt: skip


@pytest.fixture(scope="module")
def paths(chromium: Browser, office: Served) -> dict[str, str]:
    """Pages with something on them: a draft with faults, one that waits for an approval, one that is published, an update of it."""
    context = chromium.new_context()
    mara, jonas = Looker(context, office.url), Looker(chromium.new_context(), office.url)
    mara.sign_in()
    jonas.sign_in("Jonas Brekk")
    made = {"drafts": "/publish", "empty form": "/publish?kind=fimi"}
    for name, headline in (("faulty", "x" * 200), ("published", HEADLINE), ("waiting", HEADLINE)):
        mara.go("/publish?kind=cyber-threat")
        write(mara, headline)
        if name == "faulty":
            write_toml(mara, 'titlex = "Flood"\nmalware = 5')
            mara.page.fill('[id="f-observables.paste"]', "hxxps://evil[.]example/x\n192.0.2.41")
            mara.page.locator("details.folded").evaluate_all(
                "(all) => all.forEach((each) => { each.open = true; })"
            )
            for list_ in LISTS:
                mara.page.click(f"[data-add={list_}]")
                mara.page.fill(f"[data-rows={list_}] input[type=text] >> nth=0", "x")
            for list_ in ("confidence", "rights", "links", "media_checks"):
                mara.page.click(f"[data-add={list_}]")
                mara.page.locator(f"[data-rows={list_}] select >> nth=1").select_option(index=1)
        press(mara, "Save")
        made[name] = mara.page.url.removeprefix(office.url)
        if name == "faulty":
            continue
        press(mara, "Ask for the approval")
        jonas.go("/approvals")
        jonas.follow(jonas.page.get_by_role("link", name="Read"))
        made["approval" if name == "waiting" else "approved"] = jonas.page.url.removeprefix(office.url)
        if name == "published":
            press(jonas, "Approve exactly this")
            mara.page.reload()
            press(mara, "Sign and publish")
    made["approvals"] = "/approvals"
    mara.context.close()
    jonas.context.close()
    return made


APPROVER = frozenset({"approval", "approvals"})
"""Pages at which an approver looks; at the others who has written."""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_of_drafts_are_sound(
    chromium: Browser, office: Served, paths: dict[str, str], theme: str, width: int
) -> None:
    """For who writes and for who approves: axe-core finds nothing, nothing is reported, nothing is wider than the window."""
    found: dict[str, object] = {}
    for name, mine in (("Mara Lind", paths.keys() - APPROVER), ("Jonas Brekk", APPROVER)):
        context = chromium.new_context(
            viewport={"width": width, "height": 1000}, color_scheme="dark" if theme == "dark" else "light"
        )
        looker = Looker(context, office.url)
        looker.sign_in(name)
        for what in sorted(mine):
            looker.said.clear()
            looker.go(paths[what])
            for detail in looker.page.locator("main details").all():
                detail.evaluate("(each) => { each.open = true; }")
            faults = {"axe": violations(looker.page), "said": [*looker.said], "wider": overflow(looker.page)}
            found |= {f"{what} {kind}": each for kind, each in faults.items() if each}
        context.close()
    assert found == {}


def test_rules_live_beside_what_is_typed(chromium: Browser, office: Served) -> None:
    """A second after the last key: what is wrong stands beside its field and is announced; so does who would read it. Nothing is saved."""
    context = chromium.new_context()
    looker = Looker(context, office.url)
    looker.sign_in()
    looker.go("/publish")
    before = looker.page.locator("#drafts ~ *").count()
    looker.go("/publish?kind=cyber-threat")
    write(looker)
    expect(looker.page.locator("[data-checks]")).to_contain_text("It breaks no rule, and a grant permits it.")
    expect(looker.page.locator("[data-reader-count]")).to_have_text("2 readers")
    expect(looker.page.locator("[data-announcer]")).to_have_text(
        "It breaks no rule, and a grant permits it. 2 readers"
    )
    write_toml(looker, 'titlex = "Flood"')
    expect(looker.page.locator("[data-found=facts]")).to_contain_text("titlex")
    expect(looker.page.locator("#f-facts")).to_have_attribute("aria-invalid", "true")
    looker.page.fill("#f-facts", "titlex =")
    expect(looker.page.locator("[data-found=facts]")).to_contain_text("cannot be read")
    for text in HOSTILE:
        looker.page.fill("#f-headline", text)
        looker.page.fill("#f-facts", f"x = {text}")
        expect(looker.page.locator("[data-found=facts]")).to_contain_text("cannot be read")
    assert looker.page.evaluate("window.hit") is None
    assert looker.page.locator("main script, main img, main iframe, main style").count() == 0
    assert [each for each in looker.said if "429" not in each] == []
    looker.go("/publish")
    assert looker.page.locator("#drafts ~ *").count() == before
    context.close()


def test_two_people_publish_without_scripts(chromium: Browser, office: Served) -> None:
    """From an empty form to the bulletin: checked, saved, approved by another, published; every step is a page."""
    contexts = [
        chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800}) for _ in "ab"
    ]
    mara, jonas = (Looker(each, office.url) for each in contexts)
    mara.sign_in("Ada Without")
    jonas.sign_in("Jon Without")
    mara.go("/publish")
    mara.page.select_option("#kind", "cyber-threat")
    press(mara, "Begin")
    write(mara, "")
    press(mara, "Check, without saving")
    expect(mara.page.locator("[data-found=headline]")).not_to_be_empty()
    assert mara.page.input_value("#f-summary").startswith("Since 18:40")
    mara.page.fill("#f-headline", "Said without scripts")
    press(mara, "Save")
    expect(mara.page).to_have_url(re.compile(r"/publish/\d+$"))
    n = mara.page.url.rpartition("/")[2]
    expect(mara.page.locator(".big-count")).to_have_text("2 readers")
    press(mara, "Ask for the approval")
    jonas.go("/")
    jonas.follow(jonas.page.locator("main").get_by_role("link", name=re.compile(f"^Read: Draft {n}\\b")))
    expect(jonas.page.locator("h1")).to_have_text("Said without scripts")
    press(jonas, "Approve exactly this")
    expect(jonas.page.locator("#decide")).to_be_visible()
    mara.go("/")
    mara.follow(mara.page.locator("main").get_by_role("link", name=re.compile(f"^Publish: Draft {n}\\b")))
    press(mara, "Sign and publish")
    expect(mara.page.locator(".callout").filter(has_text="It is published.")).to_be_visible()
    for each in contexts:
        each.close()


ROWS = {
    "observables.0.value": "https://evil.example/login", "observables.0.type": "url",
    "observables.1.value": "polls.example", "observables.1.type": "domain-name",
    "actions.0.text": "Block both.", "actions.0.kind": "block-indicator", "actions.0.to": "csirt",
    "references.0.id": "0198c0de-0000-7000-8000-000000000001", "references.0.rel": "same-incident",
}  # fmt: skip


def publishes(writer: Keyboard, second: Keyboard, fields: dict[str, str]) -> None:
    """A second person lets it pass, and its bulletin says what these fields of the form do."""
    published(writer, second)
    twin = writer.page.evaluate("async () => (await fetch(`${location.pathname}.json`)).json()")
    assert twin["hands"]["bulletin"]
    assert {name: twin["fields"].get(name) for name in fields} == fields
    for each in (writer, second):
        each.context.close()


def test_rows_are_written_by_keyboard(chromium: Browser, office: Served) -> None:
    """Two observables, an action and a reference: what is wrong is told beside its row, is mended, and all of it is published."""
    writer = Keyboard(chromium, office.url, "Kim Keys")
    page = writer.page
    page.goto(f"{office.url}/publish?kind=cyber-threat")
    writer.fill("Headline", "Rows by keyboard")
    writer.fill("What is known, and what is not", "Since 18:40 UTC.")
    writer.activate("button", "Add an action")
    writer.type("Block both.")
    writer.choose(page.get_by_label("Kind of action"), "block-indicator")
    writer.fill("To whom", "csirt")
    writer.activate("button", "Add an observable")
    writer.type("hxxps://evil[.]example/login")
    writer.activate("button", "Add an observable")
    writer.type("not an address")
    wrong = page.locator('[data-row="observables.1."]')
    kind = wrong.get_by_label("What it is")
    writer.choose(kind, "ipv4-addr")
    expect(wrong.locator(".found")).to_contain_text("is not of type ipv4-addr", timeout=SLOW_MS)
    expect(wrong.locator(".found")).to_contain_text("R62")
    expect(wrong.get_by_label("Value")).to_have_attribute("aria-invalid", "true")
    writer.press("Shift+Tab")
    writer.type("polls[.]example")
    writer.choose(kind, "domain-name")
    expect(wrong.locator(".found")).to_be_empty(timeout=SLOW_MS)
    writer.activate("button", "Add a reference")
    writer.type("https://console.example/b/0198c0de-0000-7000-8000-000000000001")
    writer.choose(page.get_by_label("What this draft is to it"), "same-incident")
    writer.activate("button", "Add a reference")
    writer.activate("button", re.compile("^Take out Reference 2"))
    expect(page.locator('[data-rows="references"] .entry')).to_have_count(1)
    writer.activate("button", "Put it back")
    expect(page.locator('[data-rows="references"] .entry')).to_have_count(2)
    writer.fill("Title (needed)", "Flood")
    publishes(writer, Keyboard(chromium, office.url, "Sam Second"), ROWS)


FACTS = {
    "facts.stage": "early-warning", "facts.classification": "availability:ddos", "facts.significant": "yes", "facts.assets": "results-portal",
    "facts.users_affected": "1200", "facts.countries": "XA, XB", "facts.loss": "1200 EUR", "facts": "",
    "attribution.0.level": "suspected", "actors.0.name": "Night Owls", "actors.0.kind": "hacktivist", "links.0.from": "actors/0", "links.0.rel": "targets",
    "links.0.to": "body", "deadlines.0.clock": "nis2-early-warning", "deadlines.0.due": "2027-05-24T17:40:00Z",
}  # fmt: skip


@pytest.fixture
def fresh(store: Path) -> Iterator[Served]:
    """Another console of the agency: at the clock of these tests, which stands, its hub does only so much for one console."""
    made = Served(store, OFFICE)
    yield made
    made.stop()


def test_facts_are_written_by_keyboard(chromium: Browser, fresh: Served) -> None:
    """A cyber incident without a line of TOML: chosen, ticked and typed; what is no number is told beside its field; the bulletin says it.

    A tie offers the rows that the page has; a clock says when it ends.
    """
    writer = Keyboard(chromium, fresh.url, "Fay Keys")
    page = writer.page
    page.goto(f"{fresh.url}/publish?kind=cyber-incident")
    writer.fill("Headline", "The results portal is down")
    writer.fill("What is known, and what is not", "Since 17:40 UTC.")
    writer.choose(page.get_by_label("Stage (needed)"), "early-warning")
    writer.choose(page.get_by_label("Classification (needed)"), "availability:ddos")
    writer.fill("Detected (needed)", "2027-05-23T17:40:00Z")
    writer.choose(page.get_by_label("Significant (needed)"), "yes")
    writer.reach(page.get_by_role("group", name="Assets affected").get_by_label("results portal"))
    writer.press("Space")
    users = page.locator('[id="f-facts.users_affected"]')
    writer.fill("Users affected", "many")
    expect(page.locator('[data-found="facts.users_affected"]')).to_contain_text(
        "a whole number in digits", timeout=SLOW_MS
    )
    expect(users).to_have_attribute("aria-invalid", "true")
    writer.fill("Users affected", "1200")
    expect(page.locator('[data-found="facts.users_affected"]')).to_be_empty(timeout=SLOW_MS)
    writer.fill("Countries", "XA, XB")
    writer.activate("summary", "Further facts")
    writer.fill("Financial loss", "1200 EUR")
    writer.activate("summary", "Who is behind it")
    writer.activate("button", "Say who is held responsible")
    writer.choose(page.get_by_label("How firmly (needed)"), "suspected")
    writer.activate("button", "Add an actor")
    writer.type("Night Owls")
    writer.choose(page.get_by_label("Kind (needed)"), "hacktivist")
    writer.activate("summary", "Law and deadlines")
    writer.activate("button", "Add a deadline")
    writer.choose(page.get_by_label("Clock (needed)"), "nis2-early-warning")
    writer.fill("Started (needed)", "2027-05-23T17:40:00Z")
    writer.activate("summary", "What belongs together")
    writer.activate("button", "Add a tie")
    writer.choose(page.get_by_label("What (needed)", exact=True), "actors/0")
    writer.choose(page.get_by_label("How it is tied (needed)"), "targets")
    writer.choose(page.get_by_label("To what (needed)"), "body")
    publishes(writer, Keyboard(chromium, fresh.url, "Sid Second"), FACTS)
