"""Serves `/healthz` and `/metrics` of a program over HTTP, from a separate thread.

The thread has its own event loop: a slow client cannot block the program, and a hanging program is still reported.
There are bounds on connections, lines of a request and their bytes, and the seconds of a request. With too many
connections the oldest is cut. A connection has one request, of which only the first line is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from bus.errors import ConfigError
from bus.health.report import Report, encoded

MOST_CONNECTIONS = 8
MOST_REQUEST = 4096
MOST_HEADERS = 100
LASTS_S = 3.0
START_S = 10.0
UNIX = "unix:"
_PORT = re.compile(r"(\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9._-]*):([0-9]{1,5})")
_LOOPBACK = "127.0.0.1"
_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"
NO_METRICS = "metrics need the extra: pip install 'tocsin[metrics]'\n"


class Answer(NamedTuple):
    """An HTTP answer: status, content type, body."""

    status: HTTPStatus
    kind: str
    body: bytes


class Address(NamedTuple):
    """The address of the service: a host and a port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None


def parse_address(text: str) -> Address:
    """Parse an address: `HOST:PORT`, `:PORT` on the loopback, or `unix:PATH`.

    Raises:
        ConfigError: `health-address`.
    """
    if text.startswith(UNIX) and text != UNIX:
        return Address(path=Path(text[len(UNIX) :]))
    found = _PORT.fullmatch(text)
    if found is None or int(found[2]) > 65_535:
        raise ConfigError(
            f"{text!r} is no address for health",
            remedy="write HOST:PORT, such as 127.0.0.1:9180, or unix:PATH",
            reason="health-address",
        )
    return Address(host=found[1].strip("[]") or _LOOPBACK, port=int(found[2]))


def answer(line: str, report: Callable[[], Report], metrics: Callable[[], bytes] | None) -> Answer:
    """The answer to a request.

    Args:
        line: its first line.
        report: gives the present report.
        metrics: gives the present metrics, in the text format; None without the extra.
    """
    method, _, rest = line.partition(" ")
    path = rest.split(" ")[0].partition("?")[0]
    if not rest.startswith("/"):
        return Answer(HTTPStatus.BAD_REQUEST, _TEXT, b"this is no request\n")
    if method not in ("GET", "HEAD"):
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"only GET is answered\n")
    if path == "/healthz":
        found = report()
        status = HTTPStatus.SERVICE_UNAVAILABLE if found.is_bad else HTTPStatus.OK
        return Answer(status, _JSON, encoded(found) + b"\n")
    if path == "/metrics":
        if metrics is None:
            return Answer(HTTPStatus.NOT_FOUND, _TEXT, NO_METRICS.encode())
        return Answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", metrics())
    return Answer(HTTPStatus.NOT_FOUND, _TEXT, b"/healthz and /metrics are here\n")


@contextmanager
def serve(
    address: Address, report: Callable[[], Report], metrics: Callable[[], bytes] | None
) -> Iterator[Address]:
    """Serve for as long as the context lasts. Yields the address, with the chosen port if it was 0.

    Args:
        address: the address.
        report: gives the present report; called in another thread.
        metrics: as in `answer`; called in another thread.

    Raises:
        ConfigError: `health-address`; the address cannot be used.
    """
    server = _Server(_listening(address), report, metrics)
    ours = None if address.path is None else _file(address.path)
    bound = address if address.path else address._replace(port=server.socket.getsockname()[1])
    server.start()
    try:
        yield bound
    finally:
        server.end()
        if address.path is not None and _file(address.path) == ours:
            address.path.unlink(missing_ok=True)


def _listening(address: Address) -> socket.socket:
    try:
        if address.path is None:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            return socket.create_server((address.host, address.port), family=family, backlog=MOST_CONNECTIONS)
        if address.path.is_socket():
            _must_be_left(address.path)
            address.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(address.path))
            address.path.chmod(0o600)
            listener.listen(MOST_CONNECTIONS)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError) as exc:
        where = address.path or f"{address.host}:{address.port}"
        why = exc.strerror if isinstance(exc, OSError) else "no such name"
        raise ConfigError(
            f"health cannot be served at {where}: {why}",
            remedy="choose another: --health HOST:PORT",
            reason="health-address",
        ) from None
    return listener


def _must_be_left(path: Path) -> None:
    """Refuse a socket on which a program listens: clients there must get that program's answer. A killed program leaves its socket.

    Raises:
        OSError: it is in use.
    """
    with socket.socket(socket.AF_UNIX) as caller:
        caller.setblocking(False)
        try:
            caller.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            pass  # its queue is full of other clients
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _file(path: Path) -> tuple[int, int] | None:
    """The identity of the file at a path; None if there is none."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        return found.st_dev, found.st_ino
    return None


class _Server:
    """A thread with an event loop that answers at a socket."""

    def __init__(
        self, listener: socket.socket, report: Callable[[], Report], metrics: Callable[[], bytes] | None
    ) -> None:
        self.socket = listener
        self._report, self._metrics = report, metrics
        self._talks: dict[asyncio.Task[None], None] = {}  # the longest first
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Start answering."""
        self._thread.start()

    def end(self) -> None:
        """Stop answering."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self.socket, limit=MOST_REQUEST)
        async with server:
            await self._stop.wait()
            # No further connection is accepted, and those just accepted get their task after some turns. If the server
            # is closed before, their sockets stay open.
            self._loop.remove_reader(self.socket)
            await _turns()
        while talks := asyncio.all_tasks() - {asyncio.current_task()}:
            for talk in talks:
                talk.cancel()
            await asyncio.gather(*talks, return_exceptions=True)
            await _turns()  # aborted connections are closed then

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._talks) >= MOST_CONNECTIONS:
            oldest = next(iter(self._talks))  # otherwise silent clients would block others
            del self._talks[oldest]
            oldest.cancel()
        talk = self._loop.create_task(self._talk(reader, writer))
        self._talks[talk] = None
        talk.add_done_callback(lambda _: self._left(talk, writer))

    def _left(self, talk: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        """A connection has ended, perhaps before its task began."""
        self._talks.pop(talk, None)
        writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError, ValueError, OSError):
            # Ignore errors of a client that is slow, sends too much or disconnects.
            async with asyncio.timeout(LASTS_S):
                line = (await reader.readline()).decode("latin-1").rstrip("\r\n")
                for _ in range(MOST_HEADERS):
                    if not (await reader.readline()).strip():
                        break
                else:
                    return
                given = answer(line, self._report, self._metrics)
                writer.write(_written(given, with_body=not line.startswith("HEAD ")))
                await writer.drain()
                writer.close()
                await writer.wait_closed()


async def _turns(count: int = 10) -> None:
    """Let the loop take some turns: an accepted socket becomes a transport, then a task, then runs, one turn each."""
    for _ in range(count):
        await asyncio.sleep(0)


def _written(given: Answer, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {given.status.value} {given.status.phrase}\r\nContent-Type: {given.kind}\r\n"
        f"Content-Length: {len(given.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (given.body if with_body else b"")
