"""The NATS client, hardened against what a stored message may carry.

A stream keeps whatever bytes its publisher was allowed to send: a subject that is not UTF-8 or has a vertical tab in
it, a header called `Status`, a header block that begins like a server's error. The library's reader ends or closes on
such a message, and meets it again at each attach: one stolen transport key would blind every reader for good. Here
nothing that can be stored stops the reader, and what the server says is told from what a message says. The protocol is
read by `bus.transport.parser`.
"""

# The library offers no public way in at this depth; its version is pinned, and tests cross a real broker.
# ruff: noqa: SLF001

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import BadHeaderError, ConnectionClosedError, MaxPayloadError, ProtocolError, UnexpectedEOF

from bus.errors import BrokerError, UnreachableError
from bus.transport import server_info
from bus.transport.interface import BATCH_ID, BATCH_PLACE, Delivery, Outgoing, Raw, header_bytes
from bus.transport.parser import HardenedParser
from bus.transport.raw import HEADER_VERSION, RawHeaders, text_of

READ_BYTES = 256 * 1024
"""So much is taken off the socket at once: as much as the event loop reads at once."""
TCP_USER_TIMEOUT_MS = 8000
_CRLF = "\r\n"
_LINE_END = _CRLF.encode("ascii")
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


def lines_of(headers: Mapping[str, str]) -> bytes:
    """Headers as they are written.

    Raises:
        BadHeaderError: of the library, one has a line end in it.
    """
    lines = "".join([f"{name}: {value}{_CRLF}" for name, value in headers.items()])
    if lines.count("\n") != len(headers):
        raise BadHeaderError
    return lines.encode("ascii")


def headers_of(message: Msg) -> RawHeaders:
    """The headers of a message received by a `HardenedClient`."""
    headers = message.headers
    return headers if isinstance(headers, RawHeaders) else RawHeaders(b"")


class HardenedClient(Client):
    """The library's client with our parser and headers, and a transport key's public half to log in with."""

    def __init__(self, public_nkey: str) -> None:
        super().__init__()
        self._public_nkey = public_nkey
        self._ps: HardenedParser = HardenedParser(self)

    @property
    def is_reading(self) -> bool:
        """Whether what the server says is still read."""
        task = self._reading_task
        return task is not None and not task.done()

    def let_go(self) -> None:
        """End what still waits for messages, and the socket: a connecting or closing that fails midway leaves both."""
        for subscription in self._subs.values():
            subscription._stop_processing()
        self._subs.clear()
        if self._transport is not None:
            with contextlib.suppress(Exception):  # it may be closed already, or not have been opened
                self._transport.close()  # type: ignore[no-untyped-call]

    def set_tcp_user_timeout(self) -> None:
        """Give up a socket on which nothing is acknowledged, where the system can: a black hole is noticed within seconds."""
        writer = getattr(self._transport, "_io_writer", None)
        sock = writer.get_extra_info("socket") if writer is not None else None
        if sock is not None and _TCP_USER_TIMEOUT is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)

    def refuse_too_large(self, payload: bytes, headers: Mapping[str, str]) -> None:
        """The server ends a connection that sends more than it takes; so ask first. Headers count.

        Raises:
            MaxPayloadError: of the library, which looks at the payload alone.
        """
        if len(payload) + header_bytes(headers.items()) > self.max_payload:
            raise MaxPayloadError

    async def publish_all(self, messages: Iterable[Outgoing], batch: str = "") -> None:
        """Write messages in one go; the library writes, and yields, one at a time.

        Args:
            messages: the messages.
            batch: the name of the atomic batch that they open; empty when they are none.

        Raises:
            ConnectionClosedError, MaxPayloadError: of the library; nothing was written.
        """
        if not self.is_connected:
            raise ConnectionClosedError
        most, begins = self.max_payload, f"{HEADER_VERSION}{_CRLF}".encode("ascii")
        parts: list[bytes] = []
        for place, message in enumerate(messages, 1):
            lines, payload = message.lines or lines_of(message.headers), message.payload
            if batch:
                lines += f"{BATCH_ID}: {batch}{_CRLF}{BATCH_PLACE}: {place}{_CRLF}".encode("ascii")
            head = begins + lines + _LINE_END
            size = len(head) + len(payload)
            if size > most:
                raise MaxPayloadError
            parts += (
                f"HPUB {message.subject} {len(head)} {size}{_CRLF}".encode("ascii"),
                head,
                payload,
                _LINE_END,
            )
        await self._send_command(b"".join(parts))
        await self._flush_pending()

    @contextlib.asynccontextmanager
    async def inbox(self, subject: str, take: Callable[[list[Raw]], None]) -> AsyncIterator[None]:
        """Subscribe a pull inbox: its messages go to `take` as they are, a batch for each chunk off the socket.

        The library would make an object, a mapping and a turn of the event loop for each.

        Raises:
            ConnectionClosedError: of the library.
        """
        # What came before the parser knows the inbox would be nobody's answer: nothing has been asked for yet.
        subscription = await self.subscribe(
            subject, cb=_dropped, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        inboxes, number = self._ps.inboxes, b"%d" % subscription._id
        inboxes[number] = take
        try:
            yield
        finally:
            inboxes.pop(number, None)
            # The link may be gone; the server drops what has no interest.
            with contextlib.suppress(Exception):
                await subscription.unsubscribe()

    async def _read_loop(self) -> None:
        # The library's, which takes 32 KiB at once.
        while self._transport is not None and not (self.is_closed or self.is_reconnecting):
            try:
                if self._transport.at_eof():
                    await self._error_cb(UnexpectedEOF())
                    await self._process_op_err(UnexpectedEOF())
                    return
                await self._ps.parse(await self._transport.read(READ_BYTES))
            except (ProtocolError, OSError) as exc:
                await self._process_op_err(exc)
                return
            except asyncio.CancelledError:
                return

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # The first one is read past the parser, and the library acts on the members that stand in it afterwards.
        said = server_info.checked(info)
        if initial_connection:
            info.clear()
            info.update(said)

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        return RawHeaders(headers) if headers else None

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        return Msg(
            _client=self,
            _sid=sid,
            subject=text_of(subject),
            reply=text_of(reply),
            data=data,
            headers=headers,
        )


async def _dropped(_: Msg) -> None:
    """Take a message that nobody asked for."""


def as_delivery(message: Msg) -> Delivery:
    """A message received by a `HardenedClient`, as the rooms know it."""
    headers = headers_of(message)
    return Delivery(
        subject=message.subject,
        reply=message.reply,
        payload=message.data,
        headers=headers.pairs,
        status=headers.status,
        description=headers.description,
    )


@contextlib.contextmanager
def mapped() -> Iterator[None]:
    """Turn the client's exceptions into ours.

    Raises:
        UnreachableError, BrokerError: `too-large`; as `Connection.request`.
    """
    try:
        yield
    except TimeoutError:
        raise UnreachableError("the bus did not answer in time") from None
    except nats.errors.MaxPayloadError:
        raise BrokerError("larger than the bus accepts", reason="too-large") from None
    except (nats.errors.Error, OSError) as exc:
        raise UnreachableError(f"the bus does not answer ({str(exc) or type(exc).__name__})") from None
