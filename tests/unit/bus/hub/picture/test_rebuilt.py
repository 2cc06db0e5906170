"""The picture of a filled store is made anew from the signed bytes: every table of the store has the same rows."""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bus.hub.picture import index, open_store, projection
from bus.subscribing import Inbox
from schemas.parts import Observable
from schemas.vocab import PersonalFlag, Tlp
from tests.support.hubs import STREAM, judged
from tests.support.world import NOW, bulletin, draft, sign
from tests.unit.bus.hub.picture.test_situation import VERDICTS, WORLD

SEEN = Observable(type="ipv4-addr", personal=PersonalFlag.NONE, value="192.0.2.9")
TOLD = frozenset({"events", "events_upto"})
"""The record of what was told: making the picture anew adds one line."""
OTHERWISE = {
    "words": "SELECT rowid, text FROM words",
    "fact_names": "SELECT field, value FROM facts",  # with numbers in the order in which values came
    "fact_rows": "SELECT field, value, row FROM facts",
    "tally": "SELECT * FROM tally WHERE n != 0",
    "hourly": "SELECT * FROM hourly WHERE n != 0",
    "tallies": "SELECT * FROM tallies WHERE count != 0",
}
WORDS_OF_INDEX = frozenset({"words_data", "words_idx", "words_content", "words_docsize", "words_config"})
PICTURE = frozenset(
    {
        "actual", "exercise", "test_and_system", "channels", "outages", "announced_heads", "calendars", "holdings", "answered",
        "revisions", "threads", "tally", "hourly", "tallies", "fact_rows", "observables", "words",
    }
)  # fmt: skip
"""What pages read of it, and what the test must have filled."""


def dump(db: sqlite3.Connection) -> dict[str, list[str]]:
    """The rows of every table, in an order that their contents give."""
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    tables = {name for (name,) in db.execute(names)} - TOLD - WORDS_OF_INDEX
    return {
        name: sorted(repr(tuple(row)) for row in db.execute(OTHERWISE.get(name, f"SELECT * FROM {name}")))
        for name in sorted(tables)
    }


async def settled(store: Inbox, moment: dt.datetime) -> None:
    """Nothing waits for the index, and what has expired by a moment is counted as such."""

    def work(db: sqlite3.Connection) -> bool:
        is_left = projection.sweep(db, moment.timestamp())
        return index.advance(db) or is_left

    while await store.write(work):
        pass


@pytest.mark.parametrize("later", [dt.timedelta(), dt.timedelta(hours=30), dt.timedelta(days=5)])
async def test_the_picture_made_anew_has_the_same_rows_in_every_table(
    tmp_path: Path, later: dt.timedelta
) -> None:
    """Updates, withdrawals, answers, calendars, exercises and heartbeats, in some order, at some time; what was told stays told."""
    say = draft("A cloned site", tlp=Tlp.AMBER_STRICT, audience="eu-csirts", observables=(SEEN,))
    verdicts: list[Any] = [*VERDICTS, judged(sign(WORLD, bulletin(WORLD, "xb-csirt", say=say)))]
    random.Random(7).shuffle(verdicts)
    async with open_store(tmp_path / "store.db", hold_s=0.0) as store:
        for n in range(0, len(verdicts), 7):
            await store.settle(verdicts[n : n + 7], STREAM, None, NOW)
        await store.release(NOW)
        await settled(store, NOW)
        filled = await store.read(dump)
        assert not [name for name in PICTURE if not filled[name]]
        await settled(store, NOW + later)
        before = await store.read(dump)
        told = await store.read(lambda db: [tuple(row) for row in db.execute("SELECT * FROM events")])
        assert await store.rebuild() == len(before["bodies"])
        await settled(store, NOW + later)
        after = await store.read(dump)
        assert [name for name in before if before[name] != after[name]] == []
        again = await store.read(lambda db: [tuple(row) for row in db.execute("SELECT * FROM events")])
        assert again[: len(told)] == told
        assert again[len(told)][2] == "remade"
