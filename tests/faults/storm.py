"""A reader gone wild, in a process of its own: many connections, on each many subscriptions that pull and leave, over and over.

Run as `python -m tests.faults.storm ENDPOINT.json`; it says so for each round that it has done.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from bus.errors import BusError
from bus.transport.connection import Connection, Endpoint
from bus.transport.pull_consumer import PullConsumer
from tests.support.waiting import longest

CONNECTIONS = 12
AT_ONCE = 25
DONE = "done"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Who storms, and where."""

    url: str
    authority_id: str
    nkey_seed: str
    stream: str


async def storm(place: Place) -> None:
    """Until it is ended."""
    endpoint = Endpoint(
        url=place.url, authority_id=place.authority_id, nkey_seed=place.nkey_seed, name="storm"
    )
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(_connected(endpoint, place))


async def _connected(endpoint: Endpoint, place: Place) -> None:
    async with Connection.open(endpoint) as connection, asyncio.TaskGroup() as tasks:
        await connection.until_connected(longest())
        for _ in range(AT_ONCE):
            tasks.create_task(_rounds(connection, place))


async def _rounds(connection: Connection, place: Place) -> None:
    while True:
        try:
            async with PullConsumer.attach(connection, place.stream, place.authority_id, 1) as pull:
                await pull.next(1, 0.1)
        except BusError as exc:
            sys.stdout.write(f"{exc.reason}\n")
        else:
            sys.stdout.write(f"{DONE}\n")
        sys.stdout.flush()
        await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(storm(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Place)))
