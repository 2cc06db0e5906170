"""The duty desk in the pages: what has happened since somebody last looked, what is put aside, what comes back."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx

from bus import desk
from bus.console import Demonstration, Reading
from bus.console.pages import end_worsened
from bus.console.pages.needs import MOST_NEEDS
from bus.hub.exchange import receipt_queue
from bus.hub.picture import clocked, open_store, ringing
from bus.policy import Clearance
from schemas.parts import Area, Ref
from schemas.subject import channel_of
from schemas.vocab import Certainty, MsgType, ReceiptStage, RefRel, Severity, Tlp, Urgency
from tests.support.consoles import EVERYTHING, HUB, Speaker, client, fill, form_of, numbers, shelf, sign_in
from tests.support.hubs import STREAM, judged
from tests.support.world import NOW

HOME = (Area(scope="national", country="XA"),)
ROLES = ("analyst", "duty-officer")
GRAVE = {"severity": Severity.SEVERE, "urgency": Urgency.IMMEDIATE, "certainty": Certainty.OBSERVED}


@asynccontextmanager
async def at_desk(path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A duty officer who is signed in."""
    async with (
        desk.Desk.open(path.with_name("desk.db"), numbers(5)) as held,
        client(path, roles=ROLES, held=held) as opened,
    ):
        await sign_in(opened)
        yield opened


async def sent(opened: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """A form, as a page of this session sends it."""
    form = form_of((await opened.get("/")).text)
    return await opened.post(path, data={"form": form, **fields})


async def picture(opened: httpx.AsyncClient) -> dict[str, Any]:
    """The twin of the picture."""
    found: dict[str, Any] = (await opened.get("/picture.json")).json()
    return found


async def test_what_came_is_new_until_the_person_says_that_it_was_seen(tmp_path: Path) -> None:
    """Then only what comes later is; an update that is graver says so; a withdrawal says so."""
    path = tmp_path / "store.db"
    csirt, emb = Speaker("xa-csirt", areas=HOME), Speaker("xa-emb", areas=HOME)
    first = csirt.say("Slow results portal", 900)
    hoax = emb.say("A hoax call", 800)
    await fill(path, [*csirt.made, *emb.made])
    async with at_desk(path) as opened:
        since = (await picture(opened))["since"]
        assert since["is_first"] is True
        assert since["counts"] == {"new": 2}
        assert (await sent(opened, "/seen", n=str(since["upto"]))).status_code == 303
        seen = (await picture(opened))["since"]
        assert (seen["is_first"], seen["counts"], seen["groups"]) == (False, {}, [])
        graver = csirt.say(
            "Results portal is down",
            60,
            msg_type=MsgType.UPDATE,
            references=(Ref(id=first.bulletin.id, rel=RefRel.SUPERSEDES),),
            **GRAVE,
        )
        gone = emb.say(
            "It was a hoax",
            50,
            msg_type=MsgType.CANCEL,
            references=(Ref(id=hoax.bulletin.id, rel=RefRel.CANCELS),),
        )
        await fill(path, [graver, gone])
        since = (await picture(opened))["since"]
        assert since["counts"] == {"escalated": 1, "withdrawn": 1}
        assert since["groups"][0]["row"]["headline"] == "Results portal is down"
        html = (await opened.get("/b")).text
        assert html.count('class="row is-new') == 1


async def test_what_is_put_aside_is_seen_by_all_and_comes_back(tmp_path: Path) -> None:
    """It leaves Needs you, with who and why; ended, it is there again and says why it is back."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    grave = csirt.say("Results portal is slow", 300, **GRAVE)
    await fill(path, csirt.made)
    async with at_desk(path) as opened:
        before = await picture(opened)
        assert [need["about"] for need in before["needs"]] == [grave.bulletin.id]
        done = await sent(opened, f"/b/{grave.bulletin.id}/snooze", end="60", reason="The provider is on it.")
        assert done.status_code == 303, done.text
        page = await picture(opened)
        assert page["needs"] == []
        (aside,) = page["snoozed"]
        assert (aside["by"], aside["reason"]) == ("Mara Lind", "The provider is on it.")
        assert "1 thing is snoozed" in (await opened.get("/")).text
        assert (await sent(opened, f"/snoozes/{aside['n']}/end")).status_code == 303
        page = await picture(opened)
        assert len(page["needs"]) == 1
        (back,) = page["since"]["returned"]
        assert (back["words"], back["why"]) == ("Results portal is slow", "it was ended by hand")


async def test_what_is_put_aside_makes_room_for_what_waits(tmp_path: Path) -> None:
    """Needs you is never empty because all that it had room for was put aside; nor is what is handed over."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    for n in range(MOST_NEEDS + 2):
        csirt.say(f"Slow portal {n}", 300 - n, **GRAVE)
    await fill(path, csirt.made)
    async with at_desk(path) as opened:
        first = [need["about"] for need in (await picture(opened))["needs"]]
        assert len(first) == MOST_NEEDS
        for about in first:
            done = await sent(opened, f"/b/{about}/snooze", end="60", reason="The provider is on it.")
            assert done.status_code == 303
        page = await picture(opened)
        left = {message.bulletin.id for message in csirt.made} - set(first)
        assert {need["about"] for need in page["needs"]} == left
        assert {each["words"] for each in page["snoozed"]} <= {f"Slow portal {n}" for n in range(14)}
        assert {need["about"] for need in (await opened.get("/handover.json")).json()["open"]} == left
        assert (await sent(opened, "/handover", words="All is slow.")).status_code == 303
        (shift,) = (await opened.get("/handover.json")).json()["shifts"]
        assert {line["address"] for line in shift["lines"]} == {f"/b/{each}" for each in (*first, *left)}


async def test_what_is_acknowledged_needs_nobody_at_once(tmp_path: Path) -> None:
    """And what comes needs somebody as soon as it is taken in, though a page was made a moment before."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    one = csirt.say("Results portal is slow", 300, **GRAVE)
    law = clocked.law_of(shelf().registry, HUB)()
    async with open_store(path, hold_s=0.0) as store:
        await store.settle([judged(one, shelf().registry())], STREAM, None, NOW)
        async with at_desk(path) as opened:
            assert (await picture(opened))["needs"] == []
            while await store.write(lambda db: ringing.advance(db, law, NOW)):
                pass
            assert len((await picture(opened))["needs"]) == 1
            receipt = (ReceiptStage.ACKNOWLEDGED, one.digest, one.bulletin.id, channel_of(one.bulletin))
            await store.write(lambda db: receipt_queue.add(db, *receipt, NOW.timestamp()))
            assert (await picture(opened))["needs"] == []


async def test_a_form_counts_from_when_it_is_whole(tmp_path: Path) -> None:
    """Who sends it slowly acts at its end: what had to be fresh at its beginning is not any more."""
    path, now = tmp_path / "store.db", [NOW]
    await fill(path, [])

    async def slowly(form: str) -> AsyncIterator[bytes]:
        yield f"form={form}&words=All+is".encode()
        now[0] += dt.timedelta(seconds=20)
        yield b"+quiet."

    async with (
        desk.Desk.open(path.with_name("desk.db"), numbers(5)) as held,
        client(path, roles=ROLES, held=held, clock=lambda: now[0]) as opened,
    ):
        await sign_in(opened)
        form = form_of((await opened.get("/")).text)
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert (await opened.post("/handover", content=slowly(form), headers=kind)).status_code == 303
        (shift,) = (await opened.get("/handover.json")).json()["shifts"]
    assert dt.datetime.fromisoformat(shift["at"]) == NOW + dt.timedelta(seconds=20)


BAD = {
    "no end": ({"reason": "x y"}, 400),
    "an odd end": ({"end": "9999999", "reason": "x y"}, 400),
    "no reason": ({"end": "15"}, 400),
    "no phase that ends": ({"end": "phase", "reason": "x y"}, 400),
}


async def test_a_snooze_needs_an_end_and_a_reason_and_never_hides_what_is_gravest(tmp_path: Path) -> None:
    """Each refusal has a status, and nothing is put aside."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    one = csirt.say("Slow portal", 300, **GRAVE)
    worst = csirt.say("All is down", 200, **{**GRAVE, "severity": Severity.EXTREME})
    await fill(path, csirt.made)
    async with at_desk(path) as opened:
        for name, (fields, status) in BAD.items():
            done = await sent(opened, f"/b/{one.bulletin.id}/snooze", **fields)
            assert done.status_code == status, name
        never = await sent(opened, f"/b/{worst.bulletin.id}/snooze", end="15", reason="x y")
        assert never.status_code == 400
        assert "never put aside" in never.text
        assert (
            await sent(opened, "/channels/snooze", alarm="x silent", end="15", reason="x")
        ).status_code == 404
        assert (await sent(opened, "/snoozes/x/end")).status_code == 400
        assert (await sent(opened, "/snoozes/99/end")).status_code == 404
        assert (await sent(opened, "/seen", n="-1")).status_code == 400
        assert (await picture(opened))["snoozed"] == []


async def test_a_bulletin_that_is_put_aside_comes_back_when_it_gets_graver(tmp_path: Path) -> None:
    """By a newer version of its author; the page says why."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    one = csirt.say("Slow portal", 300, **GRAVE)
    await fill(path, csirt.made)
    async with (
        desk.Desk.open(path.with_name("desk.db"), numbers(5)) as held,
        client(path, roles=ROLES, held=held) as opened,
        Reading.open(path, shelf()) as reading,
    ):
        await sign_in(opened)
        people = Demonstration(EVERYTHING, numbers(), ROLES, held)
        await sent(opened, f"/b/{one.bulletin.id}/snooze", end="60", reason="x y")
        await end_worsened(people, reading, NOW)
        assert len((await picture(opened))["snoozed"]) == 1
        worse = csirt.say(
            "All is down",
            60,
            msg_type=MsgType.UPDATE,
            references=(Ref(id=one.bulletin.id, rel=RefRel.SUPERSEDES),),
            **{**GRAVE, "severity": Severity.EXTREME},
        )
        await fill(path, [worse])
        await end_worsened(people, reading, NOW)
        page = await picture(opened)
        assert page["snoozed"] == []
        (back,) = page["since"]["returned"]
        assert back["why"] == "it has become graver"


async def test_the_next_officer_signs_what_was_handed_over(tmp_path: Path) -> None:
    """Open, snoozed and own words; nobody signs their own, nor what has another digest, and a reader sees none of it.

    What authors write that is not seen, such as marks of direction, keeps no shift from being handed over.
    """
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    csirt.say("Slow \u2066portal\u2069\t", 300, **GRAVE)
    aside = csirt.say("Odd\u200f log lines", 200, **GRAVE)
    await fill(path, csirt.made)
    async with desk.Desk.open(path.with_name("desk.db"), numbers(5)) as held:
        async with client(path, roles=ROLES, held=held) as first:
            await sign_in(first, "Ada One")
            await sent(first, f"/b/{aside.bulletin.id}/snooze", end="60", reason="Known noise.")
            done = await sent(first, "/handover", words="The provider calls back at seven.")
            assert done.status_code == 303, done.text
            (shift,) = (await first.get("/handover.json")).json()["shifts"]
            assert [line["left"] for line in shift["lines"]] == ["Open", "Snoozed"]
            own = await sent(first, f"/handover/{shift['n']}/take", digest=shift["digest"])
            assert own.status_code == 403
        async with client(path, roles=ROLES, held=held) as second:
            await sign_in(second, "Bo Two")
            assert "calls back at seven" in (await second.get("/handover")).text
            other = await sent(second, f"/handover/{shift['n']}/take", digest="x")
            assert other.status_code == 409
            taken = await sent(second, f"/handover/{shift['n']}/take", digest=shift["digest"])
            assert taken.status_code == 303
            (shift,) = (await second.get("/handover.json")).json()["shifts"]
            assert shift["taken_by"] == "Bo Two"
        async with client(path, held=held) as reader:
            await sign_in(reader, "Cy Three")
            assert (await reader.get("/handover")).status_code == 403
        narrow = Clearance(Tlp.CLEAR, frozenset({"public"}))
        async with client(path, narrow, roles=ROLES, held=held) as low:
            await sign_in(low, "Di Four")
            (shift,) = (await low.get("/handover.json")).json()["shifts"]
            assert (shift["is_hidden"], shift["words"], shift["lines"]) == (True, "", [])


async def test_a_note_stands_where_it_was_written_and_is_text(tmp_path: Path) -> None:
    """On its bulletin, with who; a call about an alarm that does not stand is noted nowhere."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    one = csirt.say("Slow portal", 300)
    await fill(path, csirt.made)
    async with at_desk(path) as opened:
        done = await sent(
            opened, f"/b/{one.bulletin.id}/note", text="<b>Provider</b> called.\nBack at seven."
        )
        assert done.status_code == 303
        page = (await opened.get(f"/b/{one.bulletin.id}")).text
        assert "&lt;b&gt;Provider&lt;/b&gt; called." in page
        (note,) = (await opened.get(f"/b/{one.bulletin.id}.json")).json()["desk"]["notes"]
        assert note["by"] == "Mara Lind"
        assert (await sent(opened, "/b/none/note", text="x y")).status_code == 404
        assert (await sent(opened, "/channels/call", alarm="x", text="x y")).status_code == 404
        assert (await sent(opened, f"/b/{one.bulletin.id}/note", text=" ")).status_code == 400


async def test_what_is_not_told_is_counted_and_nothing_put_aside_keeps_it_out(tmp_path: Path) -> None:
    """Of fifteen twelve are told, and the page says how many there are; with twelve put aside the others are told, by their headlines."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    for n in range(15):
        csirt.say(f"Slow portal {n}", 300, **GRAVE)
    await fill(path, csirt.made)
    async with at_desk(path) as opened:
        page = await picture(opened)
        assert (len(page["needs"]), page["needs_in_all"]) == (12, 15)
        assert "12 of 15, the most pressing first" in (html := (await opened.get("/")).text)
        assert "3 more wait." in html
        assert (await opened.get("/wall.json?tlp=amber%2Bstrict")).json()["waits"] == 15
        assert len((await opened.get("/handover.json")).json()["open"]) == 15
        for need in page["needs"]:
            done = await sent(opened, f"/b/{need['about']}/snooze", end="60", reason="In hand.")
            assert done.status_code == 303, done.text
        page = await picture(opened)
        assert (len(page["needs"]), page["needs_in_all"], len(page["snoozed"])) == (3, 3, 12)
        assert {each["words"].rpartition(" ")[0] for each in page["snoozed"]} == {"Slow portal"}


def alarmed(path: Path, *channels: str) -> None:
    """Alarms that stand in a store: these channels are silent."""
    with closing(sqlite3.connect(path)) as db, db:
        rows = [(each, NOW.timestamp()) for each in channels]
        db.executemany(
            "INSERT INTO alarms (channel, reason, detail, began) VALUES (?, 'silent', '', ?)", rows
        )


async def test_a_silent_hub_stands_for_the_channels_of_its_country(tmp_path: Path) -> None:
    """One alarm on every page, which says how many channels more; in the history each stands by itself."""
    path = tmp_path / "store.db"
    await fill(path, [Speaker("xb-csirt").say("Slow portal", 300)])
    alarmed(
        path,
        "xa-hub/actual.green.community",
        "xa-emb/actual.clear.public",
        "xa-csirt/actual.green.community",
        "xb-csirt/actual.green.community",
    )
    async with at_desk(path) as opened:
        page = await picture(opened)
        shown = {each["authority"]: each["also"] for each in page["alarms"]}
        assert shown == {"xa-hub": "2 more channels of its country are silent.", "xb-csirt": ""}
        assert {each["authority"] for each in (await opened.get("/channels.json")).json()["alarms"]} == set(
            shown
        )
        assert [need["sort"] for need in page["needs"]].count("alarm") == 2
        assert '<span class="vh"> alarms</span>' in (await opened.get("/b")).text
        history = (await opened.get("/channels.json?show=history")).json()["alarms"]
        assert len(history) == 4
        beside = "xa-emb/actual.clear.public silent"  # its forms stand in the history
        assert (await sent(opened, "/channels/call", alarm=beside, text="Nobody answers.")).status_code == 303
        of_hub = {"alarm": "xa-hub/actual.green.community silent", "end": "60", "reason": "It is moved."}
        assert (await sent(opened, "/channels/snooze", **of_hub)).status_code == 303
        needs = {need["about"] for need in (await picture(opened))["needs"] if need["sort"] == "alarm"}
        assert len(needs) == 3  # an alarm that is put aside hides no other
        assert beside in needs


async def test_many_of_one_sort_hide_none_of_another_of_their_priority(tmp_path: Path) -> None:
    """Fifteen bulletins to acknowledge leave room for the alarms, on the picture and in what is handed over."""
    path = tmp_path / "store.db"
    csirt = Speaker("xb-csirt", areas=HOME)
    for n in range(15):
        csirt.say(f"Slow portal {n}", 300, **(GRAVE | {"severity": Severity.MODERATE}))
    await fill(path, csirt.made)
    alarmed(path, "xa-emb/actual.green.community")
    async with at_desk(path) as opened:
        page = await picture(opened)
        assert {need["priority"] for need in page["needs"]} == {3}
        assert (len(page["needs"]), page["needs_in_all"]) == (12, 16)
        assert [need["sort"] for need in page["needs"]].count("alarm") == 1
        assert "xa-emb/actual.green.community silent" in (await opened.get("/handover.json")).text


async def test_a_picture_of_home_is_marked_as_what_it_needs(tmp_path: Path) -> None:
    """What is about another country needs somebody here too: its headline stands on a page that counts only bulletins about home."""
    path, abroad = tmp_path / "store.db", (Area(scope="national", country="XB"),)
    narrow = Speaker("xa-csirt", areas=abroad, tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    wide = Speaker("xb-csirt", areas=abroad)
    for n in range(20):  # their clocks are on the page first
        wide.say(f"Slow portal {n}", 4000 + n, **GRAVE)
    narrow.say("Narrow news", 3700, **GRAVE)
    await fill(path, [*narrow.made, *wide.made])
    async with at_desk(path) as opened:
        page = (await opened.get("/picture.json?scope=home")).json()
        assert "Narrow news" in [each["title"] for each in page["needs"]]
        assert page["marking"] == "amber+strict"
