"""Tasks that belong together."""

from __future__ import annotations

import asyncio

import pytest

from bus.tasks import run_with_current, until_first


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
