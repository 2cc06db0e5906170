"""A way to a port that is slow, narrow and loses: a delay each way, so many bytes a second, and connections that break."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PIECE = 1400  # bytes that go at once, as a packet
WAITING = 32  # pieces on their way; who sends more waits, as with a full socket


class SlowCable:
    """As by satellite. What TCP makes of a packet that is lost is that this and all behind it come later, so that happens here."""

    def __init__(self, to: int, *, delay_s: float, jitter_s: float, bytes_per_s: float, lost: float) -> None:
        """`lost` is the share of pieces that are lost, and so come later with all that follows."""
        self.to, self.port = to, 0
        self._delay_s, self._jitter_s = delay_s, jitter_s
        self._bytes_per_s, self._lost = bytes_per_s, lost
        self._rng = random.Random(1)
        self._ends: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Carry meanwhile."""
        async with await asyncio.start_server(self._join, "127.0.0.1", 0, limit=PIECE) as server:
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield
            finally:
                self.snap()

    def snap(self) -> None:
        """Every connection breaks, and what is on its way is lost; new ones get through."""
        for end in list(self._ends):
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to, limit=PIECE)
        ends = {writer, far_writer}
        self._ends |= ends
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(reader, far_writer))
                tasks.create_task(self._carry(far_reader, writer))
        finally:
            self._ends -= ends
            for each in ends:
                each.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction: pieces leave one after another as fast as the line is wide, and arrive after the delay, in order."""
        time = asyncio.get_running_loop().time
        way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WAITING)

        async def arrive() -> None:
            while True:
                at, piece = await way.get()
                await asyncio.sleep(at - time())
                writer.write(piece)
                await writer.drain()

        arriving = asyncio.create_task(arrive())
        last = 0.0
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                await asyncio.sleep(len(piece) / self._bytes_per_s)
                again = 2 * self._delay_s if self._rng.random() < self._lost else 0.0
                last = max(last, time() + self._delay_s + self._rng.uniform(0, self._jitter_s) + again)
                await way.put((last, piece))
        arriving.cancel()
        await asyncio.gather(arriving, return_exceptions=True)
        writer.transport.abort()
