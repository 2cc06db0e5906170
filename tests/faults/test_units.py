"""What `tocsin service install` writes, under a systemd that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.demo.federation import free_port
from tests.programs.founding import PLACES, Ground, founded, place_of
from tests.programs.process import TOCSIN
from tests.support.systemd import Manager, managed
from tests.support.waiting import eventually_sync

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
HUB, SERVER, BEATS = "tocsin-hub-xa-hub", "tocsin-server-xa-csirt", "tocsin-heartbeat-xa-csirt"


def tocsin(ground: Ground, manager: Manager, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the one who has installed the units."""
    return manager.run(str(TOCSIN), *words, TOCSIN_HOME=str(ground.folder / "home"), NO_COLOR="1")


def install(ground: Ground, manager: Manager) -> list[str]:
    """A unit of every program, at a union and in a country. Returns their names."""
    folder = ground.folder
    for identity in ("east", "xa-csirt", "xa-hub"):
        ground.state(identity).mkdir(parents=True, mode=0o700)
    (folder / "spool" / "in").mkdir(parents=True)
    for place, context in (("east", "east"), ("xa", "xa-csirt")):
        where = (str(ground.broker(place)), "--port", str(ground.ports[place]), "--as", place)
        unit(ground, manager, "server", context, *where, "--federation", str(ground.federation))
    unit(ground, manager, "hub", "xa-hub")
    unit(ground, manager, "heartbeat", "xa-csirt")
    unit(ground, manager, "adapter", "xa-csirt", "cyber", "--spool", str(folder / "spool"))
    keys = folder / "keys"
    unit(
        *(ground, manager, "keeper", "east", "--key", str(keys / "beacon.pem")),
        *("--passphrase-file", str(keys / "pass")),
        *("--provisioner", str(ground.broker("east") / "provisioner.nk")),
    )
    return sorted(path.stem for path in manager.units.glob("tocsin-*.service"))


def unit(ground: Ground, manager: Manager, program: str, context: str, *arguments: str) -> None:
    """Write a unit."""
    done = tocsin(
        ground, manager, "service", "install", program, "--user", "--context", context, "--", *arguments
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that a unit sees, as it does not see temporary ones."""
    folder = Path(
        tempfile.mkdtemp(prefix="tocsin-", dir="/var/lib" if os.access("/var/lib", os.W_OK) else None)
    )
    yield folder
    shutil.rmtree(folder)


def test_every_unit_runs_is_begun_again_and_ends(place: Path) -> None:
    """All are started at once, the keeper before its server has made its key; a kill and a standstill are mended; all end well."""
    ports = {place: free_port() for place in PLACES}
    ground = founded(place / "run", ports, lambda who: f"nats://127.0.0.1:{ports[place_of(who)]}")
    with managed(place / "manager") as manager:
        names = install(ground, manager)
        assert len(names) == 6
        manager.ctl("daemon-reload")
        manager.ctl("start", "--no-block", *names)

        def runs(name: str) -> bool:
            return manager.state(name, "ActiveState", "SubState") == ("active", "running")

        def was_begun_again(name: str) -> bool:
            return manager.state(name, "NRestarts") != ("0",)

        def status() -> str:
            return manager.ctl("status", "--no-pager", *names)

        eventually_sync(lambda: all(map(runs, names)), describe=status)
        assert {manager.state(name, "NRestarts") for name in names} == {("0",)}, status()
        eventually_sync(
            lambda: tocsin(ground, manager, "doctor", "--context", "xa-hub").returncode == 0,
            describe=lambda: tocsin(ground, manager, "doctor", "--context", "xa-hub").stdout,
        )
        manager.ctl("kill", "--signal", "KILL", HUB, SERVER)
        manager.ctl("kill", "--signal", "STOP", BEATS)  # until the watchdog has it killed
        hurt = (HUB, SERVER, BEATS)
        eventually_sync(lambda: all(map(was_begun_again, hurt)), describe=status)
        eventually_sync(lambda: all(map(runs, names)), describe=status)
        manager.ctl("stop", *names)
        for name in names:
            assert manager.state(name, "ActiveState", "Result") == ("inactive", "success"), status()
