"""Lists in their other forms: CSV, Atom and calendars say what their page says, in what independent readers read, and do nothing else."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import feedparser
import httpx
import icalendar
import msgspec
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from bus.console import application, texts
from bus.console.forms import Item, Listing, calendar, feed, link_of, table
from bus.console.forms.shape import Cell
from bus.console.pages import PAGES
from schemas.parts import Handling
from tests.support import consoles
from tests.support.clocks import Clock
from tests.support.consoles import HOSTILE, Speaker, client, fill, night, signed_in
from tests.support.hubs import beat
from tests.support.world import NOW

FORMS = sorted(link_of(form, page) for page in PAGES for form in page.forms)
"""Every list in every other form."""
TEXT = (
    st.text(max_size=300)
    | st.sampled_from(HOSTILE)
    | st.text("=+-@;,\"'\\\t\r\n \u202e\ufeff\uff1d", max_size=40)
)
SPACE = {
    "title": "A list",
    "hub": "A hub",
    "domain": "tests.example",
    "name": "list",
    "marking": "green",
    "is_exercise": False,
    "now": NOW,
    "base": "https://console.example",
    "page": "/b?q=a&b",
    "own": "/b.atom",
    "next": "",
    "notes": (),
    "columns": ("marking", "text"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read."""
    path = tmp_path_factory.mktemp("console") / "store.db"
    asyncio.run(fill(path, night()))
    return path


def listing(text: str, **of: Any) -> Listing:
    """A list with one item that says a text everywhere."""
    item = Item(
        key=text, tlp="green", at=NOW, title=text, words=text, by=text, path="/b/1", tags=(text,), start=NOW,
        cells=("green", text),
    )  # fmt: skip
    return Listing(items=(item,), **{**SPACE, **of})


def events_of(body: bytes) -> list[Any]:
    """The events of a calendar, as a program reads them."""
    return list(icalendar.Calendar.from_ical(body).walk("VEVENT"))


def rows_of(body: bytes) -> list[list[str]]:
    """The lines of a CSV file, as a program reads them."""
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def test_every_list_has_its_forms() -> None:
    """Those that the documents name, and no other."""
    expected = "/b.atom /b.csv /channels.atom /channels.csv /clocks.atom /clocks.csv /clocks.ics /drills.atom /drills.csv /e.atom /e.csv /e.ics /i.atom /i.csv"
    assert " ".join(FORMS) == f"{expected} /quarantine.atom /quarantine.csv"


@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_a_file(store: Path, path: str) -> None:
    """It has its type, is kept nowhere, and is named by its marking and day; its page names it twice; nobody gets it unsigned."""
    kinds = {"csv": "text/csv", "atom": "application/atom+xml", "ics": "text/calendar"}

    async def go() -> None:
        async with signed_in(store) as c:
            answer = await c.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(kinds[path.rpartition(".")[2]])
            assert answer.headers["cache-control"] == "no-store"
            marking = (await c.get(f"{path.partition('.')[0]}.json")).json()["marking"]
            named = f"TLP-{marking.upper().replace('+', '-')}-{NOW:%Y-%m-%d}.{path.rpartition('.')[2]}"
            if path != "/b.atom":  # it has ended ones too
                assert named in answer.headers["content-disposition"]
            assert answer.headers["content-disposition"].startswith("attachment;")
            if path.endswith(".csv"):
                assert len({len(row) for row in rows_of(answer.content)}) == 1
            page = (await c.get(path.partition(".")[0])).text
            assert page.count(f'href="{path}"') == 2
        async with client(store) as c:
            assert (await c.get(path)).status_code == 303

    asyncio.run(go())


def test_a_table_has_the_rows_of_the_page(store: Path) -> None:
    """With the same filter, order and words: from one struct."""

    async def go() -> None:
        async with signed_in(store) as c:
            for query in (
                "",
                "?q=flood",
                "?priority=p1&priority=p2",
                "?order=time&ended=1",
                "?tlp=green&area=XB",
            ):
                twin = (await c.get(f"/b.json{query}")).json()
                shown = [row["id"] for group in twin["groups"] for row in group["rows"]]
                head, *lines = rows_of((await c.get(f"/b.csv{query}")).content)
                assert [dict(zip(head, line, strict=True))["id"] for line in lines] == shown, query
                assert len({len(line) for line in (head, *lines)}) == 1

    asyncio.run(go())


def test_what_does_not_fit_is_on_the_next_page(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line and a header say where; together the pages have each row once."""

    async def pages(c: httpx.AsyncClient) -> list[str]:
        found: list[str] = []
        at = "/b.csv?order=time"
        while at:
            answer = await c.get(at)
            _, *lines = rows_of(answer.content)
            link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("link", ""))
            at = link[1] if link else ""
            if at:
                assert lines.pop()[0] == f"More match. The next ones: {at}"
            found += [line[-1] for line in lines]
        return found

    async def go() -> None:
        async with signed_in(store) as c:
            whole = await pages(c)
        few = tuple(
            msgspec.structs.replace(
                page,
                forms=tuple(msgspec.structs.replace(form, most=min(form.most, 4)) for form in page.forms),
            )
            for page in PAGES
        )
        monkeypatch.setattr(application, "PAGES", few)
        async with signed_in(store) as c:
            assert await pages(c) == whole
            assert len(whole) == len(set(whole)) > 12

    asyncio.run(go())


def test_a_feed_is_read(store: Path) -> None:
    """By a reader of feeds: the newest first, each with its marking; the withdrawn one says so; ids stay."""

    async def go() -> None:
        clock = Clock(NOW)
        async with signed_in(store, clock=clock) as c:
            first = feedparser.parse((await c.get("/b.atom")).content)
            clock.pass_(60)
            again = feedparser.parse((await c.get("/b.atom")).content)
            assert not first.bozo
            assert [each.id for each in first.entries] == [each.id for each in again.entries]
            assert first.feed.id == again.feed.id
            twin = (await c.get("/b.json?order=time&ended=1")).json()
            rows = [row for group in twin["groups"] for row in group["rows"]]
            assert [each.id for each in first.entries] == [f"urn:uuid:{row['id']}" for row in rows]
            for each, row in zip(first.entries, rows, strict=True):
                assert each.tags[0].term == each.rights == f"TLP:{row['tlp'].upper()}"
                assert each.link == f"http://console.example/b/{row['id']}"
            assert [each.title for each in first.entries if each.title.startswith("Withdrawn: ")]

    asyncio.run(go())


@pytest.mark.parametrize("path", ["/clocks.atom", "/e.atom", "/drills.atom"])
def test_a_feed_tells_what_has_happened(store: Path, path: str) -> None:
    """The last first; no deadline and no window says that it changed at a time that has not come."""

    async def go() -> None:
        async with signed_in(store) as c:
            found = feedparser.parse((await c.get(path)).content)
        assert not found.bozo
        times = [each.updated_parsed for each in found.entries]
        assert times == sorted(times, reverse=True)
        assert times[0] <= NOW.utctimetuple()
        assert len({each.id for each in found.entries}) == len(times)

    asyncio.run(go())


@pytest.mark.parametrize("path", ["/clocks.ics", "/e.ics"])
def test_a_calendar_is_read(store: Path, path: str) -> None:
    """By another program: each event has an id that stays, the moment of the answer, times in UTC, its marking, no alarm."""

    async def go() -> None:
        clock = Clock(NOW)
        async with signed_in(store, clock=clock) as c:
            body = (await c.get(path)).content
            clock.pass_(60)
            later = events_of((await c.get(path)).content)
        read, events = icalendar.Calendar.from_ical(body), events_of(body)
        assert len(events) >= 5
        assert {each.name for each in read.walk()} == {"VCALENDAR", "VEVENT"}
        assert "METHOD" not in read
        ids = [str(each["UID"]) for each in events]
        assert len(set(ids)) == len(ids)
        assert ids == [str(each["UID"]) for each in later]
        for each in events:
            assert each["DTSTAMP"].dt == NOW
            assert each["DTSTART"].dt.utcoffset() == dt.timedelta(0)
            assert re.search(r"\[TLP:[A-Z+]+\]$", str(each["SUMMARY"]))
        assert all(len(line) <= calendar.MOST_OCTETS for line in body.split(b"\r\n"))

    asyncio.run(go())


def test_a_calendar_has_what_its_page_has(store: Path) -> None:
    """Each clock by its time, each window of each election."""

    async def go() -> None:
        async with signed_in(store) as c:
            events = events_of((await c.get("/clocks.ics")).content)
            twin = (await c.get("/clocks.json")).json()
            due = sorted(each["due"] for group in twin["groups"] for each in group["clocks"])
            assert due == sorted(f"{each['DTSTART'].dt:%Y-%m-%dT%H:%M:%SZ}" for each in events)
            events = events_of((await c.get("/e.ics")).content)
            spans = [span for each in (await c.get("/e.json")).json()["elections"] for span in each["spans"]]
            assert sorted(f"{each['DTEND'].dt:%Y-%m-%dT%H:%M:%SZ}" for each in events) == sorted(
                span["end"] for span in spans
            )

    asyncio.run(go())


def test_words_of_others_do_nothing_in_a_file(store: Path) -> None:
    """No cell computes, no entry has markup, and nothing turns the writing, in every list in every form."""
    turning = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f]")

    async def go() -> None:
        async with signed_in(store) as c:
            for path in FORMS:
                body = (await c.get(f"{path}?ended=1")).content
                assert not turning.search(body.decode()), path
                if path.endswith(".csv"):
                    assert not [each for row in rows_of(body) for each in row if computes(each)], path
                if path.endswith(".atom"):
                    names = {each.tag.rpartition("}")[2] for each in fromstring(body).iter()}
                    assert names <= ATOM, path
            lines = rows_of((await c.get("/b.csv")).content)
            assert any("'=HYPERLINK(1) @x" in line for line in lines), "the hostile text must be there"

    assert computes("=HYPERLINK(1)")
    assert computes("a;=HYPERLINK(1)"), "a spreadsheet whose cells end with semicolons"
    asyncio.run(go())


ATOM = frozenset(
    {
        *("feed", "entry", "id", "title", "subtitle", "updated", "author", "name"),
        *("generator", "link", "category", "rights", "summary"),
    }
)


def computes(cell: str) -> bool:
    """Whether a spreadsheet would compute this cell, or a part of it behind a semicolon."""
    return any(part.strip()[:1] in tuple("=+-@＝＋－＠") for part in cell.split(";"))


@given(TEXT)
def test_any_text_is_one_harmless_cell(text: str) -> None:
    """Whatever it has, it is read as one cell of one line that computes nothing and hides nothing."""
    (_, first) = rows_of(table.write(listing(text)))
    assert len(first) == 2
    assert not computes(first[1])
    assert not re.search("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff]", first[1])


@given(TEXT)
def test_any_text_is_text_in_a_feed(text: str) -> None:
    """It makes no element; what XML forbids is shown."""
    root = fromstring(feed.write(listing(text)))
    assert [each.tag.rpartition("}")[2] for each in root.iter()].count("entry") == 1
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= ATOM


@pytest.mark.parametrize("there", [dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(microsecond=0, tzinfo=dt.UTC)])  # fmt: skip
def test_any_moment_is_a_moment(there: dt.datetime) -> None:
    """At the ends of the calendar, too: one event that cannot be read costs a reader all of them, one moment a page."""
    given = listing("x")
    item = msgspec.structs.replace(given.items[0], start=there)
    (event,) = events_of(calendar.write(msgspec.structs.replace(given, items=(item,))))
    assert event["DTSTART"].dt == there
    for zone in ("Europe/Athens", "America/New_York"):
        assert dt.datetime.fromisoformat(texts.stamp(there)) == there
        assert re.fullmatch(r"[0-9:]{5}", texts.wall_time(ZoneInfo(zone), there))


@given(TEXT)
def test_any_text_is_one_event(text: str) -> None:
    """It ends no line and makes no property; lines are short, and none is cut within a character."""
    body = calendar.write(listing(text, title=text, notes=(text,)))
    assert body.endswith(b"\r\n")
    for line in body.split(b"\r\n"):
        assert len(line) <= calendar.MOST_OCTETS
        line.decode("utf-8")
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line)
    (event,) = events_of(body)
    assert {*event} == {
        *("UID", "DTSTAMP", "DTSTART", "SUMMARY", "DESCRIPTION", "URL", "CATEGORIES", "CLASS", "TRANSP"),
    }  # fmt: skip


@given(st.text(st.characters(max_codepoint=0x7F), max_size=12))
def test_what_is_taken_for_plain_would_not_be_changed(text: str) -> None:
    """The short way of a cell gives what the long way does."""
    slowly = table._ACTS.sub(r"\1\2'", table._BLANK.sub(" ", texts.shown(text)).strip())
    assert table.cell(text) == slowly


def test_a_value_that_comes_again_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Markings and authors stand in each row of a table; 1, 1.0 and True, which are one key, stay apart."""
    asked: list[Cell] = []
    cell = table.cell

    def noted(value: Cell) -> str | int | float:
        asked.append(value)
        return cell(value)

    monkeypatch.setattr(table, "cell", noted)
    cells = table._Cells()
    row = ("green", ("AT", "DE"), 1, True, 1.0)
    assert [[cells[each] for each in row] for _ in range(3)] == [["green", "AT, DE", 1, "yes", 1.0]] * 3
    assert [asked.count("green"), asked.count(("AT", "DE"))] == [1, 1]


def test_an_embargo_holds_back(tmp_path: Path) -> None:
    """Its readers see the bulletin on the page; it is in no file before its time, the file says that one is left out, and then has it."""
    speaker = Speaker("xa-csirt")
    open_ = speaker.say("It may be told", 300)
    held = speaker.say(
        "It may not be told yet", 200, handling=Handling(embargo_until=NOW + dt.timedelta(hours=1))
    )
    path = tmp_path / "store.db"
    asyncio.run(fill(path, [open_, held, beat()]))
    clock = Clock(NOW)

    async def go() -> None:
        async with signed_in(path, clock=clock) as c:
            assert "It may not be told yet" in (await c.get("/b")).text
            for form in FORMS:
                answer = await c.get(form)
                assert "It may not be told yet" not in answer.text, form
            for form in ("/b.csv", "/b.atom"):
                text = (await c.get(form)).text
                assert "It may be told" in text
                assert "1 is under embargo" in text
            page, file = f"/b/{held.bulletin.id}", f"/b/{held.bulletin.id}/signed"
            assert f'href="{file}"' not in (await c.get(page)).text
            refused = await c.get(file)
            assert (refused.status_code, "embargoed" in refused.text) == (403, True)
            assert "no file of it is given before" in refused.text
            checked = (await c.get(f"{file}.json")).json()
            assert checked["payload"], "a browser checks what its reader sees"
            clock.pass_(3601)
            assert f'href="{file}"' in (await c.get(page)).text
            assert (await c.get(file)).content == held.payload
            for form in ("/b.csv", "/b.atom"):
                assert "It may not be told yet" in (await c.get(form)).text

    asyncio.run(go())


def test_a_filter_that_cannot_be_read_is_told(store: Path) -> None:
    """The page then shows everything and says so; a file does too."""

    async def go() -> None:
        async with signed_in(store) as c:
            *_, last = rows_of((await c.get("/b.csv?q=since:never")).content)
            assert last[0].startswith("The filter cannot be read, so everything is here")

    asyncio.run(go())


def test_an_exercise_says_so(store: Path) -> None:
    """In the name of its file and in each line."""

    async def go() -> None:
        async with signed_in(store) as c:
            answer = await c.get("/drills.csv")
            assert "drills-EXERCISE-TLP-GREEN" in answer.headers["content-disposition"]
            head, *lines = rows_of(answer.content)
            assert lines
            assert {line[head.index("status")] for line in lines} == {"EXERCISE"}

    assert b"EXERCISE: a" in feed.write(listing("a", is_exercise=True))
    asyncio.run(go())


def test_names_of_consoles_stay_out_of_what_is_pure() -> None:
    """The writers know no request: two hubs of two domains never give one id to two things."""
    one, other = listing("a"), listing("a", domain="others.example")
    assert one.uuid("a") != other.uuid("a")
    assert consoles.HOST not in one.uuid_of(one.items[0])
