"""People at the console: administrators, who see no content; accounts; wall screens. Over ASGI, with a desk, on a filled store."""

from __future__ import annotations

import asyncio
import html
import re
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bus import desk
from bus.console import Reading
from bus.console.common import common_of
from bus.console.deeds import Deeds
from bus.console.desks import DeskPeople
from bus.console.doing import Doing
from bus.console.navigation import NAVIGATION
from bus.console.page import Deed
from bus.console.pages import DEEDS, PAGES
from bus.console.showing import Showing
from bus.desk import Action, Role
from schemas.vocab import Tlp
from tests.support import consoles, desks
from tests.support.clocks import Clock
from tests.support.consoles import AUDIENCES, night, send, sign_in_as, with_desk
from tests.support.desks import PASSWORD
from tests.support.world import NOW

AT = NOW.timestamp()
NEW = "nine green boats on a lake"
OPEN = ("/people", "/audit", "/feeds", "/system", "/me", "/fresh", "/help")
"""Pages that an administrator may open, beside that of each person."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read it."""
    path = tmp_path_factory.mktemp("console") / "store.db"
    asyncio.run(consoles.fill(path, night()))
    return path


EVERYBODY = (("mara", Role.ADMINISTRATOR), ("tom", Role.DUTY), ("eva", Role.READER))


async def fill(held: desk.Desk) -> None:
    """An administrator, a duty officer and a reader; each may read all that there is."""
    for id_, role in EVERYBODY:
        await desks.add(held, id_, role, at=AT, ceiling=Tlp.RED, audiences=AUDIENCES)


def go(store: Path, folder: Path, work: Any, **of: Any) -> None:
    """Do something as the administrator, at a desk with three people."""

    async def whole() -> None:
        async with with_desk(store, folder, **of) as (c, held):
            await fill(held)
            assert (await sign_in_as(c, "mara")).status_code == 303
            await work(c, held)

    asyncio.run(whole())


def problem_of(answer: httpx.Response) -> str:
    """The sentence beside a form that was refused."""
    found = re.search(r'role="alert".*?<b>(.*?)</b>', answer.text, re.DOTALL)
    return html.unescape(found[1]) if found else ""


def handed(answer: httpx.Response) -> str:
    """The path of the address that is shown once."""
    found = re.search(r'id="handed"[^>]*>http://[^/]+(/[^<]+)<', answer.text)
    assert found is not None, answer.text[:2000]
    return html.unescape(found[1])


# -- what an administrator sees ---------------------------------------------------------------------------------------


def test_an_administrator_opens_no_page_of_content(store: Path, tmp_path: Path) -> None:
    """The navigation shows what may be opened and no more; every other page and twin is refused; there are no events."""

    async def work(c: httpx.AsyncClient, _: desk.Desk) -> None:
        first = await c.get("/")
        assert (first.status_code, first.headers["location"]) == (303, "/people")
        page = (await c.get("/people")).text
        assert {link.path for link in NAVIGATION if f'href="{link.path}"' in page} - {"/"} == {
            "/people",
            "/audit",
            "/feeds",
            "/system",
        }
        assert "/events" not in page
        assert 'role="search"' not in page
        for each in PAGES:
            for path in (each.path, each.twin):
                answer = await c.get(path.replace("{id}", "mara"))
                is_open = each.path.removesuffix("/{id}") in OPEN
                assert answer.status_code == (200 if is_open else 303 if path == "/" else 403), path
                if answer.status_code == 403:
                    assert "desk-role" in answer.text
        assert (await c.get("/events")).status_code == 204

    go(store, tmp_path, work)


def test_a_reader_opens_no_page_of_administrators(store: Path, tmp_path: Path) -> None:
    """Neither page nor twin nor form; and each page asks for one action of the table."""

    async def work(c: httpx.AsyncClient, held: desk.Desk) -> None:
        await sign_in_as(c, "eva")
        token = consoles.form_of((await c.get("/me")).text)
        for each in PAGES:
            if each.action in (Action.SEE_PEOPLE, Action.READ_AUDIT):
                for path in (each.path, each.twin):
                    assert (await c.get(path.replace("{id}", "tom"))).status_code == 403, path
        for deed in DEEDS:
            if deed.path.startswith("/people"):
                data = {
                    "form": token,
                    "n": "1",
                    "id": "new",
                    "name": "New",
                    "tlp": "green",
                    "role.reader": "on",
                }
                answer = await c.post(deed.path.replace("{id}", "tom"), data=data)
                assert answer.status_code in (403, 404), deed.path
        assert set(await held.read(desk.people.names)) == {"mara", "tom", "eva"}
        assert {each.state for each in await held.read(lambda db: desk.people.listed(db, operator()))} == {
            "active"
        }

    go(store, tmp_path, work)


def operator() -> desk.Act:
    """An operator on the machine."""
    return desk.at_command_line(AT)


def test_the_trail_shows_people_and_no_content(store: Path, tmp_path: Path) -> None:
    """Ids of bulletins and words of searches stay in the file; who looked and when is shown; it pages, filters and is checked."""

    async def work(c: httpx.AsyncClient, held: desk.Desk) -> None:
        await sign_in_as(c, "eva")
        rows = [
            row for group in (await c.get("/b.json?order=time")).json()["groups"] for row in group["rows"]
        ]
        narrow = next(row["id"] for row in rows if row["tlp"] == "amber+strict")
        await c.get(f"/b/{narrow}")
        await c.get("/b?q=portals")
        await sign_in_as(c, "mara")
        for path in ("/audit", "/audit.json", "/people/eva", "/people/eva.json"):
            text = (await c.get(path)).text
            assert narrow not in text, path
            assert "portals" not in text, path
            assert "viewed" in text, path
        found = (await c.get("/audit.json?who=eva&since=hour")).json()
        assert {row["who"] for row in found["rows"]} == {"eva"}
        assert [row["n"] for row in found["rows"]] == sorted(
            (row["n"] for row in found["rows"]), reverse=True
        )
        checked = (await c.get("/audit.json?verify=1")).json()["verified"]
        assert (checked["first"], checked["problem"], checked["is_all"]) == (1, "", True)
        wrong = (await c.get("/audit.json?verify=1&head=none")).json()["verified"]
        assert wrong["reason"] == "audit-head"

        def many(db: sqlite3.Connection) -> None:
            for n in range(120):
                desk.trail.add(db, operator(), "let-in", f"p{n}")

        await held.write(many)
        page = await c.get("/audit.json")
        assert (len(page.json()["rows"]), page.json()["older"]) == (
            100,
            f"/audit?who=&since=all&before={page.json()['rows'][-1]['n']}",
        )
        rest = (await c.get(page.json()["older"].replace("/audit", "/audit.json"))).json()
        assert rest["rows"][0]["n"] == page.json()["rows"][-1]["n"] - 1
        assert rest["rows"][-1]["n"] == 1
        assert rest["older"] == ""

    go(store, tmp_path, work)


def test_an_odd_question_to_the_trail_is_answered(store: Path, tmp_path: Path) -> None:
    """With rows, or with a sentence."""

    async def work(c: httpx.AsyncClient, _: desk.Desk) -> None:
        queries = (
            "before=x",
            "before=99999999999999999999",
            "since=ever",
            "who=%00",
            "head=%F0%9F%90%88&verify=1",
        )
        for query in queries:
            assert (await c.get(f"/audit?{query}")).status_code == (400 if "%00" in query else 200), query

    go(store, tmp_path, work)


# -- what an administrator does ---------------------------------------------------------------------------------------

NEWCOMER = {
    "id": "new",
    "name": "New Person",
    "role__reader": "on",
    "tlp": "green",
    "audience__community": "on",
    "lang": "en",
}


def test_a_person_is_added_and_comes_in(store: Path, tmp_path: Path) -> None:
    """With a token that is shown once with its address, good for one password; the person then reads what was given."""

    async def work(c: httpx.AsyncClient, held: desk.Desk) -> None:
        made = await send(c, "/people", "/people/add", **NEWCOMER)
        assert (made.status_code, made.headers["location"]) == (303, "/people/new")
        shown = await send(c, "/people/new", "/people/new/token")
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        address = handed(shown)
        assert address not in (await c.get("/people/new")).text
        c.cookies.clear()
        page = await c.get(address)
        data = {
            "form": consoles.form_of(page.text),
            "token": address.partition("token=")[2],
            "password": NEW,
            "again": NEW,
        }
        assert (await c.post("/set-password", data=data)).status_code == 303
        assert (await sign_in_as(c, "new", NEW)).headers["location"] == "/"
        assert (await c.get("/b")).status_code == 200
        me = (await c.get("/me.json")).json()
        assert (me["id"], me["tlp"], me["audiences"]) == ("new", "green", ["community"])
        person = await held.read(lambda db: desk.people.get(db, "new"))
        assert person.role_names == ["reader"]

    go(store, tmp_path, work)


REFUSALS: tuple[tuple[str, dict[str, str], int, str], ...] = (
    ("/people/add", {"id": "X"}, 400, "person-malformed"),
    ("/people/add", {"id": "command-line"}, 400, "person-malformed"),
    ("/people/add", {"id": "tom"}, 409, "person-exists"),
    ("/people/add", {"name": " "}, 400, "text-empty"),
    ("/people/add", {"name": "a\u202eb"}, 400, "text-unseen"),
    ("/people/add", {"name": "n" * 81}, 400, "text-too-long"),
    ("/people/add", {"role__reader": ""}, 400, "person-malformed"),
    ("/people/add", {"tlp": "purple"}, 400, "request-malformed"),
    ("/people/add", {"audience__xz-mil": "on"}, 400, "request-malformed"),
    ("/people/add", {"email": "nobody"}, 400, "person-malformed"),
    ("/people/add", {"lang": "english please"}, 400, "person-malformed"),
    ("/people/tom/change", {"limits": "1", "name": ""}, 400, "text-empty"),
    ("/people/tom/change", {"limits": "1", "role__reader": ""}, 400, "person-malformed"),
    ("/people/tom/change", {"limits": "1", "audience__xz-mil": "on"}, 400, "request-malformed"),
    ("/people/mara/change", {"limits": "1"}, 403, "own-work"),
    ("/people/mara/disable", {}, 403, "own-work"),
    ("/people/mara/token", {}, 403, "own-work"),
    ("/people/tom/end-session", {"n": "x"}, 400, "request-malformed"),
    ("/people/tom/end-session", {"n": "999"}, 404, "not-there"),
    ("/people/nobody/disable", {}, 404, "not-there"),
    ("/people/nobody/token", {}, 404, "not-there"),
    ("/people/nobody/let-in", {}, 404, "not-there"),
    ("/people/nobody/end-sessions", {}, 404, "not-there"),
)


def test_a_refusal_stands_beside_its_form(store: Path, tmp_path: Path) -> None:
    """A sentence with its code; what was typed is kept; nothing was changed."""

    async def work(c: httpx.AsyncClient, held: desk.Desk) -> None:
        def state(db: sqlite3.Connection) -> list[tuple[object, ...]]:
            rows = db.execute("SELECT id, name, roles, ceiling, audiences, is_active FROM people")
            return [tuple(row) for row in rows]

        before = await held.read(state)
        for form, change, status, reason in REFUSALS:
            fields = {**NEWCOMER, "name": "Typed Before", "email": "typed@office.example", **change}
            answer = await send(c, "/people", form, **{name: each for name, each in fields.items() if each})
            case = (form, change, answer.text)
            assert (answer.status_code, reason in answer.text) == (status, True), case
            assert await held.read(state) == before, case
            assert problem_of(answer) or "nobody" in form, case
            if form == "/people/add":
                plain = [each for each in ("name", "email", "id") if fields[each].isprintable()]
                assert not [each for each in plain if f'value="{fields[each]}"' not in answer.text], case
                kept = re.search(r'name="role.reader"( checked)?', answer.text)
                assert kept is not None
                assert bool(kept[1]) == bool(fields["role__reader"]), case

    go(store, tmp_path, work)


def test_a_change_holds_at_once(store: Path, tmp_path: Path) -> None:
    """In a session that is open: roles, the ceiling, being set aside. A password of before opens the door again after that."""

    async def work(c: httpx.AsyncClient, held: desk.Desk) -> None:
        theirs = httpx.AsyncClient(transport=c._transport, base_url=c.base_url)
        await sign_in_as(theirs, "eva")
        assert (await theirs.get("/b")).status_code == 200
        fields = {**NEWCOMER, "limits": "1", "name": "Eva", "tlp": "clear"}
        assert (await send(c, "/people/eva", "/people/eva/change", **fields)).status_code == 303
        assert {
            row["tlp"]
            for group in (await theirs.get("/b.json?order=time")).json()["groups"]
            for row in group["rows"]
        } <= {"clear"}
        fields |= {"role__administrator": "on", "role__reader": ""}
        sent = {name: each for name, each in fields.items() if each}
        assert (await send(c, "/people/eva", "/people/eva/change", **sent)).status_code == 303
        assert (await theirs.get("/b")).status_code == 403
        assert (await theirs.get("/people")).status_code == 200
        assert (await send(c, "/people/eva", "/people/eva/disable")).status_code == 303
        assert (await theirs.get("/people")).headers["location"].startswith("/sign-in")
        assert (await sign_in_as(theirs, "eva")).status_code == 403
        assert (await send(c, "/people/eva", "/people/eva/enable")).status_code == 303
        assert (await sign_in_as(theirs, "eva")).status_code == 303
        rows = await held.read(lambda db: desk.trail.read(db, operator(), who="mara"))
        assert [each.what for each in rows][:4] == [
            "person-enabled",
            "person-disabled",
            "person-changed",
            "person-changed",
        ]
        assert rows[2].detail == "roles administrator"

    go(store, tmp_path, work)


@pytest.mark.parametrize("what", ["disable", "change"])
def test_the_last_administrator_stays(store: Path, tmp_path: Path, what: str) -> None:
    """While two forms are on their way the one that comes second finds nobody left, whoever sends it."""

    async def work(c: httpx.AsyncClient, held: desk.Desk) -> None:
        await desks.add(held, "ann", Role.ADMINISTRATOR, at=AT)
        assert (await send(c, "/people/ann", "/people/ann/disable")).status_code == 303
        fields = {**NEWCOMER, "limits": "1"} if what == "change" else {}
        refused = await send(c, "/people/mara", f"/people/mara/{what}", **fields)
        assert (refused.status_code, "own-work" in refused.text) == (403, True)
        assert (await send(c, "/people/ann", "/people/ann/enable")).status_code == 303
        fields = {**NEWCOMER, "limits": "1"} if what == "change" else {}
        assert (await send(c, "/people/ann", f"/people/ann/{what}", **fields)).status_code == 303
        found = await held.read(lambda db: desk.people.listed(db, operator()))
        assert [each.id for each in found if each.is_active and Role.ADMINISTRATOR in each.roles] == ["mara"]

    go(store, tmp_path, work)


def test_sessions_are_ended_from_the_page(store: Path, tmp_path: Path) -> None:
    """One by its number, or all of a person."""

    async def work(c: httpx.AsyncClient, _: desk.Desk) -> None:
        theirs = [httpx.AsyncClient(transport=c._transport, base_url=c.base_url) for _ in range(3)]
        for each in theirs:
            await sign_in_as(each, "tom")
        newest = (await c.get("/people/tom.json")).json()["sessions"][0]["n"]
        await send(c, "/people/tom", "/people/tom/end-session", n=str(newest))
        assert [(await each.get("/b")).status_code for each in theirs] == [200, 200, 303]
        await send(c, "/people/tom", "/people/tom/end-sessions")
        assert [(await each.get("/b")).status_code for each in theirs] == [303, 303, 303]

    go(store, tmp_path, work)


# -- one's own account ------------------------------------------------------------------------------------------------


def test_a_password_is_changed_with_the_one_of_now(store: Path, tmp_path: Path) -> None:
    """The session goes on under a new token, all others end; a wrong, a weak, an unequal one is refused, and none is shown again."""

    async def work(c: httpx.AsyncClient, _: desk.Desk) -> None:
        other = httpx.AsyncClient(transport=c._transport, base_url=c.base_url)
        await sign_in_as(c, "eva")
        await sign_in_as(other, "eva")
        before = dict(c.cookies)
        for fields, status, words in (
            (
                {"password": "wrong of it", "password-new": NEW, "password-again": NEW},
                403,
                "The password is wrong",
            ),
            ({"password": PASSWORD, "password-new": NEW, "password-again": "x"}, 400, "differ"),
            ({"password": PASSWORD, "password-new": "short", "password-again": "short"}, 400, ""),
        ):
            answer = await send(c, "/me", "/me/password", **fields)
            assert answer.status_code == status
            assert words in problem_of(answer)
            assert not [each for each in fields.values() if len(each) > 1 and f'"{each}"' in answer.text]
        fields = {"password": PASSWORD, "password-new": NEW, "password-again": NEW}
        assert (await send(c, "/me", "/me/password", **fields)).headers["location"] == "/me"
        assert dict(c.cookies) != before
        assert (await c.get("/b")).status_code == 200
        assert (await other.get("/b")).status_code == 303
        assert (await sign_in_as(other, "eva")).status_code == 403
        assert (await sign_in_as(other, "eva", NEW)).status_code == 303

    go(store, tmp_path, work)


def test_ones_own_sessions_are_ended_and_no_others(store: Path, tmp_path: Path) -> None:
    """By number, all but this, or this."""

    async def work(c: httpx.AsyncClient, held: desk.Desk) -> None:
        await sign_in_as(c, "eva")
        other = httpx.AsyncClient(transport=c._transport, base_url=c.base_url)
        await sign_in_as(other, "tom")
        toms = (await other.get("/me.json")).json()["sessions"][0]["n"]
        refused = await send(c, "/me", "/me/end-session", n=str(toms))
        assert (refused.status_code, problem_of(refused)) == (404, "There is no such session here")
        await sign_in_as(other, "eva")
        mine = (await c.get("/me.json")).json()["sessions"]
        assert [each["is_this"] for each in mine][:2] == [False, True]
        await send(c, "/me", "/me/end-sessions")
        assert (await other.get("/b")).status_code == 303
        (left,) = (await c.get("/me.json")).json()["sessions"]
        await send(c, "/me", "/me/end-session", n=str(left["n"]))
        assert (await c.get("/me")).status_code == 303

    go(store, tmp_path, work)


PLACES = (
    ("/b?q=flood", "/b?q=flood"),
    ("", "/me"),
    ("//evil.example", "/me"),
    ("https://evil.example/", "/me"),
    ("/\\evil.example", "/me"),
    ("/fresh?next=/b", "/me"),
    ("/sign-out", "/me"),
    ("javascript:1", "/me"),
)


def test_a_password_given_again_leads_back_and_nowhere_else(store: Path, tmp_path: Path) -> None:
    """The session has a new token and is fresh; a wrong password is refused on the page, which still knows the way back."""

    async def work(c: httpx.AsyncClient, held: desk.Desk) -> None:
        for wanted, place in PLACES:
            clock.pass_(desk.sessions.FRESH_S + 1)
            page = f"/fresh?{httpx.QueryParams({'next': wanted})}"
            wrong = await send(c, page, "/fresh", password="wrong of it", next=wanted)
            assert (wrong.status_code, problem_of(wrong)) == (403, "The password is wrong")
            assert f'name="next" value="{html.escape(wanted)}"' in wrong.text
            assert f'href="{html.escape(wanted)}"' not in wrong.text or wanted == place
            old = next(iter(c.cookies.values()))
            right = await send(c, page, "/fresh", password=PASSWORD, next=wanted)
            assert (right.status_code, right.headers["location"]) == (303, place)
            new = next(iter(c.cookies.values()))
            assert new != old
            at = clock().timestamp()
            assert await held.look(new, at, "", lambda _, act: desk.sessions.is_fresh(act))
            with pytest.raises(desk.DeskError):
                await held.look(old, at, "", lambda _, act: act.who)

    clock = Clock(NOW)
    go(store, tmp_path, work, clock=clock)


def test_what_needs_a_fresh_password_leads_there_and_back(store: Path, tmp_path: Path) -> None:
    """A form of a page that the desk refuses for that alone; with a fresh password the same form is done."""

    def approval(_: sqlite3.Connection, act: desk.Act) -> None:
        if not desk.sessions.is_fresh(act):
            raise desk.DeskError("an approval needs your password", reason="not-fresh")

    async def approve(doing: Doing) -> str:
        await doing.at_desk(approval)
        return "/system"

    async def whole() -> None:
        clock = Clock(NOW)
        async with (
            desks.open_desk(tmp_path) as held,
            Reading.open(store, consoles.shelf()) as reading,
        ):
            await fill(held)
            common = common_of(reading, DeskPeople(held, consoles.numbers()), clock, consoles.numbers())
            showing = Showing(common)
            deeds = Deeds(common, showing)
            deed = Deed(path="/people/{id}/approve", work=approve, on="/people/{id}")
            fresh = next(each for each in DEEDS if each.path == "/fresh")
            made = Starlette(
                routes=[
                    *common.entrance.routes(),
                    *(Route(each.path, partial(deeds.do, each), methods=["POST"]) for each in (deed, fresh)),
                    *(Route(each.path, partial(showing.show, each, as_json=False)) for each in PAGES),
                ]
            )
            transport = httpx.ASGITransport(app=made)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{consoles.HOST}") as c:
                await sign_in_as(c, "mara")
                assert (await send(c, "/people/tom", "/people/tom/approve")).headers["location"] == "/system"
                clock.pass_(desk.sessions.FRESH_S + 1)
                asked = await send(c, "/people/tom", "/people/tom/approve")
                assert (asked.status_code, asked.headers["location"]) == (303, "/fresh?next=%2Fpeople%2Ftom")
                page = asked.headers["location"]
                back = await send(c, page, "/fresh", password=PASSWORD, next="/people/tom")
                assert back.headers["location"] == "/people/tom"
                assert (await send(c, "/people/tom", "/people/tom/approve")).headers["location"] == "/system"

    asyncio.run(whole())


# -- wall screens -----------------------------------------------------------------------------------------------------


def test_a_wall_screen_shows_one_page(store: Path, tmp_path: Path) -> None:
    """Its address is good once; it opens the wall and its twin, every other page and form is refused; it ends from the account."""

    async def work(c: httpx.AsyncClient, _: desk.Desk) -> None:
        await sign_in_as(c, "tom")
        address = handed(await send(c, "/me", "/me/wall", tlp="green"))
        assert address not in (await c.get("/me")).text
        screen = httpx.AsyncClient(transport=c._transport, base_url=c.base_url)
        page = await screen.get(address)
        assert (await screen.get("/wall")).status_code == 303
        data = {"form": consoles.form_of(page.text), "key": address.partition("key=")[2]}
        begun = await screen.post("/wall/begin", data=data)
        assert (begun.status_code, begun.headers["location"]) == (303, "/wall")
        again = await screen.post("/wall/begin", data=data)
        assert (again.status_code, "wall-key" in again.text) == (403, True)
        wall = (await screen.get("/wall.json?tlp=red")).json()
        assert (
            wall["marking"],
            {row["tlp"] for row in wall["top"]} <= {"green", "clear"},
            wall["above"] > 0,
        ) == ("green", True, True)
        assert (await screen.get("/")).headers["location"] == "/wall"
        token = consoles.form_of((await screen.get(address)).text)
        for each in PAGES:
            for path in (each.path, each.twin):
                answer = await screen.get(path.replace("{id}", "tom"))
                assert answer.status_code == (200 if each.path == "/wall" else 303 if path == "/" else 403), (
                    path
                )
        for deed in DEEDS:
            answer = await screen.post(deed.path.replace("{id}", "tom"), data={"form": token, "n": "1"})
            assert answer.status_code in (400, 403, 404), deed.path
        (row,) = [each for each in (await c.get("/me.json")).json()["sessions"] if each["is_wall"]]
        await send(c, "/me", "/me/end-session", n=str(row["n"]))
        assert (await screen.get("/wall")).headers["location"].startswith("/sign-in")

    go(store, tmp_path, work)


@pytest.mark.parametrize(
    ("who", "tlp", "status"), [("eva", "green", 403), ("tom", "purple", 400), ("tom", "", 400)]
)
def test_a_wall_is_opened_by_a_duty_officer_at_a_marking(
    store: Path, tmp_path: Path, who: str, tlp: str, status: int
) -> None:
    """Nobody else, and at no other word."""

    async def work(c: httpx.AsyncClient, _: desk.Desk) -> None:
        await sign_in_as(c, who)
        answer = await send(c, "/me", "/me/wall", **({"tlp": tlp} if tlp else {}))
        assert answer.status_code == status
        assert problem_of(answer) or "desk-role" in answer.text

    go(store, tmp_path, work)
