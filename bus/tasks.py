"""Groups of tasks: beside a body, side by side, or restarted when a value changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
LAST_ACTS: set[Callable[[], None]] = set()
"""Acts due even if the process ends at once, such as ending a server that it started; none may wait."""
IN_THREAD_FROM = 4
"""Least number of items worth a thread: fewer take less time than waking one."""


@contextlib.contextmanager
def one_failure() -> Iterator[None]:
    """If several tasks failed together, raise the first failure itself; the others follow from it."""
    try:
        yield
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def worked(work: Callable[[], T], items: int) -> T:
    """The result of pure work. It runs in a thread if it has many items, so that the event loop is not blocked."""
    return work() if items < IN_THREAD_FROM else await asyncio.to_thread(work)


class Background:
    """The tasks of one `background`."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Run work in a task of its own. Its return does not end the group."""
        task = self._group.create_task(work, name=name)
        self._tasks.append(task)
        return task

    def cancel(self) -> None:
        """Cancel all tasks; leaving the group waits for them."""
        for task in self._tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def background() -> AsyncIterator[Background]:
    """Run tasks while a body runs, then cancel them and wait until they have ended.

    Raises:
        BaseException: the body's own error; otherwise that of the first failed task, after the body and the other
            tasks are cancelled.
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
    """Run one work while a body runs, as `background` does; `name` names the task, for a debugger."""
    async with background() as tasks:
        tasks.start(work, name)
        yield


async def until_first(*works: Coroutine[Any, Any, None]) -> None:
    """Run several works until the first ends, then cancel the others; raises its error."""
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
    """Run a work with a value that may change, such as the grants of the registry; restart it after each change.

    Args:
        value: returns the present value.
        work: runs with the value. If it ends by itself, this ends too, with its error if there is one.
        every_s: seconds between two checks of the value.
        on_change: called before each restart.
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
