"""Tasks beside a body: they end with it, and the first one that fails ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from bus.errors import one_failure


class Background:
    """The tasks of one `background`."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Run work in a task of its own; one that returns ends nothing."""
        task = self._group.create_task(work, name=name)
        self._tasks.append(task)
        return task

    def cancel(self) -> None:
        """Cancel all; leaving the group waits for them."""
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def background() -> AsyncIterator[Background]:
    """Run tasks for as long as a body runs.

    Raises:
        BaseException: the error of the first task that failed, after body and other tasks were cancelled.
    """
    with one_failure():
        async with asyncio.TaskGroup() as group:
            tasks = Background(group)
            yield tasks
            tasks.cancel()
