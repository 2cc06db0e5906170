"""Parses the server's protocol by index; the result does not depend on how the bytes were cut into chunks.

Lines end in CRLF and one space separates arguments, as the server writes them. A message of a pull inbox goes raw to
the list of that inbox, as four byte strings; each chunk hands over one batch. All other messages go through the
library, one at a time.

An announced size is checked before a byte of it is kept, and numbers have one spelling. Each byte is searched at most
once for a line's end and copied at most twice, in any chunks.
"""

# The library has no public interface at this depth; its version is pinned, and tests use a real broker.
# ruff: noqa: SLF001

from __future__ import annotations

import re
from collections.abc import Callable

from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from bus.logs import logger
from bus.transport import server_info
from bus.transport.interface import Raw
from bus.transport.raw import MAX_BLOCK_BYTES
from bus.transport.server_info import MAX_ANNOUNCED_BYTES

MAX_INFO_BYTES = 1024 * 1024  # of a large cluster
MAX_LINE_BYTES = 4096 + 1024
"""Bytes of any other line: what the server takes from a publisher, and its own delivery address."""
_MAX_DIGITS = 10
_MESSAGE = (b"HMSG ", b"MSG ")
_MOST_WORDS = 6  # one more part than a message line may have is enough to refuse it
_LINE_END = b"\r\n"
_DELIVERED = re.compile(
    rb"HMSG ([^ \r\n]+) (%(n)b) ([^ \r\n]+) (%(n)b) (%(n)b)\r\n" % {b"n": rb"0|[1-9][0-9]{0,9}"}
)
"""The line of nearly every message; a line that does not match is read word by word and may still be valid."""
_ZERO = b"0"[0]

log = logger()


class HardenedParser(Parser):
    """The protocol of one connection.

    Attributes:
        inboxes: the receiver of each pull inbox, by the number of its subscription as the server writes it.
    """

    inboxes: dict[bytes, Callable[[list[Raw]], None]]

    def reset(self) -> None:
        """Start again at a control line."""
        super().reset()
        self.inboxes = {}
        self._needed = 0  # bytes needed before parsing can continue
        self._searched = 0  # no line ends before this index

    async def parse(self, data: bytes = b"") -> None:
        """Take bytes from the server and hand over complete messages.

        Raises:
            ProtocolError: they are not the server's protocol.
        """
        try:
            await self._parse(data)
        except (ProtocolError, OSError):
            raise
        except Exception as exc:
            # The library would log any error, stop reading and stay connected, so end the connection.
            log.warning("broker_not_understood", problem=repr(exc))
            raise ProtocolError from exc

    async def _parse(self, data: bytes) -> None:
        kept = self.buf
        if kept and len(kept) + len(data) >= self._needed > 0:
            data, self.buf = b"".join((kept, data)), bytearray()
        elif kept:
            kept += data
            if self._needed or not self._has_line():
                return
            data, self.buf = bytes(kept), bytearray()
        self._needed = self._searched = 0
        given: dict[bytes, list[Raw]] = {}
        try:
            done = await self._walk(data, given)
        finally:
            for number, messages in given.items():
                if (take := self.inboxes.get(number)) is not None:
                    take(messages)
        if done < len(data):
            self.buf = bytearray(data[done:] if done else data)

    def _has_line(self) -> bool:
        """Whether the kept bytes have the end of a line, or are too long for one; searched bytes are not searched again."""
        kept, start = self.buf, max(0, self._searched - 1)
        self._searched = len(kept)
        return kept.find(_LINE_END, start) >= 0 or len(kept) > _longest(kept, 0) + 1

    async def _walk(self, chunk: bytes, given: dict[bytes, list[Raw]]) -> int:
        """Take in all complete lines and messages of a chunk. Returns the index after them and notes how many bytes are needed next."""
        at, size = 0, len(chunk)
        inboxes = self.inboxes
        while at < size:
            line = _DELIVERED.match(chunk, at, at + MAX_LINE_BYTES + 2)
            if line is not None:
                subject, number, reply, before, whole = line.groups()
                header_bytes, total_bytes, start = int(before), int(whole), line.end()
            else:
                end = self._end_of_line(chunk, at)
                if end < 0:
                    self._searched = size - at
                    return at
                start = end + 2
                if not chunk.startswith(_MESSAGE, at):
                    await self._line(chunk[at:end])
                    at = start
                    continue
                words = chunk[at:end].split(b" ", _MOST_WORDS)
                number, subject, reply, header_bytes, total_bytes = _announced(words)
            if not header_bytes <= total_bytes <= MAX_ANNOUNCED_BYTES:
                raise ProtocolError
            stop = start + total_bytes
            if size < stop + 2:
                self._needed = stop + 2 - at
                return at
            if not chunk.startswith(_LINE_END, stop):
                raise ProtocolError  # the lengths lie
            middle = start + header_bytes
            if number in inboxes:
                block = chunk[start:middle] if header_bytes <= MAX_BLOCK_BYTES else b""
                messages = given.get(number)
                if messages is None:
                    messages = given[number] = []
                messages.append((subject, reply, block, chunk[middle:stop]))
            else:
                header = chunk[start:middle] if header_bytes else None
                await self.nc._process_msg(int(number), subject, reply, chunk[middle:stop], header)
            at = stop + 2
        return at

    @staticmethod
    def _end_of_line(chunk: bytes, at: int) -> int:
        """The index where the line from `at` ends; -1 if its end has not come yet."""
        end = chunk.find(_LINE_END, at, at + MAX_LINE_BYTES + 2)
        if end < 0:
            longest = _longest(chunk, at)
            end = chunk.find(_LINE_END, at, at + longest + 2)
            # One more byte may be the first half of the line's end.
            if end < 0 and len(chunk) - at > longest + 1:
                raise ProtocolError
        return end

    async def _line(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        match verb:
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


def _longest(text: bytes | bytearray, at: int) -> int:
    return MAX_INFO_BYTES if text.startswith(b"INFO ", at) else MAX_LINE_BYTES


def _announced(words: list[bytes]) -> tuple[bytes, bytes, bytes, int, int]:
    """The parts of a message line: (subscription, subject, reply, bytes of headers, bytes in all).

    `HMSG subject subscription [reply] headers total`, or `MSG subject subscription [reply] total`.
    """
    verb, *parts = words
    header_bytes, fewest = 0, 3
    if verb == b"HMSG":
        fewest = 4
        header_bytes = _count(parts[-2]) if len(parts) >= fewest else 0
    if len(parts) not in (fewest, fewest + 1):
        raise ProtocolError
    subject, number, total = parts[0], parts[1], parts[-1]
    reply = parts[2] if len(parts) > fewest else b""
    _count(number)
    return number, subject, reply, header_bytes, _count(total)


def _count(digits: bytes) -> int:
    """A number in its one spelling."""
    if not digits.isdigit() or len(digits) > _MAX_DIGITS or (digits[0] == _ZERO and len(digits) > 1):
        raise ProtocolError
    return int(digits)
