"""The languages of the console: each text is marked and translated, each reader gets the right one, and words of others keep theirs."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from pathlib import Path

import pytest

from bus.console import texts
from bus.console.graph import NAME
from bus.console.rendering import TEMPLATES, Renderer
from bus.console.texts import shown
from bus.console.voices import COOKIE, FOLDER, NAMES, Voices
from bus.languages import entries, heading, preferred
from tests.support import consoles, pseudo
from tests.support.consoles import WORLD, client, form_of, night, signed_in
from tests.support.desks import open_desk
from tests.support.world import NOW
from tests.texts.found import Text, classes, every, unmarked
from tests.unit.bus.console.test_frame import PAGES, rows
from tests.unit.bus.console.test_publish import written

TRANSLATED = tuple(tag for tag in NAMES if tag != "en")
PLACES = re.compile(r"%\(\w+\)s|%%|%|</?\w[^>]*>")
KNOWN = frozenset(
    word
    for name, record in WORLD.registry.document.authorities.items()
    for word in re.findall(r"\w+", f"{name} {record.name}")
) | frozenset(
    re.findall(
        r"\w+",
        "actual clear green amber strict tocsin JSON "
        "TLP CLEAR GREEN AMBER STRICT RED PAP WHITE UTC INTL MULTI Mara Lind public community csirts dsc dpas emb eu xa xb CEST test "
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
    found = [
        (Text(each.text, each.many, each.context), each.said) for each in entries(catalogue(tag)) if each.text
    ]
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
        roles = ("analyst", "duty-officer", "publisher", "approver")
        async with (
            open_desk(store.parent) as held,
            signed_in(store, voices=pseudo.voices(), roles=roles, held=held) as c,
        ):
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
            others_wrote = {shown(row[name]) for row in every_row for name in ("headline", "issuer")}
            others_wrote |= {f"{shown(row['name'])[: NAME - 1]}…" for row in every_row}
            others = sorted(others_wrote, key=len, reverse=True)
        seeded = pages["/"].replace("</main>", "<p>Plain words</p></main>")
        assert pseudo.plain_words(seeded, KNOWN, others)[-1:] == ["'Plain words' in 'Plain words'"]
        return {path: pseudo.plain_words(page, KNOWN, others) for path, page in pages.items()}

    found = asyncio.run(go())
    assert {path: words for path, words in found.items() if words} == {}


def test_no_page_of_a_draft_stays_english(store: Path, tmp_path: Path) -> None:
    """The form, what is found in it, the draft that is kept."""

    async def go() -> None:
        roles = ("analyst", "publisher", "approver")
        async with (
            open_desk(tmp_path) as held,
            signed_in(store, voices=pseudo.voices(), roles=roles, held=held, authority="xa-csirt") as c,
        ):
            c.cookies.set(COOKIE, pseudo.TAG)
            form = await c.get("/publish?kind=cyber-threat")
            data = {"form": form_of(form.text), "n": "0", "base": "0", **written()}
            checked = await c.post("/publish/check", data=data)
            wrong = await c.post("/publish/check", data={**data, "headline": "", "facts": "x"})
            kept = await c.post("/publish/save", data=data)
            draft = await c.get(kept.headers["location"])
            for page in (form, checked, wrong, draft, await c.get("/publish")):
                assert page.status_code == 200
                assert pseudo.plain_words(page.text, KNOWN, [data["headline"]]) == []

    asyncio.run(go())


HEADERS = {
    "": "en",
    "de": "de",
    "de-AT, en;q=0.5": "de",
    "nl, fr;q=0.8, de;q=0.9": "de",
    "nl": "en",
    "*": "en",
    "el;q=0, et;q=0.1": "et",
    "fr;q=2, ,;;, de": "de",
    "x" * 5000: "en",
    ",".join(["nl"] * 500) + ",de": "en",
    "../de": "en",
}
"""An `Accept-Language` header, and the language of the page."""


@pytest.mark.parametrize("header", HEADERS)
def test_the_browser_names_the_language(header: str) -> None:
    """The most wanted of those that are spoken, English where there is none or the header cannot be read."""
    assert Voices().of("", header).tag == HEADERS[header]
    assert all(len(tag) < 100 for tag in preferred(header))


def language_of(page: str) -> str:
    """What a page says of its own language."""
    found = re.search(r'<html lang="([^"]*)"', page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("signed", [True, False])
def test_a_choice_comes_before_the_browser(store: Path, *, signed: bool) -> None:
    """It is kept for a year, on the page to sign in and on all others, and leads back to where it was made."""

    async def go() -> None:
        async with signed_in(store) if signed else client(store) as c:
            path = "/b?order=time" if signed else "/sign-in?next=%2Fb"
            page = (await c.get(path, headers={"accept-language": "fr"})).text
            assert language_of(page) == "fr"
            back = re.search(r'name="back" value="([^"]+)"', page)
            assert back is not None
            data = {"form": form_of(page), "language": "el", "back": back[1]}
            answer = await c.post("/language", data=data)
            assert (answer.status_code, answer.headers["location"]) == (303, path)
            kept = next(each for each in answer.headers.get_list("set-cookie") if each.startswith(COOKIE))
            assert {"HttpOnly", "Max-Age=31536000", "Path=/", "SameSite=strict"} <= set(kept.split("; "))
            page = (await c.get(path, headers={"accept-language": "fr"})).text
            assert language_of(page) == "el"
            assert '<option value="el" lang="el" selected>Ελληνικά</option>' in page

    asyncio.run(go())


@pytest.mark.parametrize(
    ("fields", "status", "place"),
    [
        ({"language": "de", "back": "https://evil.example/"}, 303, "/"),
        ({"language": "de", "back": "//evil.example"}, 303, "/"),
        ({"language": "de", "back": "/\\evil.example"}, 303, "/"),
        ({"language": "de", "back": "/b\r\nset-cookie: x=1"}, 303, "/"),
        ({"language": "de"}, 303, "/"),
        ({"language": "../../sheets/languages/de", "back": "/"}, 400, ""),
        ({"language": "xx", "back": "/"}, 400, ""),
        ({"back": "/"}, 400, ""),
        ({"language": "de", "back": "/", "form": "0" * 64}, 400, ""),
    ],
)
def test_a_choice_leads_nowhere_else(store: Path, fields: dict[str, str], status: int, place: str) -> None:
    """To no other site, to no file, and only from a page of this session."""

    async def go() -> None:
        async with signed_in(store) as c:
            own = form_of((await c.get("/")).text)
            answer = await c.post("/language", data={"form": own, **fields})
            assert (answer.status_code, answer.headers.get("location", "")) == (status, place)
            assert (COOKIE in answer.headers.get("set-cookie", "")) == (status == 303)

    asyncio.run(go())


def test_a_cookie_is_no_name_of_a_file(store: Path) -> None:
    """A tag that is not offered counts as none."""

    async def go() -> None:
        async with signed_in(store) as c:
            for tag in ("../../sheets/languages/de", "xx", "%00", "en-XA"):
                c.cookies.set(COOKIE, tag)
                answer = await c.get("/system", headers={"accept-language": "et"})
                assert (answer.status_code, language_of(answer.text)) == (200, "et")

    asyncio.run(go())


def test_words_of_others_keep_their_language(store: Path) -> None:
    """The words of a bulletin are marked with their own, its headline in a list as unknown, those around it with the reader's."""

    async def go() -> None:
        async with signed_in(store) as c:
            c.cookies.set(COOKIE, "de")
            row = (await c.get("/picture.json")).json()["top"][0]
            page = (await c.get(f"/b/{row['id']}")).text
            assert language_of(page) == "de"
            assert f'<h1 dir="auto" lang="en">{row["headline"]}</h1>' in page
            assert '<p lang="en" dir="auto">About 31 000 phones' in page
            assert ">Was zu tun ist</h2>" in page
            assert f'<bdi lang="">{row["headline"]}</bdi>' in (await c.get("/")).text

    asyncio.run(go())


def test_codes_of_a_twin_are_the_same_in_every_language(store: Path) -> None:
    """Sentences follow the request; what a program reads does not."""

    async def go() -> None:
        async with signed_in(store) as c:
            for path, sentence, code in (
                ("/channels.json", "note", "tally"),
                ("/system.json", "note", "held"),
                ("/b/none.json", "detail", "reason"),
            ):
                english = (await c.get(path)).json()
                german = (await c.get(path, headers={"accept-language": "de"})).json()
                assert english[sentence] != german[sentence]
                assert english[code] == german[code]

    asyncio.run(go())


def test_an_error_is_in_the_language_of_who_asks(store: Path) -> None:
    """A sentence with places too; one that no catalogue has is marked as English."""

    async def go() -> None:
        async with signed_in(store) as c:
            page = (await c.get("/b/none", headers={"accept-language": "de"})).text
            assert "Keine Meldung, die Sie lesen dürfen, heißt so" in page
            assert "Nichts wurde geändert." in page
            answer = await c.put("/b", headers={"accept-language": "de"})
            assert '<h1 id="e" lang="en">Method not allowed</h1>' in answer.text

    asyncio.run(go())


def test_words_of_others_are_harmless_in_a_sentence(store: Path) -> None:
    """In the place of a sentence they are escaped, and what nobody sees is shown, as anywhere."""
    page = Renderer().page(
        "error.html",
        NOW,
        words="x",
        is_translated=True,
        reason="<b>\u202e%(x)s",
        request="1",
        safe="",
        hub="",
        again="/",
        words_kept=(),
    )
    assert "&lt;b&gt;[U+202E]%(x)s, request 1" in page


SPANS = {
    "en": ("1 d 2 h", "3 h 05 min", "in 46 min", "43 min late", "Sunday 29 November 2026", "99.50"),
    "de": (
        "1 T 2 h",
        "3 h 05 min",
        "in 46 min",
        "43 min überfällig",
        "Sonntag, 29. November 2026",
        "99,50",
    ),
    "fr": (
        "1 j 2 h",
        "3 h 05 min",
        "dans 46 min",
        "en retard de 43 min",
        "dimanche 29 novembre 2026",
        "99,50",
    ),
    "et": (
        "1 p 2 t",
        "3 t 05 min",
        "46 min pärast",
        "43 min hilinenud",
        "pühapäev, 29. november 2026",
        "99,50",
    ),
    "el": (
        "1 ημ. 2 ώ.",
        "3 ώ. 05 λ.",
        "σε 46 λ.",
        "εκπρόθεσμο κατά 43 λ.",
        "Κυριακή 29 Νοεμβρίου 2026",
        "99,50",
    ),
}


@pytest.mark.parametrize("tag", SPANS)
def test_spans_days_and_numbers_follow_the_language(tag: str) -> None:
    """Units, their order, the days of the week and the month as it stands in a date."""
    say, now = Voices()[tag].say, dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
    assert (
        texts.span(say, 26 * 3600),
        texts.span(say, 3 * 3600 + 300),
        texts.left(say, now + dt.timedelta(minutes=46), now),
        texts.left(say, now - dt.timedelta(minutes=43), now),
        texts.day(say, now, "whole"),
        texts.number(say, 99.5),
    ) == SPANS[tag]


@pytest.mark.parametrize(
    ("tag", "n", "form"), [("fr", 0, 0), ("fr", 1, 0), ("fr", 2, 1), ("de", 0, 1), ("de", 1, 0)]
)
def test_a_plural_follows_the_rule_of_its_catalogue(tag: str, n: int, form: int) -> None:
    """French counts nothing as one, German as many."""
    said = {each.text: each.said for each in entries(catalogue(tag))}["%(num)s bulletin"]
    one, many = "%(num)s bulletin", "%(num)s bulletins"
    assert Voices()[tag].say.many(one, many, n) == said[form] % {"num": n}
