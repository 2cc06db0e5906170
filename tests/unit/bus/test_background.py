"""Work beside a context: it ends with the context, and its failure is known at once."""

from __future__ import annotations

import asyncio

import pytest

from bus.background import in_background


class Work:
    """Runs until it is told to fail or to return, and notes how it ended."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.error: Exception | None = None
        self.ended = ""

    async def run(self) -> None:
        """Work."""
        try:
            self.began.set()
            await self.go_on.wait()
            if self.error is not None:
                raise self.error
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # it may need a moment to end
            self.ended = "cancelled"
            raise


async def test_work_has_ended_when_the_context_has() -> None:
    """It is cancelled, and waited for; nothing is raised."""
    work = Work()
    async with in_background(work.run(), "work"):
        await work.began.wait()
    assert work.ended == "cancelled"


async def test_the_errors_of_the_context_are_raised_as_they_are() -> None:
    """Neither in a group, nor without their cause."""
    work, cause = Work(), KeyError("cause")

    async def context() -> None:
        async with in_background(work.run(), "work"):
            await work.began.wait()
            raise LookupError("no") from cause

    with pytest.raises(LookupError) as raised:
        await context()
    assert raised.value.__cause__ is cause
    assert work.ended == "cancelled"


async def test_a_failure_is_known_at_once() -> None:
    """What waits in the context for ever is cancelled, and the failure itself is raised."""
    work = Work()
    work.error = LookupError("it is broken")

    async def context() -> None:
        async with in_background(work.run(), "work"):
            work.go_on.set()
            await asyncio.Event().wait()

    with pytest.raises(LookupError, match="it is broken"):
        await context()


async def test_work_that_returns_ends_nothing() -> None:
    """The context goes on without it."""
    work = Work()
    async with in_background(work.run(), "work"):
        await work.began.wait()
        work.go_on.set()
        await asyncio.sleep(0)
    assert work.ended == ""


async def test_a_cancelled_context_stays_cancelled() -> None:
    """The cancellation reaches whoever asked for it, once the work has ended."""
    work = Work()

    async def context() -> None:
        async with in_background(work.run(), "work"):
            await asyncio.Event().wait()

    task = asyncio.create_task(context())
    await work.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert work.ended == "cancelled"
