"""Feed addresses over HTTP: made by a form, shown once, read without a session, within GREEN; ended, metered, and on record."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import feedparser
import httpx
import icalendar
import pytest

from bus.console import limits, lists
from bus.desk import Role, at_command_line, people, sessions, trail
from bus.policy import Clearance
from schemas.vocab import Tlp
from tests.support.clocks import Clock
from tests.support.consoles import AUDIENCES, HOSTILE, fill, form_of, night, numbers
from tests.support.desk_consoles import desk_console
from tests.support.world import NOW

NIGHT = night()
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read it."""
    path = tmp_path_factory.mktemp("console") / "store.db"
    asyncio.run(fill(path, NIGHT))
    return path


async def send(c: httpx.AsyncClient, deed: str, **fields: str) -> httpx.Response:
    """Send a form of the page."""
    return await c.post(deed, data={"form": form_of((await c.get("/feeds")).text), **fields})


async def made(
    c: httpx.AsyncClient, path: str, query: str = "", days: str = "90", name: str = "a program"
) -> str:
    """The path of a new feed address."""
    answer = await send(c, f"/feeds/make?list={path}&{query}", days=days, name=name)
    found = re.search(r"http://console\.example(/feed/[\w.-]+)</code>", answer.text)
    assert found is not None, answer.text
    return found[1]


def stranger(c: httpx.AsyncClient) -> httpx.AsyncClient:
    """A program without a cookie."""
    return httpx.AsyncClient(transport=c._transport, base_url=c.base_url)


def test_a_calendar_and_a_reader_subscribe(store: Path, tmp_path: Path) -> None:
    """From the foot of a list, with its filter; the address is shown once; without a cookie it gives what the list has up to GREEN."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down()
            foot = (await c.get("/b?dimension=cybercrime")).text
            assert 'href="/feeds?list=/b.atom&amp;dimension=cybercrime"' in foot
            page = (await c.get("/feeds?list=/b.atom&dimension=cybercrime")).text
            assert 'action="/feeds/make?list=%2Fb.atom&amp;dimension=cybercrime"' in page
            atom = await made(c, "/b.atom", "dimension=cybercrime")
            ics = await made(c, "/clocks.ics")
            assert atom not in (await c.get("/feeds")).text + (await c.get("/feeds.json")).text
            program = stranger(c)
            read = feedparser.parse((await program.get(atom)).content)
            twin = (await c.get("/b.json?dimension=cybercrime&order=time&ended=1&tlp=green")).json()
            rows = [row for group in twin["groups"] for row in group["rows"]]
            assert [each.id for each in read.entries] == [f"urn:uuid:{row['id']}" for row in rows]
            assert len(rows) == 3
            events = icalendar.Calendar.from_ical((await program.get(ics)).content).walk("VEVENT")
            assert {str(each["SUMMARY"])[-len("[TLP:GREEN]") :] for each in events} == {"[TLP:GREEN]"}
            assert (await program.get("/b.atom")).status_code == 303, "the address itself needs a session"

    asyncio.run(go())


@pytest.mark.parametrize("ceiling", list(Tlp))
@pytest.mark.parametrize("audiences", [AUDIENCES, frozenset({"community", "eu-csirts"})])
def test_nothing_above_green_is_in_any_feed(
    store: Path, tmp_path: Path, ceiling: Tlp, audiences: frozenset[str]
) -> None:
    """Every list that can be one, at every ceiling: no id, headline or summary of what its person or GREEN does not reach."""
    limit = Clearance(ceiling=Tlp.CLEAR if ceiling is Tlp.CLEAR else Tlp.GREEN, audiences=audiences)
    said = [each.bulletin for each in NIGHT if each.bulletin.status != "beat"]
    open_ = {words for b in said if limit.sees(b.tlp, b.audience) for words in (b.id, b.info[0].headline)}
    hidden = {words for b in said for words in (b.id, b.info[0].headline)} - open_
    lists = ("/b.atom", "/i.atom", "/clocks.ics", "/channels.atom", "/e.ics", "/quarantine.atom")

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down("ann", Role.ANALYST, ceiling=ceiling, audiences=audiences)
            addresses = [await made(c, path) for path in lists]
            text = "".join([(await stranger(c).get(each)).text for each in addresses]).replace("\r\n ", "")
            assert not [words for words in hidden if words in text]
            assert [words for words in open_ if words in text] or not open_
            assert text.count("VCALENDAR") == 4

    assert hidden
    asyncio.run(go())


def test_a_feed_names_no_secret(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy of it that is handed on does not hand on the address; neither does the log, when something fails."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down()
            addresses = [await made(c, path) for path in ("/b.atom", "/clocks.ics")]
            secrets = [each.split("/")[2].split(".")[0] for each in addresses]
            for address, secret in zip(addresses, secrets, strict=True):
                answer = await stranger(c).get(address)
                assert answer.status_code == 200
                assert secret not in answer.text + str(answer.headers)
            monkeypatch.setattr(lists, "file_as", broken)
            assert {(await stranger(c).get(each)).status_code for each in addresses} == {500}
            told = "".join(capsys.readouterr())
            assert "page_failed" in told
            assert not [each for each in secrets if each in told]

    asyncio.run(go())


def test_it_ends(store: Path, tmp_path: Path) -> None:
    """By its time, by its person, with its person; then it is nothing, as what never was."""
    clock = Clock(NOW)

    async def go() -> None:
        async with desk_console(store, tmp_path, clock=clock) as console:
            c = await console.sit_down()
            address, other = await made(c, "/b.atom", days="90"), await made(c, "/e.ics", days="30")
            third = await made(c, "/i.atom")
            program = stranger(c)
            assert {(await program.get(each)).status_code for each in (address, other, third)} == {200}
            assert (await send(c, "/feeds/end", n="1")).status_code == 303
            assert [each["n"] for each in (await c.get("/feeds.json")).json()["addresses"]] == [3, 2]
            clock.pass_(31 * DAY_S)
            answers = [await program.get(each) for each in (address, other, "/feed/never.atom")]
            assert {each.status_code for each in answers} == {404}
            assert {("feed-ended" in each.text) for each in answers} == {True}
            assert (await program.get(third.replace(".atom", ".ics"))).status_code == 404
            assert (await program.get(third)).status_code == 200
            by = at_command_line(NOW.timestamp())
            await console.desk.write(lambda db: people.disable(db, by, "ann"))
            assert (await program.get(third)).status_code == 404

    asyncio.run(go())


REFUSED = {
    "no such list": ({"list": "/b.csv"}, 400),
    "a page": ({"list": "/b"}, 400),
    "another place": ({"list": "//evil.example/b.atom"}, 400),
    "for ever": ({"days": "99999"}, 400),
    "no days": ({"days": ""}, 400),
    "a filter that cannot be read": ({"query": "q=since:never"}, 400),
    "a long filter": ({"query": "q=" + "x" * 501}, 400),
    "many filters": ({"query": "&".join(f"q={n}" for n in range(41))}, 400),
    "no name": ({"name": ""}, 400),
}


def test_what_is_refused(store: Path, tmp_path: Path) -> None:
    """With a sentence, and no address is made."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down()
            for case, (change, status) in REFUSED.items():
                asked = {"list": "/b.atom", "query": "", "days": "30", "name": "a", **change}
                address = f"/feeds/make?list={asked.pop('list')}&{asked.pop('query')}"
                assert (await send(c, address, **asked)).status_code == status, case
            kept = (
                await send(c, "/feeds/make?list=/b.atom&dimension=cybercrime", days="0", name="my desk")
            ).text
            assert "choose a list and for how long" in kept.lower()
            assert 'value="my desk"' in kept
            assert "dimension:cybercrime" in kept
            for number in ("", "x", "9" * 17, "7", "²"):
                assert (await send(c, "/feeds/end", n=number)).status_code in (400, 404), number
            assert (
                await c.post("/feeds/make?list=/b.atom", data={"days": "30", "name": "a"})
            ).status_code == 400
            assert (await c.get("/feeds.json")).json()["addresses"] == []
            for name in HOSTILE:
                await send(c, "/feeds/make?list=/b.atom&q=<b>", days="30", name=name)
            page = (await c.get("/feeds")).text
            assert "<script>window" not in page
            assert "&lt;script&gt;" in page
            assert "<b>" not in page.replace("<b>ann", "").split("Addresses in use")[1].split("</table>")[0]

    asyncio.run(go())


def test_a_program_that_asks_without_pause_waits(store: Path, tmp_path: Path) -> None:
    """One address is metered by itself; another goes on."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down()
            busy, other = await made(c, "/e.ics"), await made(c, "/clocks.ics")
            program = stranger(c)
            statuses = [(await program.get(busy)).status_code for _ in range(int(limits.FEED.burst) + 1)]
            assert statuses == [200] * int(limits.FEED.burst) + [429]
            assert (await program.get(other)).status_code == 200

    asyncio.run(go())


def test_what_leaves_is_on_record_first(store: Path, tmp_path: Path) -> None:
    """A download with its filter, its number and its marking; a feed by its name, once an hour; a wall downloads nothing."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down()
            await c.get("/b.csv?kind=rfi")
            address = await made(c, "/b.atom", "q=flood", name="news")
            for _ in range(3):
                await stranger(c).get(address)

            by = at_command_line(NOW.timestamp())
            rows = await console.desk.read(lambda db: trail.read(db, by, who="ann"))
            told = [
                (each.what, each.about, each.detail) for each in reversed(rows) if each.what != "signed-in"
            ]
            assert told[-3:] == [
                ("exported", "", "/b.csv?kind=rfi: 1, up to green"),
                ("feed-added", "news", "/b.atom?q=flood, for 90 days"),
                ("feed-read", "news", "/b.atom?q=flood"),
            ]

    asyncio.run(go())


def test_a_wall_takes_nothing_away(store: Path, tmp_path: Path) -> None:
    """It looks; a file and the page of addresses are refused."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down("dora", Role.DUTY)
            (cookie,) = c.cookies.items()
            key = await console.desk.act(
                cookie[1],
                NOW.timestamp(),
                "192.0.2.7",
                lambda db, act: sessions.open_wall(db, act, Tlp.AMBER, AUDIENCES, numbers(99)),
            )
            wall = await console.desk.write(
                lambda db: sessions.begin_wall(db, key, NOW.timestamp(), "192.0.2.7", numbers(98))
            )
            c.cookies.clear()
            c.cookies.set(cookie[0], wall)
            assert (await c.get("/wall")).status_code == 200
            for path in ("/b.csv", "/b.atom", "/clocks.ics", "/feeds"):
                answer = await c.get(path)
                assert (answer.status_code, "desk-wall" in answer.text) == (403, True), path

    asyncio.run(go())


def test_who_keeps_people_sees_every_address(store: Path, tmp_path: Path) -> None:
    """And ends it; others see their own."""

    async def go() -> None:
        async with desk_console(store, tmp_path) as console:
            c = await console.sit_down("ann")
            address = await made(c, "/b.atom", name="of ann")
            c = await console.sit_down("bob")
            assert "of ann" not in (await c.get("/feeds")).text
            assert (await send(c, "/feeds/end", n="1")).status_code == 404
            c = await console.sit_down("kay", Role.ADMINISTRATOR, Role.READER)
            assert "of Name of ann" in (await c.get("/feeds")).text
            assert (await send(c, "/feeds/end", n="1")).status_code == 303
            assert (await stranger(c).get(address)).status_code == 404

    asyncio.run(go())


def test_in_a_demonstration_too(store: Path, tmp_path: Path) -> None:
    """A visitor has addresses under the name that was given."""

    async def go() -> None:
        async with desk_console(store, tmp_path, is_demonstration=True) as console:
            c = await console.sit_down("Mara Lind", is_new=False)
            assert (await stranger(c).get(await made(c, "/b.atom"))).status_code == 200

    asyncio.run(go())
