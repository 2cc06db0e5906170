"""A run of tests that is killed leaves no program behind; one that ends in order, and one that lives, ends none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT
from tests.support.waiting import eventually_sync, longest

RUN = """
import subprocess, sys, time
from pathlib import Path
from tests.support.warden import bid_farewell, keep_watch
keep_watch()
# A program whose own program outlives it, as a nats-server its `server run`.
program = subprocess.Popen(
    ["sh", "-c", "sleep 600 & echo $! > inner; exec sleep 600"], start_new_session=True
)
while not Path("inner").exists() or not Path("inner").read_text().strip():
    time.sleep(0.01)
Path("both").write_text(f"{program.pid} {Path('inner').read_text()}")
sys.stdin.readline()
bid_farewell()
"""


def lives(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture
def run(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A run of tests that has started its programs."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
    )
    eventually_sync(lambda: (tmp_path / "both").exists() and (tmp_path / "both").read_text())
    return process


def pids(folder: Path) -> list[int]:
    """The program, and the program of the program."""
    return [int(each) for each in (folder / "both").read_text().split()]


def test_what_a_killed_run_has_started_ends(run: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """The programs, and those that they have started themselves."""
    started = pids(tmp_path)
    assert all(lives(pid) for pid in started)
    run.kill()
    run.communicate(timeout=longest())
    eventually_sync(lambda: not any(lives(pid) for pid in started))


def test_a_program_that_is_killed_in_a_run_takes_none_with_it(
    run: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """What it has started lives on while the run does; a run that ends in order ends nobody."""
    outer, inner = pids(tmp_path)
    os.kill(outer, signal.SIGKILL)
    assert lives(inner)
    run.communicate(b"\n", timeout=longest())
    assert lives(inner)
    os.kill(inner, signal.SIGKILL)
