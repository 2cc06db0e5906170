"""Drills at the desk: a script that is not wholly an exercise says nothing, and no view mixes exercise and actual."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.vocab import Phase, Status, Tlp
from tests.support.elections import election
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk
from tests.support.places import EXAMPLES
from tests.support.world import Message, World, bulletin, draft, make_world, sign

HOUR = dt.timedelta(hours=1)
EXAMPLE = EXAMPLES / "drills" / "false_date" / "drill.toml"
MARKING = 'tlp = "green"\npap = "green"\naudience = "community"\n'


@cache
def world() -> World:
    """Two countries whose registry stands as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture(autouse=True)
def present() -> None:
    """Each test has a world of its own moment: what is live and late depends on the real clock."""
    world.cache_clear()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A hub that conducts, and two authorities that speak."""
    return hub_desk(tmp_path, monkeypatch, world(), "xa-hub", "xa-emb", "xa-csirt")


def play(desk: Desk, text: str, code: int = 0, context: str = "xa-hub") -> str:
    """`drill run --check` of a script."""
    (desk.folder / "drill.toml").write_text(text)
    return desk.run("drill", "run", "drill.toml", "--check", "--context", context, code=code)


GOOD = """
exercise = "xa-drill"
title = "A flood"
[[step]]
at = 0
as = "xa-csirt"
[[step.expect]]
from = "xb-csirt"
within = 60
[step.say]
status = "exercise"
tlp = "green"
pap = "green"
audience = "community"
info = [{ lang = "en", headline = "Flood", summary = "Sources in 192.0.2.0/24." }]
body = { kind = "cyber-threat", title = "Flood" }
"""

BAD: dict[str, tuple[str, int, str]] = {
    "an actual draft": (GOOD.replace('status = "exercise"', 'status = "actual"'), 5, "exercises only"),
    "a draft that leaves it open": (GOOD.replace('status = "exercise"\n', ""), 5, "exercises only"),
    "a test": (GOOD.replace('status = "exercise"', 'status = "test"'), 5, "exercises only"),
    "another exercise": (
        GOOD.replace('status = "exercise"', 'status = "exercise"\nexercise_id = "xb-drill"'),
        5,
        "of the exercise xb-drill",
    ),
    "a headline with no room for the mark": (GOOD.replace('"Flood"', f'"{"x" * 155}"', 1), 5, "headline"),
    "a draft that breaks a rule": (GOOD.replace('tlp = "green"', 'tlp = "clear"'), 5, "audience public"),
    "a channel it may not speak on": (
        GOOD.replace('"green"', '"amber"', 1).replace("community", "eu-dpas"), 5, "no grant",
    ),
    "an answer its conductor cannot read": (
        GOOD,
        5,
        "cannot read the answer",
    ),
    "an answer by nobody there is": (GOOD.replace("xb-csirt", "xz-csirt"), 6, "xz-csirt"),
    "a context that is none": (GOOD.replace('"xa-csirt"', '"xa-csrit"'), 2, "did you mean 'xa-csirt'"),
    "no draft at all": (GOOD.partition("[step.say]")[0], 5, "step 1"),
    "both a file and a draft": (GOOD.replace("at = 0", 'at = 0\ndraft = "x.toml"'), 5, "step 1"),
    "a file that is not there": (
        GOOD.partition("[step.say]")[0].replace("at = 0", 'at = 0\ndraft = "none.toml"'), 3, "none.toml",
    ),
    "no steps": ('exercise = "xa-drill"\ntitle = "t"\nstep = []', 5, "not the script"),
    "a word it does not know": (GOOD.replace("within", "in_time"), 5, "in_time"),
    "a time before its start": (GOOD.replace("at = 0", "at = -5"), 5, "at"),
    "a verdict that is none": (GOOD.replace("within = 60", 'within = 60\nverdict = "yes"'), 5, "verdict"),
    "no TOML": ("[[step", 5, "not the script"),
    "no text": ("\x00", 5, "not the script"),
}  # fmt: skip


def test_a_script_that_will_not_do_says_nothing(desk: Desk) -> None:
    """One sentence with the step and what to do, its exit code, and not one bulletin in an outbox."""
    for name, (text, code, said) in BAD.items():
        context = "xa-emb" if said == "cannot read the answer" else "xa-hub"
        told = play(desk, text, code=code, context=context)
        assert said in told, name
        assert told.count("\n") == 1, name
    assert desk.run("bulletin", "list", "--mine", "--status", "exercise", "--context", "xa-csirt") == ""


def test_the_example_is_a_drill(desk: Desk) -> None:
    """Every step of examples/drills is read, marked and permitted, given the marking of the demonstration's contexts."""
    settings = desk.folder / "home" / "config.toml"
    lines = settings.read_text().splitlines(keepends=True)
    settings.write_text(
        "".join(
            line + MARKING if line.startswith(("[contexts.xa-emb", "[contexts.xa-csirt")) else line
            for line in lines
        )
    )
    assert desk.run("drill", "run", str(EXAMPLE), "--check", "--context", "xa-hub") == ""
    assert play(desk, GOOD) == ""


CHECKS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "an audience that is none": (("--to", "comunity"), 5, "did you mean 'community'"),
    "somebody who cannot answer": (
        ("--to", "eu-csirts", "--tlp", "amber+strict", "--expect", "xb-emb"),
        2,
        "xb-emb",
    ),
    "the one who asks": (("--expect", "xa-csirt"), 2, "xa-csirt"),
    "an audience it may not speak to": (("--to", "eu-dpas", "--tlp", "amber+strict"), 5, "no grant"),
    "a name that is none": (("--exercise", "My Drill"), 5, "exercise_id"),
}


def test_a_communication_check_that_will_not_do_says_nothing(desk: Desk) -> None:
    """Refused before anything is signed."""
    for name, (options, code, said) in CHECKS.items():
        told = desk.run("drill", "comcheck", "--as", "xa-csirt", "--context", "xa-hub", *options, code=code)
        assert said in told, name
    assert desk.run("bulletin", "list", "--mine", "--status", "exercise", "--context", "xa-csirt") == ""


def said_twice() -> tuple[list[Message], list[Message]]:
    """The same three things, in earnest and in an exercise: a threat, a calendar, and one to a narrower audience."""
    polls = PhaseWindow(phase=Phase.POLLING, start=world().now - HOUR, end=world().now + HOUR)
    body = ElectionCalendar(windows=(polls,), tz="UTC")
    real: list[Message] = []
    drill: list[Message] = []
    for status, said in ((Status.ACTUAL, real), (Status.EXERCISE, drill)):
        name = "in earnest" if status is Status.ACTUAL else "EXERCISE: a drill"
        of = "parl" if status is Status.ACTUAL else "pres"
        ref = election(f"xa-{of}-{polls.start.year}", Phase.POLLING)
        more: dict[str, Any] = {
            "status": status,
            "exercise_id": None if status is Status.ACTUAL else "xa-drill",
        }
        for issuer, say in (
            ("xa-csirt", draft(name)),
            ("xa-emb", draft(name, body=body, election=ref, tlp=Tlp.CLEAR, audience="public")),
            ("xb-csirt", draft(name, tlp=Tlp.AMBER_STRICT, audience="eu-csirts")),
        ):
            said.append(sign(world(), bulletin(world(), issuer, say=say, **more)))
    return real, drill


VIEWS: dict[str, tuple[str, ...]] = {
    "watch": ("watch", "--since", "all", "--no-follow"),
    "picture": ("picture",),
    "channels": ("channels",),
    "election": ("election", "list"),
    "list": ("bulletin", "list"),
}


def test_no_view_shows_an_exercise_beside_what_is_so(desk: Desk) -> None:
    """With both in the store each view shows what it would show without the exercise, as text and as JSON.

    But for the moment, the count of exercises, and how much of an id tells it from all others that are held; watch and list,
    asked for exercises, show these alone.
    """
    real, drill = said_twice()
    store = store_of(desk.folder, "xa-hub")
    asyncio.run(take_in(store, world(), real))

    def seen() -> dict[str, list[str]]:
        return {
            f"{name} {form}": [
                line
                for line in desk.view(*view, *form.split(), "--context", "xa-hub").splitlines()
                if not line.startswith("NOT READING")
                and "exercises in force" not in line
                and "UTC   trust" not in line
            ]
            for name, view in VIEWS.items()
            for form in ("", "--json")
        }

    def without_moment(shown: dict[str, list[str]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, lines in shown.items():
            if not name.endswith("--json"):
                found[name] = [re.sub(r"\[[0-9a-f-]{13,}\]", "[id]", line) for line in lines]
                continue
            values = [json.loads(line) for line in lines]
            for value in values:
                if isinstance(value, dict):
                    value.pop("at", None)
                    value.pop("exercises_in_force", None)
                    value.pop("health", None)
                    for item in value.get("top", ()):
                        item.pop("short")
            found[name] = values
        return found

    before = without_moment(seen())
    asyncio.run(take_in(store, world(), drill))
    after = seen()
    assert without_moment(after) == before
    assert not any("drill" in line or "exercise." in line for lines in after.values() for line in lines)
    assert all(lines for lines in after.values())
    for view in (("watch", "--since", "all", "--no-follow"), ("bulletin", "list")):
        lines = desk.view(*view, "--status", "exercise", "--context", "xa-hub").splitlines()
        assert len(lines) == 3
        assert all("[EXERCISE]" in line and "in earnest" not in line for line in lines)
