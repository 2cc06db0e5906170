"""The duty desk in the pages: what has happened since somebody last looked, what is put aside, what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bus import desk
from schemas.parts import Area, Ref
from schemas.vocab import Certainty, MsgType, RefRel, Severity, Urgency
from tests.support.consoles import Speaker, client, fill, form_of, numbers, sign_in

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
        assert back["why"] == "it was ended by hand"


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
