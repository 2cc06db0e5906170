"""The hub behind a console, that signs: over the pair of sockets between the two, with an outbox of its own and without a bus."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bus.console.asking import HubError, Line, serve
from bus.console.doing import Hub
from bus.drafts import Remembered
from bus.hub.acting import Acting, Outcome, Publish, Request
from bus.hub.picture.projection import open_store
from bus.tasks import in_background
from tests.support.publishers import publishing
from tests.support.world import World


class Deaf:
    """A line on which some answers are lost, after or before the hub has done what was asked.

    Attributes:
        lost: for the next publications: `before`, the hub never hears of it; `after`, it does and nobody is told.
    """

    def __init__(self, line: Hub, *lost: str) -> None:
        """Take the line, and what is lost."""
        self._line, self.lost = line, list(lost)

    async def ask(self, request: Request) -> Outcome:
        """Ask; what is lost is an error of the line."""
        if not isinstance(request, Publish) or not self.lost:
            return await self._line.ask(request)
        if self.lost.pop(0) == "after":
            await self._line.ask(request)
        raise HubError("the hub did not answer in time; send this again, it is done once")


Recorded = list[tuple[str, dict[str, str]]]


@asynccontextmanager
async def line_to(acting: Acting) -> AsyncIterator[Line]:
    """A line to a hub that does what it is asked."""
    ours, theirs = socket.socketpair()
    async with in_background(serve(ours, acting.do), "hub"), Line.open(theirs) as line:
        yield line


@asynccontextmanager
async def signing(
    folder: Path, world: World, authority: str, recorded: Recorded | None = None
) -> AsyncIterator[Line]:
    """A line to the hub of an authority, whose bulletins stay in its outbox.

    Args:
        folder: for its files.
        world: whose registry and keys.
        authority: for whom it signs.
        recorded: takes what is put on record.
    """
    kept: Recorded = recorded if recorded is not None else []
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with (
        open_store(folder / "acting.db") as store,
        publishing(folder / "outbox.db", world, authority) as publisher,
    ):
        acting = Acting(
            store,
            publisher,
            lambda event, facts: kept.append((event, dict(facts))),
            remembered=Remembered(folder),
        )
        async with line_to(acting) as line:
            yield line
