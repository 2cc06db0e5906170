"""Documents of a source, the next one asked for while one is being read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus.plugin import Observation, Source


class Ahead:
    """Documents in the order of their source. Use `Ahead.of`."""

    def __init__(self, source: Source) -> None:
        self._documents = source.observe()
        self._coming: asyncio.Task[Observation | None] | None = None

    @classmethod
    @asynccontextmanager
    async def of(cls, source: Source) -> AsyncIterator[Ahead]:
        """Observe a source; what was asked for and not taken is given up at the end."""
        ahead = cls(source)
        try:
            yield ahead
        finally:
            if ahead._coming is not None:
                ahead._coming.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await ahead._coming

    def ask(self) -> asyncio.Task[Observation | None]:
        """Ask for the next one, if none is asked for."""
        if self._coming is None:
            self._coming = asyncio.ensure_future(self._next())
        return self._coming

    async def take(self) -> Observation | None:
        """The next one; None when the source has ended.

        Raises:
            Exception: what ended the source.
        """
        coming = self.ask()
        try:
            return await asyncio.shield(coming)
        finally:
            if coming.done():
                self._coming = None

    @property
    def has_one(self) -> bool:
        """Whether one was asked for and is there."""
        coming = self._coming
        if coming is None or not coming.done() or coming.cancelled():
            return False
        return coming.exception() is None and coming.result() is not None

    @property
    def is_asked(self) -> bool:
        """Whether one was asked for and was not taken yet."""
        return self._coming is not None

    async def _next(self) -> Observation | None:
        return await anext(self._documents, None)
