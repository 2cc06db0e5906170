"""Tasks beside a body: they end with it, and the first that fails ends it."""

from __future__ import annotations

import asyncio

import pytest

from bus.hub.background import background


async def test_tasks_end_with_the_body() -> None:
    """Each is cancelled, and has ended when the context is left."""
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async with background() as tasks:
        for name in ("one", "other"):
            tasks.start(work(name), name)
        await asyncio.sleep(0)
    assert sorted(ended) == ["one", "other"]


async def test_the_first_failure_ends_the_body_and_is_raised_itself() -> None:
    """Not as a group; the other tasks are cancelled."""
    ended: list[str] = []

    async def fails() -> None:
        raise LookupError("gone")

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    async def body() -> None:
        async with background() as tasks:
            tasks.start(waits(), "waits")
            tasks.start(fails(), "fails")
            await asyncio.Event().wait()

    with pytest.raises(LookupError, match="gone"):
        await body()
    assert ended == ["waits"]


async def test_a_task_that_returns_ends_nothing() -> None:
    """The body goes on without it."""

    async def returns() -> None:
        done.set()

    done = asyncio.Event()
    async with background() as tasks:
        tasks.start(returns(), "returns")
        await done.wait()
        await asyncio.sleep(0)


async def test_an_error_of_the_body_is_its_own() -> None:
    """It is raised as it is, and the tasks end."""

    async def body() -> None:
        async with background() as tasks:
            tasks.start(asyncio.sleep(3600), "waits")
            raise KeyError("body")

    with pytest.raises(KeyError, match="body"):
        await body()


async def test_a_body_that_is_cancelled_stays_cancelled() -> None:
    """A program that is told to end ends, and its tasks with it."""

    async def body() -> None:
        async with background() as tasks:
            tasks.start(asyncio.sleep(3600), "waits")
            begun.set()
            await asyncio.Event().wait()

    begun = asyncio.Event()
    task = asyncio.create_task(body())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
