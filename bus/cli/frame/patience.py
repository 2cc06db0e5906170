"""Waits for a SQLite file that is in use or whose disk is full, in a program that runs until Ctrl-C."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeVar

from bus.cli.frame.app import App
from bus.errors import StoreError

S = TypeVar("S")

AGAIN_S = 1.0
MOST_WITHOUT_MEMORY = 30
"""The most tries without memory. The program's own limit does not go away, so it must end and its supervisor learn of it."""


@asynccontextmanager
async def once_open(app: App, opened: Callable[[], AbstractAsyncContextManager[S]]) -> AsyncIterator[S]:
    """An opened SQLite file. A program that runs until Ctrl-C waits while the file is in use or its disk is full, and says so.

    It waits for memory too, but only for a limited number of tries.

    Args:
        app: this invocation.
        opened: opens the file; called once for each try.

    Raises:
        StoreError: the file cannot be opened; in a program that runs until Ctrl-C, only a lasting fault.
    """
    import asyncio

    async with AsyncExitStack() as stack:

        async def patiently() -> S:
            waits, starved = False, 0
            while True:
                try:
                    it = await stack.enter_async_context(opened())
                except StoreError as exc:
                    starved += exc.reason == "store-memory"
                    if not (app.runs_on and exc.is_passing) or starved > MOST_WITHOUT_MEMORY:
                        raise
                    if not waits:
                        app.note(f"waiting: {exc}")
                    waits = True
                else:
                    if waits:
                        app.note("the fault is over; the program continues")
                    return it
                await asyncio.sleep(AGAIN_S)

        yield await patiently()
