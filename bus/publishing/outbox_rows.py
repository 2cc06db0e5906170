"""A row of the outbox: its state, and the check that its bytes are unchanged."""

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
    """The state of a row.

    `parked`: the broker refuses it; its channel waits behind it until it is released. `superseded`: a recovery found
    its number taken on the bus, or a re-anchor continued before it; it blocks nothing, and a person should look at it.
    `damaged`: its bytes have changed; it is never sent and blocks nothing.
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
        """The headers that it is sent with."""
        return msgspec.json.decode(self.headers, type=dict[str, str])

    def header_lines(self) -> bytes:
        """The headers as written on the wire; empty if only `header_map` can read them."""
        if "\\" in self.headers:
            return b""
        # No text has a quote in it then, so each quote bounds a text: name, colon, value, comma, and so on.
        pieces = self.headers.split('"')
        count = len(pieces) // 4
        pieces[0] = ""
        pieces[2::4], pieces[4::4] = [": "] * count, ["\r\n"] * count
        return "".join(pieces).encode()

    @property
    def is_whole(self) -> bool:
        """Whether its bytes are unchanged: the payload matches its digest, all other columns match the sum."""
        if digest_of(self.payload) != self.digest:
            return False
        try:
            headers = self.header_map()
        except msgspec.DecodeError:
            return False
        if headers.get(MESSAGE_ID, self.digest) != self.digest:
            return False
        # The oldest rows have no sum, later ones a digest in its place.
        told = told_of(msgspec.structs.asdict(self), headers)
        return self.sum is None or self.sum in (_sum(told), digest_of(told))


def whole(row: Row) -> Row:
    """The row, after a check of its bytes.

    Raises:
        StoreError: `row-damaged`, its bytes have changed.
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
    """The hexadecimal checksum of the columns beside a payload (`told_of`): it finds flipped bits, as that of a heads file line does."""
    return _sum(told_of(row, headers))


def told_of(row: Mapping[str, object], headers: Mapping[str, str]) -> bytes:
    """The data beside a payload: its place, its subject, its headers without the message id, which may be dropped."""
    return msgspec.json.encode([*(row[name] for name in _SUMMED), _told(headers)])


def _sum(told: bytes) -> str:
    return f"{zlib.crc32(told):08x}"


def _told(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted([each for each in headers.items() if each[0] != MESSAGE_ID])


def new_row(n: int, drawn: Drawn, signed: Signed) -> Row:
    """The row of a new signed bulletin, before its first sending.

    Headers and sum are written directly as JSON, because no value in them needs an escape; tests compare them with
    `hints` and `sum_of`.

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
    """The value of a signature header: the opening that its batch shares, or empty, and the rest."""

    opening: str
    rest: str

    @property
    def value(self) -> str:
        """The whole value."""
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
