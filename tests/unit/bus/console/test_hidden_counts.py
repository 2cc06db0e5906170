"""What is counted beside the pages, of alarms, refusals and contradictions, is counted within the limits of the reader."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bus.policy import Clearance
from schemas.vocab import Phase, Status, Tlp
from tests.support import consoles
from tests.support.consoles import AUDIENCES, Speaker, signed_in
from tests.support.elections import election
from tests.support.world import NOW

GREEN = Clearance(ceiling=Tlp.GREEN, audiences=AUDIENCES)
HIDDEN = "xb-dsc/actual.amber-strict.eu-dsc"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an alarm and a contradiction on a channel that not everybody may read."""
    path = tmp_path_factory.mktemp("counts") / "store.db"
    asyncio.run(consoles.fill(path, [Speaker("xa-csirt").say("One", 50)]))
    with closing(sqlite3.connect(path)) as db, db:
        moment = NOW.timestamp() - 60
        alarm = "INSERT INTO alarms (channel, reason, detail, began) VALUES (?, 'fork', 'twice', ?)"
        db.execute(alarm, (HIDDEN, moment))
        marks = {
            "at": moment, "reason": "fork", "detail": "", "subject": "", "headers": "[]", "payload": b"", "digest": "x",
            "channel": HIDDEN, "seq": 1, "kids": "[]", "variant": "x", "size": 0,
        }  # fmt: skip
        names, values = ", ".join(marks), ", ".join("?" * len(marks))
        db.execute(f"INSERT INTO quarantine ({names}) VALUES ({values})", list(marks.values()))
    return path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/b", '<span class="vh"> alarm</span>'),
        ("/b", '<span class="vh"> refused in a day</span>'),
        ("/picture.json", "Somebody contradicts itself"),
        ("/system.json", "Somebody contradicts itself"),
        ("/quarantine.json", '"fork"'),
    ],
)
def test_what_is_hidden_is_not_counted(store: Path, path: str, words: str) -> None:
    """Whoever may read the channel is told; nobody else learns that there is something."""

    async def told(clearance: Clearance) -> bool:
        async with signed_in(store, clearance) as c:
            return words in (await c.get(path)).text

    assert asyncio.run(told(consoles.EVERYTHING))
    assert not asyncio.run(told(GREEN))


def test_a_refusal_above_a_reader_is_counted_for_its_audience_alone(store: Path) -> None:
    """Who is no reader of that audience does not learn that something claimed to be for it."""

    async def hidden(audiences: frozenset[str]) -> int:
        async with signed_in(store, Clearance(ceiling=Tlp.GREEN, audiences=audiences)) as c:
            return int((await c.get("/quarantine.json")).json()["hidden"])

    assert asyncio.run(hidden(AUDIENCES)) == 1
    assert asyncio.run(hidden(AUDIENCES - {"eu-dsc"})) == 0


def test_readiness_counts_the_exercises_that_its_reader_may_read(tmp_path: Path) -> None:
    """The day of an exercise above the reader is on no page of that reader."""
    where = election("xa-parl-2027", Phase.POLLING)
    calendar = Speaker("xa-emb", tlp=Tlp.CLEAR, audience="public")
    narrow = Speaker(
        "xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts", status=Status.EXERCISE, exercise_id="autumn"
    )
    said = [
        calendar.say("Calendar", 86_000, body=consoles.CALENDAR, election=where),
        narrow.say("An exercise", 50),
    ]
    path = tmp_path / "store.db"
    asyncio.run(consoles.fill(path, said))

    async def drill(clearance: Clearance) -> str:
        async with signed_in(path, clearance) as c:
            checks = (await c.get("/e/xa-parl-2027.json")).json()["checks"]
        return str(next(each["verdict"] for each in checks if each["name"] == "drill"))

    assert asyncio.run(drill(consoles.EVERYTHING)) == "pass"
    assert asyncio.run(drill(GREEN)) == "fail"
