"""Signing in by a single sign-on: a sign-on that is a program of its own, over TLS, honest or not; and a console over ASGI."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bus import desk
from bus.console import Reading, app
from bus.console.desks import DeskPeople
from bus.console.signing import Oidc, Provider, oidc_settings, read_oidc
from bus.errors import ConfigError
from schemas.vocab import Tlp
from tests.support.consoles import HOST, Speaker, fill, numbers, shelf
from tests.support.sign_on import LIES, SignOn, sign_on

SUBJECT = "248289761001"
HTTPS = f"https://{HOST}"
Over = Callable[..., None]


def now() -> dt.datetime:
    """The sign-on is a program, and has the clock of this machine."""
    return dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignOn]:
    """One sign-on for all tests of this module."""
    with sign_on(tmp_path_factory.mktemp("sign-on")) as running:
        yield running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all, which is only read."""
    path = tmp_path_factory.mktemp("store") / "store.db"
    asyncio.run(fill(path, [Speaker("xa-csirt").say("One", 50)], now()))
    return path


@pytest.fixture
def over(tmp_path: Path, house: SignOn, store: Path) -> Over:
    """Does something in a visit of a new console, with these settings."""

    def run(work: Callable[[Visit], Awaitable[None]], **of: str) -> None:
        async def go() -> None:
            async with visit(tmp_path, store, house, **of) as there:
                await work(there)

        asyncio.run(go())

    return run


class Visit:
    """A browser, a console with a person `ann`, and the desk of that console."""

    def __init__(self, browser: httpx.AsyncClient, elsewhere: httpx.AsyncClient, held: desk.Desk) -> None:
        self.browser, self.elsewhere, self.held = browser, elsewhere, held

    async def link(self, issuer: str, subject: str = SUBJECT) -> None:
        """Let `ann` sign in as a subject."""
        act = desk.at_command_line(now().timestamp())
        await self.held.write(lambda db: desk.links.add(db, act, "ann", issuer, subject))

    async def back(self, path: str = "/sign-in/oidc?next=/b") -> str:
        """Go to the sign-on. Returns the address with which it sends the browser back."""
        sent = await self.browser.get(path)
        assert sent.status_code == 303, sent.text
        answer = await self.elsewhere.get(sent.headers["location"])
        assert answer.status_code == 302
        return str(answer.headers["location"]).removeprefix(HTTPS)

    async def roles(self) -> set[str]:
        """The roles with which somebody is signed in, as the page says."""
        page = await self.browser.get("/")
        found = re.search(r'<div class="who">.*?</b><br>(.*?)</p>', page.text, re.DOTALL)
        return set(found[1].split(", ")) if found else set()


@asynccontextmanager
async def visit(folder: Path, store: Path, house: SignOn, **of: str) -> AsyncIterator[Visit]:
    """A visit of a new console."""
    async with (
        desk.Desk.open(folder / "desk.db", numbers(3)) as held,
        Reading.open(store, shelf()) as reading,
    ):
        act = desk.at_command_line(now().timestamp())
        await held.write(
            lambda db: desk.people.add(db, act, "ann", "Ann", [desk.Role.READER], ceiling=Tlp.GREEN)
        )
        way = Oidc(Provider(read_oidc(house.settings(**of))), held, now, numbers(9))
        made = app(reading, DeskPeople(held, numbers(5)), now, numbers(8), hosts={HOST}, ways=[way])
        transport = httpx.ASGITransport(app=made, raise_app_exceptions=False)
        trusted = ssl.create_default_context(cafile=str(house.ca))
        async with (
            httpx.AsyncClient(transport=transport, base_url=HTTPS) as browser,
            httpx.AsyncClient(verify=trusted) as elsewhere,
        ):
            yield Visit(browser, elsewhere, held)


def refusal(page: httpx.Response) -> str:
    """The reason code on the page to sign in."""
    found = re.search(r'role="alert">.*?<p class="mono">([a-z-]+)</p>', page.text, re.DOTALL)
    return found[1] if found else f"none: {page.status_code}"


def test_a_person_signs_in_and_stays_who_the_desk_says(house: SignOn, over: Over) -> None:
    """The page offers it, the way leads on to where one wanted; roles of the token are none here, and the record has the issuer."""

    async def work(there: Visit) -> None:
        house.tell(SUBJECT)
        await there.link(house.url)
        page = await there.browser.get("/sign-in?next=/b")
        link = re.search(r'href="(/sign-in/oidc[^"]*)">Sign in with the ministry<', page.text)
        assert link is not None
        back = await there.back(html.unescape(link[1]))
        page = await there.browser.get(back)
        assert page.status_code == 200
        assert 'http-equiv="refresh" content="0;url=/b"' in page.text
        assert await there.roles() == {"reader"}
        act = desk.at_command_line(now().timestamp())
        trail = await there.held.read(lambda db: desk.trail.read(db, act, who="ann"))
        assert [(each.what, each.detail) for each in trail] == [("signed-in", f"by {house.url}")]

    over(work, name="the ministry")


def test_the_cookies_of_the_way(house: SignOn, over: Over) -> None:
    """That of the way is Lax, of this host, and gone at the end; that of the session is Strict."""

    async def work(there: Visit) -> None:
        house.tell(SUBJECT)
        await there.link(house.url)
        sent = await there.browser.get("/sign-in/oidc")
        assert re.search(
            r"__Host-tocsin-way=[\w-]{43}; HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure",
            sent.headers["set-cookie"],
        )
        asked = parse_qs(urlsplit(sent.headers["location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["scope"] == ["openid"]
        assert {"prompt", "max_age"}.isdisjoint(asked)
        back = (await there.elsewhere.get(sent.headers["location"])).headers["location"]
        page = await there.browser.get(back.removeprefix(HTTPS))
        session, way = page.headers.get_list("set-cookie")
        assert session.startswith("__Host-tocsin=")
        assert "SameSite=strict" in session
        assert way.startswith('__Host-tocsin-way=""')

    over(work)


@pytest.mark.parametrize("lie", LIES)
def test_a_sign_on_that_lies_lets_nobody_in(house: SignOn, over: Over, lie: str) -> None:
    """Each lie is refused with its reason, on a page from which one can sign in otherwise."""

    async def work(there: Visit) -> None:
        house.tell(SUBJECT, lie)
        await there.link(house.url)
        await there.link(house.url, "other")
        page = await there.browser.get(await there.back())
        assert page.status_code == 403
        assert refusal(page) == LIES[lie]
        assert 'name="password"' in page.text
        assert await there.roles() == set()
        house.tell(SUBJECT)
        assert (await there.browser.get(await there.back())).status_code == 200

    over(work)


def test_a_way_back_is_good_once_and_in_one_browser(house: SignOn, over: Over) -> None:
    """A state or code that was used, one of another browser, and one that nobody has begun are refused."""

    async def work(there: Visit) -> None:
        house.tell(SUBJECT)
        await there.link(house.url)
        back = await there.back()
        assert (await there.browser.get(back)).status_code == 200
        there.browser.cookies.clear()
        old = parse_qs(urlsplit(back).query)["code"][0]
        bad = {
            "a state that was used": (back, "oidc-state"),
            "a code that was used": ("/sign-in/oidc/back?state={state}&code=" + old, "oidc-refused"),
            "no code": ("/sign-in/oidc/back?state={state}", "oidc-refused"),
            "a long code": ("/sign-in/oidc/back?state={state}&code=" + "a" * 5000, "oidc-refused"),
            "a state twice": ("/sign-in/oidc/back?state={state}&state={state}&code=x", "oidc-state"),
            "nothing": ("/sign-in/oidc/back", "oidc-state"),
            "a long state": (f"/sign-in/oidc/back?state={'a' * 5000}&code=x", "oidc-state"),
        }
        for name, (path, reason) in bad.items():
            state = parse_qs(urlsplit(await there.back()).query)["state"][0]
            page = await there.browser.get(path.replace("{state}", state))
            assert refusal(page) == reason, name
            assert await there.roles() == set(), name
        stolen = await there.back()
        there.browser.cookies.clear()
        assert refusal(await there.browser.get(stolen)) == "oidc-state"

    over(work)


def test_an_error_of_the_sign_on_is_a_sentence(house: SignOn, over: Over) -> None:
    """In this program's own words: what another site has written is on no page."""

    async def work(there: Visit) -> None:
        for error, words in (
            ("access_denied", "it was not allowed there"),
            ("<b>odd", "tell an administrator"),
        ):
            back = await there.back()
            state = parse_qs(urlsplit(back).query)["state"][0]
            page = await there.browser.get(
                "/sign-in/oidc/back",
                params={"state": state, "error": error, "error_description": "<i>Go there"},
            )
            assert refusal(page) == "oidc-refused"
            assert words in html.unescape(page.text)
            assert "odd" not in page.text
            assert "Go there" not in page.text

    over(work)


def test_whom_nobody_has_linked_reads_the_subject(house: SignOn, over: Over) -> None:
    """So that an administrator can be told it; a person who is disabled is not let in."""

    async def work(there: Visit) -> None:
        house.tell("stranger-7")
        page = await there.browser.get(await there.back())
        assert refusal(page) == "link-missing"
        assert "tocsin people link ID --oidc stranger-7" in html.unescape(page.text)
        house.tell(SUBJECT)
        await there.link(house.url)
        act = desk.at_command_line(now().timestamp())
        await there.held.write(lambda db: desk.people.disable(db, act, "ann"))
        assert refusal(await there.browser.get(await there.back())) == "person-disabled"

    over(work)


def test_asked_again_a_person_counts_as_fresh(house: SignOn, over: Over) -> None:
    """Only when the sign-on has asked since, and means the same person; a sign-in of before is none."""

    async def work(there: Visit) -> None:
        house.tell(SUBJECT, shown_s=3600)
        await there.link(house.url)
        await there.browser.get(await there.back())

        async def is_fresh() -> bool:
            token = there.browser.cookies["__Host-tocsin"]
            return await there.held.look(
                token, now().timestamp(), "-", lambda _, act: desk.sessions.is_fresh(act)
            )

        assert not await is_fresh()
        sent = await there.browser.get("/sign-in/oidc?again=1")
        asked = parse_qs(urlsplit(sent.headers["location"]).query)
        assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
        assert refusal(await there.browser.get(await there.back("/sign-in/oidc?again=1"))) == "oidc-token"
        assert not await is_fresh()
        house.tell("stranger-7")
        assert refusal(await there.browser.get(await there.back("/sign-in/oidc?again=1"))) == "link-missing"
        house.tell(SUBJECT)
        before = there.browser.cookies["__Host-tocsin"]
        assert (await there.browser.get(await there.back("/sign-in/oidc?again=1"))).status_code == 200
        assert await is_fresh()
        assert there.browser.cookies["__Host-tocsin"] != before
        there.browser.cookies.clear()
        house.tell(SUBJECT, shown_s=3600)
        assert refusal(await there.browser.get(await there.back("/sign-in/oidc?again=1"))) == "oidc-token"
        house.tell(SUBJECT)
        page = await there.browser.get("/sign-in?again=1&next=/b")
        assert "Show once more who you are" in page.text
        link = re.search(r'href="(/sign-in/oidc[^"]*)"', page.text)
        assert link is not None
        assert (await there.browser.get(await there.back(html.unescape(link[1])))).status_code == 200
        assert await is_fresh()

    over(work)


def test_who_has_no_password_is_led_to_the_sign_on(house: SignOn, over: Over) -> None:
    """The page that asks once more who one is has no field for a password then, and a link that leads back to where one was."""

    async def work(there: Visit) -> None:
        house.tell(SUBJECT)
        await there.link(house.url)
        await there.browser.get(await there.back())
        page = (await there.browser.get("/fresh?next=/b")).text
        assert 'type="password"' not in page
        assert 'href="/sign-in?again=1&amp;next=/b"' in page

    over(work)


def test_the_way_begins_on_a_page_of_this_console(house: SignOn, over: Over) -> None:
    """A page of another site begins none."""

    async def work(there: Visit) -> None:
        answer = await there.browser.get("/sign-in/oidc", headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 400
        assert "form-foreign" in answer.text

    over(work)


ELSEWHERE = {
    "nobody answers": ({"issuer": "https://localhost:9"}, "oidc-unreachable"),
    "it calls itself otherwise": ({"issuer": "{url}/"}, "oidc-issuer"),
    "its certificate is of nobody known": ({"ca_file": ""}, "oidc-unreachable"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_sign_on_that_is_not_there_or_another(house: SignOn, over: Over, name: str) -> None:
    """Nobody is sent anywhere: the page to sign in says so."""
    of, reason = ELSEWHERE[name]

    async def work(there: Visit) -> None:
        page = await there.browser.get("/sign-in/oidc")
        assert page.status_code == 403
        assert refusal(page) == reason

    over(work, **{key: value.replace("{url}", house.url) for key, value in of.items()})


def test_an_address_of_a_closed_network_is_not_asked(house: SignOn) -> None:
    """Unless the settings list its network."""

    async def work() -> None:
        file = house.settings()
        file.write_text(re.sub(r"networks = .*", "networks = []", file.read_text()))
        provider = Provider(read_oidc(file))
        with pytest.raises(Exception, match="list it in networks") as refused:
            await provider.parts(0.0)
        assert getattr(refused.value, "reason", "") == "oidc-unreachable"

    asyncio.run(work())


WRONG: dict[str, tuple[str, str]] = {
    "no TOML": ("issuer = ", "oidc.toml"),
    "no issuer": ('client = "a"\nsecret_file = "s"', "issuer"),
    "another key": ('issuer = "https://id.example"\nclient = "a"\nsecret_file = "s"\nroles = "x"', "roles"),
    "no TLS": ('issuer = "http://id.example"\nclient = "a"\nsecret_file = "s"', "https://NAME/"),
    "a user in it": ('issuer = "https://a@id.example"\nclient = "a"\nsecret_file = "s"', "https://NAME/"),
    "an odd client": ('issuer = "https://id.example"\nclient = "a b"\nsecret_file = "s"', "client"),
    "no secret": ('issuer = "https://id.example"\nclient = "a"\nsecret_file = "none"', "secret"),
    "an open secret": ('issuer = "https://id.example"\nclient = "a"\nsecret_file = "open"', "secret"),
    "no network": ('issuer = "https://id.example"\nclient = "a"\nsecret_file = "s"\nnetworks = ["x"]', "networks"),
    "no such authorities": ('issuer = "https://id.example"\nclient = "a"\nsecret_file = "s"\nca_file = "none"', "not there"),
    "too long": ("#" * 20_000, "longer"),
    "no text": ("\udcff", "oidc.toml"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_settings_that_do_not_stand_are_refused(tmp_path: Path, name: str) -> None:
    """In a sentence that names what is wrong."""
    text, words = WRONG[name]
    for secret, mode in (("s", 0o600), ("open", 0o644)):
        (tmp_path / secret).write_text("secret\n")
        (tmp_path / secret).chmod(mode)
    file = tmp_path / "oidc.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=re.escape(words)) as refused:
        read_oidc(file)
    assert refused.value.reason == "oidc-settings"


def test_without_the_extra_it_says_what_to_install(house: SignOn, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence."""
    monkeypatch.setattr(oidc_settings, "PACKAGE", "a_package_that_nobody_has")
    with pytest.raises(ConfigError) as refused:
        read_oidc(house.settings())
    assert refused.value.reason == "oidc-package"
    assert "tocsin[oidc]" in str(refused.value.remedy)
