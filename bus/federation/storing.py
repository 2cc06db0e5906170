"""Stores copies at a place and notes each acknowledged one, even if the rest fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from bus.errors import BrokerError, BusError, UnreachableError
from bus.federation.ledger import Ledger
from bus.federation.messages import Proven
from bus.logs import logger
from bus.transport import Connection, Outgoing, PubAck, publish, publish_burst
from schemas.envelope import MESSAGE_ID

ACK_S = 5.0
TOO_LARGE = "too-large"
NO_ROOM = "no-room"
_NOT_STORED, _BOUNDS = 10077, ("maximum messages exceeded", "maximum bytes exceeded")
"""JetStream's code for a failed store, and its words for a stream at its limit of messages or bytes."""
_NEVER_STORED = frozenset({10054, 10097})
"""JetStream's codes for a message or header that is larger than a stream takes."""

log = logger()


class LostError(BusError):
    """The far stream has lost stored messages."""

    reason = "sink-lost"


class Going(NamedTuple):
    """A copy to store, with its original; `first` if the place has no copy yet."""

    found: Proven
    copy: Outgoing
    first: bool


class Sink(NamedTuple):
    """A stream at a place.

    Attributes:
        connection: to the place.
        place: its name.
        stream: the stream that takes the copies.
        ledger: the record of messages stored there.
        tails: the last number of each stream of the place, kept up to date.
    """

    connection: Connection
    place: str
    stream: str
    ledger: Ledger
    tails: dict[str, int]


async def store(
    sink: Sink, going: Sequence[Going], carried: Counter[str], left: Counter[str], now: float
) -> None:
    """Publish in order to one stream and wait until all are stored: as an atomic batch, or one by one.

    Acknowledged copies are noted even if the rest fails, so that no retry stores them again. Copies that the stream
    will never take are skipped, and so is the rest if the stream is full: a stream belongs to one authority, and others
    must not wait for it. With the next version of the registry they are read again.

    Args:
        sink: the target stream.
        going: at most as many as an atomic batch has.
        carried: counts the stored copies, by place.
        left: counts the skipped ones, by reason.
        now: the present, in seconds since the epoch.

    Raises:
        UnreachableError, BrokerError, DeniedError: the rest is not stored, or may not be.
        LostError: the stream has fewer messages than were stored there.
        StoreError: the ledger fails.
    """
    stored: dict[str, str] = {}

    def note(each: Going, ack: PubAck) -> None:
        had = sink.tails.get(sink.stream, 0)
        if ack.seq <= had and not ack.duplicate:
            raise LostError(f"{sink.stream} at {sink.place} had {had} messages, and stores number {ack.seq}")
        sink.tails[sink.stream] = max(ack.seq, had)
        stored.update(each.found.names)
        carried[sink.place] += 1

    try:
        burst = await publish_burst(sink.connection, [each.copy for each in going], ACK_S)
        if isinstance(burst.failure, UnreachableError):
            raise burst.failure
        for each, ack in zip(going, burst.acks, strict=False):
            note(each, ack)
        # A batch is all or nothing: after a refusal, sending one by one shows which message is refused.
        for place, each in enumerate(going[len(burst.acks) :], len(burst.acks)):
            try:
                ack = await _publish(sink.connection, each)
            except BrokerError as exc:
                if exc.code == _NOT_STORED and str(exc).endswith(_BOUNDS):
                    left[NO_ROOM] += len(going) - place
                    log.warning("sink_full", stream=sink.stream, sink=sink.place)
                    break
                if exc.reason != TOO_LARGE and exc.code not in _NEVER_STORED:
                    raise
                left[TOO_LARGE] += 1
                log.warning("not_carriable", subject=each.copy.subject, problem=str(exc))
            else:
                note(each, ack)
    finally:
        if stored:
            await sink.ledger.note_stored(sink.place, stored, sink.tails, now)


async def _publish(sink: Connection, each: Going) -> PubAck:
    """Publish one message.

    If the stream calls it a duplicate, the stored one may have fewer signatures or be an older resend. Then the message
    is sent again without its id.
    """
    copy, found = each.copy, each.found
    ack = await publish(sink, copy.subject, copy.payload, copy.headers, ACK_S)
    if ack.duplicate and each.first and (len(found.voices) > 1 or found.item.again):
        headers = {name: value for name, value in copy.headers.items() if name != MESSAGE_ID}
        ack = await publish(sink, copy.subject, copy.payload, headers, ACK_S)
    return ack


def stream_of(subject: str) -> str:
    """The stream that captures a subject, the same at every broker."""
    tokens = subject.split(".")
    return f"{tokens[5]}-{tokens[6]}_{tokens[2]}".upper()
