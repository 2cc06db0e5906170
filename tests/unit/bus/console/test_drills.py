"""Drills at the hub that has conducted them: the score, each answer against its limit, and what to mend; for who may read the answers."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from bus import drills
from bus.drills.score import Played
from bus.policy import Clearance
from schemas.parts import Handling
from schemas.vocab import FeedbackKind, Status, Tlp
from tests.support.consoles import AUDIENCES, EVERYTHING, Speaker, fill, signed_in
from tests.support.world import NOW

NAME = "quiet-2027"
ASKS = Speaker("xa-csirt", status=Status.EXERCISE, exercise_id=NAME)
ANSWERS = Speaker("xb-hub", status=Status.EXERCISE, exercise_id=NAME)
INJECT = ASKS.say("A forged notice", 600)
OTHERWISE = ANSWERS.answer(INJECT, FeedbackKind.SIGHTING, "Seen here, too.", 500)
HEARD = {"in-time": 30.0, "late": 90.0, "hidden": 20.0, "otherwise": None, "never": None}
WHO = dict(zip(HEARD, ("xa-emb", "xa-dpa", "xa-dsc", "xb-hub", "xb-emb"), strict=True))


def report() -> drills.Report:
    """What the conductor found: one in time, one late, one on a channel that few may read, one with another verdict, one not."""

    def scored(case: str) -> drills.Scored:
        after = HEARD[case]
        tlp = "red" if case == "hidden" else "green"
        return drills.Scored(
            by=WHO[case], verdict="ack", within_s=60, met=after is not None and after <= 60, after_s=after,
            channel=None if after is None else f"{WHO[case]}/exercise.{tlp}.community", got=(),
        )  # fmt: skip

    step = Played(
        at_s=0, speaker="csirt", headline="A forged notice", id=INJECT.bulletin.id, channel="exercise.green.community",
        state="stored", problem="", injected=NOW, expected=tuple(map(scored, HEARD)),
    )  # fmt: skip
    return drills.Report(
        exercise=NAME, title="Quiet", conducted_by="xa-hub", started=NOW, ended=NOW, met=2, expected=5, steps=(step,)
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub that has conducted an exercise."""
    path: Path = tmp_path_factory.mktemp("drilled") / "store.db"
    asyncio.run(fill(path, [INJECT, OTHERWISE]))
    drills.keep_report(path.parent, report())
    return path


async def shown(store: Path, clearance: Clearance, files: Path | None) -> tuple[dict[str, Any], str, str]:
    """The page as its twin and as HTML, and the list as a table."""
    async with signed_in(store, clearance, files=files) as c:
        twin = (await c.get(f"/drills/{NAME}.json")).json()
        return twin, (await c.get(f"/drills/{NAME}")).text, (await c.get("/drills.csv")).text


async def test_each_answer_stands_against_its_limit(store: Path) -> None:
    """With the score, and a sentence for each that did not come in time."""
    twin, page, table = await shown(store, EVERYTHING, store.parent)
    assert (twin["exercise"]["met"], twin["exercise"]["expected"]) == (2, 5)
    found = {each["by"]: (each["is_met"], each["after_s"]) for each in twin["injects"][0]["expected"]}
    assert found == {WHO[case]: (after is not None and after <= 60, after) for case, after in HEARD.items()}
    assert "<b>2</b> of 5 answers in time" in page
    for words in ("answered 30 s too late", "did not answer", "answered otherwise: "):
        assert words in page
    assert twin["longest"] >= 90
    assert table.strip().endswith(",2,5")


async def test_an_answer_above_a_reader_is_in_no_score(store: Path) -> None:
    """Nor is it said that anything is missing."""
    twin, page, _ = await shown(store, Clearance(Tlp.GREEN, AUDIENCES), store.parent)
    assert (twin["exercise"]["met"], twin["exercise"]["expected"]) == (1, 4)
    assert WHO["hidden"] not in str(twin)
    assert "of 4 answers" in page


async def test_elsewhere_there_are_the_answers_alone(store: Path) -> None:
    """A hub that has not conducted it says where the score is."""
    twin, page, _ = await shown(store, EVERYTHING, None)
    assert (twin["exercise"]["expected"], twin["injects"][0]["expected"]) == (0, [])
    assert "in the report of the hub that has conducted it" in page


async def test_an_exercise_under_embargo_is_in_no_file(tmp_path: Path) -> None:
    """Its title is the headline of a bulletin, which goes out only when that may."""
    path = tmp_path / "store.db"
    held = Handling(embargo_until=NOW + dt.timedelta(days=1))
    await fill(
        path,
        [Speaker("xa-csirt", status=Status.EXERCISE, exercise_id=NAME).say("Not yet", 600, handling=held)],
    )
    async with signed_in(path) as c:
        assert "Not yet" in (await c.get("/drills")).text
        for ending in ("atom", "csv"):
            file = (await c.get(f"/drills.{ending}")).text
            assert "Not yet" not in file
            assert "1 is under embargo" in file
