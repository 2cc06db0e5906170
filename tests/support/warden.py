"""What a run of tests has started does not outlive it, though the run itself is killed.

`keep_watch` marks the environment of this process with a word drawn for it, which all inherit that it starts, and all that these
start, a nats-server behind `server run` too. It starts a warden, which reads a pipe that this process alone holds open. When
the pipe ends without a farewell the process has died, and the warden ends whoever bears the mark. While the run lives it does
nothing: a nats-server outlives its `server run`, as tests want it.

`PR_SET_PDEATHSIG` is not enough: it follows the thread that started a program, and nobody sets it for the programs of programs.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "MARKED_BY_TESTS"  # no TOCSIN_...: some stages take those away
FAREWELL = b"."
ROUNDS, PAUSE_S = 50, 0.1
_watched: dict[int, int] = {}


def keep_watch() -> None:
    """Have what this process starts from now on ended with it; once for each process, and only where there is /proc."""
    if os.getpid() in _watched or not Path("/proc/self/environ").exists():
        return
    around = {name: value for name, value in os.environ.items() if name != MARK}
    word = secrets.token_hex(16)
    there, here = os.pipe()  # neither is inherited by what is started
    try:
        subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, word],
            stdin=there,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=around,
            cwd="/",
            start_new_session=True,  # a Ctrl-C is not for it
        ).returncode = 0  # nobody waits for it: it ends after us
    finally:
        os.close(there)
    os.environ[MARK] = word
    _watched[os.getpid()] = here


def bid_farewell() -> None:
    """This process ends in order: its warden goes, and ends nobody."""
    here = _watched.pop(os.getpid(), None)
    if here is not None:
        with contextlib.suppress(OSError):
            os.write(here, FAREWELL)
        os.close(here)


def _marked(word: str) -> Iterator[int]:
    """The processes that bear the mark."""
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid() and _bears(int(each.name), word):
            yield int(each.name)


def _bears(pid: int, word: str) -> bool:
    try:
        return f"{MARK}={word}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return False


def _end(pid: int, word: str) -> None:
    with contextlib.suppress(OSError):
        process = os.pidfd_open(pid)
        try:
            # Looked at once more: from here on the number cannot come to mean another process.
            if _bears(pid, word):
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)


def main(word: str) -> None:
    """Wait for the end of the pipe; without a farewell end all that bear the mark, and those whom they start meanwhile."""
    if sys.stdin.buffer.read(1) == FAREWELL:
        return
    for _ in range(ROUNDS):
        found = list(_marked(word))
        if not found:
            return
        for pid in found:
            _end(pid, word)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1])
