"""How much one person may read, as pages ask it: the picture's `Clearance`, which puts the limits into every statement. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bus.hub.picture import Clearance
from schemas.errors import SchemaError
from schemas.subject import Channel
from schemas.vocab import TLP_RANK, Tlp


def reaches(clearance: Clearance, tlp: str) -> bool:
    """Whether a marking is at or below the ceiling; a word that is no marking is above it."""
    try:
        return TLP_RANK[Tlp(tlp)] <= TLP_RANK[clearance.ceiling]
    except ValueError:
        return False


def sees(clearance: Clearance, tlp: str, audience: str) -> bool:
    """Whether what is marked so and said to this audience may be read."""
    return reaches(clearance, tlp) and audience in clearance.audiences


def sees_channel(clearance: Clearance, name: str) -> bool:
    """Whether what is said on a channel may be read; what is no channel may not."""
    try:
        return clearance.sees(Channel.parse(name))
    except SchemaError:
        return False


def narrowest(markings: Iterable[str]) -> Tlp | None:
    """The narrowest of these markings; None where there is none."""
    return max((Tlp(each) for each in markings), key=TLP_RANK.__getitem__, default=None)
