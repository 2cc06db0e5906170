"""A message from a stream, and what admission made of it."""

from __future__ import annotations

import datetime as dt

import msgspec

from bus.admission.steps import Admitted, admit
from bus.errors import AdmissionError, Place
from bus.trust import VerifiedRegistry


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it came, so that it can be judged again later."""

    subject: str
    headers: tuple[tuple[str, str], ...]
    payload: bytes
    stream: str
    stream_seq: int
    digest: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A message with the reason it was refused for."""

    message: Message
    reason: str
    detail: str
    channel: str | None = None
    seq: int | None = None
    prev: str | None = None
    id: str | None = None
    kids: tuple[str, ...] = ()
    retry_at: dt.datetime | None = None

    @classmethod
    def of(
        cls, message: Message, reason: str, detail: str, place: Place | None, retry_at: dt.datetime | None
    ) -> Refused:
        """With the place it would have had, if that could be read."""
        if place is None:
            return cls(message=message, reason=reason, detail=detail, retry_at=retry_at)
        return cls(
            message=message,
            reason=reason,
            detail=detail,
            channel=str(place.channel),
            seq=place.seq,
            prev=place.prev,
            id=place.id,
            kids=place.kids,
            retry_at=retry_at,
        )


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A message that admission let pass."""

    message: Message
    admitted: Admitted


def decide(message: Message, registry: VerifiedRegistry, now: dt.datetime) -> Judged | Refused:
    """What admission says of a message."""
    try:
        admitted = admit(message.subject, message.headers, message.payload, registry=registry, now=now)
    except AdmissionError as exc:
        return Refused.of(message, exc.reason, str(exc), exc.place, exc.retry_at)
    return Judged(message=message, admitted=admitted)
