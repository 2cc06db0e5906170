"""A message as it came off the socket, and what its header block says.

A message of a pull inbox stays four pieces of bytes until its reader takes it: nothing is split or decoded for one that
only waits. Headers stay as they came, repeats included; the library keeps only the last of equal names.
"""

from __future__ import annotations

from collections.abc import Iterable

from bus.transport.interface import Delivery, Raw
from bus.transport.streams import HEADER_SLACK_BYTES
from schemas.envelope import MAX_HEADER_BYTES

HEADER_VERSION = "NATS/1.0"
MAX_BLOCK_BYTES = MAX_HEADER_BYTES + HEADER_SLACK_BYTES
MAX_HEADER_LINES = 256
"""A block with more lines, or longer than the broker takes, is none of ours and read as empty: what it holds is refused."""
MAX_STATUS = 256


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
        if len(raw) > MAX_BLOCK_BYTES or raw.count(b"\r\n") > MAX_HEADER_LINES + 2:
            raw = b""  # the connection stays: a publisher of such a block would blind every reader otherwise
        # Latin-1 keeps every byte; what is not ASCII is refused where it matters, at admission.
        first, *lines = raw.decode("latin-1").split("\r\n")
        parted = [line.partition(":") for line in lines]
        self.pairs = tuple((name, value.strip(" \t")) for name, colon, value in parted if colon)
        inline = first.removeprefix(HEADER_VERSION) if first.startswith(HEADER_VERSION) else ""
        status, _, description = inline[:MAX_STATUS].strip(" \t\v\f").partition(" ")
        self.status, self.description = status, description
        if self.status:
            self["Status"], self["Description"] = self.status, self.description


def text_of(name: bytes) -> str:
    """A subject as text. One of ours is ASCII; whatever else came is kept legible, so that it can be refused and shown."""
    return name.decode("utf-8", "backslashreplace")


def block_of(pairs: Iterable[tuple[str, str]], status: str = "", description: str = "") -> bytes:
    """The header block that has these lines; its bytes are those of `RawHeaders`, one for each character."""
    first = f"{HEADER_VERSION} {status} {description}".rstrip(" ")
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    return f"{first}\r\n{lines}\r\n".encode("latin-1", "backslashreplace")


def raw_of(delivery: Delivery) -> Raw:
    """A message as it would have come off a socket; for a broker that has none."""
    block = block_of(delivery.headers, delivery.status, delivery.description)
    subject, reply = (name.encode("utf-8", "backslashreplace") for name in (delivery.subject, delivery.reply))
    return subject, reply, block, delivery.payload
