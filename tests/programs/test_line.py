"""The line that is hurt: whole frames however they come, and each hurt does what its name says, to whole frames."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs.line import HURTS, LIES, Frame, Frames, Line
from tests.support.waiting import eventually

ACK = b"$JS.ACK.BUS.xb-hub.1.7.8.1795000000000000000.3"
HEAD = b"NATS/1.0\r\nNats-Stream: S\r\nNats-Sequence: 7\r\n\r\n"
PLAIN = Frame(b"MSG a.b 1 %s 5" % ACK, b"hello")
HEADED = Frame(b"HMSG a.c 2 %s %d %d" % (ACK, len(HEAD), len(HEAD) + 5), HEAD + b"hello")
SAID = [Frame(b'INFO {"x":1}', None), PLAIN, Frame(b"PING", None), HEADED, Frame(b"PUB a.d 2", b"\r\n")]


@given(st.lists(st.integers(1, 40), max_size=60))
def test_frames_are_whole_however_they_come(sizes: list[int]) -> None:
    """Cut anywhere, the same frames come out, and as bytes they are what went in."""
    raw = b"".join(each.raw() for each in SAID)
    frames, found, rest = Frames(), [], raw
    for size in sizes:
        found += list(frames.feed(rest[:size]))
        rest = rest[size:]
    found += list(frames.feed(rest))
    assert found == SAID


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("frame", [PLAIN, HEADED], ids=["plain", "with headers"])
def test_a_lie_is_a_whole_frame(name: str, frame: Frame) -> None:
    """Whatever is told instead, its sizes fit, so that it is believed to be a message."""
    other = Frame(b"MSG x.y 9 another.reply 2", b"no")
    for seed in range(200):
        told = LIES[name](frame, [other], random.Random(seed))
        assert list(Frames().feed(told.raw())) == [told]


@pytest.mark.parametrize("name", LIES)
def test_a_lie_lies(name: str) -> None:
    """Of what it can change it changes something, in most of the cases."""
    other = Frame(b"MSG x.y 9 another.reply 2", b"no")
    told = [LIES[name](HEADED, [other], random.Random(seed)) for seed in range(100)]
    assert sum(each != HEADED for each in told) > 60


@asynccontextmanager
async def carried(hurt: str) -> AsyncIterator[tuple[Line, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A line to something that says a hundred messages, over and over."""

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                assert data
                writer.write(PLAIN.raw() * 100)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(broker, "127.0.0.1", 0) as server:
        line = Line(server.sockets[0].getsockname()[1], random.Random(1))
        await line.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(b"PING\r\n")
        await reader.readexactly(len(PLAIN.raw()) * 100)
        await line.begin(hurt)
        try:
            yield line, reader, writer
        finally:
            writer.transport.abort()
            await line.close()


@pytest.mark.parametrize("hurt", [each for each in HURTS if each not in ("refuse", "reset", "drop-up")])
async def test_what_is_hurt_is_counted_and_healed(hurt: str) -> None:
    """Something is touched; afterwards a new connection is carried as it is."""
    async with carried(hurt) as (line, _, writer):
        writer.write(b"PING\r\n")
        await eventually(lambda: line.touched)
        await line.heal()
        reader, again = await asyncio.open_connection("127.0.0.1", line.port)
        again.write(b"PING\r\n")
        assert await reader.readexactly(len(PLAIN.raw()) * 100) == PLAIN.raw() * 100
        again.transport.abort()


@pytest.mark.parametrize("hurt", ["refuse", "reset"])
async def test_a_line_that_is_reset_or_refused_ends_its_connections(hurt: str) -> None:
    """Whoever was connected sees the end; who comes while it refuses gets nothing, and afterwards everything."""
    async with carried(hurt) as (line, reader, _):
        with contextlib.suppress(ConnectionError):
            await reader.read()  # to its end
        if hurt == "refuse":
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", line.port)
        await line.heal()
        _, again = await asyncio.open_connection("127.0.0.1", line.port)
        again.transport.abort()


async def test_a_dropped_direction_is_silent() -> None:
    """What is said upwards does not arrive, and nobody is told."""
    async with carried("drop-up") as (line, reader, writer):
        writer.write(b"PING\r\n")
        await eventually(lambda: line.touched)
        waiting = asyncio.create_task(reader.read(1))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        await line.heal()
        await asyncio.wait([waiting])
