"""How `server run` and its nats-server end, by a service manager's measure, and what is done about one that hangs."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
from pathlib import Path

import pytest

from bus.demo.federation import free_port
from bus.keys import nkeys
from bus.server import tending
from bus.server.binary import ServerError
from bus.server.running import ports_of
from tests.support.disks import disk_or_skip
from tests.support.office import Desk
from tests.support.stage import Bus
from tests.support.waiting import longest
from tests.support.world import make_world


class Broker:
    """A desk with a context for a broker that nobody has started yet."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.desk = Desk(folder, patch)
        self.port = free_port()
        world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
        (folder / "registry.tocsin.json").write_bytes(world.raw)
        nkeys.save_nkey(folder / "hub.nk", world.nkeys["xa-hub"][0])
        self.desk.run(
            *("context", "add", "xa-hub", "--authority", "xa-hub", "--domain", world.registry.domain),
            *("--pin", world.pin, "--registry", "registry.tocsin.json", "--nkey", "hub.nk"),
            *("--state", "state", "--server", f"nats://127.0.0.1:{self.port}", "--use"),
        )

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.desk.folder / "broker"

    @property
    def run(self) -> tuple[str, ...]:
        """The command that runs it."""
        return ("server", "run", "broker", "--port", str(self.port))

    @property
    def pid(self) -> int:
        """Its nats-server."""
        found = ports_of(self.folder)
        assert found is not None
        return found.pid


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """One for a test alone."""
    return Broker(tmp_path, monkeypatch)


def test_a_broker_that_dies_ends_its_program_with_7(broker: Broker) -> None:
    """So that a service manager starts it again; the program says why."""
    with broker.desk.serving(broker.port) as process:
        os.kill(broker.pid, signal.SIGKILL)
        assert process.wait(longest()) == 7
    said = (broker.desk.folder / "server.log").read_text()
    assert "[not-running]" in said
    assert "killed by SIGKILL" in said
    assert "Violation" not in said  # what the checks tried has nothing to do with it


def test_a_second_program_over_one_folder_is_refused_and_the_first_goes_on(broker: Broker) -> None:
    """Exit code 1, and whom to end."""
    with broker.desk.serving(broker.port) as process:
        pid = broker.pid
        told = broker.desk.run("server", "run", "broker", "--port", str(free_port()), code=1)
        assert f"kill {process.pid}" in told
        assert "[server-running]" in told
        assert broker.pid == pid
        broker.desk.run("server", "check", "broker")


def test_a_broker_that_is_stopped_does_not_keep_its_program_from_ending(broker: Broker) -> None:
    """SIGTERM while the nats-server answers nothing: exit code 0, and it is gone."""
    with broker.desk.serving(broker.port) as process:
        pid = broker.pid
        os.kill(pid, signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(longest()) == 0
    assert ports_of(broker.folder) is None


@pytest.mark.parametrize("above", [0, 4000], ids=["clients", "monitor"])
def test_a_port_that_is_taken_is_said(broker: Broker, above: int) -> None:
    """Exit code 1; nothing is left behind."""
    with socket.create_server(("127.0.0.1", broker.port + above)):
        assert "[port-taken]" in broker.desk.run(*broker.run, code=1)
    assert ports_of(broker.folder) is None


def test_a_store_that_cannot_be_opened_is_said(broker: Broker) -> None:
    """Exit code 1, with the words of the nats-server."""
    broker.folder.mkdir()
    (broker.folder / "jetstream").write_text("no folder")
    told = broker.desk.run(*broker.run, code=1)
    assert "not a directory" in told
    assert "[server-start]" in told


def test_a_broker_without_room_on_its_disk_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, and how much is wanted."""
    with disk_or_skip(tmp_path / "disk") as disk:
        try:
            broker = Broker(disk, monkeypatch)
            told = broker.desk.run(*broker.run, code=1)
        finally:
            monkeypatch.chdir(tmp_path)  # or the disk could not be taken away
        assert "disk reserve" in told
        assert "[not-sound]" in told


async def test_a_broker_that_hangs_is_said_and_begun_anew(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped as by a debugger: after its time the program is told to begin it anew, which ends it for good."""
    pid = bus.server.pid
    os.kill(pid, signal.SIGSTOP)
    with monkeypatch.context() as hasty:  # only while it answers nothing
        hasty.setattr("bus.server.monitor.TIMEOUT_S", 0.05)
        hasty.setattr(tending, "HUNG_S", 0.5)
        with pytest.raises(ServerError) as told:
            await tending.tend(bus.server, room=0, every=0.01)
    assert told.value.reason == "no-answer"
    await bus.server.stop()
    await bus.server.restart()
    assert bus.server.pid != pid
    assert bus.server.monitor("healthz")["status"] == "ok"
