"""The program that manages a nats-server, one for each folder, and the server that a killed program leaves."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import signal
from pathlib import Path
from typing import NamedTuple, Self

from bus.logs import logger
from bus.server.binary import ServerError

CONF_FILE = "nats-server.conf"
SERVER_LOCK = "nats-server.lock"
"""The lock that the nats-server holds from start to end: it inherits it from the program that starts it."""
STANDING_LOCK = "standing.lock"
"""The lock of the program that started the server; its child processes do not hold it."""
QUIET_S = 60.0
"""Seconds. A program looks after its server each second; one that has not for this long counts as hanging."""
ENDS_S = 10.0
_TRIES, _PAUSE_S = 20, 0.05

log = logger()


class Standing:
    """This program's hold on the server of a folder; no other program gets it until it is given up or the program ends."""

    def __init__(self, lock: int) -> None:
        """Use `take` instead."""
        self._lock = lock

    @classmethod
    async def take(cls, folder: Path) -> Self:
        """Take the hold on the server of an existing folder.

        Raises:
            ServerError: `server-running`; another program has it.
        """
        lock = _opened(folder / STANDING_LOCK)
        try:
            for _ in range(_TRIES):
                if _locked(lock):
                    os.ftruncate(lock, 0)
                    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
                    return cls(lock)
                await asyncio.sleep(_PAUSE_S)  # a program that only checks the lock holds it for a moment
            held = _holder(lock)
            raise ServerError(
                f"another nats-server runs in {folder}, and the program that started it still runs",
                remedy=f"end that one first: kill {held}" if held else "end that one first",
                reason="server-running",
            )
        except BaseException:
            os.close(lock)
            raise

    def look(self) -> None:
        """Leave a sign that this program is awake."""
        os.utime(self._lock)

    def give_up(self) -> None:
        """Give up the hold."""
        os.close(self._lock)


class Found(NamedTuple):
    """The state of a folder's server by its locks.

    Attributes:
        is_ours: whether a `NatsServer` started the server that runs there.
        is_stood_behind: whether a program manages it and is awake.
        told: a sentence about that.
    """

    is_ours: bool
    is_stood_behind: bool
    told: str


def who_stands_behind(folder: Path, now: float) -> Found:
    """Read the locks of a server's folder.

    Args:
        folder: the server's folder.
        now: seconds since 1970, by the clock of this machine.
    """
    is_ours = _asked(folder / SERVER_LOCK) is not None
    standing = _asked(folder / STANDING_LOCK)
    if standing is None:
        return Found(is_ours, False, "nobody")
    quiet = now - standing.awake
    # A sign from well after now does not count either: the clock was set back since.
    if abs(quiet) > QUIET_S:
        told = f"process {standing.holder}, which should, has not looked after it for {abs(quiet):.0f} s"
        return Found(is_ours, False, told)
    return Found(is_ours, True, f"process {standing.holder} looks after it")


class _Held(NamedTuple):
    holder: str
    awake: float


def _asked(path: Path) -> _Held | None:
    """(process id of the lock's holder, time of its last sign); None if nobody holds it."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _locked(lock, fcntl.LOCK_SH) else _Held(_holder(lock), os.fstat(lock).st_mtime)
    finally:
        os.close(lock)


async def take_server_lock(folder: Path) -> int:
    """Take the lock that the next server inherits. A server left by a killed program is ended first.

    The caller has the hold on the server of this folder, so no other program has it.

    Returns:
        The open lock.

    Raises:
        ServerError: `server-running`; the lock's holder is not this folder's nats-server, or does not end.
    """
    lock = _opened(folder / SERVER_LOCK)
    try:
        for _ in range(_TRIES):
            if _locked(lock):
                return lock
            for pid in _pids():
                if is_server_of(folder, pid):
                    await _end(folder, pid)
            await asyncio.sleep(_PAUSE_S)  # the process may have forked and not yet have started nats-server
        raise ServerError(
            f"a program that is not this folder's nats-server holds {folder / SERVER_LOCK} and is not stopped",
            remedy=f"see who: fuser {folder / SERVER_LOCK}",
            reason="server-running",
        )
    except BaseException:
        os.close(lock)
        raise


async def _end(folder: Path, pid: int) -> None:
    """End a leftover server, gently at first."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Check once more: from here on the process id cannot pass to another process.
        if not is_server_of(folder, pid):
            return
        log.warning("leftover_ends", pid=pid, folder=str(folder))
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
            for _ in range(round(ENDS_S / _PAUSE_S)):
                if select.select([process], [], [], 0)[0]:
                    return
                await asyncio.sleep(_PAUSE_S)
    finally:
        os.close(process)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(lock: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(lock: int) -> str:
    """The process id that the holder has written into the lock."""
    return os.pread(lock, 32, 0).decode("ascii", "replace").strip()


def is_server_of(folder: Path, pid: int) -> bool:
    """Whether a process is a nats-server that `NatsServer` started in a folder: by its lock, its working folder and its arguments.

    Its name does not count. False on a system without /proc.
    """
    about = Path(f"/proc/{pid}")
    try:
        arguments = (about / "cmdline").read_bytes().split(b"\0")[1:3]
        return (
            arguments == [b"-c", CONF_FILE.encode()]
            and (about / "cwd").samefile(folder)
            and _holds(about, (folder / SERVER_LOCK).stat())
        )
    except OSError:  # it has ended, or belongs to another user
        return False


def _holds(about: Path, lock: os.stat_result) -> bool:
    """Whether one of a process's open files is the lock, and locked."""
    for opened in (about / "fd").iterdir():
        with contextlib.suppress(OSError):  # the file was closed in the meantime
            found = opened.stat()
            if (found.st_dev, found.st_ino) == (lock.st_dev, lock.st_ino):
                return "FLOCK" in (about / "fdinfo" / opened.name).read_text("ascii")
    return False


def _pids() -> list[int]:
    try:
        return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    except OSError:
        return []
