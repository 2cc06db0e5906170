"""The frame of the console: headers, host, bounds, escaping, twins, errors, sign-in, rates. Over ASGI, on a filled store."""

from __future__ import annotations

import asyncio
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus.console import codes, limits, shield
from bus.console.rendering import TEMPLATES, Renderer
from bus.console.texts import shown
from bus.languages import entries
from bus.sheets.catalogue import FOLDER
from tests.support import consoles
from tests.support.clocks import Clock
from tests.support.consoles import HOST, HOSTILE, client, form_of, night, sign_in, signed_in
from tests.support.world import NOW

PAGES = {
    "picture": "/",
    "bulletins": "/b",
    "bulletins by time": "/b?order=time&ended=1",
    "clocks": "/clocks",
    "clocks that were met": "/clocks?show=met",
    "publish": "/publish",
    "approvals": "/approvals",
    "channels": "/channels",
    "uptime": "/channels?show=uptime",
    "history": "/channels?show=history",
    "elections": "/e",
    "election": "/e/xa-parl-2027",
    "drills": "/drills",
    "drill": "/drills/false-date-2027",
    "handover": "/handover",
    "quarantine": "/quarantine",
    "feed addresses": "/feeds?list=/b.atom&q=flood",
    "system": "/system",
    "wall": "/wall",
    "account": "/me",
    "help": "/help",
    "fresh": "/fresh?next=/b",
}
"""Every page that needs no id of a bulletin."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read."""
    path = tmp_path_factory.mktemp("console") / "store.db"
    asyncio.run(consoles.fill(path, night()))
    return path


async def rows(to: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Every bulletin that a client may see, ended ones too."""
    found = (await to.get("/b.json?order=time&ended=1")).json()
    return [row for group in found["groups"] for row in group["rows"]]


def test_each_response_has_every_header(store: Path) -> None:
    """A page, a twin, a file, an error, a redirect, a refusal; and HSTS over TLS only."""

    async def go(scheme: str) -> None:
        async with signed_in(store, scheme=scheme) as c:
            for path in (
                *PAGES.values(),
                "/b.json",
                "/nowhere",
                "/assets/console.css",
                "/assets/no.css",
                "/healthz",
                "/sign-in",
            ):
                headers = (await c.get(path)).headers
                for name, value in shield.HEADERS.items():
                    assert headers.get_list(name) == [value], (path, name)
                assert len(headers["x-request-id"]) == 8
                assert "server" not in headers
                kept = shield.OF_A_RELEASE if path == "/assets/console.css" else shield.NO_STORE
                assert headers["cache-control"] == kept
                assert ("strict-transport-security" in headers) == (scheme == "https")

    asyncio.run(go("http"))
    asyncio.run(go("https"))


def test_the_policy_has_no_exception() -> None:
    """Only this console's own files; nothing inline, nothing evaluated, no policy of Trusted Types."""
    assert "unsafe" not in shield.POLICY
    assert "*" not in shield.POLICY
    assert "trusted-types 'none'" in shield.POLICY
    assert set(re.findall(r"-src '(\w+)'", shield.POLICY)) == {"none", "self"}


def test_nobody_looks_without_a_session(store: Path) -> None:
    """A page leads to the sign-in and back to where one wanted; a twin is refused; events are none."""

    async def go() -> None:
        async with client(store) as c:
            for path in PAGES.values():
                answer = await c.get(path)
                assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sign-in?"), path
            assert (await c.get("/b?q=flood")).headers["location"] == "/sign-in?next=%2Fb%3Fq%3Dflood"
            assert (await c.get("/b.json")).status_code == 401
            assert (await c.get("/events")).status_code == 204

    asyncio.run(go())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_and_its_twin_come_from_one_struct(store: Path, name: str) -> None:
    """Each marking, headline and count of the twin stands in the page; the page names the twin."""

    async def go() -> None:
        async with signed_in(store) as c:
            page = await c.get(PAGES[name])
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            found = re.search(r'<link rel="alternate" type="application/json" href="([^"]+)"', page.text)
            assert found is not None
            twin = await c.get(found[1].replace("&amp;", "&"))
            assert twin.status_code == 200
            content = twin.json()
            assert f"TLP:{content['marking'].upper()}" in page.text
            for headline in headlines(content):
                assert shown(headline) in html.unescape(page.text)

    asyncio.run(go())


def headlines(content: object) -> list[str]:
    """Every headline in a twin."""
    if isinstance(content, dict):
        mine = [content["headline"]] if isinstance(content.get("headline"), str) else []
        return mine + [each for value in content.values() for each in headlines(value)]
    return [each for value in content for each in headlines(value)] if isinstance(content, list) else []


def test_words_of_others_are_text_everywhere(store: Path) -> None:
    """No page has an element, an attribute or a character from a headline that would do something."""

    async def go() -> None:
        async with signed_in(store) as c:
            every = await rows(c)
            hostile = [row for row in every if row["headline"] in HOSTILE]
            assert len(hostile) >= 8
            paths = [
                *PAGES.values(),
                *(f"/b/{row['id']}" for row in hostile),
                *(f"/b?q={text}" for text in ("<b>", "%22x")),
            ]
            for path in paths:
                assert dangers((await c.get(path)).text) == [], path

    assert dangers("<p><script>window.hit=1</script>"), "the detector must see a fault"
    assert dangers('<img src=x onerror="window.hit=1">')
    assert dangers("a\u202eb")
    assert dangers('<a href="javascript:alert(1)">')
    assert dangers('<a href="//evil.example">')
    asyncio.run(go())


class Parsed(HTMLParser):
    """The elements of a page, as a browser would make them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one."""
        given = {name: value or "" for name, value in attrs}
        if tag in ("iframe", "object", "embed", "base", "img", "style", "math"):
            self.found.append(tag)
        if tag == "script" and not given.get("src", "").startswith("/assets/"):
            self.found.append("script")
        self.found += [name for name in given if name.startswith("on") or name in ("style", "srcdoc")]
        for name in ("href", "src", "action", "formaction", "xlink:href"):
            if not re.match(r"(/(?!/)|#|\?|$)", given.get(name, "")):
                self.found.append(f"{name}={given[name]}")


def dangers(page: str) -> list[str]:
    """What must not be in a page of this console."""
    return Parsed(page).found + re.findall("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", page)


def test_templates_have_no_way_around_escaping() -> None:
    """No filter `safe`, no switch of escaping, no raw block; an unknown name is an error."""
    for path in TEMPLATES.rglob("*.html"):
        source = path.read_text("utf-8")
        assert not re.search(r"\|\s*safe|autoescape|{%-?\s*raw|Markup", source), path.name
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", source), path.name
        assert not re.search(r"<script(?! (?:type=\"module\" )?src=\"/assets/)", source), path.name
    with pytest.raises(Exception, match="undefined"):
        Renderer().page("error.html", NOW)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("Türkiye, Ελλάδα, مرحبا", "Türkiye, Ελλάδα, مرحبا"),
        ("a\u202eb\u202c", "a[U+202E]b[U+202C]"),
        ("\x1b[31m\x00", "[U+001B][31m[U+0000]"),
        ("क\u200dष", "क\u200dष"),
        ("two\nlines", "two\nlines"),
        ("\ue000", "[U+E000]"),
    ],
)
def test_what_nobody_sees_is_shown(text: str, seen: str) -> None:
    """Characters that are not seen or turn the writing stand as their numbers; those that join letters stay."""
    assert shown(text) == seen


def test_another_host_is_refused(store: Path) -> None:
    """A page of another site whose name was made to lead here gets nothing, whatever it asks for."""

    async def go() -> None:
        async with signed_in(store) as c:
            for host in ("evil.example", f"{HOST}.evil.example", "", f"{HOST}:81"):
                answer = await c.get("/b.json", headers={"host": host})
                assert (answer.status_code, answer.json()["reason"]) == (421, "wrong-host"), host

    asyncio.run(go())


def test_what_is_too_long_is_refused(store: Path) -> None:
    """A body, announced or not, an address, a parameter."""

    async def go() -> None:
        async with signed_in(store) as c:
            big = b"x" * (shield.MOST_BODY + 1)
            assert (await c.post("/sign-in", content=big)).status_code == 413

            async def parts() -> Any:
                for _ in range(70):
                    yield b"x" * 1024

            kind = {"content-type": "application/x-www-form-urlencoded"}
            assert (await c.post("/sign-in", content=parts(), headers=kind)).status_code == 413
            assert (await c.get(f"/b?q={'x' * 9000}")).status_code == 413
            assert (await c.get(f"/b?q={'x' * 600}")).status_code == 400
            assert (await c.get("/b?" + "&".join(f"a{n}=1" for n in range(50)))).status_code == 400

    asyncio.run(go())


def test_an_error_is_a_page(store: Path) -> None:
    """It has a sentence, what is safe, a retry, the code and the id of the request; its twin has the same as JSON."""

    async def go() -> None:
        async with signed_in(store) as c:
            answer = await c.get("/b/00000000-0000-7000-8000-000000000000")
            assert answer.status_code == 404
            for words in (
                "There is no bulletin with this id that you may read",
                "Nothing was changed",
                "Try again",
                "page-missing",
                answer.headers["x-request-id"],
            ):
                assert words in answer.text
            twin = (await c.get("/b/00000000-0000-7000-8000-000000000000.json")).json()
            assert twin["reason"] == "page-missing"
        async with signed_in(store.with_name("none.db")) as c:
            answer = await c.get("/")
            assert answer.status_code == 503
            assert "store-missing" in answer.text
            assert "the bus keeps what was said" in answer.text

    asyncio.run(go())


def test_a_form_of_another_page_does_nothing(store: Path) -> None:
    """A form without the token of its page, with that of another session, or from another site is refused."""

    async def go() -> None:
        async with client(store) as c:
            page = await c.get("/sign-in")
            data = {"form": form_of(page.text), "name": "M", "next": "/"}
            assert (await c.post("/sign-in", data={**data, "form": "0" * 64})).status_code == 400
            foreign = await c.post("/sign-in", data=data, headers={"sec-fetch-site": "cross-site"})
            assert (foreign.status_code, "form-foreign" in foreign.text) == (400, True)
            other = await c.post("/sign-in", data=data, headers={"origin": "http://evil.example"})
            assert other.status_code == 400
            unnamed = {"origin": "null", "sec-fetch-site": "same-origin"}
            assert (await c.post("/sign-in", data=data, headers=unnamed)).status_code == 303
            assert (await c.post("/sign-out", data={"form": data["form"]})).status_code == 400
            assert (await c.get("/")).status_code == 200
            own = form_of((await c.get("/")).text)
            assert (await c.post("/sign-out", data={"form": own})).status_code == 303
            assert (await c.get("/")).status_code == 303

    asyncio.run(go())


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/b?q=x", "/b?q=x"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/sign-out", "/"),
        ("/a\r\nset-cookie: x=1", "/"),
        ("", "/"),
    ],
)
def test_after_signing_in_one_stays_here(store: Path, wanted: str, place: str) -> None:
    """Whatever the address of the sign-in says, it leads to no other site."""

    async def go() -> None:
        async with client(store) as c:
            page = await c.get("/sign-in")
            answer = await c.post("/sign-in", data={"form": form_of(page.text), "name": "M", "next": wanted})
            assert answer.headers["location"] == place

    asyncio.run(go())


@pytest.mark.parametrize(
    ("scheme", "name", "secure"),
    [("http", "tocsin-80", False), ("https", "__Host-tocsin", True)],
)
def test_the_cookie_of_a_session(store: Path, scheme: str, name: str, *, secure: bool) -> None:
    """Bound to the host over TLS; never for scripts, never from another site."""

    async def go() -> None:
        async with client(store, scheme=scheme) as c:
            page = await c.get("/sign-in")
            answer = await c.post("/sign-in", data={"form": form_of(page.text), "name": "M"})
            mine = next(each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{name}="))
            said = {part.strip().lower() for part in mine.split(";")[1:]}
            assert {"httponly", "samesite=strict", "path=/"} <= said
            assert ("secure" in said) == secure
            assert not any(part.startswith("domain") for part in said)

    asyncio.run(go())


def test_a_session_ends_by_its_time(store: Path) -> None:
    """Twelve hours after the sign-in it is over."""
    clock = Clock(NOW)

    async def go() -> None:
        async with signed_in(store, clock=clock) as c:
            clock.pass_(12 * 3600 - 1)
            assert (await c.get("/system")).status_code == 200
            clock.pass_(1)
            assert (await c.get("/system")).status_code == 303

    asyncio.run(go())


def test_a_demonstration_says_so(store: Path) -> None:
    """The page to sign in says that it asks for no password, and has no field for one."""

    async def go() -> None:
        async with client(store) as c:
            page = (await c.get("/sign-in")).text
            assert "This is a demonstration: no password is asked for." in page
            assert 'type="password"' not in page

    asyncio.run(go())


def test_who_asks_too_fast_waits_and_others_do_not(store: Path) -> None:
    """After the burst a person gets 429 with what to do; another session goes on."""

    async def go() -> None:
        async with client(store) as c:
            await sign_in(c, "One")
            seen = [(await c.get("/system.json")).status_code for _ in range(int(limits.PAGES.burst) + 40)]
            assert seen[0] == 200
            assert 429 in seen
            last = await c.get("/system.json")
            if last.status_code == 429:
                assert last.json()["reason"] == "too-many-requests"
            c.cookies.clear()
            await sign_in(c, "Two")
            assert (await c.get("/system.json")).status_code == 200

    asyncio.run(go())


def test_a_bucket_fills_at_its_rate() -> None:
    """The burst is there at once, then one for each part of a second; a clock that goes back gives nothing."""
    meter = limits.Meter(limits.Rate(burst=3, per_s=2))
    assert [meter.wait("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert meter.wait("b", 0.0) == 0
    assert meter.wait("a", -5.0) > 0
    assert meter.wait("a", -4.0) == 0


def test_the_signed_bytes_are_a_file(store: Path) -> None:
    """They come as they were signed, never as a page; the twin has what a browser needs to check them."""

    async def go() -> None:
        async with signed_in(store) as c:
            row = (await rows(c))[0]
            answer = await c.get(f"/b/{row['id']}/signed")
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["content-disposition"].startswith("attachment; ")
            assert json.loads(answer.content)["id"] == row["id"]
            twin = (await c.get(f"/b/{row['id']}/signed.json")).json()
            assert twin["key"]["kty"] == "OKP"
            assert twin["kid"] in consoles.WORLD.registry.document.authorities[row["issuer"]].keys

    asyncio.run(go())


@pytest.mark.parametrize("name", ["../application.py", "..%2fapplication.py", "fonts", "", "nothing.css"])
def test_only_files_of_the_console_are_files(store: Path, name: str) -> None:
    """No path leads out of the folder."""

    async def go() -> None:
        async with client(store) as c:
            assert (await c.get(f"/assets/{name}")).status_code == 404

    asyncio.run(go())


@pytest.mark.parametrize("name", ["__init__.py", "console.html", "../errors.py"])
def test_no_source_is_a_file_of_the_console(name: str) -> None:
    """Only the kinds of files that pages use are given."""
    from bus.console.rendering import asset

    assert asset(name) is None


def test_each_label_of_admission_has_words_in_rows() -> None:
    """As each has a sentence on the page of a bulletin; none stands in a row as its code."""
    keys = {each.text for each in entries((FOLDER / "en.po").read_text("utf-8"))}
    sentences = {each.removeprefix("say label-") for each in keys if each.startswith("say label-")}
    assert sentences - {"none", "other"} == set(codes.LABELS)
