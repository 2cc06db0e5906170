"""Reads a second broker into a hub's store, beside the hub's own reader.

A store has one reader that releases what waits and judges again what the registry changes; this is not another one. It
fetches, judges and settles, as a hub takes in a copy of another hub.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

import msgspec

from bus.admission import judge
from bus.errors import BrokerError, UnreachableError
from bus.subscribing import Inbox
from bus.tasks import one_failure
from bus.transport import Connection, Endpoint, PullConsumer, Received, cursor_at
from bus.trust import VerifiedRegistry

MOST, QUIET_S, PAUSE_S = 100, 5.0, 0.5


class ReaderBeside(msgspec.Struct, frozen=True, kw_only=True):
    """A reader of one hub at a second broker; `run` reads.

    Attributes:
        store: the store of the hub.
        endpoint: the endpoint of the hub at the second broker.
        streams: the (stream, consumer) pairs to read.
        registry: gives the current registry.
        clock: the present, aware.
    """

    store: Inbox
    endpoint: Endpoint
    streams: tuple[tuple[str, str], ...]
    registry: Callable[[], VerifiedRegistry]
    clock: Callable[[], dt.datetime]

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            StoreError: the store does not take what has come.
        """
        with one_failure():
            async with Connection.open(self.endpoint) as connection, asyncio.TaskGroup() as tasks:
                for stream, consumer in self.streams:
                    tasks.create_task(self._stream(connection, stream, consumer))

    async def _stream(self, connection: Connection, stream: str, consumer: str) -> None:
        """Read a stream, and attach again after each interruption."""
        while True:
            try:
                if connection.connected:
                    await self._attached(connection, stream, consumer)
            except (UnreachableError, BrokerError):
                pass  # the broker is this demonstration's own, and its end is logged there
            await asyncio.sleep(PAUSE_S)

    async def _attached(self, connection: Connection, stream: str, consumer: str) -> None:
        cursor = await self.store.cursor(stream)
        async with PullConsumer.attach(connection, stream, consumer, max(cursor.seq, 1)) as pull:
            resumed = await pull.resume(cursor, MOST, QUIET_S)
            if resumed is None:  # another stream: known bulletins are recognised by their digest
                await self.store.rewind(stream)
                return
            batch = resumed.after
            while True:
                if batch:
                    await self._settle(stream, batch)
                batch = await pull.next(MOST, QUIET_S)

    async def _settle(self, stream: str, batch: list[Received]) -> None:
        now = self.clock()
        judged = judge(stream, batch, self.registry(), now)
        await self.store.settle(judged, stream, cursor_at(batch[-1], judged[-1].message.digest), now)
