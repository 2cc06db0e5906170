"""Who stands behind a nats-server: one program for each folder; and what is left of one that was killed."""

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
"""Held by the nats-server itself, from its birth to its end: it inherits the lock of the program that starts it."""
STANDING_LOCK = "standing.lock"
"""Held by the program that started it, and by nothing that this one starts."""
QUIET_S = 60.0
"""A program that stands behind a server looks after it each second; one that has not for so long is said to hang."""
ENDS_S = 10.0
_TRIES, _PAUSE_S = 20, 0.05

log = logger()


class Standing:
    """That this program stands behind the server of a folder; no other can until it is given up or the program has ended."""

    def __init__(self, lock: int) -> None:
        """Use `take`."""
        self._lock = lock

    @classmethod
    async def take(cls, folder: Path) -> Self:
        """Stand behind the server of a folder, which is there.

        Raises:
            ServerError: `server-running`, another program does.
        """
        lock = _opened(folder / STANDING_LOCK)
        try:
            for _ in range(_TRIES):
                if _locked(lock):
                    os.ftruncate(lock, 0)
                    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
                    return cls(lock)
                await asyncio.sleep(_PAUSE_S)  # who only asks whether it is taken has it for a moment
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
        """Another may have it."""
        os.close(self._lock)


class Found(NamedTuple):
    """What the locks of a folder say of its server.

    Attributes:
        is_ours: whether a `NatsServer` started the server that runs there.
        is_stood_behind: whether a program stands behind it, and is awake.
        told: a sentence about that.
    """

    is_ours: bool
    is_stood_behind: bool
    told: str


def who_stands_behind(folder: Path, now: float) -> Found:
    """What the locks of a server's folder say.

    Args:
        folder: the server's.
        now: seconds since 1970, by the clock of this machine.
    """
    is_ours = _asked(folder / SERVER_LOCK) is not None
    standing = _asked(folder / STANDING_LOCK)
    if standing is None:
        return Found(is_ours, False, "nobody")
    quiet = now - standing.awake
    # A sign from well after now says nothing either: the clock was set back since.
    if abs(quiet) > QUIET_S:
        told = f"process {standing.holder}, which should, has not looked after it for {abs(quiet):.0f} s"
        return Found(is_ours, False, told)
    return Found(is_ours, True, f"process {standing.holder} looks after it")


class _Held(NamedTuple):
    holder: str
    awake: float


def _asked(path: Path) -> _Held | None:
    """Who holds a lock, and when it last gave a sign; None when nobody does."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _locked(lock, fcntl.LOCK_SH) else _Held(_holder(lock), os.fstat(lock).st_mtime)
    finally:
        os.close(lock)


async def take_server_lock(folder: Path) -> int:
    """The lock that the server to come inherits. What a program that was killed has left behind is ended for it.

    The caller stands behind the server of this folder, so nobody else does.

    Returns:
        The open lock.

    Raises:
        ServerError: `server-running`, the lock is held by what is no nats-server of this folder, or does not end.
    """
    lock = _opened(folder / SERVER_LOCK)
    try:
        for _ in range(_TRIES):
            if _locked(lock):
                return lock
            for pid in _pids():
                if is_server_of(folder, pid):
                    await _end(folder, pid)
            await asyncio.sleep(_PAUSE_S)  # it may have been born and not yet be what it will be
        raise ServerError(
            f"a program that is not this folder's nats-server holds {folder / SERVER_LOCK} and is not stopped",
            remedy=f"see who: fuser {folder / SERVER_LOCK}",
            reason="server-running",
        )
    except BaseException:
        os.close(lock)
        raise


async def _end(folder: Path, pid: int) -> None:
    """End a server that was left, gently at first."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Looked at once more: from here on the number cannot come to mean another process.
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
    """Whether a process is a nats-server that `NatsServer` started in a folder: by its lock, its place and its arguments.

    Its name counts for nothing. False where the system tells nothing of processes (no /proc).
    """
    about = Path(f"/proc/{pid}")
    try:
        arguments = (about / "cmdline").read_bytes().split(b"\0")[1:3]
        return (
            arguments == [b"-c", CONF_FILE.encode()]
            and (about / "cwd").samefile(folder)
            and _holds(about, (folder / SERVER_LOCK).stat())
        )
    except OSError:  # it has ended, or is another user's
        return False


def _holds(about: Path, lock: os.stat_result) -> bool:
    """Whether one of a process's open files is the lock, and locked."""
    for opened in (about / "fd").iterdir():
        with contextlib.suppress(OSError):  # it is closed meanwhile
            found = opened.stat()
            if (found.st_dev, found.st_ino) == (lock.st_dev, lock.st_ino):
                return "FLOCK" in (about / "fdinfo" / opened.name).read_text("ascii")
    return False


def _pids() -> list[int]:
    try:
        return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    except OSError:
        return []
