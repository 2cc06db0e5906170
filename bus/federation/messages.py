"""What a carrier makes of the messages it reads: their names, what is proven of them, and the copies it publishes. Pure.

A copy is made anew from what is proven. Nothing that came beside it, no header and no signature that does not hold, goes on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bus.admission import Refused, decide
from bus.errors import Proof
from bus.subscribing import message_from
from bus.transport import Outgoing, Received
from bus.trust import VerifiedRegistry
from schemas.codec import digest
from schemas.envelope import MESSAGE_ID, SIG_HEADER
from schemas.subject import matches


class Item(NamedTuple):
    """A message with the names by which it is remembered.

    Attributes:
        received: the message.
        digest: of its payload.
        signature: digest of its signature headers as they came: anybody can add some that nobody knows.
        again: its digest with the source and time of its record, when it was sent again; what is sent again has no message id.
    """

    received: Received
    digest: str
    signature: str
    again: str

    @classmethod
    def of(cls, received: Received, source: str) -> Item:
        """A message as it came."""
        name = digest(received.payload)
        named = [(key.lower(), value) for key, value in received.headers]
        signatures = "\n".join(value for key, value in named if key == SIG_HEADER.lower())
        is_sent_again = all(key != MESSAGE_ID.lower() for key, _ in named)
        return cls(
            received=received,
            digest=name,
            signature=digest(signatures.encode("utf-8", "surrogatepass")),
            again=f"{copies_of(name)}{source}.{received.stored_ns}" if is_sent_again else "",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Both, without the signatures."""
        return (self.digest, self.again) if self.again else (self.digest,)

    def is_known(self, known: Mapping[str, str]) -> bool:
        """Whether this very message has been carried, by the names that are known and the signatures of each."""
        return known.get(self.digest) == self.signature and all(name in known for name in self.names)


def copies_of(name: str) -> str:
    """How the names of the copies of a bulletin begin that were sent again; `name` is its digest."""
    return f"{name}@"


class Proven(NamedTuple):
    """A message that its author has said, by proof."""

    item: Item
    proof: Proof

    @property
    def voices(self) -> tuple[str, ...]:
        """The names under which each signature is remembered that makes a further copy worth carrying."""
        return tuple(f"{self.item.digest}+{kid}" for kid in self.proof.voices)

    @property
    def names(self) -> dict[str, str]:
        """What is remembered of it when it is stored.

        What came with a signature by a key that is not known yet is judged again whenever it is read.
        """
        others = [self.item.again] if self.item.again else []
        signature = "" if self.proof.awaits else self.item.signature
        return {self.item.digest: signature, **dict.fromkeys((*others, *self.voices), "")}

    def copy(self, *, first: bool) -> Outgoing:
        """It as it is published: what is proven, under its message id when the place has none of it yet.

        By its id the far stream would take any further copy for the first one.
        """
        headers = dict(self.proof.headers)
        if not first:
            del headers[MESSAGE_ID]
        return Outgoing(subject=self.proof.subject, payload=self.item.received.payload, headers=headers)


def sort_out(
    items: Iterable[Item], stream: str, patterns: Sequence[str], registry: VerifiedRegistry, now: dt.datetime
) -> tuple[list[Proven], Counter[str], bool]:
    """Part what may be carried from what may not.

    Args:
        items: the messages.
        stream: where they were read.
        patterns: the subjects that are released.
        registry: whose keys prove.
        now: the present, aware.

    Returns:
        What its issuer is proven to have said and is released, in the same order; how many are not, by reason; whether the
        next version of the registry may let more through, messages or signatures.
    """
    proven: list[Proven] = []
    left: Counter[str] = Counter()
    awaits = False
    for item in items:
        verdict = decide(message_from(stream, item.received), registry, now)
        proof = verdict.proof
        if isinstance(verdict, Refused) and proof is None:
            left[verdict.reason] += 1
            awaits |= verdict.awaits
        if proof is None:
            continue
        awaits |= proof.awaits
        if proof.subject != item.received.subject:
            left["misaddressed"] += 1
        elif not any(matches(pattern, proof.subject) for pattern in patterns):
            left["not-permitted"] += 1
        else:
            proven.append(Proven(item, proof))
    return proven, left, awaits
