"""A store of an earlier layout is opened, migrated, and answers as it did."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.hub.exchange import receipt_queue
from bus.hub.picture import open_store, summary, tallies
from bus.hub.picture.projection import LAYOUT as PICTURE
from bus.hub.watch import channel_rows
from bus.hub.watch.holdings import holes
from bus.storage import allowances
from bus.subscribing import bodies, totals
from bus.subscribing.tables import LAYOUT as SUBSCRIBING
from schemas.codec import WIRE
from schemas.parts import Handling
from tests.support.hubs import STREAM, judged
from tests.support.world import NOW, bulletin, chain, draft, shared_world, sign

FIXTURES = Path(__file__).parent.parent / "fixtures"
ANSWERS: dict[str, Any] = json.loads((FIXTURES / "stores_ad48ede" / "answers.json").read_bytes())


@pytest.fixture(params=["stores_ad48ede", "picture_b77b581"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file that an earlier commit wrote."""
    return written(FIXTURES / request.param, tmp_path / "store.db")


def written(fixture: Path, path: Path) -> Path:
    """A file as it was when it was made into text."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript((fixture / "store.sql").read_text("utf-8"))
    path.chmod(0o600)
    return path


def answers(db: sqlite3.Connection) -> dict[str, Any]:
    """What was asked of it then, but for `hub status`."""
    registry = shared_world().registry
    names = [row[0] for row in db.execute("SELECT channel FROM channels ORDER BY channel")]
    return {
        "picture": summary.picture(db, NOW, registry, "xb-hub"),
        "channels": channel_rows(db, NOW, registry, "xb-hub", with_uptime=True),
        "holes": {name: [list(hole) for hole in holes(db, name, 9)] for name in names},
        "is_due": receipt_queue.is_due(db),
    }


async def test_a_store_of_an_earlier_commit_answers_as_it_did(old: Path) -> None:
    """After its migration, after what has expired was moved, and after the picture was made anew."""
    for step in ("migrated", "rolled", "made anew", "opened again"):
        async with open_store(old) as store:
            if step == "rolled":
                while await store.write(lambda db: tallies.roll(db, NOW.timestamp())):
                    pass
            if step == "made anew":
                await store.rebuild()
            found = await store.read(answers)
            found["status"] = await store.status()
        now = json.loads(msgspec.json.encode(found))
        # What is told since then, and nobody had answered anything.
        assert now["picture"].pop("disputed") == 0
        assert not any(item.pop("answers") for item in now["picture"]["top"])
        assert now == ANSWERS, step


async def test_its_layouts_are_the_present_ones_and_its_pages_its_own(old: Path) -> None:
    """Nothing but its tables was written anew."""
    async with open_store(old) as store:
        versions = dict(
            await store.read(lambda db: db.execute("SELECT name, version FROM layouts").fetchall())
        )
        assert versions[SUBSCRIBING.name] == SUBSCRIBING.version >= 2
        assert versions[PICTURE.name] == PICTURE.version >= 3
        assert versions[allowances.LAYOUT.name] == allowances.LAYOUT.version
        assert await store.read(lambda db: db.execute("PRAGMA page_size").fetchone()[0]) == 4096
        names = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        migrated = [row[0] for row in await store.read(lambda db: db.execute(names).fetchall())]
    async with open_store(old.with_name("new.db")) as store:
        assert [row[0] for row in await store.read(lambda db: db.execute(names).fetchall())] == migrated


COLUMNS = {
    "links": "channel, seq, digest, prev, id, reason, kids, received_at, issued, believed",
    "admitted": "row, digest, id, channel, seq, subject, signature, payload, kid, admitted_at, labels, trust, endorsers, stream, "
    "stream_seq, tries, retry_at, problem",
}


def rows_of(db: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """What is admitted, and the chains."""
    return {
        name: sorted((tuple(row) for row in db.execute(f"SELECT {columns} FROM {name}")), key=repr)
        for name, columns in COLUMNS.items()
    }


@pytest.mark.parametrize("fixture", ["stores_ad48ede", "picture_b77b581", "stores_b77b581"])
async def test_what_was_admitted_and_placed_is_as_it_was(tmp_path: Path, fixture: str) -> None:
    """Each row and each value, and the number of the last row; days on which something must go are those of a look at the bytes."""
    path = written(FIXTURES / fixture, tmp_path / "store.db")
    with contextlib.closing(sqlite3.connect(path)) as db:
        before = rows_of(db)
        (last,) = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'admitted'").fetchone()
    async with open_store(path) as store:
        assert await store.read(rows_of) == before
        assert await store.read(bodies.last_row) == last
        assert await store.read(totals.admitted) == len(before["admitted"])
        days = await store.query(f"SELECT until, {bodies.UNTIL} AS found, is_talk, channel FROM admitted")
        assert all(row["until"] == row["found"] for row in days)
        assert all(row["is_talk"] == ("/system." in row["channel"]) for row in days)
        await store.database.check()


async def test_what_comes_next_goes_on_where_the_old_file_ended(tmp_path: Path) -> None:
    """A row number is never given twice, and the next of a chain is its next."""
    path = written(FIXTURES / "stores_b77b581", tmp_path / "store.db")
    async with open_store(path, hold_s=0.0) as store:
        last = await store.read(bodies.last_row)
        made = chain(shared_world(), 2, "xa-dpa")
        await store.settle([judged(each) for each in made], STREAM, None, NOW)
        (first, second) = await store.query("SELECT row, channel, seq FROM admitted WHERE row > ?", last)
        assert [(row["row"], row["seq"]) for row in (first, second)] == [(last + 1, 1), (last + 2, 2)]


async def test_days_of_retention_count_in_a_store_of_the_wire_before(tmp_path: Path) -> None:
    """They meant nothing there; from now on each bulletin goes when its own author said."""
    path = tmp_path / "store.db"
    async with open_store(path) as store:
        says = draft("for ten days", handling=Handling(retention_days=10), expires=NOW + dt.timedelta(days=5))
        world = shared_world()
        await store.settle([judged(sign(world, bulletin(world, say=says)))], STREAM, None, NOW)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE bodies SET until = NULL")
        db.execute(f"UPDATE layouts SET version = 3 WHERE name = '{SUBSCRIBING.name}'")
        mark = db.execute("PRAGMA application_id").fetchone()[0]
        db.execute(f"PRAGMA application_id = {mark - WIRE + 2}")
    async with open_store(path) as store:
        days = await store.query("SELECT until FROM admitted")
        assert [row["until"] for row in days] == [(NOW + dt.timedelta(days=10)).date().isoformat()]
