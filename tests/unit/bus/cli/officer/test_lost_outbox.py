"""What an officer is told by an outbox that has lost something, and by a place where nothing is yet."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bus.demo.founding import prepare
from bus.demo.keyring import Folder
from tests.support.office import Desk, Office
from tests.support.places import EXAMPLES
from tests.unit.bus.publishing.test_heads_file import cut

NOW = dt.datetime.now(dt.UTC)
DRAFT = str(EXAMPLES / "drafts" / "cyber.json")
AS = ("--context", "xa-csirt")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys, registry and contexts of a demonstration; no broker."""
    root = tmp_path_factory.mktemp("world") / "home"
    prepare(root, now=NOW)
    return root


@pytest.fixture
def office(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A copy of it to spoil."""
    shutil.copytree(world, tmp_path / "home")
    return Desk(tmp_path, monkeypatch)


def state(office: Office) -> Path:
    """Where the CSIRT of XA keeps what it said."""
    return Folder(office.folder / "home").state("xa-csirt")


def test_an_outbox_that_lost_its_end_says_so_everywhere(office: Office) -> None:
    """`publish` refuses with the code, without the bus too; `outbox status` says how much, and exits 1."""
    for _ in range(3):
        office.run(*AS, "publish", "--again", "--wait", "accepted", DRAFT)
    cut(state(office) / "outbox.db", 1)
    told = office.run(*AS, "publish", "--again", "--wait", "accepted", DRAFT, code=1)
    assert "[outbox-behind]" in told
    assert "tocsin outbox recover" in told
    assert "[outbox-behind]" in office.run(*AS, "publish", "--dry-run", DRAFT, code=1)
    assert "holds number 2 and had accepted 3" in office.run(*AS, "outbox", "status", code=1)
    assert "had accepted 3" in office.view(*AS, "doctor")


def test_looking_makes_no_store(office: Office) -> None:
    """What only shows says that there is nothing yet, and leaves the folder as it is."""
    for command in (("picture",), ("quarantine",)):
        done = office._done(("--context", "xa-hub", *command))
        assert "there is no store" in done.err, command
    assert "there is no outbox" in office._done((*AS, "outbox", "status")).err
    assert not [*Folder(office.folder / "home").state("xa-hub").glob("store.db*")]
    assert not [*state(office).glob("outbox.db*")]


def test_what_is_damaged_is_counted_and_not_shown(office: Office) -> None:
    """`outbox status` exits 1 once a damaged row was found; `bulletin show` refuses it."""
    said = json.loads(
        office.run(*AS, "--json", "publish", "--again", "--wait", "accepted", DRAFT).splitlines()[0]
    )
    with closing(sqlite3.connect(state(office) / "outbox.db")) as db, db:
        db.execute("UPDATE bulletins SET payload = x'7b7d'")
    assert "[row-damaged]" in office.run(*AS, "bulletin", "show", said["id"], code=1)
