"""Every command that opens a connection says within its timeout that the broker is dead, with the code that is written down.

Dead is a port that nobody listens at, and one that takes connections and never answers.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.keys import nkeys
from tests.support.households import NOBODY, Household, world_of_now
from tests.support.office import Desk
from tests.support.places import ROOT
from tests.support.waiting import eventually_sync

DRAFT = str(ROOT / "examples" / "drafts" / "cyber.json")
SOON = ("--timeout", "0.5")
TO_ALL = ("--tlp", "green", "--audience", "community")
UNREACHABLE, QUEUED, UNRELIABLE = 7, 75, 9
ENDS: dict[str, tuple[str, tuple[str, ...], int, str]] = {
    "publish": ("xa-csirt", ("publish", DRAFT, "--again", *TO_ALL, "--wait", "stored=0.5"), QUEUED, "queued"),
    "bulletin cancel": (
        "xa-csirt",
        ("bulletin", "cancel", "{id}", "A test.", "--wait", "stored=0.5"),
        QUEUED,
        "queued",
    ),
    "heartbeat once": ("xa-csirt", ("heartbeat", "once"), QUEUED, "to be sent later"),
    "outbox scrub": ("xa-csirt", ("outbox", "scrub"), UNREACHABLE, "[unreachable]"),
    "outbox recover": ("xa-csirt", ("outbox", "recover", "--yes"), UNREACHABLE, "[unreachable]"),
    "outbox reanchor": ("xa-csirt", ("outbox", "reanchor"), UNREACHABLE, "[unreachable]"),
    "outbox receipts": ("xa-csirt", ("outbox", "receipts"), UNREACHABLE, "this is what this disk holds"),
    "hub scrub": ("xa-hub", ("hub", "scrub"), UNREACHABLE, "[unreachable]"),
    "server check": ("xa-hub", ("server", "check", "broker"), UNREACHABLE, "does not answer"),
    "registry publish": (
        "xa-hub",
        ("registry", "publish", "home/registry.tocsin.json", "--provisioner", "broker/provisioner.nk"),
        UNREACHABLE,
        "[unreachable]",
    ),
    "drill comcheck": (
        "xa-hub",
        ("drill", "comcheck", "--as", "xa-csirt", "--within", "1"),
        UNREACHABLE,
        "[unreachable]",
    ),
    "watch": ("xa-hub", ("watch", "--no-follow", "--since", "all"), UNREACHABLE, "[unreachable]"),
    "doctor": ("xa-hub", ("doctor",), UNRELIABLE, ""),
}
RUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hub run": ("xa-hub", ("hub", "run")),
    "heartbeat run": ("xa-csirt", ("heartbeat", "run")),
    "adapter run": ("xa-csirt", ("adapter", "run", "cyber", "--spool", "spool")),
    "watch of a hub": ("xa-hub", ("watch",)),
    "watch of an authority": ("xa-csirt", ("watch",)),
}


@contextlib.contextmanager
def dead(kind: str) -> Iterator[str]:
    """Where a dead broker would be; its address."""
    if kind == "nobody listens":
        yield NOBODY
        return
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"nats://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(params=["nobody listens", "never answers"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Household]:
    """A household whose broker is dead."""
    with dead(request.param) as url:
        made = Household(tmp_path, world_of_now(), url, "xa-hub", "xa-csirt")
        (tmp_path / "broker").mkdir()
        nkeys.save_nkey(tmp_path / "broker" / "provisioner.nk", nkeys.generate()[0])
        yield made
        made.close()


@pytest.mark.parametrize("command", ENDS)
def test_a_command_ends_within_its_timeout(
    house: Household, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """With the documented code, and a sentence; what is accepted is queued, and that is no failure."""
    identity, arguments, code, words = ENDS[command]
    desk = Desk(house.folder, monkeypatch)
    said = {"id": ""}
    if any("{id}" in each for each in arguments):
        at_once = ("publish", DRAFT, "--again", *TO_ALL, "--wait", "accepted", "--json")
        said = json.loads(desk.run("--context", identity, *at_once))
    filled = [each.format(**said) if "{id}" in each else each for each in arguments]
    told = desk.run("--context", identity, *filled, *SOON, code=code)
    assert words in told


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS)
def test_a_program_that_runs_says_so_and_goes_on(house: Household, command: str) -> None:
    """One line on standard error, and it waits."""
    identity, arguments = RUNS[command]
    process = house.start(identity, *arguments, *SOON)

    def is_said() -> bool:
        assert process.poll() is None, house.log(identity).read_text()
        text = house.log(identity).read_text()
        return "does not answer" in text or "nothing can be read from the bus" in text

    eventually_sync(is_said, describe=house.log(identity).read_text)
