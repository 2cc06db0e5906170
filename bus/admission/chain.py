"""Chains: judges the place of a bulletin among those of its channel. Pure.

Each bulletin of a channel has a number, from 1, and names the digest of the one before it. The held bulletins decide:

- the same digest at its place            duplicate: settled quietly
- another digest at its place             fork: the signer contradicted itself, both are kept as proof
- its id used by its issuer before        replayed-id (another issuer's use of it must not shut it out)
- its predecessor held, another digest   broken-chain
- its successor held, naming another one  broken-chain
- number one, or right after the head     next
- a hole before it                        gap: a label, never a refusal
- before the head, filling a hole         fills: admitted at once, labelled as out of order
- the first one seen of the channel, above number one: trimmed, the beginning is no longer kept
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """The relation of a bulletin to its channel's chain."""

    NEXT = "next"
    FILLS = "fills"
    GAP = "gap"
    TRIMMED = "trimmed"
    DUPLICATE = "duplicate"
    FORK = "fork"
    REPLAYED_ID = "replayed-id"
    BROKEN_CHAIN = "broken-chain"


REFUSED = frozenset({Outcome.FORK, Outcome.REPLAYED_ID, Outcome.BROKEN_CHAIN})
"""Outcomes that refuse; their names are the reason codes."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a chain."""

    seq: int
    digest: str
    prev: str | None
    id: str


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """The bulletins that a reader holds around the place of a link."""

    head_seq: int | None = None
    at_seq: str | None = None
    predecessor: str | None = None
    successor_prev: str | None = None
    digest_of_id: str | None = None


def judge_link(link: Link, held: Neighbours) -> Outcome:
    """Judge the place of `link` by the held bulletins.

    Args:
        link: the bulletin's place.
        held: the channel's highest number; the digests at the same number and at the one before; the `prev` of the
            bulletin after it; the digest for which its issuer used the id. None where nothing is held.
    """
    if held.at_seq == link.digest:
        return Outcome.DUPLICATE
    if held.at_seq is not None:
        return Outcome.FORK
    if held.digest_of_id is not None:
        return Outcome.REPLAYED_ID
    if held.predecessor is not None and held.predecessor != link.prev:
        return Outcome.BROKEN_CHAIN
    if held.successor_prev is not None and held.successor_prev != link.digest:
        return Outcome.BROKEN_CHAIN
    if held.head_seq is None:
        return Outcome.NEXT if link.seq == 1 else Outcome.TRIMMED
    if link.seq < held.head_seq:
        return Outcome.FILLS
    return Outcome.NEXT if link.seq == held.head_seq + 1 else Outcome.GAP
