"""A list of what is newest is what a look through everything would give, and reads no more than is asked for."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from bus.filters import Selection
from bus.health.looking import came_in_a_day
from bus.hub.picture import lists, open_store, summary
from bus.subscribing import Stored, inbox, whole
from schemas.vocab import Status
from tests.support.consoles import EVERYTHING, Speaker
from tests.support.hubs import STREAM, beat, judged
from tests.support.world import NOW, chain, draft, goes_on, shared_world

WORLD = shared_world()
DAYS = 5


async def fill(path: Path) -> None:
    """Bulletins of three statuses that came on five days; one that the picture failed to take in, and one that is damaged."""
    drills = [draft(f"drill {n}", status=Status.EXERCISE, exercise_id="ce-2027") for n in range(3)]
    messages = [*chain(WORLD, 6), *goes_on(WORLD, [], drills), beat()]
    async with open_store(path, hold_s=0.0) as store:
        await store.settle([judged(each) for each in messages], STREAM, None, NOW)

        def change(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE bodies SET admitted_at = ? + row / 2 * 86400.0",
                (NOW.timestamp() - DAYS * 86_400.0,),
            )
            db.execute("UPDATE bodies SET payload = CAST('{}' AS BLOB) WHERE row = 2")
            db.execute("UPDATE bodies SET tries = 3 WHERE row = 3")
            db.execute("DELETE FROM actual WHERE row = 3")

        await store.write(change)


def by_reading(db: sqlite3.Connection, status: Status, kind: str | None) -> list[Stored]:
    """The answer of a look through everything."""
    rows = whole(db.execute("SELECT * FROM admitted ORDER BY row DESC"))
    return [row for row in rows if row.bulletin.status == status and kind in (None, row.bulletin.kind)]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("kind", [None, "cyber-threat", "channel-status", "election-calendar"])
async def test_the_newest_are_those_of_a_look_through_everything(
    tmp_path: Path, status: Status, kind: str | None
) -> None:
    """What the picture lacks is there, what is damaged is not."""
    await fill(tmp_path / "s.db")
    async with open_store(tmp_path / "s.db") as store:
        found = await store.read(lambda db: list(summary.newest(db, status, kind)))
        assert found == await store.read(lambda db: by_reading(db, status, kind))
        assert bool(found) == (
            (status, kind) in {
                (Status.ACTUAL, None), (Status.ACTUAL, "cyber-threat"), (Status.EXERCISE, None),
                (Status.EXERCISE, "cyber-threat"), (Status.BEAT, None), (Status.BEAT, "channel-status"),
            }
        )  # fmt: skip


async def test_the_row_before_a_moment_is_that_of_a_look_through_everything(tmp_path: Path) -> None:
    """At every half day; and so is the number of those that came in a day."""
    await fill(tmp_path / "s.db")
    sql = "SELECT coalesce(max(row), 0) FROM admitted WHERE admitted_at < ?"
    async with open_store(tmp_path / "s.db") as store:
        for half in range(-1, 2 * DAYS + 3):
            moment = NOW - dt.timedelta(days=DAYS) + half * dt.timedelta(hours=12)
            last = await store.read(lambda db: db.execute(sql, (1e12,)).fetchone()[0])
            before = await store.read(lambda db, m=moment: db.execute(sql, (m.timestamp(),)).fetchone()[0])  # type: ignore[misc]  # bound now
            assert await store.row_before(moment) == before
            assert await store.read(lambda db, m=moment: inbox.row_before(db, m)) == before  # type: ignore[misc]  # bound now
            day = await store.read(lambda db, m=moment: came_in_a_day(db, m + dt.timedelta(days=1)))  # type: ignore[misc]  # bound now
            assert day == last - before


@pytest.mark.parametrize("at_once", [3, 7, 100])
async def test_a_list_of_the_last_hours_is_walked_to_its_first_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """What came in a time, page by page, is what a look through everything gives; where all of it was walked, no page follows."""
    monkeypatch.setattr(lists, "_AT_ONCE", at_once)
    speaker = Speaker("xa-csirt")
    ages = {
        speaker.say(f"number {n}", age_s=hours * 3600.0).bulletin.id: hours
        for n, hours in enumerate(range(40, 0, -4))
    }
    async with open_store(tmp_path / "s.db", hold_s=0.0) as store:
        for message in speaker.made:
            moment = message.bulletin.issued
            await store.settle([judged(message, now=moment)], STREAM, None, moment)
        for hours in (0, 2, 9, 25, 100):
            asked, after, found = Selection(since_s=hours * 3600), None, []
            while True:
                page = await store.read(
                    lambda db, asked=asked, after=after: lists.newest(  # type: ignore[misc]
                        db, EVERYTHING, NOW, selection=asked, after=after, size=4, with_ended=True
                    )
                )
                found += [line.id for line in page.lines]
                assert page.next is None or page.lines or at_once < len(ages)
                if (after := page.next) is None:
                    break
            assert found == [id_ for id_, age in reversed(ages.items()) if age <= hours]
