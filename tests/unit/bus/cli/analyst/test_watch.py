"""`watch` says when the bus is out of reach, whoever watches; and leaves a hub's store to the hub."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from pathlib import Path

import pytest

from bus.cli.frame.exit_codes import INTERRUPTED, UNREACHABLE
from bus.keys.nkeys import save_nkey
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk, wait_for
from tests.support.waiting import longest
from tests.support.world import World, bulletin, make_world, sign

NOBODY = "nats://127.0.0.1:9"
SHOWN = ("watch", "--since", "all", "--no-follow", "--timeout", "0.3")


def desk(folder: Path, patch: pytest.MonkeyPatch, identity: str) -> tuple[Desk, World]:
    """A desk of one identity whose broker is dead, and who holds one bulletin."""
    world = make_world(utc_now())
    office = hub_desk(folder / "office", patch, world, identity)
    save_nkey(office.folder / f"{identity}.nk", world.nkeys[identity][0])
    office.run(
        "context", "add", identity, "--authority", identity, "--domain", "test", "--pin", world.pin,
        "--registry", f"{identity}/registry.tocsin.json", "--beacon", f"{identity}/beacon.tocsin.json",
        "--server", NOBODY, "--nkey", f"{identity}.nk", "--state", f"state/{identity}", "--use",
    )  # fmt: skip
    return office, world


@pytest.mark.parametrize("identity", ["xb-hub", "xa-csirt", "xa-dsc", "xa-emb"])
def test_a_dead_broker_is_said_whoever_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    """On standard error, within the timeout; it goes on until Ctrl-C."""
    office, _ = desk(tmp_path, monkeypatch, identity)
    process = office.start("watch", "--timeout", "0.3")
    try:
        wait_for(office.folder / "watch.log", "nothing can be read from the bus", process)
        process.send_signal(signal.SIGINT)
        assert process.wait(longest()) == INTERRUPTED
    finally:
        process.kill()


@pytest.mark.parametrize("identity", ["xb-hub", "xa-csirt"])
def test_what_is_held_is_shown_and_then_that_the_bus_was_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    """It exits 7, and says since when there is nothing newer; a context without a server has asked nobody."""
    office, world = desk(tmp_path, monkeypatch, identity)
    said = sign(world, bulletin(world, "xa-csirt"))
    asyncio.run(take_in(store_of(office.folder, identity), world, [said]))
    told = office.run(*SHOWN, code=UNREACHABLE)
    assert "does not answer" in told
    assert f"the newest of it since {world.now:%Y-%m-%d}" in told
    error = json.loads(office.run(*SHOWN, "--json", code=UNREACHABLE).splitlines()[-1])["error"]
    assert (error["reason"], error["exit_code"]) == ("unreachable", UNREACHABLE)
    assert said.bulletin.id in office.run("bulletin", "list", "--json")


def test_with_nothing_held_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence would look like a quiet night."""
    office, _ = desk(tmp_path, monkeypatch, "xb-hub")
    assert "which is nothing" in office.run(*SHOWN, code=UNREACHABLE)


def test_a_hubs_store_is_left_to_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one running watch says so, and takes no lease."""
    office, _ = desk(tmp_path, monkeypatch, "xb-hub")
    with office.running("watch", "--timeout", "0.3") as process:
        wait_for(office.folder / "watch.log", "no hub feeds this store", process)
        with sqlite3.connect(store_of(office.folder, "xb-hub")) as db:
            assert db.execute("SELECT * FROM lease").fetchall() == []


def test_who_may_read_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for ever."""
    office, _ = desk(tmp_path, monkeypatch, "xa-csirt")
    with office.running("watch", "--timeout", "0.3") as process:
        wait_for(office.folder / "watch.log", "grants xa-csirt nothing to read", process)
