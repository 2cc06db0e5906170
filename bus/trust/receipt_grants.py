"""Receipts: which hubs must and may send them, and their grants. Pure; `bus.delivery.ladder` evaluates them.

A hub reports what happened to the bytes, in batches, as ordinary bulletins of status `system` addressed to the author
alone. The author's id is the audience. The TLP is that of the reported bulletin (GREEN for CLEAR).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from bus.trust.grants import ANY, HUB
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import receipt_tlp
from schemas.registry import PublishGrant
from schemas.subject import (
    Channel,
)
from schemas.vocab import Status, Tlp

RECEIPT = "receipt"
REQUEST = "request"
COPY = "copy"
HELPFUL = (COPY, RECEIPT, REQUEST)
"""The kinds that a hub addresses to one authority: to an author about its own bulletins, to a hub about what both may read."""


Way = tuple[Tlp, str]
"""(TLP of a receipt, author that it is for)."""


def required(registry: VerifiedRegistry, channel: Channel) -> tuple[str, ...]:
    """The hubs that must hold a channel's bulletins: those that may read it, without its issuer, sorted."""
    return tuple(
        name
        for name in registry.readers(channel)
        if name != channel.issuer and registry.document.authorities[name].kind == HUB
    )


def ways(registry: VerifiedRegistry, reader: str, kind: str = RECEIPT) -> frozenset[Way]:
    """The ways on which a reader may send receipts, or another kind to one authority, by its grants; empty without a key."""
    record = registry.document.authorities.get(reader)
    keys = [registry.key(kid) for kid in record.keys] if record is not None else []
    if record is None or all(key is None or key.record.revoked_since is not None for key in keys):
        return frozenset()
    return frozenset(
        way for grant in record.publish if _says(grant, kind) for way in product(grant.tlps, grant.audiences)
    )


def _says(grant: PublishGrant, kind: str) -> bool:
    return Status.SYSTEM in grant.statuses and not {ANY, kind}.isdisjoint(grant.kinds)


def may_answer(registry: VerifiedRegistry, reader: str, channel: Channel) -> bool:
    """Whether a reader may send receipts for bulletins of a channel."""
    return (receipt_tlp(channel.tlp), channel.issuer) in ways(registry, reader)


def grants(others: Sequence[str], tlps: Sequence[Tlp], most: int = 256) -> tuple[PublishGrant, ...]:
    """The grants by which a hub may answer, ask and help these others at these TLP levels, and nothing else."""
    return tuple(
        PublishGrant(
            statuses=(Status.SYSTEM,),
            tlps=tuple(tlps),
            audiences=tuple(others[start : start + most]),
            kinds=HELPFUL,
            areas=(ANY,),
        )
        for start in range(0, len(others), most)
    )
