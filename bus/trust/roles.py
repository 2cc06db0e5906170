"""Roles of authorities: the kinds that a grant of `*` covers, and the countries whose elections they report on. Pure.

Sources: Regulation (EU) 2022/2065, Articles 9, 17, 22, 49 and 56; Regulation (EU) 2016/679, Articles 33, 51 and 55;
Regulation (EU) 2024/900, Article 22; Regulation (EU) 2024/2642; the electoral law of each country.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.bodies import KINDS

ELECTORAL = frozenset({"emb", "election-network", "electoral-court"})
"""The kinds of authority that set the dates of an election."""

BY_KIND: Mapping[str, tuple[frozenset[str], str]] = MappingProxyType(
    {
        "election-calendar": (ELECTORAL, "the dates of an election are set by the electoral authority"),
        "post-election-report": (
            ELECTORAL | {"ecne", "observer", "intl-partner", "government-comms", "ec-digital", "dsc"},
            "those who held or observed an election report on it",
        ),
        "content-order": (
            frozenset(
                {
                    "dsc",
                    "ec-digital",
                    "media-regulator",
                    "ads-authority",
                    "prosecutor",
                    "police",
                    "dpa",
                    "emb",
                    "court",
                    "electoral-court",
                    "party-finance-authority",
                }
            ),
            "orders come from judicial or administrative authorities with power over content (Regulation (EU) 2022/2065, Article 9)",
        ),
        "data-breach": (
            frozenset({"dpa", "data-controller"}),
            "a breach is notified to the supervisory authority, which publishes it (GDPR, Articles 33 and 55)",
        ),
        "enforcement": (
            frozenset(
                {
                    "dsc",
                    "ec-digital",
                    "ads-authority",
                    "media-regulator",
                    "dpa",
                    "nis-authority",
                    "telecom-regulator",
                    "party-finance-authority",
                    "emb",
                    "court",
                    "electoral-court",
                }
            ),
            "enforcement is published by the supervisor that may fine (Regulation (EU) 2022/2065, Articles 51 and 66; Regulation (EU) 2024/900, Article 25)",
        ),
        "sanctions-listing": (
            frozenset({"sanctions-authority"}),
            "a listing is published by the authority that lists",
        ),
        "legal-referral": (
            frozenset({"prosecutor", "police", "court", "electoral-court", "financial-intelligence-unit"}),
            "a matter of justice is published by justice, police and the financial intelligence unit (Directive (EU) 2015/849, Article 32)",
        ),
        "platform-measure": (
            frozenset({"platform", "dsc", "ec-digital"}),
            "a statement of reasons is published by the platform, or by the body that keeps them (Regulation (EU) 2022/2065, Articles 17 and 24)",
        ),
        "systemic-risk": (
            frozenset({"dsc", "ec-digital", "media-regulator", "platform"}),
            "a systemic risk is published by the supervisor of the service (Regulation (EU) 2022/2065, Articles 34 and 56)",
        ),
        "political-ad": (
            frozenset(
                {
                    "ads-authority",
                    "dsc",
                    "ec-digital",
                    "media-regulator",
                    "emb",
                    "dpa",
                    "party-finance-authority",
                    "platform",
                    "election-network",
                }
            ),
            "political advertising is published by its supervisor (Regulation (EU) 2024/900, Article 22)",
        ),
    }
)
"""Kinds of bulletin that only some kinds of authority publish unless a grant names the kind, with the reason; all publish the others."""

MAY_ORDER = BY_KIND["content-order"][0] | BY_KIND["legal-referral"][0] | {"sanctions-authority"}
"""Judicial and administrative authorities with power over content or over offenders."""

BEYOND_COUNTRIES = frozenset({"EU", "INT"})
"""Country codes of authorities that deal with the elections of all countries."""


_BY_PROGRAMS = frozenset({"channel-status", "receipt", "request", "copy"})
"""Kinds that programs send to each other, each by a grant that names it."""


def said_by(authority_kind: str) -> tuple[str, ...]:
    """The kinds of bulletin that an authority of this kind publishes: those that a grant of `*` covers, without those of programs."""
    return tuple(kind for kind in KINDS if kind not in _BY_PROGRAMS and says(authority_kind, kind))


def says(authority_kind: str, kind: str) -> bool:
    """Whether a grant of `*` lets an authority of this kind publish a bulletin of that kind."""
    found = BY_KIND.get(kind)
    return found is None or authority_kind in found[0]
