"""Sealed sections, each for some of a bulletin's readers: choosing the readers, sealing and opening. Pure.

A section is judged as a separate bulletin: its issuer needs a grant to publish it to that audience at that TLP. The
readers of the bulletin that may read that also get the section. It has no signature of its own. The bulletin's
signature covers the digest of its content, and its seal is bound to the bulletin and to its place there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

import msgspec

from bus.errors import AdmissionError, PermitError, SealError
from bus.keys import OpeningKey, seal
from bus.sealing.opening import context_of, opened
from bus.sealing.recipients import Recipient, with_keys
from bus.trust import VerifiedRegistry
from schemas import rules
from schemas.bulletin import Bulletin
from schemas.codec import decode_as, digest, encode
from schemas.envelope import b64u
from schemas.errors import SchemaError
from schemas.parts import SealedSection
from schemas.sections import CONTENT_FIELDS, SALT_BYTES, SECTION_SPEC, SectionContent, SectionDraft
from schemas.subject import channel_of
from schemas.vocab import Tlp

SECTION_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "section-label": "inside and outside differ in the label",
        "section-tlp": "the section's TLP allows wider sharing than the bulletin's",
    }
)
"""The reasons why a section is not opened, beside those of a sealed bulletin and those of admission for its content."""


def judge_section(
    bulletin: Bulletin, sections: Sequence[SectionDraft], registry: VerifiedRegistry | None
) -> None:
    """Refuse sections that cannot be sealed into a stamped bulletin, or that no reader could then open.

    Args:
        bulletin: the bulletin, without the sections.
        sections: the drafted sections.
        registry: who may publish what; None for only the checks without a registry.

    Raises:
        SchemaError: `schema` for a section that is empty or out of its bounds, `section-tlp`.
        RuleError: `rule:R<n>`.
        PermitError: `not-permitted`: the issuer may not publish it to that audience at that TLP in a bulletin either;
            `seal-public`: everybody may read it.
    """
    for index, section in enumerate(sections):
        if not any(getattr(section, name) for name in CONTENT_FIELDS):
            raise SchemaError(
                f"the section {section.label} is empty; give it one of: {', '.join(CONTENT_FIELDS)}",
                path=f"$.sections[{index}]",
            )
        _content(section, b64u(bytes(SALT_BYTES)))
        rules.check_section(bulletin, section, index)
        both = rules.with_section(bulletin, section)
        if both.tlp is Tlp.CLEAR:
            raise PermitError(
                f"the section {section.label} is TLP:CLEAR, for everybody",
                remedy="give it a tlp, or move it to the open part",
                reason="seal-public",
            )
        if registry is not None:
            registry.permit(both)


def readers(bulletin: Bulletin, section: SectionDraft, registry: VerifiedRegistry) -> tuple[str, ...]:
    """The readers of a section: the readers of the bulletin that may also read the section's audience at its TLP."""
    inside = registry.readers(channel_of(rules.with_section(bulletin, section)))
    return tuple(name for name in registry.readers(channel_of(bulletin)) if name in inside)


def recipients(
    bulletin: Bulletin,
    section: SectionDraft,
    registry: VerifiedRegistry,
    at: dt.datetime,
    *,
    without: Collection[str] = (),
) -> tuple[Recipient, ...]:
    """The recipients of a section: its readers and the issuer, as in `bus.sealing.recipients.with_keys`.

    Raises:
        PermitError: `no-seal-key`, `no-recipient` or `too-large`.
    """
    return with_keys(
        readers(bulletin, section, registry),
        f"the section {section.label}",
        bulletin.issuer.id,
        registry,
        at,
        without=without,
    )


def seal_section(
    bulletin: Bulletin,
    section: SectionDraft,
    index: int,
    to: Collection[Recipient],
    domain: str,
    rng: Callable[[int], bytes],
) -> SealedSection:
    """Seal a section for its place in a bulletin of a federation.

    Raises:
        SchemaError: the content is out of its bounds.
        SealError: `too-large`.
    """
    content = _content(section, b64u(rng(SALT_BYTES)))
    context = context_of(bulletin, domain, index, section.label)
    return SealedSection(
        label=section.label,
        recipients=tuple(recipient.authority_id for recipient in to),
        jwe=seal(content, [recipient.key for recipient in to], context, rng),
        inner_digest=digest(content),
    )


def _content(section: SectionDraft, salt: str) -> bytes:
    """The content to seal, decoded as received bytes are, because constructors do not check."""
    content = encode(SectionContent(**msgspec.structs.asdict(section), spec=SECTION_SPEC, salt=salt))
    decode_as(SectionContent, content)
    return content


def open_section(
    bulletin: Bulletin,
    index: int,
    keys: Collection[OpeningKey],
    *,
    registry: VerifiedRegistry,
    inner: Bulletin | None = None,
) -> SectionContent:
    """The content of a section of an admitted bulletin.

    Args:
        bulletin: the bulletin; admission let it in.
        index: the number of the section, from 0.
        keys: private seal keys of this reader, old ones too.
        registry: who may publish what.
        inner: the inner bulletin, if the bulletin itself is sealed: the section belongs to it.

    Raises:
        SealError: as `bus.sealing.opening.opened`; `section-label`, `section-tlp`.
        AdmissionError: the content is refused: `too-large`, `malformed-payload`, `duplicate-member`, `schema`,
            `rule:R<n>`, `not-permitted`.
    """
    part = bulletin.sections[index]
    raw = opened(part, keys, context_of(bulletin, registry.domain, index, part.label), registry)
    said = inner or bulletin
    try:
        content = decode_as(SectionContent, raw)
        if content.label != part.label:
            raise SealError("inside and outside differ in the label", reason="section-label")
        rules.check_section(said, content, index)
        registry.permit(rules.with_section(said, content))
    except (SchemaError, PermitError) as exc:
        kind = SealError if exc.reason == "section-tlp" else AdmissionError
        raise kind(f"the section {part.label}: {exc}", reason=exc.reason) from None
    return content
