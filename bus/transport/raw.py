"""A message as it came off the socket, and its parsed header block.

A message of a pull inbox stays four byte strings until its reader takes it: a waiting message is not split or decoded.
Headers keep their repeats; the library keeps only the last of equal names.
"""

from __future__ import annotations

from collections.abc import Iterable

from bus.transport.interface import Delivery, Raw
from bus.transport.streams import HEADER_SLACK_BYTES
from schemas.envelope import MAX_HEADER_BYTES

HEADER_VERSION = "NATS/1.0"
MAX_BLOCK_BYTES = MAX_HEADER_BYTES + HEADER_SLACK_BYTES
MAX_HEADER_LINES = 256
"""Most lines of a block. A block with more, or one longer than the broker takes, is read as empty, so its message is refused."""
MAX_STATUS = 256


class RawHeaders(dict[str, str]):
    """A received header block.

    Attributes:
        pairs: the header lines in order, with repeats.
        status: the code in the first line; empty if there is none.
        description: the words after it.

    As a mapping it serves the library, which asks only for `Status` and `Description`. Both come from the first line,
    never from headers of the message.
    """

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        if len(raw) > MAX_BLOCK_BYTES or raw.count(b"\r\n") > MAX_HEADER_LINES + 2:
            raw = b""  # the connection stays: otherwise the publisher of such a block would blind all readers
        # Latin-1 keeps every byte; admission refuses non-ASCII headers that matter.
        first, *lines = raw.decode("latin-1").split("\r\n")
        parted = [line.partition(":") for line in lines]
        self.pairs = tuple((name, value.strip(" \t")) for name, colon, value in parted if colon)
        inline = first.removeprefix(HEADER_VERSION) if first.startswith(HEADER_VERSION) else ""
        status, _, description = inline[:MAX_STATUS].strip(" \t\v\f").partition(" ")
        self.status, self.description = status, description
        if self.status:
            self["Status"], self["Description"] = self.status, self.description


def text_of(name: bytes) -> str:
    """A subject as text. Ours are ASCII; any other is kept legible, so that it can be refused and shown."""
    return name.decode("utf-8", "backslashreplace")


def block_of(pairs: Iterable[tuple[str, str]], status: str = "", description: str = "") -> bytes:
    """The header block with these lines, one byte for each character, as `RawHeaders` reads it."""
    first = f"{HEADER_VERSION} {status} {description}".rstrip(" ")
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    return f"{first}\r\n{lines}\r\n".encode("latin-1", "backslashreplace")


def raw_of(delivery: Delivery) -> Raw:
    """A message as it would come off a socket; for the broker in memory."""
    block = block_of(delivery.headers, delivery.status, delivery.description)
    subject, reply = (name.encode("utf-8", "backslashreplace") for name in (delivery.subject, delivery.reply))
    return subject, reply, block, delivery.payload
