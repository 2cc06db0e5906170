"""The NATS client, hardened against what a stored message may carry.

A stream keeps whatever bytes its publisher was allowed to send: a subject that is not UTF-8 or has a vertical tab in
it, a header called `Status`, a header block that begins like a server's error. The library's reader ends or closes on
such a message, and meets it again at each attach: one stolen transport key would blind every reader for good. Here
nothing that can be stored stops the reader, and what the server says is told from what a message says. Headers stay
as they came, repeats included; the library keeps only the last of equal names.
"""

# The library offers no public way in at this depth; its version is pinned, and tests cross a real broker.
# ruff: noqa: SLF001

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import BadHeaderError, ConnectionClosedError, MaxPayloadError, ProtocolError
from nats.protocol.parser import Parser

from bus.errors import BrokerError, UnreachableError
from bus.transport import server_info
from bus.transport.interface import Delivery, Outgoing, header_bytes
from bus.transport.server_info import MAX_ANNOUNCED_BYTES
from bus.transport.streams import HEADER_SLACK_BYTES
from schemas.envelope import MAX_HEADER_BYTES

MAX_INFO_BYTES = 1024 * 1024  # of a large cluster
MAX_LINE_BYTES = 4096 + 1024
"""Any other line: what the server takes of a publisher, and its own delivery address."""
MAX_HEADER_LINES = 256
"""A block with more lines, or longer than the broker takes, is none of ours and read as empty: what it holds is refused."""
_NUMBER = re.compile(rb"[0-9]{1,10}")
TCP_USER_TIMEOUT_MS = 8000
_LINE_END = b"\r\n"
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)
_HEADER_VERSION = "NATS/1.0"
_MAX_HEADER_BYTES = MAX_HEADER_BYTES + HEADER_SLACK_BYTES
MAX_STATUS = 256

log = structlog.get_logger()


class RawHeaders(dict[str, str]):
    """A received header block.

    Attributes:
        pairs: the header lines in order, with repeats.
        status: the code in the first line, empty when there is none.
        description: the words after it.

    As a mapping it serves the library, which asks for `Status` and `Description` alone: there they are the first
    line's, whatever headers a message has.
    """

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        if len(raw) > _MAX_HEADER_BYTES or raw.count(b"\r\n") > MAX_HEADER_LINES + 2:
            raw = b""  # the connection stays: a publisher of such a block would blind every reader otherwise
        # Latin-1 keeps every byte; what is not ASCII is refused where it matters, at admission.
        first, *lines = raw.decode("latin-1").split("\r\n")
        parted = [line.partition(":") for line in lines]
        self.pairs = tuple((name, value.strip(" \t")) for name, colon, value in parted if colon)
        inline = first.removeprefix(_HEADER_VERSION) if first.startswith(_HEADER_VERSION) else ""
        status, _, description = inline[:MAX_STATUS].strip(" \t\v\f").partition(" ")
        self.status, self.description = status, description
        if self.status:
            self["Status"], self["Description"] = self.status, self.description


def headers_of(message: Msg) -> RawHeaders:
    """The headers of a message received by a `HardenedClient`."""
    headers = message.headers
    return headers if isinstance(headers, RawHeaders) else RawHeaders(b"")


class HardenedParser(Parser):
    """The server's protocol, split as the server splits it: lines end in CRLF, arguments are parted by a space."""

    def reset(self) -> None:
        """Begin anew, at a control line."""
        super().reset()
        self._coming: tuple[int, bytes, bytes, int, int] | None = None
        self._searched = 0

    async def parse(self, data: bytes = b"") -> None:
        """Take bytes from the server and hand over what is complete.

        Raises:
            ProtocolError: they are not the server's protocol.
        """
        try:
            await self._parse(data)
        except (ProtocolError, OSError):
            raise
        except Exception as exc:
            # The library would log it and read no more, and stay connected: whatever it is, the connection ends.
            log.warning("broker_not_understood", problem=repr(exc))
            raise ProtocolError from exc

    async def _parse(self, data: bytes) -> None:
        self.buf.extend(data)
        while self.buf:
            if self._coming is None:
                # From where the last search ended: a line that comes byte by byte is searched once.
                end = self.buf.find(_LINE_END, self._searched)
                if (len(self.buf) if end < 0 else end) > self._longest():
                    raise ProtocolError
                if end < 0:
                    self._searched = max(0, len(self.buf) - 1)
                    return
                self._searched = 0
                line = bytes(self.buf[:end])
                del self.buf[: end + 2]
                await self._line(line)
                continue
            sid, subject, reply, header_bytes, total_bytes = self._coming
            if len(self.buf) < total_bytes + 2:
                return
            header = bytes(self.buf[:header_bytes]) if header_bytes else None
            payload = bytes(self.buf[header_bytes:total_bytes])
            del self.buf[: total_bytes + 2]
            self._coming = None
            await self.nc._process_msg(sid, subject, reply, payload, header)

    def _longest(self) -> int:
        return MAX_INFO_BYTES if self.buf.startswith(b"INFO ") else MAX_LINE_BYTES

    async def _line(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        match verb:
            case b"HMSG" | b"MSG":
                self._coming = _announced(rest, with_headers=verb == b"HMSG")
            case b"PING":
                await self.nc._process_ping()
            case b"PONG":
                await self.nc._process_pong()
            case b"-ERR":
                await self.nc._process_err(rest.decode("utf-8", "backslashreplace").lower())
            case b"INFO":
                await self.nc._process_info(server_info.read(rest))
            case b"+OK":
                pass
            case _:
                raise ProtocolError


def _announced(rest: bytes, *, with_headers: bool) -> tuple[int, bytes, bytes, int, int]:
    """The arguments of a message line: subscription, subject, reply, bytes of headers, bytes in all."""
    subject, sid, *middle = rest.split(b" ")
    try:
        total_bytes = _count(middle.pop())
        header_bytes = _count(middle.pop()) if with_headers else 0
        reply = middle.pop() if middle else b""
        number = _count(sid)
    except IndexError:
        raise ProtocolError from None
    if middle or not header_bytes <= total_bytes <= MAX_ANNOUNCED_BYTES:
        raise ProtocolError
    return number, subject, reply, header_bytes, total_bytes


def _count(digits: bytes) -> int:
    if not _NUMBER.fullmatch(digits):
        raise ProtocolError
    return int(digits)


class HardenedClient(Client):
    """The library's client with the parser and headers above, and a transport key's public half to log in with."""

    def __init__(self, public_nkey: str) -> None:
        super().__init__()
        self._public_nkey = public_nkey
        self._ps = HardenedParser(self)

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

    async def publish_all(self, messages: Iterable[Outgoing]) -> None:
        """Write messages in one go; the library writes, and yields, one at a time.

        Raises:
            ConnectionClosedError: of the library.
        """
        if not self.is_connected:
            raise ConnectionClosedError
        block = bytearray()
        for message in messages:
            lines = "".join(f"{name}: {value}\r\n" for name, value in message.headers.items())
            if lines.count("\n") != len(message.headers):
                raise BadHeaderError
            head = f"{_HEADER_VERSION}\r\n{lines}\r\n".encode("ascii")
            size = len(head) + len(message.payload)
            block += f"HPUB {message.subject} {len(head)} {size}\r\n".encode("ascii")
            block += head + message.payload + _LINE_END
        await self._send_command(bytes(block))
        await self._flush_pending()

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
        # A subject of ours is ASCII; whatever else came is kept legible, so that it can be refused and shown.
        return Msg(
            _client=self,
            _sid=sid,
            subject=subject.decode("utf-8", "backslashreplace"),
            reply=reply.decode("utf-8", "backslashreplace"),
            data=data,
            headers=headers,
        )


def delivery_of(message: Msg) -> Delivery:
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
