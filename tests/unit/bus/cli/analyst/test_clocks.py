"""`tocsin clocks`: what is owed by when, and by whom, of the store of a hub."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.bodies.coordination import Rfi
from schemas.parts import Action
from tests.record.process import Running
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import TOCSIN, Desk
from tests.support.world import Message, bulletin, draft, make_world, sign

PAINT = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HOUR = dt.timedelta(hours=1)


class Scene:
    """A hub that holds two requests and a bulletin that asks for actions, one of which is late."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """What --json prints, but for what is said of the view."""
        printed = self.desk.view("clocks", "--context", "xa-hub", "--json", *arguments)
        return [each for line in printed.splitlines() if "rule" in (each := json.loads(line))]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Made once: no test changes it."""
    world = make_world(utc_now().replace(microsecond=0))
    now = world.now
    says = (
        draft("For later", body=Rfi(question="Which?", respond_by=now + 40 * HOUR, to=("dpa",))),
        draft("For soon", body=Rfi(question="Who?", respond_by=now + 2 * HOUR, to=("xa-hub",))),
        draft(
            "To do",
            actions=(
                Action(kind="patch", to=("csirt",), text="Now.", due=now - HOUR),
                Action(kind="monitor", to=("csirt",), text="On.", due=now + 3 * HOUR),
            ),
        ),
    )
    signed: list[Message] = []
    for seq, say in enumerate(says, 1):
        prev = signed[-1].digest if signed else None
        signed.append(sign(world, bulletin(world, say=say, seq=seq, prev=prev, issued=now - 2 * HOUR)))
    with pytest.MonkeyPatch.context() as patch:
        desk = hub_desk(tmp_path_factory.mktemp("clocks") / "here", patch, world, "xa-hub")
        asyncio.run(take_in(store_of(desk.folder, "xa-hub"), world, signed))
        yield Scene(desk)


def test_what_is_late_comes_first_then_what_is_due_soon(scene: Scene) -> None:
    """Each with its rule, who owes, when, and the bulletin's id and marking."""
    rows = scene.rows()
    assert [(each["rule"], each["standing"]) for each in rows] == [
        ("action-patch", "late"),
        ("rfi", "due_soon"),
        ("action-monitor", "due_soon"),
        ("rfi", "running"),
    ]
    assert [each["owner"] for each in rows] == [["csirt"], ["xa-hub"], ["csirt"], ["dpa"]]
    assert all({"id", "tlp", "audience", "due", "start", "headline"} <= each.keys() for each in rows)


def test_a_line_says_when_in_words(scene: Scene) -> None:
    """And how many there are of each kind, as of when."""
    lines = scene.desk.view("clocks", "--context", "xa-hub").splitlines()
    assert [line.split("\t")[0] for line in lines if "\t" in line] == [
        "late",
        "next 6 h",
        "next 6 h",
        "later",
    ]


def test_what_one_owes_oneself_is_asked_for(scene: Scene) -> None:
    """--mine leaves out what others owe, --rule what is of other rules."""
    assert [each["headline"] for each in scene.rows("--mine")] == ["For soon"]
    assert [each["rule"] for each in scene.rows("--rule", "action-patch")] == ["action-patch"]
    assert scene.rows("--rule", "gdpr-33") == []


def test_a_list_is_bounded_and_says_so(scene: Scene) -> None:
    """With how many there are, and how to see them."""
    assert len(scene.rows("--limit", "2")) == 2
    shown = scene.desk.look("clocks", "--context", "xa-hub", "--limit", "2")
    assert "2 of 4 shown, more: --limit 4" in shown.err
    assert "1 late, 2 next 6 h, 1 later" in shown.err
    assert "as of " in shown.err


def test_no_line_is_wider_than_the_terminal(scene: Scene) -> None:
    """80 columns, with the beginning of each id, which every command takes."""
    command = (TOCSIN, "clocks", "--context", "xa-hub")
    running = Running(command, cwd=scene.desk.folder, env=scene.desk.env, on_terminal=True)
    lines = PAINT.sub("", running.outcome().stdout).splitlines()
    assert max(map(len, lines[1:])) <= 80  # the first says how the view is to be taken
    (row,) = (line for line in lines if "action-patch" in line)
    shown = scene.rows("--rule", "action-patch")[0]["id"]
    assert shown.startswith(row.split()[-1])
