"""A resource that is opened on first use and stays open; a task of its own opens and closes it.

A context manager with a task group must be left by the task that entered it, and any task may be the first to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from bus.tasks import Background

T = TypeVar("T")


class Part(Generic[T]):
    """One such resource."""

    def __init__(
        self, tasks: Background, opened: Callable[[], AbstractAsyncContextManager[T]], name: str
    ) -> None:
        """Prepare.

        Args:
            tasks: the group of its task.
            opened: opens the resource.
            name: of its task.
        """
        self._tasks = tasks
        self._opened = opened
        self._name = name
        self._ready: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """The opened resource. Raises the error of opening it; the next call tries again."""
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
                raise  # a failure after opening ends the connection
            self._ready = None
            ready.set_exception(exc)
            ready.exception()  # the caller has the error; no other task needs it
        finally:
            ready.cancel()
