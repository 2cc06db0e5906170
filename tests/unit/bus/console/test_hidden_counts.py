"""What is counted beside the pages, of alarms, refusals and contradictions, is counted within the limits of the reader."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bus.hub.picture import refused
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
        refuse(db, HIDDEN, 1, moment)
    return path


def refuse(db: sqlite3.Connection, channel: str, count: int, moment: float) -> None:
    """So many refusals on a channel, a second after each other up to a moment."""
    rows = (
        {
            "at": moment - n, "reason": "fork", "detail": "", "subject": "", "headers": "[]", "payload": b"x",
            "digest": f"{channel} {n}", "channel": channel, "seq": n + 1, "kids": "[]", "variant": "x", "size": 0,
        }
        for n in range(count)
    )  # fmt: skip
    first = next(rows)
    names, values = ", ".join(first), ", ".join(f":{each}" for each in first)
    db.executemany(f"INSERT INTO quarantine ({names}) VALUES ({values})", [first, *rows])


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


def test_a_flood_of_refusals_of_one_author_hides_no_other_and_costs_no_page_more(tmp_path: Path) -> None:
    """What was refused of others before it is listed all the same; of one channel so many are counted, and no more."""
    path = tmp_path / "store.db"
    asyncio.run(consoles.fill(path, [Speaker("xa-csirt").say("One", 50)]))
    flood, other = "xb-csirt/actual.green.community", "xa-emb/actual.green.community"
    many = refused.MOST_COUNTED + 10
    with closing(sqlite3.connect(path)) as db, db:
        refuse(db, other, 1, NOW.timestamp() - 7200)
        refuse(db, HIDDEN, many, NOW.timestamp() - 3600)
        refuse(db, flood, many, NOW.timestamp() - 1800)
        looked_at: list[int] = []
        db.set_progress_handler(lambda: looked_at.append(1), 1000)
        counted = [refused.lately(db, each, NOW.timestamp() - 86_400) for each in (flood, other, None)]
        assert counted == [refused.MOST_COUNTED, 1, 0]
        assert len(looked_at) < 100  # a hundred thousand steps of the machine; to read the rows takes more

    async def go() -> None:
        async with signed_in(path, GREEN) as c:
            page = (await c.get("/quarantine.json")).json()
            assert {each["claimed"] for each in page["refused"]} == {flood, other}
            assert (len(page["refused"]), page["is_cut_short"], page["hidden"]) == (100, True, 100)
            assert page["day"] == refused.MOST_COUNTED + 1

    asyncio.run(go())


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
