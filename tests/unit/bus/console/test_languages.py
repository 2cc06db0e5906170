"""The languages of the console: each text is marked and translated, each reader gets the right one, and words of others keep theirs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from bus.console.rendering import TEMPLATES
from bus.console.voices import COOKIE, FOLDER, NAMES, Voices
from bus.console.texts import shown
from bus.languages import entries, heading, preferred
from tests.support import consoles, pseudo
from tests.support.consoles import WORLD, client, form_of, night, signed_in
from tests.texts.found import Text, classes, every, unmarked
from tests.unit.bus.console.test_frame import PAGES, rows

TRANSLATED = tuple(tag for tag in NAMES if tag != "en")
PLACES = re.compile(r"%\(\w+\)s|%%|%|</?\w[^>]*>")
KNOWN = frozenset(
    word
    for name, record in WORLD.registry.document.authorities.items()
    for word in re.findall(r"\w+", f"{name} {record.name}")
) | frozenset(
    re.findall(
        r"\w+",
        "tocsin JSON TLP CLEAR GREEN AMBER STRICT RED PAP WHITE UTC INTL MULTI Mara Lind public community csirts dsc dpas emb eu xa xb CEST test "
        "Europe Vienna duty desk xa-parl-2027 parl min",
    )
)
"""What is the same in every language: names, ids, markings, words of the hub's own list of contacts."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read."""
    path = tmp_path_factory.mktemp("languages") / "store.db"
    asyncio.run(consoles.fill(path, night()))
    return path


def catalogue(tag: str) -> str:
    """A catalogue as it is written."""
    return (FOLDER / f"{tag}.po").read_text("utf-8")


def test_every_text_of_a_template_is_marked() -> None:
    """Text, attributes and words in expressions; each fault that is put there is found."""
    known = classes()
    for seed in ("<p>Plain words</p>", '<a title="Go on">x</a>', '{{ c.panel("Needs you", "id") }}'):
        assert len(unmarked(seed, known)) == 1, seed
    assert unmarked('<p>{{ _("Marked") }} <b>{% trans %}and this{% endtrans %}</b></p>', known) == []
    found = {path.name: unmarked(path.read_text("utf-8"), known) for path in TEMPLATES.rglob("*.html")}
    assert {name: texts for name, texts in found.items() if texts} == {}


@pytest.mark.parametrize("tag", TRANSLATED)
def test_every_text_has_a_translation(tag: str) -> None:
    """None is missing, none is empty, none is left over: `python -m tests.texts` writes the entries."""
    found = [(Text(each.text, each.many, each.context), each.said) for each in entries(catalogue(tag)) if each.text]
    keys = [text for text, _ in found]
    assert len(set(keys)) == len(keys)
    assert set(every()) ^ set(keys) == set()
    assert [text for text, said in found if not all(each.strip() for each in said)] == []
    forms = int(re.findall(r"nplurals=(\d)", heading(catalogue(tag))["Plural-Forms"])[0])
    assert [text for text, said in found if len(said) != (forms if text.many else 1)] == []


@pytest.mark.parametrize("tag", TRANSLATED)
def test_a_translation_has_the_same_places(tag: str) -> None:
    """And the same tags, no quote that would end an attribute, and no blank at its ends."""
    assert PLACES.findall("a %(b)s %% <i>") == ["%(b)s", "%%", "<i>"]
    odd = []
    for each in entries(catalogue(tag)):
        if not each.text:
            continue
        for said in each.said:
            wanted = {frozenset(PLACES.findall(text)) for text in (each.text, each.many or each.text)}
            if (
                frozenset(PLACES.findall(said)) not in wanted
                or said.count('"') != each.text.count('"')
                or said.strip() != said
            ):
                odd.append((each.text, said))
    assert odd == []


def test_no_page_stays_english(store: Path) -> None:
    """With a language that nobody speaks, each text of each page is in it; plain words that are put there are found."""

    async def go() -> dict[str, list[str]]:
        async with signed_in(store, voices=pseudo.voices()) as c:
            c.cookies.set(COOKIE, pseudo.TAG)
            top = (await c.get("/picture.json")).json()["top"][0]["id"]
            paths = [
                *PAGES.values(),
                *(f"{path}?show=all" for path in ("/channels", "/clocks", "/e")),
                f"/b/{top}",
                f"/i/{top}",
                "/i",
                "/b/none",
                "/sign-in",
                "/set-password",
                "/b?q=kind:nothing",
                "/b?q=observable:none.example",
            ]
            drill = (await c.get("/drills/false-date-2027.json")).json()
            pages = {path: (await c.get(path)).text for path in paths}
            every_row = [*await rows(c), *(each["row"] for each in drill["injects"])]
            written = {shown(row[name]) for row in every_row for name in ("headline", "issuer")}
        others = sorted(written, key=len, reverse=True)
        seeded = pages["/"].replace("</main>", "<p>Plain words</p></main>")
        assert pseudo.plain_words(seeded, KNOWN, others) [-1:] == ["'Plain words' in 'Plain words'"]
        return {path: pseudo.plain_words(page, KNOWN, others) for path, page in pages.items()}

    found = asyncio.run(go())
    assert {path: words for path, words in found.items() if words} == {}
