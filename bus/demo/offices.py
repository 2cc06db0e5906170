"""The offices of the demonstration's countries, and those that only the story has. Data."""

from __future__ import annotations

from typing import NamedTuple

from bus.trust import proposals
from schemas.vocab import Domain


class Office(NamedTuple):
    """A sort of authority.

    Attributes:
        name: the end of the ids of its authorities.
        kind: kind of authority, a word of the vocabulary.
        domain: its domain.
        network: the audience of its peers in all countries; empty for an office of the story, which speaks to the community alone.
        title: title of its authorities, after the country.
        says: the kinds of bulletins that it publishes.
        adapter: the adapter for its native files; empty if people write its bulletins.
        also: further networks that it may write to but not read, for personal data that only their members may process.
    """

    name: str
    kind: str
    domain: Domain
    network: str
    title: str
    says: tuple[str, ...]
    adapter: str = ""
    also: tuple[str, ...] = ()


OFFICES = (
    Office(
        "emb",
        "emb",
        Domain.ELECTORAL,
        "eu-emb",
        "Electoral Commission",
        ("election-calendar", "election-incident", "post-election-report", "stratcom"),
        "electoral",
    ),
    Office(
        "csirt",
        "csirt",
        Domain.CYBER,
        "eu-csirts",
        "National CSIRT",
        ("cyber-incident", "cyber-threat", "vulnerability", "fimi"),
        "cyber",
        ("eu-dpas",),
    ),
    Office(
        "dsc",
        "dsc",
        Domain.DIGITAL,
        "eu-dsc",
        "Digital Services Coordinator",
        (
            "content-notice",
            "content-order",
            "platform-measure",
            "political-ad",
            "systemic-risk",
            "enforcement",
            "fimi",
            "cyber-threat",
        ),
        "digital",
    ),
    Office(
        "dpa",
        "dpa",
        Domain.DATA,
        "eu-dpas",
        "Data Protection Authority",
        ("data-breach", "enforcement"),
        "data-protection",
    ),
    Office("foreign", "foreign-service", Domain.FOREIGN, "eu-ras", "Foreign Ministry", ("fimi", "stratcom")),
    Office(
        "justice",
        "prosecutor",
        Domain.JUSTICE,
        "eu-justice",
        "Public Prosecution Service",
        ("legal-referral",),
    ),
    Office("comms", "government-comms", Domain.COMMS, "eu-comms", "Government Communication", ("stratcom",)),
)
SAID_BY_ALL = ("situation-report", "rfi", "feedback", "sealed", proposals.REANCHOR)
"""Kinds that every office may publish: situation reports, questions and answers, sealed bulletins, re-anchoring."""
AT_HOME = frozenset({"election-calendar", "post-election-report"})
"""Kinds that an office publishes only about its own country."""
OF_STORY = (
    Office("region", "emb", Domain.ELECTORAL, "", "Regional Election Office", ("election-incident", "fimi")),
    Office("media", "media-regulator", Domain.DIGITAL, "", "Media Authority", ("fimi",)),
)
"""The sorts of offices that only the story has, so that it disturbs no other: in each country one of each."""
