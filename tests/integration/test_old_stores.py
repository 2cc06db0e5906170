"""Files of another wire are given up in one sentence: those of commit 9a20077, which have no mark, and those of the wire before."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bus.delivery import ledger as receipts
from bus.errors import StoreError
from bus.federation.ledger import Ledger
from bus.hub.picture.projection import Projection
from bus.publishing.outbox import Outbox
from bus.subscribing.inbox import Inbox
from schemas.codec import WIRE, WIRES_READ
from tests.support.hubs import hub_desk
from tests.support.office import Office
from tests.support.world import make_world

FIXTURES = Path(__file__).parent.parent / "fixtures" / "stores_9a20077"
OPEN: dict[str, Callable[[Path], Any]] = {
    "store": lambda path: Inbox.open(path, projector=Projection()),
    "outbox": lambda path: Outbox.open(path, tables=receipts.TABLES),
    "ledger": Ledger.open,
}


def restore(kind: str, path: Path) -> Path:
    """The file that commit 9a20077 wrote."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript((FIXTURES / f"{kind}.sql").read_text("utf-8"))
    path.chmod(0o600)
    return path


async def opened(kind: str, path: Path) -> None:
    """Open and close."""
    async with OPEN[kind](path):
        pass


def of_a_wire_not_read(kind: str, path: Path) -> Path:
    """A file of today, marked as of the last wire that is not read."""
    asyncio.run(opened(kind, path))
    with contextlib.closing(sqlite3.connect(path)) as db:
        mark = db.execute("PRAGMA application_id").fetchone()[0]
        assert mark & 0xFF == WIRE
        db.execute(f"PRAGMA application_id = {mark - WIRE + min(WIRES_READ) - 1}")
    return path


@pytest.mark.parametrize("kind", OPEN)
@pytest.mark.parametrize("make", [restore, of_a_wire_not_read], ids=["no mark", "an older wire"])
def test_a_file_of_another_wire_is_refused_and_stays_as_it_is(
    tmp_path: Path, kind: str, make: Callable[[str, Path], Path]
) -> None:
    """One sentence that says what to do; not a byte is changed."""
    path = make(kind, tmp_path / "old.db")
    before = path.read_bytes()
    with pytest.raises(StoreError) as refused:
        asyncio.run(opened(kind, path))
    assert refused.value.reason == "store-wire"
    assert "use the release that wrote it, or move the file away" in str(refused.value)
    assert "tocsin outbox recover" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == before


def test_commands_refuse_them_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`picture` and `outbox status` as processes: the sentence, the reason code, an exit code, no traceback."""
    world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
    hub_desk(tmp_path / "desk", monkeypatch, world, "xb-hub", "xa-csirt")
    folder = tmp_path / "desk"
    store = restore("store", folder / "state" / "xb-hub" / "store.db")
    outbox = restore("outbox", folder / "state" / "xa-csirt" / "outbox.db")
    office = Office(folder)
    for path, command in (
        (store, ("picture", "--context", "xb-hub")),
        (outbox, ("outbox", "status", "--context", "xa-csirt")),
    ):
        before = path.read_bytes()
        (said,) = office.run(*command, code=1).splitlines()
        assert "[store-wire]" in said
        assert "has no wire number" in said
        assert path.read_bytes() == before
