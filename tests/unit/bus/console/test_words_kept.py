"""What a person has written is not lost when it cannot be taken: the page of the error has it, and sends it again."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from pathlib import Path

import httpx
import msgspec

from bus.console.shield import Message, Shield
from bus.desk import Role
from schemas.vocab import Tlp
from tests.support.clocks import Clock
from tests.support.consoles import AUDIENCES, HOST, Speaker, fill, form_of, sign_in_as, with_desk
from tests.support.desks import add
from tests.support.world import NOW

WORDS = 'The ministry asks for it.\r\n"In writing" & soon; <b>'
SAME_SITE = {"sec-fetch-site": "same-origin"}
SCOPE = {
    "type": "http", "method": "POST", "scheme": "http", "query_string": b"", "client": ("192.0.2.7", 1), "server": ("192.0.2.1", 80),
    "headers": [(b"host", HOST.encode()), (b"sec-fetch-site", b"same-origin"), (b"content-type", b"application/x-www-form-urlencoded")],
}  # fmt: skip


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the form that sends it again."""
    return {
        name: unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    }


async def test_words_outlive_the_session_of_their_page(tmp_path: Path) -> None:
    """The session ends while somebody writes: the words are shown, and after signing in elsewhere they are sent from there, once."""
    path, clock = tmp_path / "store.db", Clock(NOW)
    said = Speaker("xb-csirt").say("Slow portal", 300)
    await fill(path, [said])
    place = f"/b/{said.bulletin.id}/note"
    async with with_desk(path, tmp_path, clock=clock) as (c, held):
        await add(held, "tom", Role.ANALYST, at=NOW.timestamp(), ceiling=Tlp.RED, audiences=AUDIENCES)
        await sign_in_as(c, "tom")
        form = form_of((await c.get("/")).text)
        clock.pass_(3600)
        late = await c.post(place, data={"form": form, "text": WORDS}, headers=SAME_SITE)
        assert (late.status_code, "session-ended" in late.text) == (401, True)
        assert "The ministry asks for it." in late.text
        assert "soon; &lt;b&gt;" in late.text
        assert "soon; <b>" not in late.text
        c.cookies.clear()  # as by signing out in another tab
        late = await c.post(place, data={"form": form, "text": WORDS}, headers=SAME_SITE)
        assert "The ministry asks for it." in late.text
        assert (await c.post(place, data={"form": form, "text": WORDS})).status_code == 303
        await sign_in_as(c, "tom")
        old = await c.post(place, data=fields_of(late.text), headers=SAME_SITE)
        assert (old.status_code, "form-token" in old.text) == (400, True)
        done = await c.post(place, data=fields_of(old.text), headers=SAME_SITE)
        assert done.status_code == 303, done.text
        (note,) = (await c.get(f"/b/{said.bulletin.id}.json")).json()["desk"]["notes"]
        assert note["text"].replace("\r\n", "\n") == WORDS.replace("\r\n", "\n")


async def test_another_site_has_nothing_shown(tmp_path: Path) -> None:
    """Its words stand on no page of this console; nor do passwords, nor what is no writing of a person."""
    path = tmp_path / "store.db"
    await fill(path, [Speaker("xb-csirt").say("Slow portal", 300)])
    async with with_desk(path, tmp_path) as (c, held):
        await add(held, "tom", Role.ANALYST, at=NOW.timestamp(), ceiling=Tlp.RED, audiences=AUDIENCES)
        await sign_in_as(c, "tom")
        sent = {"form": "x", "text": "Call 112 now"}
        foreign = await c.post("/b/x/note", data=sent, headers={"sec-fetch-site": "cross-site"})
        assert (foreign.status_code, "Call 112 now" in foreign.text) == (400, False)
        own = await c.post("/b/x/note", data=sent, headers=SAME_SITE)
        assert "Call 112 now" in own.text
        untold = await c.post("/b/x/note", data=sent)
        assert (untold.status_code, "Call 112 now" in untold.text) == (400, False)
        secret = "a secret of mine, with words"
        for place, names in {
            "/set-password": ("password", "again"),
            "/me/password": ("password", "password-new"),
        }.items():
            kept = await c.post(place, data={"form": "x", **dict.fromkeys(names, secret)}, headers=SAME_SITE)
            assert (kept.status_code, secret in kept.text) == (400, False), place
        short = await c.post("/b/x/acknowledge", data={"form": "x"}, headers=SAME_SITE)
        assert 'id="kept"' not in short.text


async def test_words_outlive_a_refusal_that_comes_before_the_form_is_read(tmp_path: Path) -> None:
    """Of somebody who asks too fast, and of a desk that cannot be read; of many forms in a row no more than a few are read."""
    path = tmp_path / "store.db"
    await fill(path, [])
    async with with_desk(path, tmp_path) as (c, held):
        await add(held, "tom", Role.ANALYST, at=NOW.timestamp(), ceiling=Tlp.RED, audiences=AUDIENCES)
        await sign_in_as(c, "tom")

        async def sent() -> httpx.Response:
            return await c.post("/b/x/note", data={"form": "x", "text": WORDS}, headers=SAME_SITE)

        while (hurried := await sent()).status_code != 429:
            pass
        assert "The ministry asks for it." in hurried.text
        assert not all(["The ministry" in (await sent()).text for _ in range(30)])
    async with with_desk(path, tmp_path) as (c, held):
        await sign_in_as(c, "tom")
        await held.write(lambda db: db.execute("ALTER TABLE sessions RENAME TO gone"))
        broken = await sent()
        assert (broken.status_code, "The ministry asks for it." in broken.text) == (503, True)


async def test_the_page_of_an_error_leads_nowhere_else(tmp_path: Path) -> None:
    """Not even where the path looks like the address of another site."""
    path = tmp_path / "store.db"
    await fill(path, [])
    async with with_desk(path, tmp_path) as (c, _):
        page = await c.get(f"http://{HOST}//evil.example/?{'x' * 9000}")
        assert (page.status_code, "evil.example" in page.text) == (413, False)


async def test_what_may_have_been_done_is_not_called_undone(tmp_path: Path) -> None:
    """A form whose answer takes too long: the desk may have taken it."""
    path = tmp_path / "store.db"
    await fill(path, [])
    async with with_desk(path, tmp_path) as (c, _):
        scope = {**SCOPE, "path": "/b/x/note"}
        said: list[bytes] = []

        async def send(message: Message) -> None:
            said.append(message.get("body", b""))

        async def never() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        transport = c._transport
        assert isinstance(transport, httpx.ASGITransport)
        assert isinstance(transport.app, Shield)
        slow = msgspec.structs.replace(transport.app, most_s=0.01)
        await slow(scope, never, send)
        assert b"It may have been done" in b"".join(said)
        assert b"Nothing was changed" not in b"".join(said)
