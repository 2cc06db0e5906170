"""What is opened when it is first asked for: once, by a task of its own, and closed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bus.api.part import Part
from bus.tasks import background


class Door:
    """Counts its openings and closings; the first `fails` openings fail."""

    def __init__(self, fails: int = 0) -> None:
        self.opened = self.closed = 0
        self.fails = fails
        self.breaks = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """The number of the opening."""
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise OSError("stuck")
        self.opened += 1
        try:
            async with asyncio.TaskGroup() as group:  # must be left by the task that entered it
                breaking = group.create_task(self._break())
                yield self.opened
                breaking.cancel()
        finally:
            self.closed += 1

    async def _break(self) -> None:
        await self.breaks.wait()
        raise OSError("broken")


async def test_it_is_opened_once_whoever_asks_and_closed_at_the_end() -> None:
    """Several at once, in tasks that end before it does."""
    door = Door()
    async with background() as tasks:
        part = Part(tasks, door.open, "door")
        assert await asyncio.gather(*(asyncio.create_task(part.get()) for _ in range(3))) == [1, 1, 1]
        assert (door.opened, door.closed) == (1, 0)
    assert door.closed == 1


async def test_what_cannot_be_opened_is_told_to_who_asked_and_tried_again() -> None:
    """The connection goes on."""
    door = Door(fails=1)
    async with background() as tasks:
        part = Part(tasks, door.open, "door")
        with pytest.raises(OSError, match="stuck"):
            await part.get()
        assert await part.get() == 1


async def test_who_gives_up_asking_takes_nothing_from_the_others() -> None:
    """A cancelled wait leaves the opening as it is."""
    door = Door()
    async with background() as tasks:
        part = Part(tasks, door.open, "door")
        first = asyncio.create_task(part.get())
        await asyncio.sleep(0)
        first.cancel()
        assert await part.get() == 1


async def test_what_fails_while_it_is_open_ends_the_connection() -> None:
    """With its own error."""
    door = Door()

    async def connected() -> None:
        async with background() as tasks:
            await Part(tasks, door.open, "door").get()
            door.breaks.set()
            await asyncio.Event().wait()

    with pytest.raises(OSError, match="broken"):
        await connected()


async def test_at_the_end_nobody_waits_for_ever() -> None:
    """What is being opened when the connection ends is cancelled for who asked."""

    @asynccontextmanager
    async def never() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    async with background() as tasks:
        part = Part(tasks, never, "door")
        asked = asyncio.create_task(part.get())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asked
