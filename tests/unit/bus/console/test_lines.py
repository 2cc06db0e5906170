"""Lines of browsers: who opens many and says nothing keeps nobody out."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket

import uvicorn

from bus.console import lines
from bus.console.shield import Receive, Scope, Send
from tests.support.waiting import longest

WORDS = (b"", b"GET / HTTP/1.1\r\nhost: x\r\n", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1")


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/events":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"told", "more_body": True})
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/events":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def test_who_opens_lines_and_keeps_the_console_waiting_is_cut_off() -> None:
    """Silent, in the middle of a request, or in that of a form: the oldest goes. Who hears events, and who asks, is answered."""
    config = uvicorn.Config(
        _answer, http=lines.protocol_of(4), log_config=None, lifespan="off", host="127.0.0.1", port=0
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    hearing, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
    await hearing.readuntil(b"told")
    silent = []
    for n in range(12):
        opened = await asyncio.open_connection("127.0.0.1", port)
        opened[1].write(WORDS[n % len(WORDS)])
        silent.append(opened)
    asking, asked = await asyncio.open_connection("127.0.0.1", port)
    asked.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await asyncio.wait_for(asking.readuntil(b"ok"), longest())).startswith(b"HTTP/1.1 200")
    for reader, _ in silent[:9]:
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), longest()) == b""
    assert not hearing.at_eof()
    for each in (writer, asked, *(each for _, each in silent)):
        each.close()
    server.should_exit = True
    await serving


def test_there_is_room_for_lines_within_what_the_system_gives() -> None:
    """And the process may open more than lines."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = lines.room()
    now, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 1 <= most <= lines.MOST_LINES
    assert now == resource.RLIM_INFINITY or most + lines.FILES <= now
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_no_part_of_a_page_waits_for_the_browser() -> None:
    """Head and body are sent at once: what listens has lines on which nothing is held back until what came before is acknowledged."""
    made: asyncio.Queue[asyncio.BaseTransport] = asyncio.Queue()

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.put_nowait(transport)

    listening = lines.listening("127.0.0.1", 0)
    async with await asyncio.get_running_loop().create_server(Noting, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        line = await asyncio.wait_for(made.get(), longest())
        assert line.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
