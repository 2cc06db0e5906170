"""Notifies the supervisor that started a program: it is ready, it is alive, it is stopping.

The protocol is that of systemd, ``sd_notify(3)``: a datagram of lines ``NAME=value`` to the socket that the environment
names, a path or, after ``@``, an abstract name. Without that name nothing is sent and nothing fails, so a program need
not know who started it. The program waits only a moment for a supervisor that does not read.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

SOCKET = "NOTIFY_SOCKET"
MOST_STATUS = 300  # characters
PATIENCE_S = 1.0  # for one-time messages; a watchdog message without room is skipped


def ready(environment: Mapping[str, str] = os.environ) -> bool:
    """Send that the program is ready. Returns whether a supervisor was told."""
    return _say("READY=1", environment, patience_s=PATIENCE_S)


def stopping(environment: Mapping[str, str] = os.environ) -> bool:
    """Send that the program is stopping. Returns whether a supervisor was told."""
    return _say("STOPPING=1", environment, patience_s=PATIENCE_S)


def status(text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send one line of at most 300 characters on the program's work. Returns whether a supervisor was told."""
    line = "".join(" " if ord(letter) < 32 or ord(letter) == 127 else letter for letter in text)
    return _say(f"STATUS={line[:MOST_STATUS]}", environment)


def watchdog(environment: Mapping[str, str] = os.environ) -> bool:
    """Send that the program is alive; a supervisor restarts a program that is silent for long. Returns whether one was told."""
    return _say("WATCHDOG=1", environment)


def watchdog_every(environment: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """The interval for `watchdog`: a third of the time that the supervisor waits.

    Args:
        environment: the variables of the program.
        pid: the calling process, this one by default; a supervisor may mean another.

    Returns:
        Seconds, or None if no supervisor waits for it.
    """
    meant = environment.get("WATCHDOG_PID")
    if SOCKET not in environment or (meant and meant != str(os.getpid() if pid is None else pid)):
        return None
    try:
        waits = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return waits / 3e6 if waits > 0 else None


async def keep_telling(
    alive: Callable[[], bool] = lambda: True, environment: Mapping[str, str] = os.environ
) -> None:
    """Send `watchdog` at its interval while `alive` returns True; runs for ever, even without a supervisor."""
    every = watchdog_every(environment)
    if every is None:
        await asyncio.Event().wait()
        return
    while True:
        if alive():
            watchdog(environment)
        await asyncio.sleep(every)


def _say(line: str, environment: Mapping[str, str], *, patience_s: float = 0.0) -> bool:
    """Send one line; returns False without a supervisor, or if it does not take the line."""
    named = environment.get(SOCKET, "")
    if named[:1] not in ("/", "@") or len(named) < 2:
        return False
    address = f"\0{named[1:]}" if named.startswith("@") else named
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.settimeout(patience_s)
            way.sendto(line.encode("utf-8", "backslashreplace"), address)
    except (OSError, ValueError):
        return False
    return True
