"""A proxy with TLS before a console, as an operator has one: it ends TLS, and says at which address it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

MOST_HEAD = 65_536


def free_port() -> int:
    """A port of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def tls_proxy(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """Run a proxy to a port of this machine. Gives the port at which it listens.

    Like nginx with `$proxy_add_x_forwarded_for`, it adds the address of the client to the right of what the client has sent.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            peer = writer.get_extra_info("peername")[0]
            inner, outer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(outer):
                outer.write(_with_visitor(head, peer.encode()))
                async with asyncio.TaskGroup() as tasks:
                    sending = tasks.create_task(_copied(reader, outer))
                    await _copied(inner, writer)
                    sending.cancel()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    bound: list[int] = []
    ready = threading.Event()
    ending = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(passed, "127.0.0.1", 0, ssl=context, limit=MOST_HEAD)
        bound.append(server.sockets[0].getsockname()[1])
        ready.set()
        await ending.wait()
        server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield bound[0]
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join()
        loop.run_until_complete(_ended(asyncio.all_tasks(loop)))
        loop.close()


async def _ended(tasks: Iterable[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def _with_visitor(head: bytes, peer: bytes) -> bytes:
    """The head of a request with the visitor's address to the right, for one request a connection."""
    first, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    kept, said = [], []
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"x-forwarded-for":
            said.append(value.strip())
        elif name.lower() != b"connection":
            kept.append(line)
    visitor = b"X-Forwarded-For: " + b", ".join([*said, peer])
    return b"\r\n".join([first, *kept, visitor, b"X-Forwarded-Proto: https", b"Connection: close", b"", b""])
