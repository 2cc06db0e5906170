"""A carrier's view of messages: their names, their proven parts, and the copies that it publishes. Pure.

A copy is built only from proven parts. No other header and no bad signature is carried on.
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
    """A message with the names under which it is remembered.

    Attributes:
        received: the message.
        digest: of its payload.
        signature: digest of its received signature headers, to which anybody can add unknown ones.
        again: its digest with the source and time of its record, if it is a resend; a resend has no message id.
    """

    received: Received
    digest: str
    signature: str
    again: str

    @classmethod
    def of(cls, received: Received, source: str) -> Item:
        """Make one from a received message."""
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
        """Its digest and `again`, without the signatures."""
        return (self.digest, self.again) if self.again else (self.digest,)

    def is_known(self, known: Mapping[str, str]) -> bool:
        """Whether this message was carried, by the known names and the signatures of each."""
        return known.get(self.digest) == self.signature and all(name in known for name in self.names)


def copies_of(name: str) -> str:
    """The prefix of the names of a bulletin's resends; `name` is its digest."""
    return f"{name}@"


class Proven(NamedTuple):
    """A message with a proven author."""

    item: Item
    proof: Proof

    @property
    def voices(self) -> tuple[str, ...]:
        """The names of its signatures; a new one makes another copy worth carrying."""
        return tuple(f"{self.item.digest}+{kid}" for kid in self.proof.voices)

    @property
    def names(self) -> dict[str, str]:
        """The names to remember when it is stored.

        A message with a signature by an unknown key is judged again each time it is read.
        """
        others = [self.item.again] if self.item.again else []
        signature = "" if self.proof.awaits else self.item.signature
        return {self.item.digest: signature, **dict.fromkeys((*others, *self.voices), "")}

    def copy(self, *, first: bool) -> Outgoing:
        """The copy to publish: the proven parts, with the message id only if the place has no copy yet.

        With the id the far stream would take any further copy for the first one.
        """
        headers = dict(self.proof.headers)
        if not first:
            del headers[MESSAGE_ID]
        return Outgoing(subject=self.proof.subject, payload=self.item.received.payload, headers=headers)


def sort_out(
    items: Iterable[Item], stream: str, patterns: Sequence[str], registry: VerifiedRegistry, now: dt.datetime
) -> tuple[list[Proven], Counter[str], bool]:
    """Separate messages that may be carried from the others.

    Args:
        items: the messages.
        stream: the stream that they come from.
        patterns: the released subjects.
        registry: the registry with the keys.
        now: the present, aware.

    Returns:
        (released messages with a proven issuer, in the same order; number of others by reason; whether the next version
        of the registry may allow more messages or signatures).
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
