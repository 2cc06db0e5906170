"""People act at a console, its hub signs, and the author is told: over a real broker, and over the pair of sockets between the two."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from bus import desk
from bus.console.asking import HubError, Line, serve
from bus.delivery.tracker import DeliveryTracker
from bus.hub.acting import Acknowledge, Acting, Outcome, messages
from bus.hub.acting import acting as module
from bus.policy import RateLimit
from bus.tasks import in_background
from schemas.codec import decode
from schemas.vocab import FeedbackKind
from tests.integration.test_receipts import hub, tracked
from tests.support.consoles import EVERYTHING, client, form_of, numbers, sign_in
from tests.support.stage import Bus, speaking
from tests.support.waiting import eventually
from tests.support.world import draft

ROLES = ("analyst", "duty-officer")


@asynccontextmanager
async def asked(acting: Acting) -> AsyncIterator[Line]:
    """A line to a hub that does what it is asked."""
    ours, theirs = socket.socketpair()
    async with in_background(serve(ours, acting.do), "hub"), Line.open(theirs) as line:
        yield line


@asynccontextmanager
async def at_work(
    bus: Bus, folder: Path, recorded: list[tuple[str, dict[str, str]]], *, has_key: bool = True
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is signed in at the console of xb-hub, which reads and signs."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(hub(bus, folder, "xb-hub"))
        voice = await stack.enter_async_context(speaking(bus, folder / "xb-hub.outbox.db", "xb-hub"))
        acting = Acting(
            service.store,
            voice if has_key else None,
            lambda event, facts: recorded.append((event, dict(facts))),
        )
        line = await stack.enter_async_context(asked(acting))
        held = await stack.enter_async_context(desk.Desk.open(folder / "desk.db", numbers(3)))
        opened = await stack.enter_async_context(
            client(
                folder / "xb-hub.store.db",
                EVERYTHING,
                clock=lambda: bus.world.now,
                registry=bus.world.registry,
                roles=ROLES,
                held=held,
                hub=line,
                authority="xb-hub",
            )
        )
        await sign_in(opened)
        yield opened


async def held_by(opened: httpx.AsyncClient, id_: str) -> httpx.Response:
    """The page of a bulletin, once the hub holds it."""

    async def is_there() -> bool:
        return (await opened.get(f"/b/{id_}.json")).status_code == 200

    await eventually(is_there)
    return await opened.get(f"/b/{id_}")


def key_of(html: str) -> str:
    """The key of the form for an answer."""
    return html.partition('name="key" value="')[2][:32]


async def test_a_person_acknowledges_and_the_author_learns_that_it_was_read(bus: Bus, tmp_path: Path) -> None:
    """The desk keeps who, the audit record of the hub too; the receipt names nobody. Done again, nothing more is signed."""
    recorded: list[tuple[str, dict[str, str]]] = []
    async with (
        tracked(bus, tmp_path / "author.db", "xa-csirt") as (author, tracker),
        at_work(bus, tmp_path, recorded) as opened,
    ):
        said = await author.publish(draft())
        page = await held_by(opened, said.id)
        assert "Acknowledge" in page.text
        for _ in range(2):
            sent = await opened.post(f"/b/{said.id}/acknowledge", data={"form": form_of(page.text)})
            assert (sent.status_code, sent.headers["location"]) == (303, f"/b/{said.id}")
        (read,) = (await opened.get(f"/b/{said.id}.json")).json()["desk"]["read"]
        assert (read["who"], read["is_signed"]) == ("Mara Lind", True)
        await eventually(lambda: _was_read(tracker, said.id))
    assert [(event, facts["by"], facts["id"]) for event, facts in recorded] == [
        ("acknowledged", "Mara Lind", said.id)
    ]


async def _was_read(tracker: DeliveryTracker, id_: str) -> bool:
    """Whether the author knows that a person at xb-hub has read it."""
    found = await tracker.standing(id_)
    assert found is not None
    (reader,) = [each for each in found.readers if each.reader == "xb-hub"]
    return reader.read is not None


async def test_an_answer_reaches_its_author_once_however_often_the_form_is_sent(
    bus: Bus, tmp_path: Path
) -> None:
    """`False positive`, signed by the hub: the author reads it, and the page shows it."""
    recorded: list[tuple[str, dict[str, str]]] = []
    async with (
        speaking(bus, tmp_path / "author.db", "xa-csirt") as author,
        hub(bus, tmp_path, "xa-hub") as other,
        at_work(bus, tmp_path, recorded) as opened,
    ):
        said = await author.publish(draft())
        page = await held_by(opened, said.id)
        form = {
            "form": form_of(page.text),
            "key": key_of(page.text),
            "verdict": "false-positive",
            "text": "The address belongs to a known monitoring service.",
        }
        for _ in range(3):
            sent = await opened.post(f"/b/{said.id}/answer", data=form)
            assert sent.status_code == 303, sent.text

        async def arrived() -> list[bytes]:
            rows = await other.store.read(
                lambda db: db.execute("SELECT payload FROM admitted ORDER BY row").fetchall()
            )
            return [
                bytes(row[0])
                for row in rows
                if decode(bytes(row[0])).issuer.id == "xb-hub" and b"feedback" in bytes(row[0])
            ]

        await eventually(arrived)
        (one,) = await arrived()
        body = decode(one).body
        assert getattr(body, "verdict", None) is FeedbackKind.FALSE_POSITIVE

        async def is_shown() -> bool:
            return "monitoring service" in (await opened.get(f"/b/{said.id}")).text

        await eventually(is_shown)
    assert {event for event, _ in recorded} == {"answered"}


async def test_a_handover_and_a_wish_for_a_wider_marking_are_answers_that_are_taken_back(
    bus: Bus, tmp_path: Path
) -> None:
    """Chosen from who reads it; the page shows what this hub has answered. Taken back, once, others read that it is withdrawn."""
    recorded: list[tuple[str, dict[str, str]]] = []
    async with (
        speaking(bus, tmp_path / "author.db", "xa-csirt") as author,
        hub(bus, tmp_path, "xa-hub") as other,
        at_work(bus, tmp_path, recorded) as opened,
    ):
        said = await author.publish(draft())
        page = await held_by(opened, said.id)
        base = {"form": form_of(page.text), "key": key_of(page.text)}
        desk_of = (await opened.get(f"/b/{said.id}.json")).json()["desk"]
        assert "xa-hub" in {id_ for id_, _ in desk_of["hands"]}
        assert desk_of["wider"] == ["clear"]
        wrong = await opened.post(f"/b/{said.id}/take-back", data=base | {"verdict": "handover"})
        assert "no such answer to that bulletin in force" in wrong.text
        for fields in (
            {"verdict": "handover", "to": "xa-hub"},
            {"verdict": "request-upgrade", "marking": "clear"},
        ):
            for _ in range(2):
                sent = await opened.post(f"/b/{said.id}/answer", data=base | fields)
                assert sent.status_code == 303, sent.text

        async def ours() -> set[str]:
            twin = (await opened.get(f"/b/{said.id}.json")).json()
            return {each["verdict"] for each in twin["desk"]["ours"]}

        async def both() -> bool:
            return await ours() == {"handover", "request-upgrade"}

        await eventually(both)
        back = base | {"verdict": "handover", "text": "They have no room."}
        for _ in range(2):
            sent = await opened.post(f"/b/{said.id}/take-back", data=back)
            assert (sent.status_code, sent.headers.get("location")) == (303, f"/b/{said.id}#ours"), sent.text

        async def one() -> bool:
            return await ours() == {"request-upgrade"}

        await eventually(one)

        async def arrived() -> list[Any]:
            rows = await other.store.read(
                lambda db: db.execute("SELECT payload FROM admitted ORDER BY row").fetchall()
            )
            read = [decode(bytes(row[0])) for row in rows]
            return [each for each in read if each.issuer.id == "xb-hub" and each.kind == "feedback"]

        async def is_whole() -> bool:
            return len(await arrived()) == 3

        await eventually(is_whole)
        handed, asked, withdrawn = await arrived()
        assert (handed.body.handover_to, asked.body.relax_to) == ("xa-hub", "clear")
        assert (withdrawn.msg_type, withdrawn.info[0].summary) == ("cancel", "They have no room.")
        assert withdrawn.references[0].id == handed.id
    assert [event for event, _ in recorded] == [
        "answered",
        "answered",
        "answered",
        "answered",
        "answer-withdrawn",
    ]


BAD = {
    "no verdict": {"verdict": "", "text": "x y"},
    "another verdict": {"verdict": "relax-marking", "text": "x y"},
    "a verdict that needs a sentence": {"verdict": "dispute", "text": "  "},
    "a text that is too long": {"verdict": "dispute", "text": "x" * 2001},
    "a key that is none": {"verdict": "endorse", "key": "../../x"},
    "a handover to nobody": {"verdict": "handover", "to": ""},
    "a handover to who does not read it": {"verdict": "handover", "to": "xz-none"},
    "a handover to oneself": {"verdict": "handover", "to": "xb-hub"},
    "a marking that is no wider": {"verdict": "request-upgrade", "marking": "green"},
}


async def test_what_a_form_lacks_is_said_and_nothing_is_signed(bus: Bus, tmp_path: Path) -> None:
    """Each with status 400 and a sentence; nothing is on record."""
    recorded: list[tuple[str, dict[str, str]]] = []
    async with (
        speaking(bus, tmp_path / "author.db", "xa-csirt") as author,
        at_work(bus, tmp_path, recorded) as opened,
    ):
        said = await author.publish(draft())
        page = await held_by(opened, said.id)
        base = {"form": form_of(page.text), "key": key_of(page.text)}
        for name, fields in BAD.items():
            sent = await opened.post(f"/b/{said.id}/answer", data=base | fields)
            assert sent.status_code == 400, name
        nowhere = await opened.post("/b/none/answer", data=base | {"verdict": "endorse"})
        assert nowhere.status_code == 404
    assert recorded == []


async def test_a_hub_without_a_key_says_so(bus: Bus, tmp_path: Path) -> None:
    """The person has read it all the same: that stands at the desk, as not signed."""
    async with (
        speaking(bus, tmp_path / "author.db", "xa-csirt") as author,
        at_work(bus, tmp_path, [], has_key=False) as opened,
    ):
        said = await author.publish(draft())
        page = await held_by(opened, said.id)
        sent = await opened.post(f"/b/{said.id}/acknowledge", data={"form": form_of(page.text)})
        assert sent.status_code == 409
        assert "no signing key" in sent.text
        (read,) = (await opened.get(f"/b/{said.id}.json")).json()["desk"]["read"]
        assert read["is_signed"] is False


async def test_a_hub_signs_no_more_for_its_console_than_people_do(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console that was taken over asks for thousands; the rest is refused with a reason."""
    monkeypatch.setattr(module, "ACTING", RateLimit(burst=3, per_s=0.001))
    async with (
        hub(bus, tmp_path, "xb-hub") as service,
        speaking(bus, tmp_path / "xb-hub.outbox.db", "xb-hub") as voice,
    ):
        acting = Acting(service.store, voice, lambda _, __: None)
        async with asked(acting) as line:
            states = [await line.ask(Acknowledge(bulletin="none", by="x")) for _ in range(5)]
    assert [each.reason for each in states] == ["not-there"] * 3 + ["too-many-requests"] * 2


ODD = {
    "no JSON": b"hello\n",
    "no message": b'{"n": 1}\n',
    "a list": b"[1,2]\n",
    "longer than any": b"x" * (messages.MOST + 10) + b"\n",
}


@pytest.mark.parametrize("line", ODD.values(), ids=ODD)
async def test_what_is_no_request_ends_the_line_and_not_the_hub(line: bytes) -> None:
    """The hub's end is closed; who asks is told that nobody answers."""
    ours, theirs = socket.socketpair()

    async def do(_: object) -> Outcome:
        raise AssertionError

    reader, writer = await asyncio.open_connection(sock=theirs)
    async with in_background(serve(ours, do), "hub"):
        writer.write(line)
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_request_that_no_hub_knows_is_refused_by_its_number() -> None:
    """Others on the line go on."""
    ours, theirs = socket.socketpair()

    async def do(_: object) -> Outcome:
        return Outcome(state="stored", id="x")

    async with in_background(serve(ours, do), "hub"), Line.open(theirs) as line:
        unknown = msgspec.convert({"bulletin": "x", "by": "y" * 200}, dict)
        line._writer.write(json.dumps({"n": 900, "request": {"type": "erase", **unknown}}).encode() + b"\n")
        assert (await line.ask(Acknowledge(bulletin="x", by="y"))).id == "x"


async def test_a_hub_that_has_ended_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits is told at once, not after a while."""
    ours, theirs = socket.socketpair()
    async with Line.open(theirs) as line:
        ours.close()
        with pytest.raises(HubError):
            await line.ask(Acknowledge(bulletin="x", by="y"))
