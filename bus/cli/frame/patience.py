"""Files of SQLite that a program which runs on waits for, when they are in use or their disk is full."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeVar

from bus.cli.frame.app import App
from bus.errors import StoreError

S = TypeVar("S")

AGAIN_S = 1.0
MOST_WITHOUT_MEMORY = 30
"""So many tries while there is no memory: a limit of the program itself does not pass, and its supervisor should know."""


@asynccontextmanager
async def once_open(app: App, opened: Callable[[], AbstractAsyncContextManager[S]]) -> AsyncIterator[S]:
    """A file of SQLite, opened; a program that runs on waits while it is in use or its disk is full, and says so.

    It waits for memory, too, but not for ever.

    Args:
        app: this invocation.
        opened: opens it, once for each try.

    Raises:
        StoreError: it cannot be opened; in a program that runs on, not one that passes.
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
                        app.note("going on: that has passed")
                    return it
                await asyncio.sleep(AGAIN_S)

        yield await patiently()
