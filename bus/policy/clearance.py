"""What somebody may see: up to which marking, said to whom. Pure.

The picture puts it into every statement for pages (`bus.hub.picture.clearance`), the desk keeps one for each person, and pages
ask it about what a statement cannot.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.errors import SchemaError
from schemas.subject import Channel
from schemas.vocab import TLP_RANK, Tlp

MARKINGS: tuple[Tlp, ...] = tuple(sorted(TLP_RANK, key=TLP_RANK.__getitem__))
"""Each marking at its rank, from the widest to the narrowest."""


class Clearance(msgspec.Struct, frozen=True):
    """What one person, screen or program may see.

    Attributes:
        ceiling: the narrowest marking.
        audiences: what is said to one of these; what is said to another is not seen, and not counted.
    """

    ceiling: Tlp
    audiences: frozenset[str]

    def reaches(self, tlp: str) -> bool:
        """Whether a marking is at or below the ceiling; a word that is no marking is above it."""
        try:
            return TLP_RANK[Tlp(tlp)] <= TLP_RANK[self.ceiling]
        except ValueError:
            return False

    def sees(self, tlp: str, audience: str) -> bool:
        """Whether what is marked so and said to this audience may be seen."""
        return self.reaches(tlp) and audience in self.audiences

    def sees_channel(self, name: str) -> bool:
        """Whether what is said on a channel may be seen; what is no channel may not."""
        try:
            channel = Channel.parse(name)
        except SchemaError:
            return False
        return self.sees(channel.tlp, channel.audience)

    def within(self, other: Clearance) -> Clearance:
        """What both may see."""
        return Clearance(
            ceiling=min(self.ceiling, other.ceiling, key=TLP_RANK.__getitem__),
            audiences=self.audiences & other.audiences,
        )

    def covers(self, other: Clearance) -> bool:
        """Whether whoever has this may see all that the other may."""
        return other.within(self) == other


def narrowest(markings: Iterable[str]) -> Tlp | None:
    """The narrowest of these markings; None where there is none."""
    return max((Tlp(each) for each in set(markings)), key=TLP_RANK.__getitem__, default=None)
