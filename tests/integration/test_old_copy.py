"""An outbox that is put back from an old copy: it signs nothing before it was compared, and then goes on without a fork."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bus.demo.federation import free_port
from tests.integration.test_upkeep import HUB, add_context, found
from tests.support.office import Desk
from tests.support.places import ROOT
from tests.support.waiting import eventually_sync, longest

DRAFT = str(ROOT / "examples" / "drafts" / "cyber.json")
SAY = ("publish", DRAFT, "--again", "--tlp", "green", "--audience", "community", "--context", "author")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An authority and a hub."""
    return found(tmp_path, monkeypatch)


def held(office: Desk) -> tuple[list[int], int]:
    """The numbers that the hub has admitted of the channel, in order, and how many bulletins it refused."""
    store = office.folder / "states" / "tocsin" / "hub" / "store.db"
    if not store.exists():
        return [], 0
    with closing(sqlite3.connect(store, timeout=longest())) as db:
        try:
            numbers = db.execute(
                "SELECT seq FROM admitted WHERE channel LIKE '%/actual.%' ORDER BY seq"
            ).fetchall()
            return [row[0] for row in numbers], db.execute("SELECT count(*) FROM quarantine").fetchone()[0]
        except sqlite3.OperationalError:  # its tables are being made
            return [], 0


def test_an_old_copy_goes_on_after_what_the_bus_holds(office: Desk) -> None:
    """Two are said before the backup and two after it; put back, it refuses, is recovered, and says the fifth."""
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    add_context(office, "server", url)
    add_context(office, "author", url)
    add_context(office, "hub", url, HUB)
    with office.serving(port, "--context", "server"), office.running("hub", "run", "--context", "hub"):
        for _ in range(2):
            office.run(*SAY)
        digest = office.run("backup", "kept.tar", "--context", "author").strip()
        for _ in range(2):
            office.run(*SAY)
        assert "[backup-occupied]" in office.run("restore", "kept.tar", code=5)
        office.run("restore", "kept.tar", "--force", "--digest", digest)
        refused = office.run(*SAY, code=1)
        assert "[outbox-restored]" in refused or "[outbox-behind]" in refused
        office.run("outbox", "recover", "--context", "author", "--yes")
        said = json.loads(office.run(*SAY, "--json"))
        assert (said["seq"], said["state"]) == (5, "stored")
        eventually_sync(lambda: held(office)[0] == [1, 2, 3, 4, 5], describe=lambda: held(office))
        assert held(office)[1] == 0


def test_on_a_machine_without_a_bus_an_old_copy_signs_nothing(office: Desk) -> None:
    """The copy on a new machine knows of no line beside it, and of no bus."""
    add_context(office, "author", "nats://127.0.0.1:1")
    office.run(*SAY, code=75)
    office.run("backup", "kept.tar", "--with-keys", "--context", "author")
    for part in ("home", "states"):
        (office.folder / part).rename(office.folder / f"lost-{part}")
    office.run("restore", "kept.tar")
    restored = office.folder / "home" / "author"
    assert (restored / "state" / "outbox.db").is_file()
    assert "passphrase" in office.run(*SAY, code=6)
    settings = office.folder / "home" / "config.toml"
    settings.write_text(settings.read_text() + f'passphrase_file = "{office.folder / "csirt.pass"}"\n')
    assert "[outbox-restored]" in office.run(*SAY, code=1)
