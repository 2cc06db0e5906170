"""A row of the outbox: how far it has come, and whether it still is what was signed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from bus.errors import StoreError
from bus.publishing.drafted import Drawn
from schemas.codec import digest as digest_of
from schemas.envelope import MESSAGE_ID, SIG_HEADER


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


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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

    def header_lines(self) -> bytes:
        """The headers as they are written on the wire; empty where only `header_map` can read them."""
        if "\\" in self.headers:
            return b""
        # No text has a quote in it then, so each quote bounds one: a name, a colon, a value, a comma, and so on.
        pieces = self.headers.split('"')
        count = len(pieces) // 4
        pieces[0] = ""
        pieces[2::4], pieces[4::4] = [": "] * count, ["\r\n"] * count
        return "".join(pieces).encode()

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
        # A row of before there were sums has none, and one of before they were checksums a digest.
        told = told_of(msgspec.structs.asdict(self), headers)
        return self.sum is None or self.sum in (_sum(told), digest_of(told))


def whole(row: Row) -> Row:
    """The row, to be read by somebody.

    Raises:
        StoreError: `row-damaged`, it is not what was signed.
    """
    if not row.is_whole:
        raise StoreError(
            f"number {row.seq} on {row.channel} ({row.id}) has other bytes than were signed: they have changed in this outbox",
            remedy="tocsin outbox scrub restores it if the bus still has it; otherwise publish it again",
            reason="row-damaged",
        )
    return row


_SUMMED = ("status", "channel", "seq", "id", "prev", "subject")


def sum_of(row: Mapping[str, object], headers: Mapping[str, str]) -> str:
    """The checksum of what goes with a payload (`told_of`), in hexadecimal: it finds bits that have flipped, like that of a line of the heads file."""
    return _sum(told_of(row, headers))


def told_of(row: Mapping[str, object], headers: Mapping[str, str]) -> bytes:
    """What goes with a payload: its place, its subject, its headers but for the message id, which may be dropped."""
    return msgspec.json.encode([*(row[name] for name in _SUMMED), _told(headers)])


def _sum(told: bytes) -> str:
    return f"{zlib.crc32(told):08x}"


def _told(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted([each for each in headers.items() if each[0] != MESSAGE_ID])


def new_row(n: int, drawn: Drawn, signed: Signed) -> Row:
    """The row of a bulletin that was just signed, before it is sent the first time.

    Headers and sum are written as JSON at once, for no value in them needs an escape; tests hold them equal to what `hints` and
    `sum_of` give.

    Args:
        n: its number in the outbox.
        drawn: the bulletin.
        signed: its signature header.
    """
    bulletin, digest, signature = drawn.bulletin, drawn.digest, signed.value
    status, channel, seq, id_, prev = (
        str(bulletin.status),
        drawn.channel,
        bulletin.seq,
        bulletin.id,
        bulletin.prev,
    )
    before = "null" if prev is None else f'"{prev}"'
    place = f'"{status}","{channel}",{seq},"{id_}",{before},"{drawn.subject}"'
    return Row(
        n=n,
        status=status,
        channel=channel,
        seq=seq,
        id=id_,
        digest=digest,
        prev=prev,
        subject=drawn.subject,
        headers=f'{{"{SIG_HEADER}":"{signature}","{MESSAGE_ID}":"{digest}"}}',
        payload=drawn.payload,
        kept_at=drawn.moment.timestamp(),
        attempted_at=None,
        stored_at=None,
        stream=None,
        stream_seq=None,
        state=_KEPT,
        problem=None,
        once=drawn.once,
        origin=drawn.origin,
        sum=_sum(f'[{place},[["{SIG_HEADER}","{signature}"]]]'.encode()),
    )


_KEPT = RowState.KEPT


class Signed(NamedTuple):
    """The value of a signature header: how it begins for all of its batch, or nothing, and the rest."""

    opening: str
    rest: str

    @property
    def value(self) -> str:
        """The whole."""
        return self.opening + self.rest


class Settled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row that a stream has acknowledged."""

    n: int
    stream: str
    stream_seq: int


class ChainHead(msgspec.Struct, frozen=True, kw_only=True):
    """The last bulletin of a channel."""

    seq: int
    digest: str
