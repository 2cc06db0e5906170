"""Whole programs where the system gives them less than they need: each waits and says so, or ends with a code that says why."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.cli.frame.exit_codes import DONE, FAILURE, INTERRUPTED, QUEUED
from tests.support.disks import fill, small_disk
from tests.support.premises import Premises, ends, full_pipe, held_by_another
from tests.support.waiting import eventually_sync, longest, stretched

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
HUB, CSIRT, AUTHOR = "xa-hub", "xa-csirt", "xa-emb"
WITHIN_S = 5.0
FULL_S = 8.0  # so long a disk stays full: longer than a lease is good before it is renewed
MONITOR_ABOVE = 4000  # of the port for clients


def free_port() -> int:
    """A port that nobody listens at, and whose monitoring port is one."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = int(listening.getsockname()[1])
        if port < 65535 - MONITOR_ABOVE:
            return port


def lives(pid: int) -> bool:
    """Whether a process runs, and is more than a name for whoever waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -- a file in use, from the start ------------------------------------------------------------------------------------------


def test_a_file_in_use_is_waited_for_from_the_start(tmp_path: Path) -> None:
    """Said once when it begins and once when it is over; the program then works, and ends when asked while it waits."""
    premises = Premises(tmp_path / "premises", CSIRT)
    outbox = premises.state(CSIRT) / "outbox.db"
    with premises.running(CSIRT, "heartbeat", "run") as program:
        premises.says(CSIRT, "stalled", program)
        assert ends(program)[0] == DONE
    outbox.unlink()
    outbox.parent.joinpath("outbox.db-wal").unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(outbox)) as made:
        made.execute("VACUUM")
    with held_by_another(outbox):
        with premises.running(CSIRT, "heartbeat", "run") as program:
            premises.says(CSIRT, "waiting:", program)
            assert ends(program)[0] == DONE
        again = premises.running(CSIRT, "heartbeat", "run")
        program = again.__enter__()
        eventually_sync(lambda: premises.log(CSIRT).read_text().count("waiting:") == 2)
    try:
        premises.says(CSIRT, "going on", program)
        assert ends(program)[0] == DONE
    finally:
        again.__exit__(None, None, None)


# -- the broker's program ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(folder: Path, out: int | None = None) -> Iterator[tuple[Premises, subprocess.Popen[bytes], int]]:
    """`server run`, and the nats-server that it has started; that one does not outlive the test."""
    premises = Premises(folder / "premises", CSIRT)
    command = ("server", "run", str(folder / "broker"), "--port", str(free_port()))
    with premises.running(CSIRT, *command, out=out, err=out) as program:

        def child() -> int:
            assert program.poll() is None, premises.log(CSIRT).read_text()
            return next(
                (int(each.stem.rpartition("_")[2]) for each in (folder / "broker").glob("*.ports")), 0
            )

        eventually_sync(child)
        pid = child()
        try:
            yield premises, program, pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("state", ["serving", "starting", "stopped", "unread"])
def test_a_broker_ends_with_its_program(state: str, tmp_path: Path) -> None:
    """While it starts, while nats-server is stopped and answers no signal, while nobody reads what is printed."""
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(full_pipe())[1] if state == "unread" else None
        premises, program, pid = stack.enter_context(serving(tmp_path, out))
        if state in ("serving", "stopped"):
            premises.says(CSIRT, "serving", program)
        if state == "stopped":
            os.kill(pid, signal.SIGSTOP)
        code, seconds = ends(program)
        assert code == DONE
        assert seconds < stretched(WITHIN_S)
        eventually_sync(lambda: not lives(pid))


def test_a_broker_ends_with_its_program_at_a_second_signal(tmp_path: Path) -> None:
    """Though nats-server is stopped and answers no signal."""
    with serving(tmp_path) as (premises, program, pid):
        premises.says(CSIRT, "serving", program)
        os.kill(pid, signal.SIGSTOP)
        program.send_signal(signal.SIGTERM)
        program.send_signal(signal.SIGINT)
        assert program.wait(longest()) == INTERRUPTED
        eventually_sync(lambda: not lives(pid))


# -- a full disk ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [HUB, CSIRT])
def test_programs_on_a_full_disk_stay_and_end_when_asked(identity: str, tmp_path: Path) -> None:
    """A hub and an author's heartbeats go on as soon as there is room, and end within seconds while there is none."""
    with small_disk(tmp_path / "disk") as disk:
        premises = Premises(disk / "premises", identity)
        command = ("hub", "run") if identity == HUB else ("heartbeat", "run")
        with premises.running(identity, *command) as program:
            premises.says(identity, "stalled", program)
            for _ in range(2):
                with contextlib.suppress(OSError):  # the program takes of the last room, too
                    fill(disk, 0)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = program.wait(FULL_S)
                    pytest.fail(f"ended with {code}: {premises.log(identity).read_text()}")
            code, seconds = ends(program)
        assert code == DONE
        assert seconds < stretched(WITHIN_S)


# -- memory and descriptors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("megabytes", [60, 120, 200, 300])
def test_programs_without_memory_end_with_a_code(megabytes: int, tmp_path: Path) -> None:
    """With so much address space it starts, or it ends with a failure; it never stays without doing its work."""
    premises = Premises(tmp_path / "premises", HUB)
    limits = [(resource.RLIMIT_AS, megabytes * 1024**2)]
    with premises.running(HUB, "hub", "run", limits=limits) as program:
        eventually_sync(
            lambda: program.poll() is not None or "nothing can be read" in premises.log(HUB).read_text()
        )
        if program.poll() is None:
            assert ends(program)[0] == DONE
        else:
            assert program.returncode not in (
                DONE,
                2,
                3,
                5,
                6,
            )  # none that keeps a supervisor from trying again


@pytest.mark.parametrize("descriptors", [6, 10, 14, 20])
def test_programs_without_descriptors_end_with_a_code(descriptors: int, tmp_path: Path) -> None:
    """With so few from the start it works, or it ends with a failure."""
    premises = Premises(tmp_path / "premises", HUB)
    limits = [(resource.RLIMIT_NOFILE, descriptors)]
    with premises.running(HUB, "hub", "run", limits=limits) as program:
        eventually_sync(
            lambda: program.poll() is not None or "nothing can be read" in premises.log(HUB).read_text()
        )
        if program.poll() is None:
            assert ends(program)[0] == DONE
        else:
            assert program.returncode == FAILURE


def test_programs_without_memory_or_descriptors_wait_or_end_with_a_code(tmp_path: Path) -> None:
    """An adapter that may open nothing more leaves its documents where they are, says so, and reads them when it may again."""
    premises = Premises(tmp_path / "premises", AUTHOR)
    spool = tmp_path / "spool"
    with premises.running(AUTHOR, "adapter", "run", "cyber", "--spool", str(spool)) as program:
        premises.says(AUTHOR, "stalled", program)
        eventually_sync((spool / "in").is_dir)
        soft, hard = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (0, hard))
        (spool / "in" / "a.json").write_text("no event")
        premises.says(AUTHOR, "spool unreadable", program)
        assert (spool / "in" / "a.json").is_file()
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (soft, hard))
        eventually_sync((spool / "refused" / "a.json").is_file)
        premises.says(AUTHOR, "spool readable again", program)
        assert ends(program)[0] in (DONE, QUEUED)  # a heartbeat may wait
