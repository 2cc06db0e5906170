"""Tasks that belong together."""

from __future__ import annotations

import asyncio

import pytest

from bus.tasks import background, in_background, run_with_current, until_first


async def forever(ended: list[str], name: str) -> None:
    """Run until cancelled, and say so then."""
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def at_once() -> None:
    """End."""


async def fail() -> None:
    """End with an error."""
    raise ValueError("it failed")


async def test_the_first_that_ends_ends_the_others() -> None:
    """All others are cancelled and have ended when the call returns; an error is raised."""
    ended: list[str] = []
    await until_first(forever(ended, "one"), at_once(), forever(ended, "two"))
    assert sorted(ended) == ["one", "two"]
    with pytest.raises(ValueError, match="it failed"):
        await until_first(forever(ended, "three"), fail())
    assert "three" in ended


async def test_a_work_begins_anew_when_its_value_changes() -> None:
    """Each value's work has ended before the next one's begins; the last ends by itself, and so does the call."""
    values = iter(["a", "a", "b", "b", "b", "c"])
    current, began, ended, changes = "a", list[str](), list[str](), list[None]()

    def value() -> str:
        nonlocal current
        current = next(values, current)
        return current

    async def work(given: str) -> None:
        assert len(began) == len(ended)
        began.append(given)
        if given != "c":
            await forever(ended, given)

    await run_with_current(value, work, every_s=0.001, on_change=lambda: changes.append(None))
    assert (began, ended, len(changes)) == (["a", "b", "c"], ["a", "b"], 2)


async def test_the_error_of_a_work_is_raised() -> None:
    """It is not begun anew."""
    with pytest.raises(ValueError, match="it failed"):
        await run_with_current(lambda: 1, lambda _: fail(), every_s=0.001)


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
    """It is raised as it is, with its cause, and the work has ended."""
    ended: list[str] = []
    cause = LookupError("cause")

    async def body() -> None:
        async with in_background(forever(ended, "work"), "work"):
            await asyncio.sleep(0)
            raise KeyError("body") from cause

    with pytest.raises(KeyError, match="body") as raised:
        await body()
    assert raised.value.__cause__ is cause
    assert ended == ["work"]


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
