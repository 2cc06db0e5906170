"""Files of commit 9a20077 (`tests/fixtures/stores_9a20077`): this code opens each, and goes on where that commit stopped."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.delivery import ledger as receipts
from bus.federation.ledger import Ledger
from bus.federation.plan import Route
from bus.hub.picture import summary
from bus.hub.picture.projection import Projection
from bus.policy.deadlines import DEFAULTS as DEADLINES
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.subscribing.inbox import Inbox
from bus.transport.cursor import Cursor
from schemas.bulletin import new_id
from tests.support.hubs import hub_desk, judged
from tests.support.office import Office
from tests.support.world import DEFAULTS, NOW, bulletin, draft, make_world, shared_world, sign

FIXTURES = Path(__file__).parent.parent / "fixtures" / "stores_9a20077"
EXPECTED: dict[str, Any] = json.loads((FIXTURES / "expected.json").read_text("utf-8"))
WORLD = shared_world()
EVENING = dt.datetime.fromtimestamp(EXPECTED["store"]["evening"], dt.UTC)
GREEN = "xa-csirt/actual.green.community"
RENAMED = {
    "store": {
        "held": "held_back",
        "future": "deferred",
        "decided": "fork_decisions",
        "fallen": "voided",
        "judged_by": "retried",
        "to_amend": "to_reassess",
        "covered": "read_filters",
        "aside": "test_and_system",
        "endings": "revisions",
        "announced": "announced_heads",
        "asked": "requested",
        "handed_on": "copies_sent",
        "heeded": "processed",
        "answers": "receipt_queue",
        "answered_upto": "receipt_queue_upto",
    },
    "ledger": {"tails": "sink_positions"},
}
RENAMED["outbox"] = {
    **RENAMED["store"],
    "kept_once": "pruned_once",
    "offered_again": "resent",
    "enrolled": "enrolled_upto",
    "told": "reported",
}


def restore(kind: str, path: Path) -> Path:
    """The file that commit 9a20077 wrote."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript((FIXTURES / f"{kind}.sql").read_text("utf-8"))
    path.chmod(0o600)
    return path


@asynccontextmanager
async def speaking(path: Path) -> AsyncIterator[Publisher]:
    """xa-csirt, with another key than it had then."""
    async with (
        Outbox.open(path, tables=receipts.TABLES) as outbox,
        Publisher.open(
            authority_id="xa-csirt",
            outbox=outbox,
            registry=lambda: WORLD.registry,
            signers=(WORLD.signers["xa-csirt"],),
            endpoint=None,
            defaults=DEFAULTS,
            clock=lambda: NOW,
            rng=secrets.token_bytes,
        ) as publisher,
    ):
        yield publisher


OPEN: dict[str, Callable[[Path], Any]] = {
    "store": lambda path: Inbox.open(path, projector=Projection()),
    "outbox": lambda path: Outbox.open(path, tables=receipts.TABLES),
    "ledger": Ledger.open,
}


def looked_at(path: Path) -> tuple[dict[str, list[tuple[object, ...]]], dict[str, int], set[str]]:
    """Columns and number of rows of each table of a file, and its indexes."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        names = db.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall()
        tables = [name for kind, name in names if kind == "table"]
        columns = {name: db.execute(f"PRAGMA table_xinfo({name})").fetchall() for name in tables}
        rows = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
        return columns, rows, {name for kind, name in names if kind == "index"}


@pytest.mark.parametrize("kind", OPEN)
async def test_an_old_file_becomes_as_a_new_one_and_keeps_every_row(tmp_path: Path, kind: str) -> None:
    """Tables, columns and indexes are those of a new file; each table has as many rows under its new name."""
    path = restore(kind, tmp_path / "old.db")
    _, before, _ = looked_at(path)
    assert all(before.values()) or kind == "outbox", "a table without a row shows nothing"
    for each in (path, tmp_path / "new.db"):
        async with OPEN[kind](each):
            pass
    columns, rows, indexes = looked_at(path)
    new, _, new_indexes = looked_at(tmp_path / "new.db")
    assert columns == new
    assert indexes == new_indexes
    del rows["layouts"]
    assert rows == {RENAMED[kind].get(name, name): count for name, count in before.items()}


async def test_the_picture_is_the_same_and_so_is_one_made_anew(tmp_path: Path) -> None:
    """What is in force, contested, refused, waiting; also after `rebuild`, which takes the parked bulletin in again."""
    path, expected = restore("store", tmp_path / "store.db"), EXPECTED["store"]

    async def pictured(store: Inbox) -> dict[str, Any]:
        found = await store.read(lambda db: summary.picture(db, EVENING, WORLD.registry, "xb-hub"))
        return msgspec.json.decode(msgspec.json.encode(found), type=dict[str, Any])

    async with Inbox.open(path, projector=Projection()) as store:
        assert [row.digest async for row in store.follow(0, live=False)] == expected["admitted"]
        assert await store.status() == expected["status"]
        assert await pictured(store) == expected["picture"]
        assert await store.rebuild() == len(expected["admitted"])
        # Of a channel whose only bulletin was erased nothing is left to make it from.
        states = {"silent": 6, "unheard": 11}
        assert await pictured(store) == {**expected["picture"], "channels_by_state": states}
        assert (await store.status())["parked"] == 0


async def test_a_room_that_comes_later_finds_its_old_tables(tmp_path: Path) -> None:
    """A store that is opened first without a picture, which leaves the picture's tables as they are, loses nothing of it."""
    path, expected = restore("store", tmp_path / "store.db"), EXPECTED["store"]
    async with Inbox.open(path) as store:
        assert await store.status() == expected["status"]
    async with Inbox.open(path, projector=Projection()) as store:
        found = await store.read(lambda db: summary.picture(db, EVENING, WORLD.registry, "xb-hub"))
        assert json.loads(msgspec.json.encode(found)) == expected["picture"]


async def test_a_hub_reads_on(tmp_path: Path) -> None:
    """Its cursor stands, what is known is recognised, what was held back and what was early is admitted, chains continue."""
    path = restore("store", tmp_path / "store.db")
    head = {channel: seq for channel, seq, _ in EXPECTED["store"]["links"]}[GREEN]
    later = EVENING + dt.timedelta(minutes=1)
    async with Inbox.open(path, projector=Projection()) as store:
        assert (await store.cursor("WORLD_ACTUAL")).seq == 5
        assert await store.covered("WORLD_ACTUAL") == {"tocsin.v1.actual.>"}
        (early,) = await store.due_future(EVENING)
        assert early.digest not in EXPECTED["store"]["admitted"]
        assert await store.release(later) == {"released": 1}
        *_, last = [row async for row in store.follow(0, live=False)]
        assert (last.channel, last.seq, last.labels >= {"gap"}) == (GREEN, head + 2, True)
        following = sign(
            WORLD,
            bulletin(WORLD, seq=last.seq + 1, prev=last.digest, id=new_id(NOW, secrets.token_bytes(10))),
        )
        cursor = Cursor(seq=6, digest=following.digest)
        again = sign(WORLD, last.bulletin)
        batch = [judged(each, WORLD.registry, NOW) for each in (again, following)]
        counts = await store.settle(batch, "WORLD_ACTUAL", cursor, NOW)
        assert counts == {"duplicate": 1, "admitted": 1}
        assert await store.decide(
            "xb-csirt/actual.green.community", "the duty officer", "two drafts", later
        ) == (1, False)


async def test_an_author_goes_on_with_the_next_number(tmp_path: Path) -> None:
    """Heads, states and receipts stand; a key that gave one bulletin gives no second; no overdue answer is told twice."""
    path, expected = restore("outbox", tmp_path / "outbox.db"), EXPECTED["outbox"]
    heads = {channel: (seq, digest) for channel, seq, digest in expected["heads"]}
    async with speaking(path) as publisher:
        box = publisher.outbox
        assert await box.counts() == expected["counts"]
        assert await box.own_cursors() == {"XA_ACTUAL": 4}
        standing = await receipts.read(box, lambda db: receipts.lately(db, "xa-csirt", WORLD.registry, NOW))
        assert json.loads(msgspec.json.encode(standing)) == expected["standing"]
        for once in ("document/1", "document/2"):
            assert (await publisher.publish(draft("again"), once=once)).state == "known"
        said = await publisher.publish(draft("the next"))
        row = await box.get(said.digest)
        seq, digest = heads["actual.green.community"]
        assert row is not None
        assert (row.seq, row.prev) == (seq + 1, digest)
        new = await box.write(
            lambda db: receipts.tell(db, "xa-csirt", WORLD.registry, NOW + dt.timedelta(hours=23), DEADLINES)
        )
        assert new == []
        assert await box.release() == 1


async def test_a_carrier_goes_on_where_it_was(tmp_path: Path) -> None:
    """Cursor, what was carried, and how far the other end had come."""
    leg = Route(source="XB", sink="XA", consumers=(), patterns=())
    async with Ledger.open(restore("ledger", tmp_path / "carrier.db")) as ledger:
        assert (await ledger.cursor(leg, "XB_ACTUAL", ["tocsin.v1.actual.>"])).seq == 7
        assert await ledger.known("XA", ["C" * 43, "D" * 43]) == {"C" * 43: ""}
        assert await ledger.tails("XA") == {"XA_ACTUAL": 3}


def test_commands_read_old_files_and_refuse_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`picture`, `quarantine`, `outbox status` as processes; of a later release's file one sentence, and nothing is changed."""
    world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
    hub_desk(tmp_path / "desk", monkeypatch, world, "xb-hub", "xa-csirt")
    folder = tmp_path / "desk"
    restore("store", folder / "state" / "xb-hub" / "store.db")
    outbox = restore("outbox", folder / "state" / "xa-csirt" / "outbox.db")
    office = Office(folder)
    picture = json.loads(office.run("picture", "--context", "xb-hub", "--json"))
    assert picture["in_force"] == EXPECTED["store"]["picture"]["in_force"]
    refused = [
        json.loads(line) for line in office.run("quarantine", "--context", "xb-hub", "--json").splitlines()
    ]
    assert {each["reason"] for each in refused} == EXPECTED["store"]["status"]["refused"].keys()
    counts = json.loads(office.run("outbox", "status", "--context", "xa-csirt", "--json"))["counts"]
    assert counts == EXPECTED["outbox"]["counts"]
    with contextlib.closing(sqlite3.connect(outbox)) as db, db:
        db.execute("UPDATE layouts SET version = 99 WHERE name = 'publishing'")
    before = outbox.read_bytes()
    (said,) = office.run("outbox", "status", "--context", "xa-csirt", code=1).splitlines()
    assert "[store-layout]" in said
    assert "written by a later release (publishing 99" in said
    assert outbox.read_bytes() == before
