"""`tocsin incident`: what belongs together, what may and why, and decisions that are kept and undone."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.parts import Observable, Ref
from schemas.vocab import PersonalFlag, RefRel
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk
from tests.support.world import Message, bulletin, draft, make_world, sign


def site(value: str, type_: str = "domain-name") -> Observable:
    """A site that copies another."""
    return Observable(type=type_, value=value, personal=PersonalFlag.NONE, role="impersonating-site")


class Scene:
    """A hub that holds a warning, a reference to it, a third bulletin with its site, and one of something else."""

    def __init__(self, desk: Desk, ids: list[str]) -> None:
        self.desk, self.ids = desk, ids

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """What --json prints."""
        printed = self.desk.view("incident", *arguments, "--context", "xa-hub", "--json")
        return [json.loads(line) for line in printed.splitlines()]


@pytest.fixture
def scene(tmp_path: Any) -> Iterator[Scene]:
    """Made for each test: some decide."""
    world = make_world(utc_now().replace(microsecond=0))
    signed: list[Message] = []

    def say(headline: str, **changes: Any) -> str:
        prev = signed[-1].digest if signed else None
        issued = world.now - dt.timedelta(hours=2) + dt.timedelta(minutes=len(signed))
        made = bulletin(world, say=draft(headline, **changes), seq=len(signed) + 1, prev=prev, issued=issued)
        signed.append(sign(world, made))
        return made.id

    first = say("A copied page of the commission", observables=(site("copy-xa.example"),))
    second = say("The copied page is gone", references=(Ref(id=first, rel=RefRel.SAME_INCIDENT),))
    third = say("Posts lead to a page", observables=(site("https://copy-xa.example/post", "url"),))
    other = say("Quite another matter", observables=(site("other.example"),))
    with pytest.MonkeyPatch.context() as patch:
        desk = hub_desk(tmp_path / "here", patch, world, "xa-hub")
        asyncio.run(take_in(store_of(desk.folder, "xa-hub"), world, signed))
        yield Scene(desk, [first, second, third, other])


def test_what_authors_join_is_an_incident_and_what_shares_a_value_is_suggested(scene: Scene) -> None:
    """With the number of suggestions; any member names it."""
    first, second, third, _ = scene.ids
    assert [(each["id"], each["bulletins"], each["suggested"]) for each in scene.rows("list")] == [
        (first, 2, 1)
    ]
    rows = scene.rows("show", second)
    assert [each["id"] for each in rows if "tied_by" in each] == [first, second]
    (offer,) = [each for each in rows if "points" in each]
    assert (offer["id"], offer["to"]) == (third, first)
    assert any("copy-xa.example" in each for each in offer["why"])


def test_a_suggestion_is_accepted_and_undone(scene: Scene) -> None:
    """The decision is kept with who and why; undone, it is suggested again."""
    first, _, third, _ = scene.ids
    (done,) = scene.rows("join", first, third, "--why", "the same page")
    assert scene.rows("list")[0]["bulletins"] == 3
    (kept,) = [each for each in scene.rows("show", third) if "verdict" in each]
    assert (kept["n"], kept["by"], kept["why"]) == (done["decision"], "terminal", "the same page")
    scene.rows("undo", str(done["decision"]))
    assert [(each["bulletins"], each["suggested"]) for each in scene.rows("list")] == [(2, 1)]


def test_what_was_rejected_is_not_suggested_again(scene: Scene) -> None:
    """Neither in the list nor beside the incident."""
    first, _, third, _ = scene.ids
    scene.rows("reject", first, third)
    assert scene.rows("suggested") == []
    assert [each["suggested"] for each in scene.rows("list")] == [0]


def test_a_member_is_split_off_whatever_its_author_says(scene: Scene) -> None:
    """One that is no member cannot be."""
    first, second, _, other = scene.ids
    scene.rows("split", first, second)
    assert scene.rows("list") == []
    said = scene.desk.look("incident", "split", first, other, "--context", "xa-hub")
    assert (said.code, "is not in the incident" in said.err) == (3, True)


def test_a_bulletin_that_is_not_there_is_said(scene: Scene) -> None:
    """With what to do."""
    said = scene.desk.look("incident", "show", "01a5ad99", "--context", "xa-hub")
    assert (said.code, "look further back" in said.err) == (3, True)
