"""A row of the outbox: how far it has come, and whether it still is what was signed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from bus.errors import StoreError
from schemas.bulletin import Bulletin
from schemas.codec import digest as digest_of
from schemas.envelope import MESSAGE_ID


class RowState(StrEnum):
    """How far a row has come.

    `parked`: the broker does not take it; its channel waits behind it until it is released. `superseded`: a recovery
    found its number taken on the bus, or a re-anchor went on before it; it holds nothing up, and is for a person to look
    at. `damaged`: its bytes are not those that were signed; it is never sent, and holds nothing up either.
    """

    KEPT = "kept"
    STORED = "stored"
    PARKED = "parked"
    SUPERSEDED = "superseded"
    DAMAGED = "damaged"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin in the outbox. Times are seconds since the epoch."""

    n: int
    status: str
    channel: str
    seq: int
    id: str
    digest: str
    prev: str | None
    subject: str
    headers: str
    payload: bytes
    kept_at: float
    attempted_at: float | None
    stored_at: float | None
    stream: str | None
    stream_seq: int | None
    state: str
    problem: str | None
    once: str | None
    origin: str | None
    sum: str | None = None

    def header_map(self) -> dict[str, str]:
        """The headers it is sent with."""
        return msgspec.json.decode(self.headers, type=dict[str, str])

    @property
    def is_whole(self) -> bool:
        """Whether it is what was signed and kept: its payload fits its digest, all that goes with it fits its sum."""
        if digest_of(self.payload) != self.digest:
            return False
        try:
            headers = self.header_map()
        except msgspec.DecodeError:
            return False
        if headers.get(MESSAGE_ID, self.digest) != self.digest:
            return False
        # A row of before there were sums has none.
        return self.sum is None or self.sum == sum_of(msgspec.structs.asdict(self), headers)


def whole(row: Row) -> Row:
    """The row, to be read by somebody.

    Raises:
        StoreError: `row-damaged`, it is not what was signed.
    """
    if not row.is_whole:
        raise StoreError(
            f"number {row.seq} on {row.channel} ({row.id}) is not what was signed: its bytes have changed in this outbox",
            remedy="tocsin outbox scrub brings it back from the bus, where it is; else say it again",
            reason="row-damaged",
        )
    return row


_SUMMED = ("status", "channel", "seq", "id", "prev", "subject")


def sum_of(row: Mapping[str, object], headers: Mapping[str, str]) -> str:
    """A digest of what goes with a payload: its place, its subject, its headers but for the message id, which may be dropped."""
    told = sorted((name, value) for name, value in headers.items() if name != MESSAGE_ID)
    return digest_of(msgspec.json.encode([*(row[name] for name in _SUMMED), told]))


class Signed(NamedTuple):
    """A signed bulletin that is to be kept: `channel` is the name of its channel, `now` is in seconds since the epoch."""

    bulletin: Bulletin
    payload: bytes
    digest: str
    channel: str
    subject: str
    headers: dict[str, str]
    now: float
    once: str | None
    origin: str | None


def row_of(signed: Signed, attempted_at: float | None) -> dict[str, object]:
    """The columns of its row; `attempted_at` is since when it may have been sent."""
    bulletin, headers = signed.bulletin, signed.headers
    row: dict[str, object] = {name: getattr(bulletin, name) for name in ("status", "seq", "id", "prev")}
    row |= {"channel": signed.channel, "digest": signed.digest, "subject": signed.subject}
    row |= {"headers": msgspec.json.encode(headers).decode(), "payload": signed.payload}
    row |= {
        "kept_at": signed.now,
        "attempted_at": attempted_at,
        "once": signed.once,
        "origin": signed.origin,
        "sum": sum_of(row, headers),
    }
    return row


def handed_row(n: int, columns: Mapping[str, object]) -> Row:
    """The row that was just kept under a number, for whoever sends it the first time."""
    left: dict[str, object] = {"stored_at": None, "stream": None, "stream_seq": None, "problem": None}
    return Row(**{**columns, **left, "n": n, "attempted_at": None, "state": RowState.KEPT})  # type: ignore[arg-type]  # its columns


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A row that a stream has acknowledged."""

    n: int
    stream: str
    stream_seq: int


class ChainHead(msgspec.Struct, frozen=True, kw_only=True):
    """The last bulletin of a channel."""

    seq: int
    digest: str
