"""The pages of incidents: who sees what of them, what forms do, from when they are. Over ASGI, on filled stores."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus import desk
from bus.console import Demonstration, Reading, Viewer, app
from bus.console.incidents import MOST, Incidents
from bus.console.people import Session
from bus.desk.decisions import Decision
from bus.policy import Clearance
from schemas.parts import Area, Observable
from schemas.vocab import PersonalFlag, Tlp
from tests.support.consoles import (
    AUDIENCES,
    EVERYTHING,
    HOST,
    HOSTILE,
    Speaker,
    fill,
    form_of,
    numbers,
    shelf,
    sign_in,
)
from tests.support.waiting import eventually
from tests.support.world import NOW, Message
from tests.unit.bus.console.test_frame import dangers

GREEN = Clearance(ceiling=Tlp.GREEN, audiences=AUDIENCES)
SEALED_WORDS = "Only the narrow channel says this"
AREA = (Area(scope="national", country="XA"),)


def value(text: str) -> Observable:
    """An observable that hardly two people own."""
    return Observable(type="domain-name", personal=PersonalFlag.NONE, value=text)


def told() -> list[Message]:
    """Three bulletins of one incident, the last of them above green; a suggestion within green and one above; hostile words."""
    emb, csirt = Speaker("xa-emb", areas=AREA), Speaker("xa-csirt", areas=AREA)
    narrow = Speaker("xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts", areas=AREA)
    first = emb.say("A cloned site names another day", 5000, observables=(value("polls-xa.example"),))
    same = {"incident_id": first.bulletin.id}
    emb.say("The site is still there", 4000, observables=(value("polls-xa.example"),), **same)
    csirt.say("The site is off line", 3000, **same)
    narrow.say(SEALED_WORDS, 2000, observables=(value("narrow-xa.example"),), **same)
    csirt.say("A mirror of it is up", 1000, observables=(value("polls-xa.example"),))
    narrow.say(f"{SEALED_WORDS}, again", 900, observables=(value("narrow-xa.example"),))
    hostile = Speaker("xb-csirt")
    incident = None
    for n, text in enumerate(each for each in HOSTILE if "\u202e" not in each):
        said = hostile.say(
            text,
            8000 - n,
            text,
            observables=(value("hostile-xa.example"),),
            **({"incident_id": incident} if n % 2 else {}),
        )
        incident = incident or said.bulletin.id
    return [message for each in (emb, csirt, narrow, hostile) for message in each.made]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read it."""
    path = tmp_path_factory.mktemp("incidents") / "store.db"
    asyncio.run(fill(path, told()))
    return path


class Several(Demonstration):
    """A demonstration in which one's name says how much one may read."""

    async def session(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """The session, with the clearance of its name."""
        found = await super().session(token, now, address)
        if found is None or found.viewer.name != "Green":
            return found
        viewer = Viewer(name=found.viewer.name, roles=found.viewer.roles, clearance=GREEN)
        return Session(viewer=viewer)


@asynccontextmanager
async def console(store: Path, tmp_path: Path, role: str = "analyst") -> AsyncIterator[Any]:
    """A console with a desk; gives a function that signs somebody in and waits until incidents are joined."""
    async with (
        desk.Desk.open(tmp_path / "desk.db", os.urandom) as held,
        Reading.open(store, shelf()) as reading,
    ):
        people = Several(EVERYTHING, numbers(), (role,), held)
        made = app(reading, people, lambda: NOW, numbers(8), hosts=(HOST,))

        async def enter(name: str = "Mara Lind") -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app=made, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")
            await sign_in(client, name)
            await fresh(client)
            return client

        yield enter


async def fresh(client: httpx.AsyncClient) -> dict[str, Any]:
    """The list once it is of now."""
    found: dict[str, Any] = {}

    async def is_fresh() -> bool:
        found.update((await client.get("/i.json")).json())
        return not found["is_stale"]

    await eventually(is_fresh)
    return found


async def ids(client: httpx.AsyncClient) -> dict[str, str]:
    """What a client may read: headlines, each with its id."""
    found = (await client.get("/b.json?order=time&ended=1")).json()
    return {row["headline"]: row["id"] for group in found["groups"] for row in group["rows"]}


def test_a_page_is_found_by_any_member(store: Path, tmp_path: Path) -> None:
    """Each id of an incident leads to the same page; the twin has the same headlines; a bulletin alone has one, too."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            client = await enter()
            known = await ids(client)
            pages = [
                (await client.get(f"/i/{known[each]}.json")).json()
                for each in ("The site is still there", "The site is off line", SEALED_WORDS)
            ]
            assert {each["id"] for each in pages} == {known["A cloned site names another day"]}
            assert {each["bulletins"] for each in pages} == {4}
            html = (await client.get(f"/i/{known['The site is off line']}")).text
            for part in pages[0]["parts"]:
                assert part["row"]["headline"] in html
                assert part["tied_by"]
            assert "polls-xa[.]example" in html
            assert "polls-xa.example" not in html
            alone = (await client.get(f"/i/{known['A mirror of it is up']}.json")).json()
            assert (alone["bulletins"], len(alone["offers"])) == (1, 1)

    asyncio.run(go())


def test_nobody_sees_above_their_ceiling(store: Path, tmp_path: Path) -> None:
    """On one console: whoever reads to green gets other incidents than the one before them, on pages and twins, and 404 above."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            everything, green = await enter(), await enter("Green")
            all_, mine = await ids(everything), await ids(green)
            assert SEALED_WORDS in all_
            assert SEALED_WORDS not in mine
            told = (await everything.get(f"/i/{all_['The site is off line']}")).text
            assert SEALED_WORDS in told, "the detector must see it"
            for headline, id_ in all_.items():
                for path in (f"/i/{id_}", f"/i/{id_}.json", f"/b/{id_}"):
                    answer = await green.get(path)
                    assert answer.status_code == (200 if headline in mine else 404), path
                    assert SEALED_WORDS not in answer.text
                    assert "narrow-xa" not in answer.text
                    for other in all_.values():
                        assert other in mine.values() or other == id_ or other not in answer.text
            for path in ("/i", "/i.json"):
                assert SEALED_WORDS not in (await green.get(path)).text
            assert (await green.get("/i.json")).json()["marking"] == "green"

    asyncio.run(go())


@pytest.mark.parametrize("ceiling", list(Tlp))
def test_what_is_kept_is_of_one_clearance(store: Path, ceiling: Tlp) -> None:
    """Whatever was kept for others before, each gets only bulletins up to their ceiling and of their audiences."""

    async def nothing() -> Sequence[Decision]:
        return []

    async def go() -> None:
        async with Reading.open(store, shelf()) as reading:
            kept = Incidents(reading, nothing)
            await kept.of(EVERYTHING, NOW, wait=True)
            for audiences in (
                AUDIENCES,
                frozenset({"community"}),
                frozenset({"eu-csirts"}),
                frozenset[str](),
            ):
                clearance = Clearance(ceiling=ceiling, audiences=audiences)
                first = await kept.of(clearance, NOW)
                assert first.joined is None or clearance == EVERYTHING
                joined = (await kept.of(clearance, NOW, wait=True)).joined
                assert joined is not None
                sight = Clearance(ceiling, audiences)
                assert all(sight.sees(Tlp(each.tlp), each.audience) for each in joined.found.members.values())
                assert {*joined.group, *joined.offers} <= joined.found.members.keys()

    asyncio.run(go())


def test_few_clearances_are_kept(store: Path) -> None:
    """Of more than `MOST` those stay that were asked for last."""

    async def nothing() -> Sequence[Decision]:
        return []

    async def go() -> None:
        async with Reading.open(store, shelf()) as reading:
            kept = Incidents(reading, nothing)
            every = [
                Clearance(ceiling=Tlp.GREEN, audiences=frozenset({"community", f"a{n}"}))
                for n in range(MOST + 3)
            ]
            for each in every:
                await kept.of(each, NOW, wait=True)
            assert kept.clearances == tuple(every[-MOST:])

    asyncio.run(go())


def test_what_is_old_is_shown_with_its_time(tmp_path: Path) -> None:
    """After another bulletin the page shows what it had, says from when, and has the new one next."""
    speaker = Speaker("xa-csirt")
    first = speaker.say("The first", 300)
    second = speaker.say("The second", 200, incident_id=first.bulletin.id)
    path = tmp_path / "store.db"

    async def go() -> None:
        await fill(path, [first, second])
        async with console(path, tmp_path) as enter:
            client = await enter()
            third = speaker.say("The third", 100, incident_id=first.bulletin.id)
            await fill(path, [third])
            page = (await client.get("/i")).text
            assert "Something has come since" in page
            assert f"Joined at {NOW:%H:%M:%S} UTC" in page
            found = await fresh(client)
            assert [each["bulletins"] for each in found["incidents"]] == [3]
            assert "Something has come since" not in (await client.get("/i")).text

    asyncio.run(go())


def test_a_decision_joins_and_is_undone(store: Path, tmp_path: Path) -> None:
    """Belongs joins at once and says who, when and why; undone it holds no more and stays written."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            client = await enter()
            known = await ids(client)
            here, mirror = known["The site is still there"], known["A mirror of it is up"]
            page = await client.get(f"/i/{here}")
            data = {
                "form": form_of(page.text),
                "bulletin": mirror,
                "verdict": "belongs",
                "why": "Same <b>site</b>",
            }
            answer = await client.post(f"/i/{here}/decide", data=data)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/i/{here}")
            found = (await client.get(f"/i/{here}.json")).json()
            assert found["bulletins"] == 5
            assert [(each["by"], each["why"]) for each in found["decisions"]] == [
                ("Mara Lind", "Same <b>site</b>")
            ]
            assert (await client.post(f"/i/{here}/decide", data=data)).status_code == 409
            undo = {"form": data["form"], "n": str(found["decisions"][0]["n"])}
            assert (await client.post(f"/i/{here}/undo", data=undo)).status_code == 303
            found = (await client.get(f"/i/{here}.json")).json()
            assert found["bulletins"] == 4
            assert "undone by Mara Lind" in found["decisions"][0]["undone"]
            assert not found["decisions"][0]["can_undo"]

    asyncio.run(go())


def test_what_is_rejected_or_split_off_is_gone(store: Path, tmp_path: Path) -> None:
    """A rejected bulletin is not suggested again; one that is split off is in the incident no more."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            client = await enter()
            known = await ids(client)
            here, other = known["The site is still there"], known["A mirror of it is up"]
            form = form_of((await client.get(f"/i/{here}")).text)

            async def decided(bulletin: str, verdict: str) -> dict[str, Any]:
                data = {"form": form, "bulletin": bulletin, "verdict": verdict}
                assert (await client.post(f"/i/{here}/decide", data=data)).status_code == 303
                found: dict[str, Any] = (await client.get(f"/i/{here}.json")).json()
                return found

            assert other in {each["id"] for each in (await client.get(f"/i/{here}.json")).json()["offers"]}
            assert other not in {each["id"] for each in (await decided(other, "does-not"))["offers"]}
            found = await decided(known["The site is off line"], "split")
            assert "The site is off line" not in {each["row"]["headline"] for each in found["parts"]}

    asyncio.run(go())


def test_forms_need_a_token_a_role_and_sight(store: Path, tmp_path: Path) -> None:
    """Without the token of the page, the role of an analyst, or sight of the bulletin nothing is decided."""

    async def go(role: str) -> None:
        (tmp_path / role).mkdir()
        async with console(store, tmp_path / role, role) as enter:
            client, green = await enter(), await enter("Green")
            known = await ids(client)
            here = known["The site is still there"]
            data = {"bulletin": known["A mirror of it is up"], "verdict": "belongs"}
            form = form_of((await client.get(f"/i/{here}")).text)
            assert (await client.post(f"/i/{here}/decide", data=data)).status_code == 400
            foreign = {"sec-fetch-site": "cross-site"}
            answer = await client.post(f"/i/{here}/decide", data={**data, "form": form}, headers=foreign)
            assert answer.status_code == 400
            answer = await client.post(f"/i/{here}/decide", data={**data, "form": form, "verdict": "x"})
            assert answer.status_code == 400
            answer = await client.post(f"/i/{here}/decide", data={**data, "form": form})
            assert answer.status_code == (403 if role == "reader" else 303)
            assert ("Belongs</button>" in (await client.get(f"/i/{here}")).text) == (role == "analyst")
            form = form_of((await green.get(f"/i/{here}")).text)
            unseen = {"form": form, "bulletin": known[SEALED_WORDS], "verdict": "split"}
            assert (await green.post(f"/i/{here}/decide", data=unseen)).status_code == 404
            answer = await green.post(f"/i/{known[SEALED_WORDS]}/journal", data={**unseen, "text": "x"})
            assert answer.status_code == 404

    asyncio.run(go("reader"))
    asyncio.run(go("analyst"))


def test_nobody_undoes_what_is_about_an_incident_above_them(store: Path, tmp_path: Path) -> None:
    """A bulletin of theirs belongs to one that they may not see; by guessing the number of that decision they learn and change nothing."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            client, green = await enter(), await enter("Green")
            known = await ids(client)
            above, mirror = known[f"{SEALED_WORDS}, again"], known["A mirror of it is up"]
            form = form_of((await client.get(f"/i/{above}")).text)
            data = {"form": form, "bulletin": mirror, "verdict": "belongs"}
            assert (await client.post(f"/i/{above}/decide", data=data)).status_code == 303
            theirs = form_of((await green.get(f"/i/{mirror}")).text)
            for n in ("1", "2"):
                answer = await green.post(f"/i/{mirror}/undo", data={"form": theirs, "n": n})
                assert answer.status_code == 404
            assert (await client.post(f"/i/{above}/undo", data={"form": form, "n": "1"})).status_code == 303

    asyncio.run(go())


def test_words_by_hand_bear_the_marking_of_the_incident(store: Path, tmp_path: Path) -> None:
    """A summary and an entry are shown with who wrote them, and to nobody who may not see the narrowest bulletin."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            client, green = await enter(), await enter("Green")
            here = (await ids(client))["The site is still there"]
            form = form_of((await client.get(f"/i/{here}")).text)
            for what in ("summary", "journal"):
                data = {"form": form, "text": f"A word of the {what}", "audience": "eu-csirts"}
                assert (await client.post(f"/i/{here}/{what}", data=data)).status_code == 303
                assert (
                    await client.post(f"/i/{here}/{what}", data={**data, "audience": "x"})
                ).status_code == 400
            page = (await client.get(f"/i/{here}")).text
            other = (await green.get(f"/i/{here}")).text
            for what in ("summary", "journal"):
                assert f"A word of the {what}" in page
                assert f"A word of the {what}" not in other

    asyncio.run(go())


def test_words_that_attack_are_text(store: Path, tmp_path: Path) -> None:
    """In headlines, drawings, suggestions, reasons, summaries and journals."""

    async def go() -> None:
        async with console(store, tmp_path) as enter:
            client = await enter()
            known = await ids(client)
            here = known[HOSTILE[1]]
            form = form_of((await client.get(f"/i/{here}")).text)
            for text in HOSTILE[:4]:
                data = {"form": form, "text": text, "audience": "community"}
                for what in ("summary", "journal"):
                    assert (await client.post(f"/i/{here}/{what}", data=data)).status_code == 303
            data = {"form": form, "bulletin": known[HOSTILE[0]], "verdict": "belongs", "why": HOSTILE[0]}
            await client.post(f"/i/{here}/decide", data=data)
            for path in ("/i", *(f"/i/{known[each]}" for each in HOSTILE if each in known)):
                page = (await client.get(path)).text
                assert dangers(page) == [], path
            assert "&lt;script&gt;" in (await client.get("/i")).text

    asyncio.run(go())


def test_empty_states_say_what_was_looked_at(tmp_path: Path) -> None:
    """Without any bulletin joined the list says since when it looked."""

    async def go() -> None:
        path = tmp_path / "store.db"
        await fill(path, [Speaker("xa-csirt").say("The only one", 10)])
        async with console(path, tmp_path) as enter:
            client = await enter()
            page = (await client.get("/i")).text
            assert "No bulletins are joined" in page
            assert "Nothing more is suggested" in page

    asyncio.run(go())
