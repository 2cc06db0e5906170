"""How much one person may read: a ceiling of TLP, and the audiences whose bulletins are read. Pure.

Each statement that reads bulletins takes its condition from `Clearance.where`, so no page reads without one.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.vocab import TLP_RANK, Tlp


class Clearance(msgspec.Struct, frozen=True, kw_only=True):
    """How much one person may read.

    Attributes:
        ceiling: the narrowest TLP that the person may read.
        audiences: what is said to one of these may be read.
    """

    ceiling: Tlp
    audiences: frozenset[str]

    @property
    def levels(self) -> tuple[Tlp, ...]:
        """The markings that may be read, the widest first."""
        return tuple(level for level in sorted(Tlp, key=TLP_RANK.__getitem__) if self.reaches(level))

    def reaches(self, tlp: str) -> bool:
        """Whether a marking is at or below the ceiling; a word that is no marking is above it."""
        try:
            return TLP_RANK[Tlp(tlp)] <= TLP_RANK[self.ceiling]
        except ValueError:
            return False

    def sees(self, tlp: str, audience: str) -> bool:
        """Whether what is marked so and said to this audience may be read."""
        return self.reaches(tlp) and audience in self.audiences

    def where(self, table: str = "") -> tuple[str, tuple[str, ...]]:
        """The same as a condition in SQL on the columns `tlp` and `audience`, and what stands at its question marks.

        Args:
            table: the name or alias of the table; empty where only one is read.
        """
        dot = f"{table}." if table else ""
        levels, audiences = [str(level) for level in self.levels], sorted(self.audiences)
        marks = (", ".join("?" * len(values)) for values in (levels, audiences))
        condition = "{0}tlp IN ({1}) AND {0}audience IN ({2})".format(dot, *marks)
        return condition, (*levels, *audiences)


def narrowest(markings: Iterable[str]) -> Tlp | None:
    """The narrowest of these markings; None where there is none."""
    return max((Tlp(each) for each in markings), key=TLP_RANK.__getitem__, default=None)
