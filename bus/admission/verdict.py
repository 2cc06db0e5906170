"""Admission as a value: a message from a stream with either its bulletin or its refusal. Pure.

`bus.admission.admit` raises. A store that judges some messages again later needs both outcomes as data.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from bus.admission.steps import ENDED, Admitted, admit
from bus.errors import AdmissionError, Place, Proof
from bus.trust import VerifiedRegistry


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message as it came, so that it can be judged again later.

    Attributes:
        subject: the subject that it was published on.
        headers: all of them, in their order; one may repeat.
        payload: its bytes.
        stream: the name of the stream that it came from.
        stream_seq: its number in that stream.
        digest: of the payload, as the reader computed it.
    """

    subject: str
    headers: tuple[tuple[str, str], ...]
    payload: bytes
    stream: str
    stream_seq: int
    digest: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A message that admission refused.

    Attributes:
        message: as it came.
        reason: one of `bus.admission.admit.REASONS`.
        detail: what is wrong, in a sentence for a person.
        channel: the full name of its channel; None, as the next three, when it has no place in a chain.
        seq: its number there.
        prev: the digest that it names as the one before it; None at number one too.
        id: the id its issuer gave it.
        kids: the keys with which its issuer signed it; none without a place.
        retry_at: when to judge it again; only for `from-the-future`.
        proof: what its signatures prove; None if its author is not proven.
        awaits: whether the next version of the registry may admit it.
        issued: the time it bears; None without a place.
        received_at: when this reader first had it; None for now.
        believed: whether, as far as this reader knew at receipt, no key that decides about it was revoked or expired.
    """

    message: Message
    reason: str
    detail: str
    channel: str | None = None
    seq: int | None = None
    prev: str | None = None
    id: str | None = None
    kids: tuple[str, ...] = ()
    retry_at: dt.datetime | None = None
    proof: Proof | None = None
    awaits: bool = False
    issued: dt.datetime | None = None
    received_at: dt.datetime | None = None
    believed: bool = False

    @property
    def speaker(self) -> str:
        """The authority that is proven to have signed it; empty if none is."""
        return self.channel.partition("/")[0] if self.channel is not None else ""

    @classmethod
    def of(
        cls,
        message: Message,
        reason: str,
        detail: str,
        place: Place | None,
        retry_at: dt.datetime | None,
        *,
        awaits: bool = False,
    ) -> Refused:
        """The refusal of a message.

        Args:
            message: as it came.
            reason: the code.
            detail: the sentence.
            place: its place in its channel; None if its issuer is not proven to have put it there.
            retry_at: when to judge it again, if time alone can change the answer.
            awaits: whether the next version of the registry can change the answer.
        """
        if place is None:
            return cls(message=message, reason=reason, detail=detail, retry_at=retry_at, awaits=awaits)
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
            proof=place.proof,
            issued=place.issued,
            believed=reason not in ENDED,
        )


class Judged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message that admission admitted.

    Attributes:
        message: as it came.
        admitted: the bulletin in it, with its signers and labels.
    """

    message: Message
    admitted: Admitted

    @property
    def speaker(self) -> str:
        """The authority that signed it."""
        return self.admitted.bulletin.issuer.id

    @property
    def proof(self) -> Proof:
        """The proof of its signatures."""
        return self.admitted.proof


def decide(message: Message, registry: VerifiedRegistry, now: dt.datetime) -> Judged | Refused:
    """Decide on a message. It raises nothing for any bytes.

    Args:
        message: as it came.
        registry: who may publish what.
        now: the present, aware.
    """
    try:
        admitted = admit(message.subject, message.headers, message.payload, registry=registry, now=now)
    except AdmissionError as exc:
        return Refused.of(message, exc.reason, str(exc), exc.place, exc.retry_at, awaits=exc.awaits)
    return Judged(message=message, admitted=admitted)
