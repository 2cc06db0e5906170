"""The page of the hub itself: what waits, since when, when it is tried next, and what went wrong; nothing of any bulletin."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bus.health import Condition, Facts, Level, OutboxFacts, StateFile, TaskFacts
from tests.support.consoles import Speaker, fill, signed_in
from tests.support.world import NOW


async def test_a_queue_says_its_last_problem_and_its_next_try(tmp_path: Path) -> None:
    """Of what failed and is tried again, and of what was set aside; an error is told by its sort, for its words may quote a bulletin."""
    path = tmp_path / "store.db"
    csirt = Speaker("xa-csirt")
    for headline in ("One", "Two"):
        csirt.say(headline, 300)
    await fill(path, csirt.made)
    soon = NOW.timestamp() + 60
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "UPDATE bodies SET tries = 2, retry_at = ?, problem = 'ValueError: One' WHERE row = 1", (soon,)
        )
        db.execute("UPDATE bodies SET tries = 5, retry_at = NULL, problem = 'KeyError: Two' WHERE row = 2")
    async with signed_in(path) as c:
        said = (await c.get("/system.json")).json()
        queues = {each["name"]: each for each in said["queues"]}
        again = queues["To be taken into the picture once more"]
        assert (again["waits"], again["problem"]) == (1, "ValueError")
        assert again["next"] == f"{NOW.replace(minute=NOW.minute + 1):%Y-%m-%dT%H:%M:%SZ}"
        aside = queues["Set aside, for the picture could not take it in"]
        assert (aside["waits"], aside["next"], aside["problem"]) == (1, None, "KeyError")
        page = (await c.get("/system")).text
        assert "tocsin hub rebuild" in page
        assert "ValueError: One" not in page


async def test_it_says_what_hub_status_says(tmp_path: Path) -> None:
    """Of the outbox and of messages too; the words of an error that ended a task stay out, for they may quote a bulletin."""
    path = tmp_path / "store.db"
    await fill(path, [])
    outbox = OutboxFacts(waiting=3, oldest_at=NOW, compared=True, problem="no responders")
    ended = TaskFacts(name="receipts", alive=False, problem="ValueError: The roll was copied")
    late = Condition(name="notify", level=Level.WARNING, code="notify-late", detail="7 messages wait")
    facts = Facts(identity="xa-hub", outbox=outbox, tasks=(ended,), more=(late,))
    StateFile(tmp_path, "hub", clock=lambda: NOW).write(facts)
    async with signed_in(path, files=tmp_path) as c:
        said = {each["words"]: each for each in (await c.get("/system.json")).json()["health"]}
        page = (await c.get("/system")).text
    assert "3" in said["Outbox"]["detail"]
    assert said["Notify: notify-late"] == {
        "state": "note", "words": "Notify: notify-late", "detail": "7 messages wait", "address": "",
    }  # fmt: skip
    assert said["Tasks: task-died"]["state"] == "fail"
    assert said["Program hub"]["state"] == "pass"
    assert "The roll was copied" not in page
    assert said["Outbox"]["detail"] in page
