"""What the programs of a run did, as JSON lines: each writes its own file, and all of them together are the history."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="did", tag=str.lower):
    """Something that happened; `at` is in seconds since the epoch."""

    at: float = msgspec.field(default_factory=time.time)


class Reads(Event, frozen=True, kw_only=True):
    """A hub may read these channels; of others it must show nothing."""

    hub: str
    channels: tuple[str, ...]


class Accepted(Event, frozen=True, kw_only=True):
    """`publish` has returned: from here on the bulletin must not be lost."""

    channel: str
    seq: int
    digest: str


class Kept(Event, frozen=True, kw_only=True):
    """A bulletin stands in an outbox, whether or not its author lived to tell that it was accepted."""

    channel: str
    seq: int
    digest: str


class Stored(Event, frozen=True, kw_only=True):
    """A stream has acknowledged a bulletin."""

    digest: str


class Admitted(Event, frozen=True, kw_only=True):
    """A hub has admitted a bulletin; `row` is its place in the order."""

    hub: str
    row: int
    channel: str
    seq: int
    digest: str
    filled: bool = False
    """It says of itself that it fills a gap that had been said before: it came late, and everybody can see so."""


class Withdrawn(Event, frozen=True, kw_only=True):
    """A hub holds a row no longer: a key has ended, and what it had signed is judged anew."""

    hub: str
    row: int


class Refused(Event, frozen=True, kw_only=True):
    """A hub has put a message into quarantine."""

    hub: str
    digest: str
    reason: str


class Forged(Event, frozen=True, kw_only=True):
    """Something that its authority never said got into a stream; `channel` is the one it pretends to be of."""

    kind: str
    channel: str
    digest: str


class Revoked(Event, frozen=True, kw_only=True):
    """From now on the registry on everybody's disk says that an authority's only key has ended."""

    authority: str


class Fault(Event, frozen=True, kw_only=True):
    """Something was broken."""

    kind: str
    target: str


class Mended(Event, frozen=True, kw_only=True):
    """What was broken works again, as far as whoever broke it can tell."""

    kind: str
    target: str


AnyEvent = (
    Reads | Accepted | Kept | Stored | Admitted | Withdrawn | Refused | Forged | Revoked | Fault | Mended
)
_DECODER = msgspec.json.Decoder(AnyEvent)


class History:
    """One program's file. Each event is one write to the kernel, so what was told survives the death of the program."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")  # whoever wrote here before was killed in the middle of a line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def tell(self, *events: AnyEvent) -> None:
        """Write events down."""
        if events:
            os.write(self._file, b"".join(msgspec.json.encode(each) + b"\n" for each in events))


def read(paths: Iterable[Path]) -> Iterator[AnyEvent]:
    """All events of some files. A line that was never finished tells nothing."""
    for path in paths:
        for line in path.read_bytes().splitlines():
            try:
                yield _DECODER.decode(line)
            except msgspec.DecodeError as exc:
                if isinstance(exc, msgspec.ValidationError):
                    raise  # a whole line that is no event is a fault of ours
