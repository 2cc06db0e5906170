"""The program that manages a server's folder, and the leftover server that it ends: never any other process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus.server import standing
from bus.server.binary import ServerError
from bus.server.checks import standing_check
from bus.server.running import ports_of
from bus.server.standing import CONF_FILE, QUIET_S, SERVER_LOCK, STANDING_LOCK, Standing, take_server_lock
from tests.support.waiting import longest

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="this machine has no /proc")

# A process that has the arguments of a server and does what the environment says, before it would run them.
STUB = """
import fcntl, os, signal, time
if os.environ.get("DEAF"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if lock := os.environ.get("LOCK"):
    fcntl.flock(os.open(lock, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
if opened := os.environ.get("OPENED"):
    os.open(opened, os.O_RDWR | os.O_CREAT)
print("up", flush=True)
time.sleep(600)
"""


@contextmanager
def stub(cwd: Path, *arguments: str, **does: str) -> Iterator[subprocess.Popen[bytes]]:
    """One that has begun; it is ended afterwards."""
    path = cwd / "path"
    path.mkdir(exist_ok=True)
    (path / "sitecustomize.py").write_text(STUB)
    process = subprocess.Popen(
        [sys.executable, *(arguments or ("-c", CONF_FILE))],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path), **does},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait(longest())
        process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A server's folder."""
    (tmp_path / "broker").mkdir()
    return tmp_path / "broker"


@pytest.mark.parametrize("does", [{}, {"DEAF": "1"}], ids=["that obeys", "that does not"])
async def test_what_was_left_is_ended(
    folder: Path, does: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the folder's lock, works in the folder and has a server's arguments; the lock is free then."""
    monkeypatch.setattr(standing, "ENDS_S", 0.2)
    with stub(folder, LOCK=str(folder / SERVER_LOCK), **does) as left:
        os.close(await take_server_lock(folder))
        assert left.wait(longest()) in (-15, -9)


FOREIGN = {
    "without the lock": {},
    "that has the lock only open": {"OPENED": SERVER_LOCK},
    "of another folder": {"LOCK": "nats-server.lock"},
}


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_process_that_looks_like_a_server_is_left_alone(
    folder: Path, tmp_path: Path, name: str
) -> None:
    """Its arguments are a server's; the lock is free, and is taken beside it."""
    does = FOREIGN[name]
    cwd = tmp_path if name == "of another folder" else folder
    with stub(cwd, **{key: str(cwd / value) for key, value in does.items()}) as other:
        os.close(await take_server_lock(folder))
        assert other.poll() is None


@pytest.mark.parametrize(
    ("place", "arguments"),
    [("broker", ("-c", "pass")), ("broker", ("-q", CONF_FILE)), ("", ("-c", CONF_FILE))],
)
async def test_what_holds_the_lock_and_is_no_server_of_the_folder_is_said_and_left_alone(
    folder: Path, tmp_path: Path, place: str, arguments: tuple[str, ...]
) -> None:
    """Other arguments, or another place: `server-running`, and nothing is ended."""
    with stub(tmp_path / place, *arguments, LOCK=str(folder / SERVER_LOCK)) as other:
        with pytest.raises(ServerError) as told:
            await take_server_lock(folder)
        assert told.value.reason == "server-running"
        assert other.poll() is None


async def test_one_stands_behind_a_folder_until_it_gives_it_up(folder: Path) -> None:
    """A second is refused and told whom to end; who only asks takes nothing from anybody."""
    first = await Standing.take(folder)
    with pytest.raises(ServerError) as told:
        await Standing.take(folder)
    assert (told.value.reason, str(os.getpid()) in str(told.value)) == ("server-running", True)
    assert standing_check(folder, time.time()).ok
    first.give_up()
    (await Standing.take(folder)).give_up()


async def test_the_check_tells_a_server_that_was_left_from_one_of_other_means(folder: Path) -> None:
    """Left: a failure. By other means: a warning. Stood behind: neither, while that one is awake."""

    def found(later: float = 0.0) -> tuple[bool, bool]:
        check = standing_check(folder, time.time() + later)
        return check.ok, check.hard

    assert found() == (False, False)
    with stub(folder, LOCK=str(folder / SERVER_LOCK)):
        assert found() == (False, True)
        behind = await Standing.take(folder)
        assert found() == (True, False)
        os.utime(folder / STANDING_LOCK, (0, 0))
        assert found() == (False, True)
        behind.look()
        assert found() == (True, False)
        assert found(QUIET_S + 10) == (False, True)
        assert found(-QUIET_S - 10) == (False, True)  # the clock was set back while it hangs
        behind.give_up()


def test_a_file_of_ports_whose_number_another_process_has_names_no_server(
    folder: Path, tmp_path: Path
) -> None:
    """The server was killed; another process in another folder has its process id now."""
    with stub(tmp_path) as other:
        (folder / f"nats-server_{other.pid}.ports").write_text('{"nats": ["nats://127.0.0.1:1"]}')
        assert ports_of(folder) is None
    with stub(folder) as own:
        (folder / f"nats-server_{own.pid}.ports").write_text('{"nats": ["nats://127.0.0.1:1"]}')
        assert ports_of(folder) == (own.pid, {"nats": ["nats://127.0.0.1:1"]})
