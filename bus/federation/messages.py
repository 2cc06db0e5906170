"""What a carrier makes of the messages it reads: their names, what is proven of them, and the copies it publishes. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bus.admission import Judged, Refused, decide
from bus.subscribing import message_from
from bus.transport import Outgoing, Received
from bus.trust import VerifiedRegistry
from schemas.codec import digest
from schemas.envelope import SIG_HEADER
from schemas.subject import matches

MESSAGE_ID = "Nats-Msg-Id"
_CARRIED_HEADERS = ("ce-",)


class Item(NamedTuple):
    """A message with the names by which it is remembered.

    Attributes:
        received: the message.
        digest: of its payload.
        signature: digest of its signatures as they came: anybody can add some that nobody knows.
        again: its digest with the time of its record, when it was sent again; what is sent again has no message id.
    """

    received: Received
    digest: str
    signature: str
    again: str

    @classmethod
    def of(cls, received: Received) -> Item:
        """A message as it came."""
        name = digest(received.payload)
        headers = dict(received.headers)
        is_sent_again = MESSAGE_ID not in headers
        return cls(
            received=received,
            digest=name,
            signature=digest(headers.get(SIG_HEADER, "").encode("utf-8", "surrogatepass")),
            again=f"{name}@{received.stored_ns}" if is_sent_again else "",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, without the signatures."""
        return (self.digest, self.again) if self.again else (self.digest,)

    def is_known(self, known: Mapping[str, str]) -> bool:
        """Whether this very message has been carried, by the names that are known and the signatures of each."""
        return known.get(self.digest) == self.signature and all(name in known for name in self.names)


class Proven(NamedTuple):
    """A message that its author has said, by proof, as it is carried."""

    item: Item
    author: str
    endorsers: tuple[str, ...]
    message: Outgoing

    @property
    def endorsed(self) -> str:
        """The name of the bulletin with all who signed it; empty when its author alone did."""
        return f"{self.item.digest}+{','.join(self.endorsers)}" if self.endorsers else ""

    @property
    def names(self) -> dict[str, str]:
        """What is remembered of it when it is carried for the first time."""
        others = [name for name in (self.item.again, self.endorsed) if name]
        return {self.item.digest: self.item.signature, **dict.fromkeys(others, "")}


def sort_out(
    items: Iterable[Item], stream: str, patterns: Sequence[str], registry: VerifiedRegistry, now: dt.datetime
) -> tuple[list[Proven], Counter[str]]:
    """Part what may be carried from what may not.

    Args:
        items: the messages.
        stream: where they were read.
        patterns: the subjects that are released.
        registry: whose keys prove.
        now: the present, aware.

    Returns:
        What its issuer is proven to have said and is released, in the same order; how many are not, by reason.
    """
    proven: list[Proven] = []
    left: Counter[str] = Counter()
    for item in items:
        verdict = decide(message_from(stream, item.received), registry, now)
        if isinstance(verdict, Refused) and not verdict.speaker:
            left[verdict.reason] += 1
        elif (copy := as_outgoing(item.received, patterns)) is None:
            left["not-permitted"] += 1
        else:
            endorsers = verdict.admitted.endorsers if isinstance(verdict, Judged) else ()
            proven.append(Proven(item, verdict.speaker, endorsers, copy))
    return proven, left


def as_outgoing(received: Received, patterns: Sequence[str]) -> Outgoing | None:
    """The message as it is published at the other end; None when no reader would admit it, or it is not released.

    The subject must be the route's, and of the headers go the signature, the message id and the hints, each once.
    """
    if not received.subject.isascii() or not any(matches(pattern, received.subject) for pattern in patterns):
        return None
    headers: dict[str, str] = {}
    for name, value in received.headers:
        known = name in (SIG_HEADER, MESSAGE_ID) or name.startswith(_CARRIED_HEADERS)
        if not known:
            continue
        if name in headers or not value.isascii() or not value.isprintable():
            return None
        headers[name] = value
    return Outgoing(subject=received.subject, payload=received.payload, headers=headers)
