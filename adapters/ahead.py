"""Reads a source one document ahead: the next one is requested while one is read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus.plugin import Observation, Source


class Ahead:
    """The documents of a source, in order. Use `Ahead.of`."""

    def __init__(self, source: Source) -> None:
        self._documents = source.observe()
        self._coming: asyncio.Task[Observation | None] | None = None

    @classmethod
    @asynccontextmanager
    async def of(cls, source: Source) -> AsyncIterator[Ahead]:
        """Observe a source; a requested document that was not taken is dropped at the end."""
        ahead = cls(source)
        try:
            yield ahead
        finally:
            if ahead._coming is not None:
                ahead._coming.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await ahead._coming

    def ask(self) -> asyncio.Task[Observation | None]:
        """Request the next document, unless one is requested already."""
        if self._coming is None:
            self._coming = asyncio.ensure_future(self._next())
        return self._coming

    async def take(self) -> Observation | None:
        """The next document; None when the source has ended.

        Raises:
            Exception: the error that ended the source.
        """
        coming = self.ask()
        try:
            return await asyncio.shield(coming)
        finally:
            if coming.done():
                self._coming = None

    @property
    def has_one(self) -> bool:
        """Whether a requested document has arrived."""
        coming = self._coming
        if coming is None or not coming.done() or coming.cancelled():
            return False
        return coming.exception() is None and coming.result() is not None

    @property
    def is_asked(self) -> bool:
        """Whether a document is requested and not yet taken."""
        return self._coming is not None

    async def _next(self) -> Observation | None:
        return await anext(self._documents, None)
