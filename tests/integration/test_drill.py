"""A drill over a real broker: injects go the real way, and the score tells who answered."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bus.drills.conductor import play
from bus.drills.score import Board
from bus.drills.script import Expectation, Inject, answer, of_exercise
from bus.publishing.publisher import Publisher
from bus.subscribing.inbox import Inbox
from schemas.vocab import FeedbackKind, Status
from tests.support.stage import Bus, reading, running, speaking
from tests.support.world import draft


class Clock:
    """Time that passes only while somebody sleeps, and a little with every look."""

    def __init__(self, start: dt.datetime) -> None:
        self.now = start

    def __call__(self) -> dt.datetime:
        """A tenth of a second later than the last time."""
        self.now += dt.timedelta(seconds=0.1)
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Pass it at once."""
        self.now += dt.timedelta(seconds=seconds)


async def answering(store: Inbox, publisher: Publisher) -> None:
    """An authority that acknowledges every exercise of others that its country's hub has admitted."""
    async for row in store.follow(0):
        said = row.bulletin
        if said.status is Status.EXERCISE and said.issuer.id != publisher.authority_id:
            await publisher.publish(answer(said.id, said.exercise_id or "", FeedbackKind.ACK, None))


async def test_a_drill_goes_the_real_way_and_is_scored(bus: Bus, tmp_path: Path) -> None:
    """Two injects by two authorities; what is answered is met, who says nothing is not, and all of it are exercises."""
    said = of_exercise(draft(status=Status.EXERCISE), "xa-drill")
    injects = [
        Inject(at=30, speaker="emb", draft=said, expect=(Expectation(by="xb-csirt", within=60),)),
        Inject(
            at=0,
            speaker="csirt",
            draft=said,
            expect=(
                Expectation(by="xb-csirt", within=60, verdict=FeedbackKind.ACK),
                Expectation(by="xb-dsc", within=2),
            ),
        ),
    ]
    clock = Clock(bus.world.now)
    board = Board(
        exercise="xa-drill", title="t", conducted_by="xb-hub", injects=injects, started=bus.world.now
    )
    async with (
        reading(bus, tmp_path / "store.db") as (store, _),
        speaking(bus, tmp_path / "emb.db", "xa-emb") as emb,
        speaking(bus, tmp_path / "csirt.db", "xa-csirt") as csirt,
        speaking(bus, tmp_path / "other.db", "xb-csirt") as other,
        running(answering(store, other)),
    ):
        report = await play(
            board, {"emb": emb, "csirt": csirt}, store.follow(0), clock=clock, sleep=clock.sleep
        )
    first, second = report.steps
    assert [each.at_s for each in report.steps] == [0, 30]
    assert [each.state for each in report.steps] == ["stored", "stored"]
    assert first.headline.startswith("EXERCISE: ")
    assert {each.by: each.met for each in first.expected} == {"xb-csirt": True, "xb-dsc": False}
    assert [each.met for each in second.expected] == [True]
    assert (report.met, report.expected, report.passed) == (2, 3, False)
    assert {row["channel"].partition("/")[2].partition(".")[0] for row in await store_rows(tmp_path)} == {
        "exercise"
    }


async def store_rows(folder: Path) -> list[dict[str, str]]:
    """Every admitted row of the hub's store."""
    async with Inbox.open(folder / "store.db") as store:
        return [
            dict(row)
            for row in await store.read(lambda db: db.execute("SELECT channel FROM admitted").fetchall())
        ]
