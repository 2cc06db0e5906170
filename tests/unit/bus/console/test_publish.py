"""Drafts in the pages: checked while they are written, approved by a second person, published once. The hub signs; there is no bus."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from bus import desk
from bus.console import Reading, app
from bus.console.asking import HubError
from bus.console.desks import DeskPeople
from bus.console.doing import Hub
from bus.console.pages.draft_form import begun
from bus.desk import Role
from bus.hub.acting import Outcome, Publish, Request, speaking
from bus.policy import Clearance
from bus.publishing.outbox import Outbox
from schemas.codec import decode
from schemas.vocab import MsgType, Tlp
from tests.support.consoles import (
    AUDIENCES,
    EVERYTHING,
    HOST,
    HOSTILE,
    WORLD,
    client,
    fill,
    form_of,
    numbers,
    shelf,
    sign_in,
)
from tests.support.desks import PASSWORD, add, open_desk
from tests.support.signing import Deaf, Recorded, signing
from tests.support.world import NOW, bulletin, draft, sign
from tests.unit.bus.console.test_frame import Parsed

OFFICE = "xa-csirt"
ROLES = ("analyst", "publisher", "approver")
CEILINGS = (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED)


class People:
    """People at the console of an office, each in a browser of their own."""

    def __init__(self, opened: Callable[..., Any], recorded: Recorded, folder: Path) -> None:
        self._opened, self.recorded, self._folder = opened, recorded, folder

    async def person(
        self, name: str, clearance: Clearance = EVERYTHING, roles: tuple[str, ...] = ROLES
    ) -> Person:
        """Somebody who is signed in."""
        to: httpx.AsyncClient = await self._opened(clearance, roles)
        await sign_in(to, name)
        return Person(to)

    async def published(self) -> list[Any]:
        """The bulletins in the outbox."""
        async with Outbox.open(self._folder / "hub" / "outbox.db") as outbox:
            return [decode(row.payload) for row in await outbox.rows()]


class Person:
    """Somebody at a browser."""

    def __init__(self, to: httpx.AsyncClient) -> None:
        self.to = to

    async def send(self, path: str, **fields: Any) -> httpx.Response:
        """A form, as a page of this session sends it."""
        form = form_of((await self.to.get("/system")).text)
        return await self.to.post(path, data={"form": form, **fields})

    async def page(self, path: str) -> dict[str, Any]:
        """The twin of a page."""
        answer = await self.to.get(f"{path}.json")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def save(self, n: int = 0, base: int = 0, **of: str) -> int:
        """Save a draft. Returns its number."""
        answer = await self.send("/publish/save", n=str(n), base=str(base), **written(**of))
        assert answer.status_code == 303, answer.text
        return int(answer.headers["location"].rpartition("/")[2])

    async def ask(self, n: int) -> int:
        """Ask for an approval of a draft as it is. Returns its number."""
        digest = (await self.page(f"/publish/{n}"))["digest"]
        answer = await self.send(f"/publish/{n}/ask", digest=digest)
        assert answer.status_code == 303, answer.text
        return int((await self.page(f"/publish/{n}"))["hands"]["request"]["n"])

    async def approve(self, n: int) -> httpx.Response:
        """Approve what the page of a request shows."""
        return await self.send(
            f"/approvals/{n}/approve", digest=(await self.page(f"/approvals/{n}"))["digest"]
        )

    async def publish(self, n: int, **of: str) -> httpx.Response:
        """Publish a draft as it is."""
        digest = (await self.page(f"/publish/{n}"))["digest"]
        return await self.send(f"/publish/{n}/publish", digest=digest, **of)


def written(**of: str) -> dict[str, str]:
    """The fields of a draft without a fault."""
    return {
        **begun("cyber-threat", "green/community"),
        "headline": "A flood of requests hits the results portal",
        "summary": "Since 18:40 UTC. Sources in 192.0.2.0/24.",
        "facts": 'title = "Flood"',
        **of,
    }


@asynccontextmanager
async def office(
    folder: Path, between: Callable[[Hub], Hub] = lambda line: line, messages: tuple[Any, ...] = ()
) -> AsyncIterator[People]:
    """The console of an office: its store, its desk, its hub that signs."""
    store = folder / "store.db"
    await fill(store, messages)
    recorded: Recorded = []
    async with AsyncExitStack() as stack:
        line = between(await stack.enter_async_context(signing(folder / "hub", WORLD, OFFICE, recorded)))
        held = await stack.enter_async_context(desk.Desk.open(folder / "desk.db", numbers(5)))

        async def opened(clearance: Clearance, roles: tuple[str, ...]) -> httpx.AsyncClient:
            return await stack.enter_async_context(
                client(store, clearance, roles=roles, held=held, hub=line, authority=OFFICE)
            )

        yield People(opened, recorded, folder)


@pytest.fixture(autouse=True)
def _no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a bus that is not there."""
    monkeypatch.setattr(speaking, "STORED_S", 0.0)


async def test_two_people_publish_what_one_has_written(tmp_path: Path) -> None:
    """Nobody approves their own; what is published is what was approved; both stand in the hub's record, and it is done once."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        n = await mara.save()
        assert (await mara.publish(n)).status_code == 409
        request = await mara.ask(n)
        assert (await mara.approve(request)).status_code == 403
        assert (await jonas.page("/approvals"))["waiting"][0]["n"] == request
        assert "waits for your approval" in (await jonas.to.get("/")).text
        assert "waits for your approval" not in (await mara.to.get("/")).text
        for tlp, waits in (("green", 1), ("clear", 0)):  # a wall counts nothing above its marking
            assert (await jonas.to.get(f"/wall.json?tlp={tlp}")).json()["waits"] == waits
        page = await jonas.page(f"/approvals/{request}")
        assert page["said"]["headline"] == "A flood of requests hits the results portal"
        assert page["said"]["digest"] == page["digest"]
        assert (await jonas.approve(request)).status_code == 303
        assert "is approved" in (await mara.to.get("/")).text
        for _ in range(2):
            assert (await mara.publish(n)).headers["location"] == f"/publish/{n}"
        page = await mara.page(f"/publish/{n}")
        (said,) = await people.published()
        assert (page["hands"]["closed"], page["hands"]["bulletin"], page["state"]) == (
            "published",
            said.id,
            "accepted",
        )
        assert said.headline == "A flood of requests hits the results portal"
        assert [(event, facts["by"], facts["approved_by"]) for event, facts in people.recorded] == [
            ("published", "Mara", "Jonas")
        ]
        assert (await mara.page("/publish"))["sent"][0]["bulletin"] == said.id


async def test_many_at_once_publish_one_bulletin(tmp_path: Path) -> None:
    """Twenty forms of two publishers, and two who approve: one approval is given and used, one bulletin is out."""
    async with office(tmp_path) as people:
        mara, jonas, ida = [await people.person(name) for name in ("Mara", "Jonas", "Ida")]
        n = await mara.save()
        request = await mara.ask(n)
        given = await asyncio.gather(jonas.approve(request), ida.approve(request))
        assert sorted(each.status_code for each in given) == [303, 409]
        digest = (await mara.page(f"/publish/{n}"))["digest"]
        sent = await asyncio.gather(
            *(who.send(f"/publish/{n}/publish", digest=digest) for _ in range(10) for who in (mara, ida))
        )
        assert {each.status_code for each in sent} <= {303, 404, 409}
        assert len(await people.published()) == 1
        assert (await mara.page(f"/publish/{n}"))["hands"]["closed"] == "published"


class Busy:
    """A line whose hub refuses a publication after one whose answer was lost, as it does nothing for a while."""

    def __init__(self, line: Hub) -> None:
        """Take the line."""
        self._line, self._heard = line, 0

    async def ask(self, request: Request) -> Outcome:
        """The first publication is done and nobody told, the second refused."""
        if not isinstance(request, Publish):
            return await self._line.ask(request)
        self._heard += 1
        if self._heard == 1:
            await self._line.ask(request)
            raise HubError("the hub did not answer in time")
        if self._heard == 2:
            return Outcome(state="refused", reason="too-many-requests", notes=("wait a minute",))
        return await self._line.ask(request)


async def test_a_refusal_that_says_nothing_of_the_draft_sets_it_not_free(tmp_path: Path) -> None:
    """It was published, and nobody knows: changed and published once more, it would be out twice."""
    async with office(tmp_path, Busy) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        n = await mara.save()
        await jonas.approve(await mara.ask(n))
        assert (await mara.publish(n)).status_code == 503
        refused = await mara.publish(n)
        assert (refused.status_code, "Nothing was changed" in refused.text) == (409, False)
        assert "The hub has signed nothing this time" in refused.text
        changed = await mara.send("/publish/save", n=str(n), base="1", **written(headline="Another"))
        assert "has not answered yet" in changed.text
        assert (await mara.publish(n)).status_code == 303
        assert len(await people.published()) == 1


@pytest.mark.parametrize("lost", [("before",), ("after",), ("before", "after", "before")])
async def test_an_answer_that_is_lost_leaves_one_bulletin(tmp_path: Path, lost: tuple[str, ...]) -> None:
    """Whether the hub had heard of it or not: the draft cannot be changed, given up or approved anew until it is known."""
    async with office(tmp_path, lambda line: Deaf(line, *lost)) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        n = await mara.save()
        await jonas.approve(await mara.ask(n))
        for _ in lost:
            answer = await mara.publish(n)
            assert answer.status_code == 503
            assert "done once" in answer.text
            assert (await mara.page(f"/publish/{n}"))["hands"]["is_unanswered"] is True
            changed = await mara.send("/publish/save", n=str(n), base="1", **written(headline="Another"))
            assert "has not answered yet" in changed.text
            assert (await mara.send(f"/publish/{n}/give-up")).status_code == 409
        assert (await mara.publish(n)).status_code == 303
        (said,) = await people.published()
        assert (await mara.page(f"/publish/{n}"))["hands"]["bulletin"] == said.id


async def test_a_change_after_the_approval_needs_another(tmp_path: Path) -> None:
    """The bytes that were approved are the only ones that are published; a page of before is refused."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        n = await mara.save()
        request = await mara.ask(n)
        before = (await jonas.page(f"/approvals/{request}"))["digest"]
        await mara.save(n, 1, headline="Another headline")
        assert (await jonas.send(f"/approvals/{request}/approve", digest=before)).status_code == 409
        assert (await mara.send(f"/publish/{n}/publish", digest=before)).status_code == 409
        again = await mara.ask(n)
        assert (await jonas.send(f"/approvals/{again}/approve", digest=before)).status_code == 409
        assert (await jonas.approve(again)).status_code == 303
        assert (await mara.publish(n)).status_code == 303
        assert [each.headline for each in await people.published()] == ["Another headline"]


async def test_declined_with_a_reason_it_waits_for_its_author(tmp_path: Path) -> None:
    """The reason stands on the draft; an approval can be taken back until it is used."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        n = await mara.save()
        request = await mara.ask(n)
        assert (await jonas.send(f"/approvals/{request}/decline", why="")).status_code == 400
        assert (await jonas.send(f"/approvals/{request}/decline", why="The time is wrong")).status_code == 303
        assert "The time is wrong" in (await mara.to.get(f"/publish/{n}")).text
        request = await mara.ask(n)
        await jonas.approve(request)
        assert (await jonas.send(f"/approvals/{request}/decline", why="I was too fast")).status_code == 303
        assert (await mara.publish(n)).status_code == 409
        assert await people.published() == []


async def test_findings_stand_beside_their_fields_with_and_without_scripts(tmp_path: Path) -> None:
    """With path and rule, and nothing is kept; the twin for scripts says the same."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        wrong = written(headline="Polls\u202e close", severity="extreme", facts='titlex = "Flood"')
        page = await mara.send("/publish/check", **wrong)
        assert page.status_code == 200
        beside = {
            name: re.sub(r"<[^>]+>", " ", found)
            for name, found in re.findall(r'data-found="(\w+)"[^>]*>(.*?)</ul>', page.text, re.DOTALL)
        }
        assert "titlex" in beside["facts"]
        assert "did you mean title" in html.unescape(beside["facts"]) or "title is missing" in beside["facts"]
        told = (await mara.send("/publish/check.json", **wrong)).json()
        assert {each["field"] for each in told["said"]["findings"]} >= {"facts"}
        lacking = (await mara.send("/publish/check.json", **written(facts=""))).json()["said"]["findings"]
        assert [(each["field"], each["text"]) for each in lacking] == [("facts.title", "title is missing")]
        sound = (await mara.send("/publish/check.json", **written())).json()
        assert (sound["said"]["faults"], sound["said"]["priority"]) == (0, 4)
        readers = [each["authority"] for each in sound["said"]["egress"]["readers"]]
        assert readers == list(WORLD.registry.readers(channel()))
        broken = (await mara.send("/publish/check.json", **written(facts="title ="))).json()
        assert [each["field"] for each in broken["problems"]] == ["facts"]
        assert broken["said"]["findings"] == []
        assert (await mara.page("/publish"))["open"] == []


def channel() -> Any:
    """Where the draft of these tests is said."""
    from schemas.subject import Channel

    return Channel.parse(f"{OFFICE}/actual.green.community")


async def test_a_refused_draft_loses_nothing(tmp_path: Path) -> None:
    """What was typed is shown again, every letter of it; a saved one with faults cannot be sent to an approver."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        typed = {"headline": 'Half "a\u2066b\u2069 <b>', "facts": "title = ", "more": "# a note\nlabels = []"}
        page = await mara.send("/publish/save", **written(**typed))
        assert "This is not saved" in page.text
        assert (
            html.escape(typed["headline"]).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page.text
        )
        for name in ("facts", "more"):
            assert html.unescape(area(page.text, name)) == typed[name]
        n = await mara.save(headline="")
        digest = (await mara.page(f"/publish/{n}"))["digest"]
        refused = await mara.send(f"/publish/{n}/ask", digest=digest)
        assert (refused.status_code, "draft-faulty" in refused.text) == (409, True)
        assert (await mara.page("/approvals"))["waiting"] == []


def area(page: str, name: str) -> str:
    """What stands in a field of several lines."""
    found = re.search(rf'<textarea id="f-{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found is not None
    return found[1]


async def test_two_who_write_at_the_same_time_see_both_texts(tmp_path: Path) -> None:
    """Nothing is overwritten unseen: the second is shown what differs, and saves again."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        n = await mara.save()
        await jonas.save(n, 1, headline="As Jonas says it")
        page = await mara.send("/publish/save", n=str(n), base="1", **written(headline="As Mara says it"))
        assert "Jonas has saved a version since you began" in page.text
        assert "As Jonas says it" in page.text
        assert "As Mara says it" in page.text
        base = re.search(r'name="base" value="(\d+)"', page.text)
        assert base is not None
        assert await mara.save(n, int(base[1]), headline="As both say it") == n
        assert (await mara.page(f"/publish/{n}"))["version"] == 3
        # Both have written at it, so neither approves it.
        request = await mara.ask(n)
        assert (await jonas.approve(request)).status_code == 403


async def test_doubts_need_a_reason_on_record(tmp_path: Path) -> None:
    """A page says what is to be looked at; nothing is spent or signed before; with a reason it is done."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        n = await mara.save(summary="Call +99 555 010 0123 at the desk.")
        assert (await mara.page(f"/publish/{n}"))["said"]["doubts"] > 0
        await jonas.approve(await mara.ask(n))
        again = await mara.publish(n)
        assert again.status_code == 409
        assert "Look at this once more" in again.text
        assert await people.published() == []
        assert (await mara.publish(n, reviewed="It is the public number of the desk")).status_code == 303
        assert [event for event, _ in people.recorded] == ["override", "published"]
        assert people.recorded[0][1]["reason"] == "It is the public number of the desk"
        assert len(await people.published()) == 1


async def test_an_own_bulletin_is_updated_and_withdrawn_by_its_living_version(tmp_path: Path) -> None:
    """The form is filled by it, the difference is told in words, and another's bulletin is refused."""
    own = sign(WORLD, bulletin(WORLD, OFFICE, say=draft("A flood", audience="community", tlp=Tlp.GREEN)))
    other = sign(WORLD, bulletin(WORLD, "xa-emb", say=draft("Another's")))
    async with office(tmp_path, messages=(own, other)) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        assert f"/publish?update={own.bulletin.id}" in (await mara.to.get(f"/b/{own.bulletin.id}")).text
        assert "/publish?update=" not in (await mara.to.get(f"/b/{other.bulletin.id}")).text
        assert (await mara.to.get(f"/publish?update={other.bulletin.id}")).status_code == 404
        assert (await mara.to.get("/publish?update=none")).status_code == 404
        for what, msg_type in (("update", MsgType.UPDATE), ("cancel", MsgType.CANCEL)):
            page = await mara.to.get(f"/publish?{what}={own.bulletin.id}")
            fields = (await mara.to.get(f"/publish.json?{what}={own.bulletin.id}")).json()["fields"]
            assert page.status_code == 200
            assert fields["to"] == "green/community"
            fields |= {"summary": "It has ended."}
            told = (await mara.send("/publish/check.json", **fields)).json()["said"]
            assert (told["msg_type"], told["faults"]) == (str(msg_type), 0), told["findings"]
            n = await mara.save(**fields)
            await jonas.approve(await mara.ask(n))
            assert (await mara.publish(n)).status_code == 303
            break  # the withdrawal of what this outbox does not hold is judged by readers alone
        (said,) = await people.published()
        assert [ref.id for ref in said.references] == [own.bulletin.id]


async def test_what_an_update_changes_is_told_in_words(tmp_path: Path) -> None:
    """Against the version in the outbox: field by field, and who reads it now."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        n = await mara.save()
        await jonas.approve(await mara.ask(n))
        await mara.publish(n)
        (said,) = await people.published()
        more = f'msg_type = "update"\nreferences = [{{ id = "{said.id}", rel = "supersedes" }}]'
        told = (
            await mara.send(
                "/publish/check.json",
                **written(more=more, summary="It has ended.", to="amber+strict/eu-csirts"),
            )
        ).json()["said"]
        by_what = {each["what"]: each for each in told["changes"]}
        assert by_what["Summary"]["after"] == ["It has ended."]
        assert by_what["Marking and audience"]["before"] == ["TLP:GREEN community"]
        assert told["before_tlp"] == "green"
        double = (await mara.send("/publish/check.json", **written())).json()["said"]
        assert said.id in double["notes"][0]


@pytest.mark.parametrize("ceiling", CEILINGS)
async def test_what_is_above_a_ceiling_is_nowhere(tmp_path: Path, ceiling: Tlp) -> None:
    """No page, twin, count or form shows a draft or an approval that its reader may not see."""
    marks = {"green/community": Tlp.GREEN, "amber+strict/eu-csirts": Tlp.AMBER_STRICT}
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        made = {}
        for to in marks:
            n = await mara.save(to=to, headline=f"Secret of {to}", title=f"Title of {to}")
            made[to] = (n, await mara.ask(n))
        reader = await people.person("Low", Clearance(ceiling, AUDIENCES))
        mine = [to for to, tlp in marks.items() if CEILINGS.index(tlp) <= CEILINGS.index(ceiling)]
        assert len((await reader.page("/approvals"))["waiting"]) == len(mine)
        assert len((await reader.page("/publish"))["open"]) == len(mine)
        everywhere = [
            (await reader.to.get(path)).text
            for path in ("/", "/picture.json", "/publish", "/publish.json", "/approvals", "/approvals.json")
        ]
        for to, (n, request) in made.items():
            for path in (
                f"/publish/{n}",
                f"/publish/{n}.json",
                f"/approvals/{request}",
                f"/approvals/{request}.json",
            ):
                answer = await reader.to.get(path)
                assert answer.status_code == (200 if to in mine else 404), path
                assert (f"Secret of {to}" in answer.text) is (to in mine)
            for text in everywhere[2:]:
                assert (f"Title of {to}" in text) is (to in mine)
            for text in everywhere[:2]:
                assert "Title of" not in text
                assert (f"Draft {n}, TLP" in text) is (to in mine)
            if to not in mine:
                for path in (f"/publish/{n}/ask", f"/publish/{n}/publish", f"/publish/{n}/give-up"):
                    assert (await reader.send(path, digest="x")).status_code == 404
                assert (await reader.send(f"/approvals/{request}/approve", digest="x")).status_code == 404
                refused = await reader.send("/publish/save", **written(to=to))
                assert "beyond what you may see" in refused.text


async def test_words_that_attack_are_text_on_every_page_of_a_draft(tmp_path: Path) -> None:
    """In every field, in what is shown again, in the list, and to the approver."""
    async with office(tmp_path) as people:
        mara, jonas = await people.person("Mara"), await people.person("Jonas")
        for text in HOSTILE:
            of = dict.fromkeys(
                ("headline", "summary", "instruction", "public_line", "title", "web", "areas", "expires"),
                text,
            )
            for path in ("/publish/check", "/publish/save"):
                for more in (
                    {},
                    {"facts": text, "more": text, "to": text, "election": text, "severity": text},
                ):
                    page = await mara.send(path, **written(**of, **more))
                    if page.status_code == 200:
                        assert Parsed(page.text).found == []
                        assert area(page.text, "summary") in page.text
            for each in (await mara.page("/publish"))["open"]:
                assert Parsed((await mara.to.get(f"/publish/{each['n']}")).text).found == []
                await mara.send(f"/publish/{each['n']}/give-up")
            assert Parsed((await mara.to.get("/publish")).text).found == []
        n = await mara.save(headline=HOSTILE[0], title=HOSTILE[1])
        request = await mara.ask(n)
        assert Parsed((await jonas.to.get(f"/approvals/{request}")).text).found == []
        await jonas.send(f"/approvals/{request}/decline", why=HOSTILE[0])
        assert Parsed((await mara.to.get(f"/publish/{n}")).text).found == []


async def test_only_a_publisher_writes_and_only_an_approver_approves(tmp_path: Path) -> None:
    """Without the role a form is refused; pages say what is missing."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        n = await mara.save()
        request = await mara.ask(n)
        reader = await people.person("Read", roles=("reader",))
        writer = await people.person("Write", roles=("publisher",))
        approver = await people.person("Approve", roles=("approver",))
        for path in ("/publish", "/approvals", f"/publish/{n}", f"/approvals/{request}"):
            refused = await reader.to.get(path)
            assert refused.status_code == 403
            assert "publisher or approver" in refused.text
        assert 'href="/approvals"' not in (await reader.to.get("/system")).text
        for path in ("/publish/check", "/publish/check.json", "/publish/save"):
            for person in (reader, approver):
                assert (await person.send(path, **written())).status_code == 403
        assert (await writer.approve(request)).status_code == 403
        assert (await approver.to.get(f"/publish/{n}")).status_code == 200
        assert (await approver.approve(request)).status_code == 303
        assert (await approver.publish(n)).status_code == 403
        assert (await writer.publish(n)).status_code == 303


async def test_checks_have_a_rate_of_their_own(tmp_path: Path) -> None:
    """Who types for long is still served pages."""
    async with office(tmp_path) as people:
        mara = await people.person("Mara")
        form = form_of((await mara.to.get("/system")).text)
        codes = {
            (await mara.to.post("/publish/check.json", data={"form": form, **written()})).status_code
            for _ in range(40)
        }
        assert codes == {200, 429}
        assert (await mara.to.get("/publish")).status_code == 200


async def test_an_approval_needs_somebody_who_has_just_signed_in(tmp_path: Path) -> None:
    """Six minutes later the page leads to sign in once more, and back; nothing is approved before that."""
    moment = [NOW]
    async with (
        signing(tmp_path / "hub", WORLD, OFFICE) as line,
        open_desk(tmp_path) as held,
        Reading.open(tmp_path / "store.db", shelf(authority=OFFICE)) as reading,
    ):
        await fill(tmp_path / "store.db", ())
        for name, role in (("mara", Role.PUBLISHER), ("jonas", Role.APPROVER)):
            await add(held, name, role, at=NOW.timestamp())
        people = DeskPeople(held, numbers())
        made = app(reading, people, lambda: moment[0], numbers(8), hub=line, hosts=(HOST,))

        async def enter(to: httpx.AsyncClient, name: str, path: str = "/sign-in") -> httpx.Response:
            form = form_of((await to.get(path)).text.rpartition("<form")[2])
            after = path.rpartition("next=")[2] if "next=" in path else "/"
            fields = {"form": form, "name": name, "password": PASSWORD, "next": after}
            sent = await to.post("/sign-in", data=fields)
            assert sent.status_code == 303, sent.text
            return sent

        def browser() -> httpx.AsyncClient:
            return httpx.AsyncClient(transport=httpx.ASGITransport(app=made), base_url=f"http://{HOST}")

        async with browser() as one, browser() as other:
            await enter(one, "mara")
            await enter(other, "jonas")
            mara, jonas = Person(one), Person(other)
            n = await mara.save()
            path = f"/approvals/{await mara.ask(n)}"
            leads = f'href="/fresh?next={path}"'
            again = f"/sign-in?again=1&next={path}"
            assert leads not in (await jonas.to.get(path)).text
            moment[0] += dt.timedelta(minutes=6)
            page = (await jonas.to.get(path)).text
            assert leads in page
            assert "Approve exactly this" not in page
            digest = (await jonas.page(path))["digest"]
            early = await jonas.send(f"{path}/approve", digest=digest)
            assert early.headers["location"] == f"/fresh?next={quote(path, safe='')}"
            assert (await jonas.page(path))["request"]["state"] == "asked"
            assert (await enter(other, "jonas", again)).headers["location"] == path
            assert (await jonas.send(f"{path}/approve", digest=digest)).status_code == 303
            page_of = await jonas.page(path)
            assert (page_of["request"]["state"], page_of["request"]["decided_by"]) == (
                "approved",
                "Name of jonas",
            )
            assert (await mara.publish(n)).status_code == 303
