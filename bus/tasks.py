"""Tasks that belong together: beside a body, side by side, or begun anew when a value changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
LAST_ACTS: set[Callable[[], None]] = set()
"""What is done even where the process is ended at once, such as ending a server that it has started; nothing here waits."""
IN_THREAD_FROM = 4
"""So many items are worth a thread: fewer are done faster than one is woken."""


@contextlib.contextmanager
def one_failure() -> Iterator[None]:
    """Of tasks that ended together, raise the first failure itself; the others only followed from it."""
    try:
        yield
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def worked(work: Callable[[], T], items: int) -> T:
    """What pure work returns, done in a thread when it is about many items, so that the event loop goes on."""
    return work() if items < IN_THREAD_FROM else await asyncio.to_thread(work)


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


@contextlib.asynccontextmanager
async def background() -> AsyncIterator[Background]:
    """Run tasks for as long as a body runs, then cancel them and wait until they have ended.

    Raises:
        BaseException: the body's own error as it is; else that of the first task that failed, after the body and the
            other tasks were cancelled.
    """
    raised: BaseException | None = None
    with one_failure():
        async with asyncio.TaskGroup() as group:
            tasks = Background(group)
            try:
                yield tasks
            except BaseException as exc:  # noqa: BLE001 (raised below as it is; the group would wrap it)
                raised = exc
            finally:
                tasks.cancel()
    if raised is not None:
        raise raised


@contextlib.asynccontextmanager
async def in_background(work: Coroutine[object, object, None], name: str) -> AsyncIterator[None]:
    """Run one work for as long as a body runs, as `background` does; `name` is the task's, for a debugger."""
    async with background() as tasks:
        tasks.start(work, name)
        yield


async def until_first(*works: Coroutine[Any, Any, None]) -> None:
    """Do several things at once until the first of them ends, and end the others; its error is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _end(*tasks)


async def run_with_current(
    value: Callable[[], T],
    work: Callable[[T], Coroutine[Any, Any, None]],
    *,
    every_s: float,
    on_change: Callable[[], None] = lambda: None,
) -> None:
    """Run a work with a value that may change, such as what the registry grants; begin anew whenever it has.

    Args:
        value: the value as it is now.
        work: what runs with it. When it ends by itself, so does this, with its error if it has one.
        every_s: seconds between two looks at the value.
        on_change: called before the work begins anew.
    """
    while True:
        current = value()
        task = asyncio.create_task(work(current))
        try:
            while not task.done() and value() == current:
                await asyncio.wait({task}, timeout=every_s)
            if task.done():
                return task.result()
        finally:
            await _end(task)
        on_change()


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
