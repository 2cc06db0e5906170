"""Waiting for something to come true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a question is answered with yes; pytest's own timeout bounds it."""
    while not await question():
        await asyncio.sleep(0.01)
