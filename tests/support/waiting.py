"""Waiting for what other tasks and processes bring about: bounded by a number of looks, and by no clock before that."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Callable
from functools import cache

from bus.errors import UnreachableError

LOOKS = 100
"""A condition is looked at so often before it is given up, however long that takes."""
WAIT_S = 60.0
"""And for so long on an idle machine, however many looks that allows."""
PAUSE_S = 0.02
COMMAND_PAUSE_S = 0.3
"""Between two looks that are a command each, which would leave little of the machine to what they wait for."""
FACTOR = "TOCSIN_PATIENCE"
"""The variable that says how many times longer than on an idle machine everything may take; unset, it is measured."""
WORK_S = 0.03
MOST = 40.0


def slowness() -> float:
    """How many times longer than on an idle machine work takes now: by the clock beside the processor, and by the load."""
    began, spent = time.monotonic(), time.thread_time()
    while time.thread_time() - spent < WORK_S:
        pass
    waited = (time.monotonic() - began) / WORK_S
    return min(MOST, max(1.0, waited, os.getloadavg()[0] / (os.cpu_count() or 1)))


@cache
def patience() -> float:
    """The factor by which bounds in seconds are stretched in this run, found once: given by TOCSIN_PATIENCE, or measured."""
    given = os.environ.get(FACTOR)
    return float(given) if given else slowness()


def longest() -> float:
    """The seconds for which a test lets a call wait that has a bound of its own, and for a condition to come true."""
    return WAIT_S * patience()


def stretched(seconds: float) -> float:
    """A bound that is itself the property, by how slow this machine was when the run began or is now, whichever is more."""
    return seconds * max(patience(), slowness())


class _Looks:
    """Counts looks; when both bounds are used up, it fails with the last value."""

    def __init__(self, describe: Callable[[], object] | None) -> None:
        self._began = time.monotonic()
        self._looks = 0
        self._describe = describe

    def check(self, seen: object) -> None:
        self._looks += 1
        waited = time.monotonic() - self._began
        if self._looks < LOOKS or waited < longest() or waited < WAIT_S * slowness():
            return
        more = f"; {self._describe()}" if self._describe else ""
        raise AssertionError(f"{seen!r} at the last of {self._looks} looks in {waited:.0f} s{more}")


async def eventually(
    condition: Callable[[], object],
    *,
    describe: Callable[[], object] | None = None,
    pause_s: float = PAUSE_S,
) -> None:
    """Look until a condition is true.

    A condition that asks a broker may raise `UnreachableError`: a broker that reloads or begins anew closes connections, and
    then what is waited for is not there yet.

    Args:
        condition: what is looked at; a coroutine function is awaited.
        describe: what a failure adds, such as the log of a process.
        pause_s: seconds between two looks, longer where a look costs much.

    Raises:
        AssertionError: it was false at every look; the message holds what the last one saw.
    """
    looks = _Looks(describe)
    while True:
        try:
            seen = condition()
            if inspect.isawaitable(seen):
                seen = await seen
            if seen:
                return
        except UnreachableError as exc:
            seen = exc
        looks.check(seen)
        await asyncio.sleep(pause_s)


def eventually_sync(
    condition: Callable[[], object],
    *,
    describe: Callable[[], object] | None = None,
    pause_s: float | None = None,
) -> None:
    """The same without an event loop, for what processes bring about."""
    looks = _Looks(describe)
    while not (seen := condition()):
        looks.check(seen)
        time.sleep(PAUSE_S if pause_s is None else pause_s)
