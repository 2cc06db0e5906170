"""Ways to sign in, in Chromium: a passkey of a virtual device, and a single sign-on at another site."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bus import desk
from bus.console import Reading, app
from bus.console.asking import Line
from bus.console.desks import DeskPeople
from bus.console.shield import Shield
from bus.console.signing import Oidc, Passkeys, Provider, read_oidc
from schemas.vocab import Tlp
from tests.browser.conftest import Looker, Served, apart
from tests.browser.test_pages import violations
from tests.support.consoles import Speaker, fill
from tests.support.sign_on import SignOn, sign_on

pytestmark = pytest.mark.browser
PASSWORD = "seven lamps over the quiet harbour"
SUBJECT = "248289761001"


def now() -> dt.datetime:
    """The clock of this machine: a browser and a sign-on have no other."""
    return dt.datetime.now(dt.UTC)


class Staffed(Served):
    """A console with two people, who sign in by password, passkey or sign-on."""

    def __init__(self, store: Path, house: SignOn) -> None:
        """Serve a store."""
        self.house = house
        super().__init__(store)
        self.named = self.url.replace("127.0.0.1", "localhost")

    async def prepare(self, held: desk.Desk) -> None:
        """Add the people."""
        act = desk.at_command_line(now().timestamp())
        for id_ in ("ann", "bob"):

            def work(db: sqlite3.Connection, id_: str = id_) -> str:
                desk.people.add(db, act, id_, id_.title(), [desk.Role.READER], ceiling=Tlp.GREEN)
                return desk.signing_in.issue_token(db, act, id_, os.urandom)

            await held.set_first_password(await held.write(work), PASSWORD, now().timestamp(), "-")
        await held.write(lambda db: desk.links.add(db, act, "ann", self.house.url, SUBJECT))

    def console(self, held: desk.Desk, reading: Reading, line: Line) -> Shield:
        """As a hub serves it, by the name and by the address."""
        bare = self.url.removeprefix("http://")
        hosts = {bare, bare.replace("127.0.0.1", "localhost")}
        sign_on = Oidc(Provider(read_oidc(self.house.settings())), held, now, os.urandom)
        ways = (Passkeys(held, now, os.urandom), sign_on)
        return app(reading, DeskPeople(held, os.urandom), now, os.urandom, hub=line, hosts=hosts, ways=ways)


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staffed]:
    """One for all."""
    store = tmp_path_factory.mktemp("staffed") / "store.db"
    apart(fill(store, [Speaker("xa-csirt").say("One", 50)], now()))
    folder = tmp_path_factory.mktemp("sign-on")
    with sign_on(folder) as house:
        made = Staffed(store, house)
        yield made
        made.stop()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser that somebody has just opened; the certificate of the sign-on is of the tests' own authority."""
    opened = chromium.new_context(ignore_https_errors=True)
    yield opened
    opened.close()


@pytest.fixture
def looker(context: BrowserContext, staffed: Staffed) -> Looker:
    """Somebody at the console by its name."""
    return Looker(context, staffed.named)


def by_password(looker: Looker, id_: str, after: str = "/") -> None:
    """Sign in by the page."""
    looker.go(f"/sign-in?next={after}")
    looker.page.fill("#name", id_)
    looker.page.fill("#password", PASSWORD)
    looker.follow("button.primary")
    looker.page.wait_for_url(f"{looker.url}{after}")


def device(page: Page) -> tuple[Any, str]:
    """A virtual device that verifies its person, in the browser."""
    line = page.context.new_cdp_session(page)
    line.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    return line, line.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def add(looker: Looker, name: str) -> None:
    """Add a passkey on the page of one's own."""
    looker.go("/passkeys")
    looker.page.fill("#name", name)
    looker.page.get_by_role("button", name="Add a passkey").click()
    expect(looker.page.get_by_text(name, exact=True)).to_be_visible()


def use(looker: Looker) -> None:
    """Ask the device for a passkey, from the page to sign in."""
    looker.go("/sign-in?next=/b")
    looker.follow(looker.page.get_by_role("link", name="Sign in with a passkey"))
    looker.page.get_by_role("button", name="Use a passkey").click()


def who(looker: Looker) -> str:
    """Who is signed in, as the page says."""
    looker.go("/")
    found = looker.page.locator(".who p b")
    return str(found.first.text_content()) if found.count() else "nobody"


def leave(looker: Looker) -> None:
    """Sign out, by the cookie."""
    looker.context.clear_cookies()


def test_a_passkey_is_added_used_and_removed(looker: Looker) -> None:
    """The page of one's own leads there; its person signs in with it, and nobody once it is removed; nothing is reported."""
    device(looker.page)
    by_password(looker, "ann")
    looker.follow(looker.page.locator(".rail").get_by_role("link", name="Your passkeys"))
    assert violations(looker.page) == []
    add(looker, "the ring")
    leave(looker)
    use(looker)
    looker.page.wait_for_url(f"{looker.url}/b")
    assert who(looker) == "Ann"
    looker.go("/passkeys")
    expect(looker.page.get_by_text("last used 20")).to_be_visible()
    looker.page.get_by_role("button", name="Remove the ring").click()
    expect(looker.page.get_by_text("You have none yet.")).to_be_visible()
    leave(looker)
    use(looker)
    expect(looker.page.get_by_role("alert").get_by_text("nobody here has this passkey")).to_be_visible()
    assert violations(looker.page) == []
    assert who(looker) == "nobody"
    assert [each for each in looker.said if "403" not in each] == []


def test_a_device_that_does_not_ask_who_it_is_lets_nobody_in(looker: Looker) -> None:
    """Presence alone is not enough; the page says what to do."""
    line, id_ = device(looker.page)
    by_password(looker, "bob")
    add(looker, "the key")
    leave(looker)
    line.send("WebAuthn.setUserVerified", {"authenticatorId": id_, "isUserVerified": False})
    use(looker)
    expect(looker.page.get_by_text("The device has given no passkey.")).to_be_visible()
    assert who(looker) == "nobody"


def test_a_copied_passkey_lets_nobody_in(looker: Looker) -> None:
    """A counter that does not grow shows that there are two."""
    line, id_ = device(looker.page)
    by_password(looker, "bob")
    add(looker, "the copied key")
    (key,) = line.send("WebAuthn.getCredentials", {"authenticatorId": id_})["credentials"]
    leave(looker)
    use(looker)
    looker.page.wait_for_url(f"{looker.url}/b")
    line.send("WebAuthn.removeCredential", {"authenticatorId": id_, "credentialId": key["credentialId"]})
    line.send("WebAuthn.addCredential", {"authenticatorId": id_, "credential": key})
    leave(looker)
    use(looker)
    expect(looker.page.get_by_text("it may have been copied")).to_be_visible()
    assert who(looker) == "nobody"


def test_an_answer_is_good_once_and_in_one_browser(
    looker: Looker, chromium: Browser, staffed: Staffed
) -> None:
    """Sent again, or with the cookie of another page, it is refused."""
    device(looker.page)
    by_password(looker, "bob")
    add(looker, "the listened key")
    leave(looker)
    sent: list[str] = []
    looker.page.on(
        "request", lambda each: sent.append(each.post_data or "") if each.url.endswith("/use") else None
    )
    use(looker)
    looker.page.wait_for_url(f"{looker.url}/b")
    fields = dict(pair.split("=", 1) for pair in sent[0].split("&"))
    for page in (looker.page, chromium.new_context().new_page()):
        page.context.clear_cookies()
        page.goto(f"{staffed.named}/sign-in/passkey")
        answer = page.evaluate(
            """async (answer) => {
              const form = document.querySelector("form").elements.form.value;
              const body = new URLSearchParams({ form, answer: decodeURIComponent(answer), next: "/" });
              await fetch("/sign-in/passkey/ask", { method: "POST", body: new URLSearchParams({ form }) });
              return (await fetch("/sign-in/passkey/use", { method: "POST", body })).status;
            }""",
            fields["answer"],
        )
        assert answer == 403


def test_an_address_that_is_no_name_says_where_to_go(context: BrowserContext, staffed: Staffed) -> None:
    """A browser binds a passkey to a name; the console names the one it has."""
    bare = Looker(context, staffed.url)
    bare.go("/sign-in/passkey")
    bare.page.get_by_role("link", name="http://localhost").click()
    expect(bare.page.get_by_role("button", name="Use a passkey")).to_be_visible()


def test_without_scripts_the_page_says_so(chromium: Browser, staffed: Staffed) -> None:
    """And leads to the password."""
    plain = chromium.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{staffed.named}/sign-in/passkey")
    expect(plain.get_by_text("Passkeys need scripts")).to_be_visible()
    plain.get_by_role("link", name="Sign in otherwise").click()
    expect(plain.locator("#password")).to_be_visible()


def test_a_sign_on_at_another_site_leads_back_in(context: BrowserContext, staffed: Staffed) -> None:
    """With cookies as a browser keeps them: the session is there on the next page, with scripts and without a click."""
    staffed.house.tell(SUBJECT)
    looker = Looker(context, staffed.url)  # the sign-on is localhost, so this is another site
    looker.go("/sign-in?next=/clocks")
    looker.page.get_by_role("link", name="Sign in with localhost").click()
    looker.page.wait_for_url(f"{staffed.url}/clocks")
    assert who(looker) == "Ann"
    assert looker.said == []


def test_a_sign_on_that_lies_leads_to_the_page_to_sign_in(context: BrowserContext, staffed: Staffed) -> None:
    """With the reason."""
    staffed.house.tell(SUBJECT, "over")
    looker = Looker(context, staffed.url)
    looker.go("/sign-in")
    looker.page.get_by_role("link", name="Sign in with localhost").click()
    expect(looker.page.get_by_role("alert").get_by_text("it is over")).to_be_visible()
    assert violations(looker.page) == []
    assert who(looker) == "nobody"
