"""Tasks that belong together: the first that ends ends the others; a changed value starts a work anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


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
