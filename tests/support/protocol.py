"""The server's protocol read as simply as can be: the yardstick of the parser that is fast."""

from __future__ import annotations

import re
from typing import Any

from nats.errors import ProtocolError

from bus.transport import server_info
from bus.transport.parser import MAX_INFO_BYTES, MAX_LINE_BYTES
from bus.transport.raw import MAX_BLOCK_BYTES
from bus.transport.server_info import MAX_ANNOUNCED_BYTES

_NUMBER = re.compile(rb"0|[1-9][0-9]{0,9}")


def read(data: bytes, inboxes: frozenset[bytes]) -> tuple[dict[bytes, list[Any]], list[Any], bool]:
    """What stands in some bytes of the server, all at hand: messages by inbox, everything else, whether they break the protocol."""
    bulk: dict[bytes, list[Any]] = {}
    other: list[Any] = []
    at = 0
    while at < len(data):
        end = data.find(b"\r\n", at)
        longest = MAX_INFO_BYTES if data.startswith(b"INFO ", at) else MAX_LINE_BYTES
        if end < 0 and len(data) - at <= longest + 1:
            return bulk, other, False  # the rest of the line is still to come
        if end < 0 or end - at > longest:
            return bulk, other, True
        line = data[at:end]
        at = end + 2
        if not line.startswith((b"MSG ", b"HMSG ")):
            verb, _, rest = line.partition(b" ")
            if verb not in (b"PING", b"PONG", b"-ERR", b"INFO", b"+OK"):
                return bulk, other, True
            if verb == b"INFO":
                try:
                    server_info.read(rest)
                except ProtocolError:
                    return bulk, other, True
            other.append(verb)
            continue
        try:
            number, subject, reply, headers, total = _announced(line)
        except ProtocolError:
            return bulk, other, True
        if len(data) < at + total + 2:
            return bulk, other, False
        if data[at + total : at + total + 2] != b"\r\n":
            return bulk, other, True
        block, payload = data[at : at + headers], data[at + headers : at + total]
        at += total + 2
        if number in inboxes:
            kept = block if len(block) <= MAX_BLOCK_BYTES else b""
            bulk.setdefault(number, []).append((subject, reply, kept, payload))
        else:
            other.append((int(number), subject, reply, payload, block or None))
    return bulk, other, False


def _announced(line: bytes) -> tuple[bytes, bytes, bytes, int, int]:
    verb, *parts = line.split(b" ")
    counts = 2 if verb == b"HMSG" else 1
    if len(parts) - counts not in (2, 3):
        raise ProtocolError
    numbers = [parts[1], *parts[-counts:]]
    if not all(map(_NUMBER.fullmatch, numbers)):
        raise ProtocolError
    reply = parts[2] if len(parts) - counts == 3 else b""
    total = int(numbers[-1])
    headers = int(numbers[1]) if counts == 2 else 0
    if not headers <= total <= MAX_ANNOUNCED_BYTES:
        raise ProtocolError
    return parts[1], parts[0], reply, headers, total
