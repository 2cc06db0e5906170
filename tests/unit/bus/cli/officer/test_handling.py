"""What a bulletin forbids is said wherever it is shown, and held where it would be handed on."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import encode
from schemas.parts import Action, Handling
from schemas.vocab import Pap, Tlp
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk
from tests.support.world import Message, World, bulletin, draft, make_world, sign

UNTIL = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
LONG = dt.timedelta(days=300)


@cache
def world() -> World:
    """Two countries whose registry stands as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


@cache
def held() -> Message:
    """Of the CSIRT of XB: under embargo, to be looked at only, its source withheld."""
    until = world().now + dt.timedelta(days=5)
    handling = Handling(embargo_until=until, anonymise_source=True, retention_days=90)
    say = draft(
        "A flaw in the register", tlp=Tlp.GREEN, audience="community", pap=Pap.AMBER, handling=handling
    )
    return sign(world(), bulletin(world(), "xb-csirt", say=say))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk of xa-hub, which has read it, and of xa-csirt, which speaks."""
    world.cache_clear()
    held.cache_clear()
    made = hub_desk(tmp_path, monkeypatch, world(), "xa-hub", "xa-csirt")
    asyncio.run(take_in(store_of(tmp_path, "xa-hub"), world(), [held()]))
    return made


def marks() -> list[str]:
    """What is marked of it."""
    until = held().bulletin.handling.embargo_until
    return [f"embargo until {until:%Y-%m-%d %H:%M} UTC", "PAP:AMBER", "source withheld"]


def test_a_list_and_a_picture_mark_it(desk: Desk) -> None:
    """In words, and as data."""
    words = f"A flaw in the register ({', '.join(marks())}"
    assert words in desk.view("bulletin", "list", "--context", "xa-hub")
    assert words in desk.view("picture", "--context", "xa-hub")
    listed = json.loads(desk.view("bulletin", "list", "--context", "xa-hub", "--json"))
    assert listed["marks"] == marks()


def test_a_watch_marks_it(desk: Desk) -> None:
    """Its readers see it before its time, marked."""
    looked = desk.look("watch", "--no-follow", "--since", "all", "--context", "xa-hub")
    assert f"({', '.join(marks())})" in looked.out
    looked = desk.look("watch", "--no-follow", "--since", "all", "--context", "xa-hub", "--json")
    shown = [json.loads(line) for line in looked.out.splitlines()]
    assert [each["marks"] for each in shown if "bulletin" in each] == [marks()]


def test_who_looks_at_one_is_told_in_sentences(desk: Desk) -> None:
    """What may be done with it, and how long it is kept."""
    looked = desk.look("bulletin", "show", held().bulletin.id, "--context", "xa-hub")
    assert looked.code == 0
    said = " ".join(looked.out.split())
    assert "PAP:AMBER: look it up, at third parties too; neither touch nor block it" in said
    assert "do not pass it on before" in said
    assert f"kept until {held().bulletin.issued.date() + dt.timedelta(days=90)}" in said


def test_no_file_is_written_of_it_before_its_time(desk: Desk) -> None:
    """Exit 5 and its reason; nothing is on record as exported."""
    said = desk.run("bulletin", "show", held().bulletin.id, "--raw", "--context", "xa-hub", "--json", code=5)
    assert json.loads(said)["error"]["reason"] == "embargoed"
    record = desk.run("audit", "show", "--context", "xa-hub", "--json")
    assert "exported" not in record


def drafted(desk: Desk, **fields: Any) -> str:
    """A draft in a file."""
    say = draft("by hand", tlp=Tlp.GREEN, pap=fields.pop("pap", Pap.GREEN), audience="community", **fields)
    (desk.folder / "draft.json").write_bytes(encode(say))
    return "draft.json"


def test_its_author_hands_it_to_whom_it_wants(desk: Desk) -> None:
    """The embargo is its own; who publishes it is told what it does."""
    until = world().now + dt.timedelta(days=5)
    file = drafted(desk, handling=Handling(embargo_until=until))
    sent = desk.look("publish", file, "--wait", "accepted", "--context", "xa-csirt", "--json")
    assert sent.code == 0
    assert "its readers see it now; do not hand it on before" in sent.err
    desk.run("bulletin", "show", json.loads(sent.out)["id"], "--raw", "--context", "xa-csirt")


def test_readers_that_are_left_out_stop_it(desk: Desk) -> None:
    """Exit 5 with their names, until a person says why it is right."""
    file = drafted(desk, handling=Handling(releasable_to=("XA",)))
    looked = desk.look("bulletin", "check", file, "--context", "xa-csirt")
    assert looked.code == 5
    assert "handling.releasable_to: xb-hub (XB) would read it" in looked.out
    assert desk.look("publish", file, "--wait", "accepted", "--context", "xa-csirt").code == 5
    desk.run("bulletin", "check", file, "--reviewed", "XB was asked", "--context", "xa-csirt")
    file = drafted(desk, handling=Handling(releasable_to=("XB",)))
    desk.run("bulletin", "check", file, "--context", "xa-csirt")


def test_an_action_that_the_pap_forbids_is_refused(desk: Desk) -> None:
    """Exit 5, the rule, and what to write."""
    action = Action(kind="block-indicator", to=("csirt",), text="Block it.")
    file = drafted(desk, pap=Pap.AMBER, actions=(action,))
    looked = desk.look("publish", file, "--wait", "accepted", "--context", "xa-csirt")
    assert looked.code == 5
    assert "PAP:AMBER forbids block-indicator" in looked.err
    assert "choose PAP:GREEN" in looked.err


def test_a_preview_says_what_its_readers_will_be_told(desk: Desk) -> None:
    """In the words that they see."""
    file = drafted(desk, pap=Pap.RED)
    said = desk.run("preview", file, "--context", "xa-csirt")
    assert "PAP:RED: look in your own logs only" in said


def test_an_update_that_says_nothing_of_it_lifts_no_embargo(desk: Desk) -> None:
    """It keeps the handling of what it replaces; one that names its own has that."""
    until = world().now + dt.timedelta(days=5)

    def updated(wanted: str, **fields: Any) -> dict[str, Any]:
        file = drafted(desk, **fields)
        words = ("bulletin", "update", wanted, file, "--wait", "accepted", "--context", "xa-csirt", "--json")
        new = json.loads(desk.run(*words))["id"]
        shown = json.loads(desk.run("bulletin", "show", new, "--context", "xa-csirt", "--json"))
        return {"id": new, "handling": shown["handling"]}

    file = drafted(desk, handling=Handling(embargo_until=until))
    sent = json.loads(desk.run("publish", file, "--wait", "accepted", "--context", "xa-csirt", "--json"))
    first = updated(sent["id"])
    assert first["handling"] == {"embargo_until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    second = updated(first["id"], handling=Handling(retention_days=60))
    assert second["handling"] == {"retention_days": 60}
