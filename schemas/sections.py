"""Sections: parts of one bulletin, each for its own audience; the draft form and the sealed content.

A sealed section has no signature of its own: the signed bulletin holds the digest of its content.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from schemas.parts import (
    Action,
    Attribution,
    Deadline,
    Evidence,
    Info,
    Legal,
    Observable,
    PersonalData,
    Rights,
    Target,
    Ttp,
)
from schemas.scalars import AudienceName, Digest, Part, Slug
from schemas.vocab import Tlp

SECTION_SPEC: Literal["tocsin-section/1"] = "tocsin-section/1"
MAX_SECTIONS = 16
SALT_BYTES = 32


class SectionDraft(Part, frozen=True, kw_only=True):
    """A part of a draft for those readers of the bulletin who may also read the section's audience at its marking."""

    label: Annotated[Slug, Meta(description="its topic, never the content: every reader sees it")]
    audience: AudienceName
    tlp: Annotated[Tlp | None, Meta(description="not wider than the bulletin's, which is the default")] = None
    info: Annotated[tuple[Info, ...], Meta(max_length=26)] = ()
    ttps: Annotated[tuple[Ttp, ...], Meta(max_length=100)] = ()
    observables: Annotated[tuple[Observable, ...], Meta(max_length=500)] = ()
    attribution: Attribution | None = None
    targets: Annotated[tuple[Target, ...], Meta(max_length=50)] = ()
    actions: Annotated[tuple[Action, ...], Meta(max_length=30)] = ()
    legal: Annotated[tuple[Legal, ...], Meta(max_length=20)] = ()
    deadlines: Annotated[tuple[Deadline, ...], Meta(max_length=10)] = ()
    personal_data: PersonalData | None = None
    rights: Rights | None = None
    evidence: Annotated[tuple[Evidence, ...], Meta(max_length=50)] = ()


class SectionContent(SectionDraft, frozen=True, kw_only=True):
    """The content of a sealed section: a closed struct without a section or a bulletin in it."""

    spec: Literal["tocsin-section/1"]
    salt: Annotated[
        Digest,
        Meta(
            description="32 random bytes: without them, others could test guesses of the content by the digest outside"
        ),
    ]


CONTENT_FIELDS = tuple(
    name for name in SectionDraft.__struct_fields__ if name not in ("label", "audience", "tlp")
)
"""The fields that a section adds to its bulletin, or replaces, for its readers."""
