"""Something that is opened when it is first asked for and stays open: a task of its own opens and closes it.

The task that enters a context manager with a task group must leave it too, and any task may be the first to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from bus.tasks import Background

T = TypeVar("T")


class Part(Generic[T]):
    """One such thing."""

    def __init__(
        self, tasks: Background, opened: Callable[[], AbstractAsyncContextManager[T]], name: str
    ) -> None:
        """Prepare.

        Args:
            tasks: ends it.
            opened: opens it.
            name: of its task.
        """
        self._tasks = tasks
        self._opened = opened
        self._name = name
        self._ready: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """The thing, opened; whatever opening raises. The next call tries again."""
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._tasks.start(self._hold(self._ready), self._name)
        return await asyncio.shield(self._ready)

    async def _hold(self, ready: asyncio.Future[T]) -> None:
        try:
            async with self._opened() as it:
                ready.set_result(it)
                await asyncio.Event().wait()
        except Exception as exc:
            if ready.done():
                raise  # it failed while it was open: that ends the connection
            self._ready = None
            ready.set_exception(exc)
            ready.exception()  # who asked has it; nobody else need be told
        finally:
            ready.cancel()
