"""Clocks for tests: one that a test moves on, and one that goes on by itself."""

from __future__ import annotations

import asyncio
import datetime as dt


class Clock:
    """A present that stands until a test moves it."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        """The present."""
        return self.now

    def pass_(self, seconds: float) -> None:
        """Move it on."""
        self.now += dt.timedelta(seconds=seconds)


class RunningClock:
    """Starts at a moment when it is made in an event loop, and goes on with that loop's time, in any thread."""

    def __init__(self, start: dt.datetime) -> None:
        self._start = start
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    def __call__(self) -> dt.datetime:
        """The present."""
        return self._start + dt.timedelta(seconds=self._loop.time() - self._began)


def utc_now() -> dt.datetime:
    """The machine's present."""
    return dt.datetime.now(dt.UTC)
