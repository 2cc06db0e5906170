"""A manager of services that runs: systemd of this machine as a user's manager, in namespaces of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import eventually_sync, longest

SYSTEMD = Path("/usr/lib/systemd/systemd")
INSIDE = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user /run/systemd/inaccessible
cd /run/systemd/inaccessible
mkdir -m 000 dir
install -m 000 /dev/null reg
mkfifo -m 000 fifo
mknod -m 000 chr c 0 0
mknod -m 000 blk b 0 0
mount --bind "$1" /dev/console  # where it says what goes wrong
"$0" --user --log-target=console || exit  # a child, for the first process would be the system's manager
"""
"""What systemd has made before a user's manager begins: among it the things behind which a wall hides what is not to be seen."""


class Manager:
    """A user's manager whose units lie in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Name its folders; `managed` starts it."""
        self.outside = 0  # the process that holds the namespaces
        self.units = folder / "home" / ".config" / "systemd" / "user"
        self.env = {**os.environ, "HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "runtime")}

    def ctl(self, *words: str) -> str:
        """What `systemctl --user` says; a failure is an answer too."""
        done = self.run("systemctl", "--user", *words)
        return done.stdout + done.stderr

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command inside, where processes have the numbers by which its programs know them."""
        inside = ("nsenter", "--target", str(self._first()), "--mount", "--pid")
        return subprocess.run(
            [*inside, *words], env={**self.env, **env}, capture_output=True, text=True, timeout=longest()
        )

    def _first(self) -> int:
        """The first process inside, as it is numbered outside."""
        children = Path(f"/proc/{self.outside}/task/{self.outside}/children")
        return int(children.read_text().split()[0])

    def state(self, unit: str, *names: str) -> tuple[str, ...]:
        """Properties of a unit, by their names."""
        return tuple(self.ctl("show", unit, "--property", name, "--value").strip() for name in names)


@contextmanager
def managed(folder: Path) -> Iterator[Manager]:
    """Run a manager; the test is skipped where this machine has none, or allows no namespaces.

    Args:
        folder: for its files, not there yet; no temporary one, which units do not see, and with a short path: that of a socket
            has 107 bytes at most.
    """
    found = [shutil.which(name) for name in ("unshare", "nsenter", "systemctl", "mknod", "install")]
    if not SYSTEMD.exists() or None in found or os.getuid() != 0:
        pytest.skip("this machine runs no systemd for a test: it is not installed, or this is not root")
    manager = Manager(folder)
    manager.units.mkdir(parents=True)
    (folder / "runtime").mkdir(mode=0o700)
    walls = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*walls, "bash", "-c", INSIDE, str(SYSTEMD), str(folder / "said")],
            env=manager.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
    manager.outside = process.pid
    try:
        eventually_sync(lambda: process.poll() is not None or _answers(manager))
        if process.poll() is not None:
            pytest.skip(f"this machine runs no systemd for a test: {(folder / 'said').read_text()}")
        yield manager
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(longest())


def _answers(manager: Manager) -> bool:
    try:
        return manager.state("default.target", "ActiveState") == ("active",)
    except (OSError, IndexError, ValueError):
        return False  # nothing is inside yet
