"""A demonstration that is asked to end breaks its round off, so that its summary comes before its tasks are given up."""

from __future__ import annotations

import asyncio

import pytest

from bus.cli.developer.demo import _until


async def test_a_round_is_broken_off_when_the_end_is_asked_for() -> None:
    """However long it would take; one that ends before is not."""
    ended, began = asyncio.Event(), asyncio.Event()

    async def endless() -> int:
        began.set()
        await asyncio.get_running_loop().create_future()
        return 0

    work = asyncio.create_task(endless())
    waiting = asyncio.create_task(_until(ended, work))
    await began.wait()
    ended.set()
    await waiting
    assert work.cancelled()


async def test_a_round_that_fails_is_told() -> None:
    """Its error is that of the demonstration."""

    async def failing() -> int:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        await _until(asyncio.Event(), asyncio.create_task(failing()))
