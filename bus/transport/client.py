"""The NATS client, hardened against hostile stored messages.

A stream keeps any bytes that its publisher may send: a subject that is not UTF-8 or has a vertical tab in it, a header
called `Status`, a header block that begins like a server's error. The library's reader ends or closes on such a
message, and meets it again at each attach: one stolen transport key would blind every reader for good. Here no stored
message stops the reader, and words of the server are told apart from words of a message. `bus.transport.parser` reads
the protocol.
"""

# The library has no public interface at this depth; its version is pinned, and tests use a real broker.
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
"""Bytes taken off the socket at once: as many as the event loop reads at once."""
TCP_USER_TIMEOUT_MS = 8000
_CRLF = "\r\n"
_LINE_END = _CRLF.encode("ascii")
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


def lines_of(headers: Mapping[str, str]) -> bytes:
    """Headers as they are written.

    Raises:
        BadHeaderError: of the library; a header has a line end in it.
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
        """Whether the client still reads from the server."""
        task = self._reading_task
        return task is not None and not task.done()

    def let_go(self) -> None:
        """End all waiting readers and close the socket: a connect or close that fails midway leaves both."""
        for subscription in self._subs.values():
            subscription._stop_processing()
        self._subs.clear()
        if self._transport is not None:
            with contextlib.suppress(Exception):  # it may be closed already, or was never opened
                self._transport.close()  # type: ignore[no-untyped-call]

    def set_tcp_user_timeout(self) -> None:
        """Set TCP_USER_TIMEOUT, where the system has it: a socket without acknowledgements ends within seconds."""
        writer = getattr(self._transport, "_io_writer", None)
        sock = writer.get_extra_info("socket") if writer is not None else None
        if sock is not None and _TCP_USER_TIMEOUT is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)

    def refuse_too_large(self, payload: bytes, headers: Mapping[str, str]) -> None:
        """Refuse a message that is too large, headers included: the server would end the connection.

        Raises:
            MaxPayloadError: of the library, which looks at the payload alone.
        """
        if len(payload) + header_bytes(headers.items()) > self.max_payload:
            raise MaxPayloadError

    async def publish_all(self, messages: Iterable[Outgoing], batch: str = "") -> None:
        """Write messages in one go; the library writes, and yields, one at a time.

        Args:
            messages: the messages.
            batch: the name of the atomic batch that they open; empty for no batch.

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
        """Subscribe a pull inbox: its raw messages go to `take`, one batch for each chunk off the socket.

        The library would make an object, a mapping and a turn of the event loop for each.

        Raises:
            ConnectionClosedError: of the library.
        """
        # No answer can come before the parser knows the inbox, because nothing has been requested yet.
        subscription = await self.subscribe(
            subject, cb=_dropped, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        inboxes, number = self._ps.inboxes, b"%d" % subscription._id
        inboxes[number] = take
        try:
            yield
        finally:
            inboxes.pop(number, None)
            # The link may be gone; the server drops subscriptions without a connection.
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
        # The first INFO is read without the parser, and the library acts later on the members that it has then.
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
    """Drop a message that nobody requested."""


def as_delivery(message: Msg) -> Delivery:
    """A message received by a `HardenedClient`, as the `Delivery` that the rooms use."""
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
