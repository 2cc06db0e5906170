"""What one person, or a stranger, does at a console to the cost of others: it costs them nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from bus import desk
from bus.console import Demonstration
from bus.console import live as module
from bus.console.live import Live
from bus.console.pages import sign_receipts
from bus.console.signing import requests
from bus.desk import Act, Action, Role, people
from bus.hub.acting import Acknowledge, Outcome, Request
from schemas import parts
from schemas.parts import Area
from schemas.vocab import Severity, Tlp
from tests.support.consoles import EVERYTHING, HUB, WORLD, Speaker, client, fill, form_of, numbers, sign_in
from tests.support.desks import add, open_desk
from tests.support.world import NOW, sign
from tests.unit.bus.console.test_duty import GRAVE, ROLES, at_desk, picture, sent

AREAS = (Area(scope="national", country="XA"),)


async def test_a_stranger_uses_up_no_rate_of_those_who_are_signed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both come from one address, as through a proxy; the stranger is told to wait, the other reads on."""
    monkeypatch.setattr(
        requests, "time", SimpleNamespace(monotonic=lambda: 1.0)
    )  # a slow machine fills no bucket
    path = tmp_path / "store.db"
    await fill(path, [Speaker("xa-csirt").say("One", 50)])
    async with client(path) as opened:
        await sign_in(opened)
        mine = dict(opened.cookies)
        opened.cookies.clear()
        told = [(await opened.get("/b.json")).status_code for _ in range(700)]
        assert told[-1] == 429
        assert 401 in told
        opened.cookies.update(mine)
        assert (await opened.get("/b.json")).status_code == 200


async def test_the_sender_of_a_form_does_not_choose_how_it_is_read(tmp_path: Path) -> None:
    """In several parts it may name a code for its letters, and the slowest stops the console for half a second with 64 KB."""
    path = tmp_path / "store.db"
    await fill(path, [Speaker("xa-csirt").say("One", 50)])
    async with client(path) as opened:
        form = form_of((await opened.get("/sign-in")).text)
        named = {"form": form, "name": "Mara Lind"}
        body = "".join(
            f'--x\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in named.items()
        )
        for kind in ("multipart/form-data; boundary=x; charset=punycode", "text/plain", ""):
            answer = await opened.post(
                "/sign-in", content=f"{body}--x--\r\n".encode(), headers={"content-type": kind}
            )
            assert (answer.status_code, "form-token" in answer.text) == (400, True), kind
        assert (await opened.post("/sign-in", data=named)).status_code == 303


@pytest.mark.parametrize("name", ["command-line", "-", "strangers"])
async def test_no_visitor_has_the_name_of_the_operator(tmp_path: Path, name: str) -> None:
    """The command line may change people and read the trail; a visitor of a demonstration who calls himself so is refused."""
    path = tmp_path / "store.db"
    await fill(path, [Speaker("xa-csirt").say("One", 50)])
    async with (
        desk.Desk.open(path.with_name("desk.db"), numbers(5)) as held,
        client(path, roles=("analyst",), held=held) as opened,
    ):
        page = await opened.get("/sign-in")
        answer = await opened.post("/sign-in", data={"form": form_of(page.text), "name": f" {name} "})
        assert answer.status_code == 403
        assert await held.read(people.names) == {}


class Refusing:
    """A hub that signs receipts for some bulletins, and for others never."""

    def __init__(self, never: frozenset[str]) -> None:
        self.never, self.asked = never, [""]

    async def ask(self, request: Request) -> Outcome:
        """Sign, or refuse."""
        assert isinstance(request, Acknowledge)
        self.asked.append(request.bulletin)
        if request.bulletin in self.never:
            return Outcome(state="refused", reason="not-permitted", notes=("no grant",))
        return Outcome(state="stored")


async def test_receipts_that_are_never_signed_keep_no_others_waiting(tmp_path: Path) -> None:
    """Nor do they use up what the hub does for people: each pass asks for three at the most."""
    never = frozenset(f"never-{n}" for n in range(20))
    async with open_desk(tmp_path) as held:
        token = await add(held, "duty", Role.DUTY, ceiling=Tlp.RED)
        now = NOW.timestamp()

        def work(db: sqlite3.Connection) -> None:
            for n, id_ in enumerate([*sorted(never), "good"]):
                about = desk.About("bulletin", id_, Tlp.GREEN, "community")
                who = people.get(db, "duty")
                act = Act(who="duty", roles=who.roles, clearance=who.clearance, at=now + n)
                desk.duty.acknowledge(db, act, about)

        await held.write(work)
        assert token
        kept = Demonstration(EVERYTHING, numbers(1), held=held)
        hub, skip = Refusing(never), 0
        for _ in range(8):
            before = len(hub.asked)
            skip = await sign_receipts(kept, hub, skip)
            assert len(hub.asked) - before <= 3
        assert "good" in hub.asked
        assert "good" not in [bulletin for bulletin, _ in await kept.unsigned(50)]


async def test_one_session_does_not_take_the_room_of_all_who_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than its tabs gets no stream; somebody else does."""
    monkeypatch.setattr(module, "MOST_OF_ONE", 3)
    live = Live(None, lambda: NOW)  # type: ignore[arg-type]
    statuses: dict[str, list[int]] = {"mine": [], "theirs": []}
    gone = asyncio.Event()

    async def receive() -> dict[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def listen(whose: str) -> None:
        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                statuses[whose].append(int(str(message["status"])))

        await live.stream(EVERYTHING, None, {}, receive, send, whose=whose)  # type: ignore[arg-type]

    tasks = [asyncio.create_task(listen("mine")) for _ in range(5)]
    tasks.append(asyncio.create_task(listen("theirs")))
    while sum(map(len, statuses.values())) < 6:
        await asyncio.sleep(0)
    gone.set()
    await asyncio.gather(*tasks)
    assert statuses == {"mine": [200, 200, 200, 503, 503], "theirs": [200]}
    assert live.clients == 0


async def test_a_full_disk_keeps_nobody_from_reading(tmp_path: Path) -> None:
    """That a session is used cannot be written; the page is shown all the same."""
    async with open_desk(tmp_path) as held:
        token = await add(held, "ann")
        later = NOW.timestamp() + 1
        token = (await held.sign_in("ann", "seven brown hats on a shelf", later, "192.0.2.7")).token

        def full(db: sqlite3.Connection) -> None:
            db.execute("CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'full'); END")

        await held.write(full)
        who = await held.look(token, later + 600, "192.0.2.7", lambda _, act: act.who)
        assert who == "ann"


def reader(act: Act, action: Action) -> bool:
    """Whether somebody may do something."""
    return desk.may(act, action)


async def test_a_reason_goes_on_record_within_a_bound(tmp_path: Path) -> None:
    """The hub writes it into its audit record; a form of 64 KB is refused before that, with a sentence."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=AREAS)
    said = csirt.say("Slow portal", 300)
    await fill(path, csirt.made)
    async with at_desk(path) as opened:
        fields = {"key": "a" * 32, "verdict": "endorse", "text": "x", "reviewed": "x" * 60_000}
        answer = await sent(opened, f"/b/{said.bulletin.id}/answer", **fields)
        assert (answer.status_code, "text-too-long" in answer.text) == (400, True)


@pytest.mark.parametrize("flood", [Severity.SEVERE, Severity.EXTREME])
async def test_a_flood_of_one_author_hides_nothing_from_who_must_act(tmp_path: Path, flood: Severity) -> None:
    """Twenty that are owed earlier, as grave or less: what another author says gravely is among what needs a person."""
    path = tmp_path / "store.db"
    loud, other = Speaker("xb-csirt", areas=AREAS), Speaker("xa-emb", areas=AREAS)
    for n in range(20):
        loud.say(f"Noise {n}", 1500 - n, **{**GRAVE, "severity": flood})
    said = other.say("A false date in Nordby", 60, **{**GRAVE, "severity": Severity.EXTREME})
    await fill(path, [*loud.made, *other.made])
    async with at_desk(path) as opened:
        needed = [need["about"] for need in (await picture(opened))["needs"]]
        assert said.bulletin.id in needed


async def test_a_flood_of_duties_hides_no_acknowledgement(tmp_path: Path) -> None:
    """More than are looked through, all owed earlier: what another author says gravely is among what needs a person."""
    path = tmp_path / "store.db"
    loud, other = Speaker("xb-csirt", areas=AREAS), Speaker("xa-emb", areas=AREAS)
    due = NOW + dt.timedelta(seconds=1)
    acts = tuple(parts.Action(kind="patch", to=(HUB,), text=f"Do {n}.", due=due) for n in range(30))
    for n in range(11):
        loud.say(f"Noise {n}", 1500 - n, actions=acts)
    said = other.say("A false date in Nordby", 60, **{**GRAVE, "severity": Severity.EXTREME})
    await fill(path, [*loud.made, *other.made])
    async with at_desk(path) as opened:
        assert said.bulletin.id in [need["about"] for need in (await picture(opened))["needs"]]


async def test_an_author_who_takes_the_id_of_another_gets_nothing_of_what_is_done(tmp_path: Path) -> None:
    """Two that are held have one id: what is acknowledged, noted and put aside is what was shown, on the page and at the hub."""
    path = tmp_path / "store.db"
    honest, thief = Speaker("xb-csirt", areas=AREAS), Speaker("xa-emb", areas=AREAS)
    first = honest.say("A false date in Nordby", 100, **{**GRAVE, "severity": Severity.EXTREME})
    theirs = thief.say("Noise", 50, **GRAVE)
    second = sign(WORLD, msgspec.structs.replace(theirs.bulletin, id=first.bulletin.id))
    await fill(path, [first, second])
    hub = Refusing(frozenset())
    async with (
        desk.Desk.open(path.with_name("desk.db"), numbers(5)) as held,
        client(path, roles=ROLES, held=held, hub=hub) as opened,
    ):
        await sign_in(opened)
        listed = (await opened.get("/b")).text
        for digest, named in ((first.digest, first.bulletin.id), (second.digest, second.digest)):
            assert f'href="/b/{named}"' in listed, "each line of a list leads to its own bulletin"
            page = (await opened.get(f"/b/{digest}")).text
            assert f'action="/b/{named}/acknowledge"' in page
            assert f'href="/b/{named}/signed"' in page
            assert (await sent(opened, f"/b/{digest}/acknowledge")).status_code == 303
            assert hub.asked[-1] == named
            found = (await opened.get(f"/b/{digest}.json")).json()["desk"]["read"]
            assert len(found) == 1
        assert (await opened.get(f"/b/{second.digest}/signed")).content == second.payload
        feed = (await opened.get("/b.atom")).text
        assert len(set(re.findall("<id>(.*?)</id>", feed))) == 3, "a feed tells them apart"
        about = {"A false date in Nordby": first.bulletin.id, "Noise": second.digest}
        assert {need["title"]: need["about"] for need in (await picture(opened))["needs"]} == about
        done = await sent(opened, f"/b/{second.digest}/snooze", end="60", reason="Noise.")
        assert done.status_code == 303, done.text
        left = await picture(opened)
        assert [need["about"] for need in left["needs"]] == [first.bulletin.id]
        assert [each["words"] for each in left["snoozed"]] == ["Noise"]
