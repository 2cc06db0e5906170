"""Bulletins by incident: as the console knows it for its reader, and by what authors name where it does not reach."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus.console import Reading
from bus.console.incidents import joined_of
from bus.desk.decisions import Decision, Verdict
from bus.errors import StoreError
from bus.hub.picture import together
from bus.policy import Clearance
from schemas.parts import Ref
from schemas.vocab import FeedbackKind, RefRel, Severity, Tlp
from tests.support.consoles import AUDIENCES, EVERYTHING, Speaker, fill, form_of, shelf, signed_in
from tests.support.world import NOW, Message
from tests.unit.bus.console.test_incidents import AREA, console, fresh

NAMED = {"incident_id": "0197a1b0-0000-7000-8000-000000000001"}


def told() -> list[Message]:
    """Six bulletins: three of one incident by a reference and by an answer, two that name one, one that is like the first."""
    emb, csirt, other = Speaker("xa-emb", areas=AREA), Speaker("xa-csirt", areas=AREA), Speaker("xb-csirt")
    first = emb.say("A cloned site names another day", 5000)
    refers = Ref(id=first.bulletin.id, rel=RefRel.SAME_INCIDENT, issuer="xa-emb")
    csirt.say("The clone is off line", 4000, references=(refers,), severity=Severity.EXTREME)
    other.answer(first, FeedbackKind.SIGHTING, "Here, too.", 3000)
    csirt.say("A flood begins", 2000, **NAMED)
    emb.say("A flood goes on", 1500, **NAMED)
    csirt.say("A mirror of it is up", 1000)
    return [message for each in (emb, csirt, other) for message in each.made]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read it."""
    path = tmp_path_factory.mktemp("grouping") / "store.db"
    asyncio.run(fill(path, told()))
    return path


async def grouped(client: httpx.AsyncClient, query: str = "") -> dict[str | None, list[str]]:
    """The headlines of each group, by its title."""
    twin = (await client.get(f"/b.json{query}")).json()
    return {
        each["title"] if each["incident"] else None: [row["headline"] for row in each["rows"]]
        for each in twin["groups"]
    }


SITE = "A cloned site names another day"
BY_INCIDENT = {
    SITE: ["The clone is off line", "sighting", SITE],
    "A flood begins": ["A flood goes on", "A flood begins"],
    None: ["A mirror of it is up"],
}


def test_the_list_goes_by_incidents_as_the_console_knows_them(store: Path, tmp_path: Path) -> None:
    """By a reference, an answer and an id; each leads to its page under its title. Table, feed and twin have the same."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            client = await enter()
            assert await grouped(client) == BY_INCIDENT
            twin = (await client.get("/b.json")).json()
            rows = [row for group in twin["groups"] for row in group["rows"]]
            page = (await client.get("/b")).text
            for group in twin["groups"][:2]:
                assert group["address"] == f"/i/{group['incident']}"
                assert f'<a href="{group["address"]}" dir="auto" lang="">{group["title"]}</a>' in page
                one = (await client.get(f"{group['address']}.json")).json()
                assert (one["headline"], one["bulletins"]) == (group["title"], len(group["rows"]))
                assert {row["joined"] for row in group["rows"]} == {one["id"]}
            table = list(
                csv.DictReader(io.StringIO((await client.get("/b.csv")).content.decode("utf-8-sig")))
            )
            assert [(each["id"], each["joined"]) for each in table] == [
                (row["id"], row["joined"] or "") for row in rows
            ]
            feed = (await client.get("/b.atom")).text
            assert [row["id"] for row in sorted(rows, key=lambda row: -row["row"])] == [
                each.removeprefix("urn:uuid:") for each in _ids(feed)
            ]

    asyncio.run(go())


def _ids(feed: str) -> list[str]:
    return [
        part.partition("</id>")[0]
        for part in feed.split("<entry>")[1:]
        for part in [part.partition("<id>")[2]]
    ]


def test_what_people_decide_moves_a_bulletin(store: Path, tmp_path: Path) -> None:
    """Joined by a person it stands there at once; split off it is of none, whatever its author names."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            client = await enter()
            twin = (await client.get("/b.json")).json()
            ids = {row["headline"]: row["id"] for group in twin["groups"] for row in group["rows"]}

            async def decide(at: str, bulletin: str, verdict: str) -> None:
                form = form_of((await client.get(f"/i/{ids[at]}")).text)
                data = {"form": form, "bulletin": ids[bulletin], "verdict": verdict}
                assert (await client.post(f"/i/{ids[at]}/decide", data=data)).status_code == 303

            await decide(SITE, "A mirror of it is up", "belongs")
            await decide("A flood begins", "A flood goes on", "split")
            assert await grouped(client) == {
                SITE: ["The clone is off line", "A mirror of it is up", "sighting", SITE],
                None: ["A flood goes on", "A flood begins"],
            }

    asyncio.run(go())


def test_the_order_and_the_pages_are_those_of_the_list(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gravest stands first; a page has so many by key, whichever incident they are of, and says how many more that has."""
    monkeypatch.setattr("bus.console.pages.bulletins.MOST", 2)

    async def go() -> None:
        async with signed_in(store) as client:
            await fresh(client)
            seen, address = list[str](), "/b.json"
            while address:
                twin = (await client.get(address)).json()
                seen += [row["headline"] for group in twin["groups"] for row in group["rows"]]
                address = twin["next"].replace("/b?", "/b.json?") if twin["next"] else ""
            assert seen[0] == "The clone is off line"
            assert sorted(seen) == sorted(each for group in BY_INCIDENT.values() for each in group)
            first = (await client.get("/b.json")).json()["groups"][0]
            assert (first["title"], first["bulletins"], len(first["rows"])) == (SITE, 3, 1)
            assert "1 of 3 bulletins here" in (await client.get("/b")).text

    asyncio.run(go())


def test_while_nothing_is_joined_the_list_goes_by_what_authors_name(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page and table are there all the same, and say so; a table of incidents is not."""

    def never(*_: object) -> None:
        raise StoreError("not now", reason="store-slow")

    monkeypatch.setattr("bus.console.incidents.joined_of", never)

    async def go() -> None:
        async with signed_in(store) as client:
            table = (await client.get("/b.csv")).text
            assert (await client.get("/i.csv")).status_code == 503
            assert "Bulletins are being joined: nothing is said yet of what belongs together." in table
            page = (await client.get("/b", headers={"accept-language": "en"})).text
            assert '<a href="/b?q=incident%3A' + NAMED["incident_id"] in page
            assert "until then the list goes by what authors name" in page

    asyncio.run(go())


def test_what_was_not_looked_at_goes_by_its_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has come since, or is older than incidents reach, stands with those that name the same."""
    monkeypatch.setattr(together, "MOST", 2)
    monkeypatch.setattr(
        together.together, "__kwdefaults__", {**(together.together.__kwdefaults__ or {}), "most": 2}
    )
    path, csirt = tmp_path / "store.db", Speaker("xa-csirt")
    of_another = {"incident_id": NAMED["incident_id"][:-1] + "2"}
    for text, age in (("Old flood", 9000), ("Older flood", 9900)):
        csirt.say(text, age, **of_another)
    csirt.say("A flood, oldest", 8000, **NAMED)
    csirt.say("A flood begins", 2000, **NAMED)
    csirt.say("A flood goes on", 1500, **NAMED)

    async def go() -> None:
        await fill(path, csirt.made)
        async with signed_in(path) as client:
            await fresh(client)
            assert await grouped(client) == {
                "A flood begins": ["A flood goes on", "A flood begins", "A flood, oldest"],
                "Old flood": ["Old flood", "Older flood"],
            }
            csirt.say("A flood ends", 10, **NAMED)
            await fill(path, csirt.made[-1:])
            assert (await grouped(client))["A flood begins"][0] == "A flood ends"

    asyncio.run(go())


async def test_what_was_decided_about_a_hidden_bulletin_moves_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a person keeps one apart from something hidden is not known by where it stands; from an old one, it is."""
    monkeypatch.setattr(
        together.together, "__kwdefaults__", {**(together.together.__kwdefaults__ or {}), "most": 2}
    )
    path = tmp_path / "store.db"
    wide, narrow = Speaker("xa-emb"), Speaker("xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    old, hidden, one, _ = (
        speaker.say(text, age).bulletin.id
        for speaker, text, age in ((wide, "Old", 900), (narrow, "Hidden", 800), (wide, "One", 700), (wide, "Two", 600))
    )  # fmt: skip
    await fill(path, [*wide.made, *narrow.made])
    low = Clearance(ceiling=Tlp.GREEN, audiences=AUDIENCES)

    async def apart(clearance: Clearance, other: str) -> frozenset[str]:
        made = Decision(n=1, incident=other, bulletin=one, verdict=Verdict.SPLIT, why="", by="ann", at=0.0)
        async with Reading.open(path, shelf()) as reading:
            return (await reading.ask(lambda db: joined_of(db, clearance, NOW, [made], ()))).apart

    assert await apart(low, hidden) == frozenset()
    assert await apart(EVERYTHING, hidden) == {one, hidden}
    assert await apart(low, old) == {one, old}


def test_nothing_of_an_incident_above_what_is_asked_for_is_said(tmp_path: Path) -> None:
    """Two that a narrower bulletin joins stand together for who may read it; not where a wider marking is asked for."""
    path = tmp_path / "store.db"
    wide, narrow = Speaker("xa-emb"), Speaker("xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    ones = [wide.say(text, 900 - n) for n, text in enumerate(("One", "Another"))]
    narrow.say(
        "Both are one",
        100,
        references=tuple(
            Ref(id=each.bulletin.id, rel=RefRel.SAME_INCIDENT, issuer="xa-emb") for each in ones
        ),
    )

    async def marked(client: httpx.AsyncClient, query: str) -> tuple[Any, dict[str | None, list[str]]]:
        twin = (await client.get(f"/b.json{query}")).json()
        return twin["marking"], await grouped(client, query)

    async def go() -> None:
        await fill(path, [*wide.made, *narrow.made])
        async with signed_in(path) as client:
            await fresh(client)
            assert await marked(client, "") == ("amber+strict", {"One": ["Both are one", "Another", "One"]})
            assert await marked(client, "?q=by:xa-emb") == ("amber+strict", {"One": ["Another", "One"]})
            assert await marked(client, "?tlp=green") == ("green", {None: ["Another", "One"]})

    asyncio.run(go())
