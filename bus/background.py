"""Work that runs beside a context, for as long as the context lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from bus.errors import one_failure


@asynccontextmanager
async def in_background(work: Coroutine[object, object, None], name: str) -> AsyncIterator[None]:
    """Run work until the context exits; then cancel it, and wait until it has ended.

    Work that returns is left alone. When it fails, what runs in the context is cancelled and the failure is raised.

    Args:
        work: what runs.
        name: the task's, for a debugger.
    """
    raised: BaseException | None = None
    with one_failure():
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work, name=name)
            try:
                yield
            except BaseException as exc:  # noqa: BLE001 (raised below as it is; the group would wrap it)
                raised = exc
            finally:
                task.cancel()
    if raised is not None:
        raise raised
