"""Everybody at once: connections that are all lost and all come back, and a reader that subscribes and pulls without end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus.transport.connection import BACKOFF_S, Connection
from tests.faults.storm import AT_ONCE, CONNECTIONS, DONE, Place
from tests.support.places import ROOT
from tests.support.stage import (
    Bus,
    connected,
    send,
    speaking,
)
from tests.support.waiting import eventually, longest, patience
from tests.support.world import Message, chain, draft

pytestmark = pytest.mark.faults
CLIENTS = 60
DELAY_S = 1.0  # of an idle machine


class Shut:
    """A door in the broker's place that lets nobody in, and when somebody tried it."""

    def __init__(self) -> None:
        self.tried: list[float] = []

    async def _knock(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tried.append(asyncio.get_running_loop().time())
        writer.transport.abort()

    @asynccontextmanager
    async def at(self, port: int) -> AsyncIterator[None]:
        """Stand there meanwhile."""
        async with await asyncio.start_server(self._knock, "127.0.0.1", port, backlog=CLIENTS * 2):
            yield


async def test_all_who_lost_the_broker_at_once_come_back_one_after_another(bus: Bus, tmp_path: Path) -> None:
    """They try less and less often, and not in step; then all are back in time, and a publisher has lost nothing."""
    shut = Shut()
    async with speaking(bus, tmp_path / "outbox.db") as author, AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(Connection.open(bus.endpoint("xb-hub"))) for _ in range(CLIENTS)
        ]
        await author.publish(draft("before"))
        await eventually(lambda: all(each.connected for each in clients))
        port = int(bus.server.url.rsplit(":", 1)[1])
        bus.server.kill()
        async with shut.at(port):
            for n in range(20):
                await author.publish(draft(f"meanwhile, {n}"))
            await eventually(lambda: len(shut.tried) >= 9 * CLIENTS)
            last = shut.tried[-CLIENTS:]
            assert last[-1] - last[0] > BACKOFF_S[1] / 4  # in step they would all have come at one moment
        await bus.server.restart()
        await eventually(lambda: all(each.connected for each in clients))
        assert await author.idle(longest())
        assert (await author.outbox.counts())["stored"] == 21
        assert {each.epoch for each in clients} == {2}


async def test_a_reader_that_pulls_without_end_keeps_nobody_waiting(bus: Bus, tmp_path: Path) -> None:
    """While it does so on every connection, what another publishes is acknowledged within a second."""
    place = Place(
        url=bus.server.url,
        authority_id="xb-hub",
        nkey_seed=bus.world.nkeys["xb-hub"][0],
        stream="WORLD_ACTUAL",
    )
    (tmp_path / "place.json").write_bytes(msgspec.json.encode(place))
    messages = chain(bus.world, 60)
    async with connected(bus.endpoint("xa-csirt")) as speaker:
        storm = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.storm", tmp_path / "place.json", cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )  # fmt: skip
        try:
            await rounds(storm, CONNECTIONS * AT_ONCE)
            found = await delays(speaker, messages)
            await rounds(storm, CONNECTIONS * AT_ONCE)  # it has not come to an end meanwhile
        finally:
            storm.kill()
            await storm.communicate()
        assert max(found) < DELAY_S * patience()
        assert (speaker.connected, speaker.epoch) == (True, 1)


async def rounds(storm: asyncio.subprocess.Process, count: int) -> None:
    """Wait until so many more have been done."""
    assert storm.stdout is not None
    while count:
        line = await storm.stdout.readline()
        assert line, "it has ended by itself"
        count -= line == DONE.encode() + b"\n"


async def delays(speaker: Connection, messages: list[Message]) -> list[float]:
    """How long the acknowledgement of each took."""
    time, found = asyncio.get_running_loop().time, []
    for each in messages:
        since = time()
        await send(speaker, each)
        found.append(time() - since)
    return found
