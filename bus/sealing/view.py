"""One reader's view of a held bulletin: the parts that it can open, and for the others the recipients and the reason. Pure.

The store holds only the sealed form. A program opens a bulletin to show it, and keeps nothing of the content.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from bus.admission import Admitted
from bus.errors import PermitError, SealError
from bus.keys import OpeningKey
from bus.sealing.opening import context_of, is_listed, open_bulletin
from bus.sealing.sections import open_section
from bus.trust import VerifiedRegistry
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.errors import TocsinError
from schemas.parts import SealedSection
from schemas.sections import SectionContent
from schemas.subject import channel_of

SIGHT_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "no-seal-key": "it is sealed to this identity, which names no seal key",
        "seal-key-gone": "it is sealed to a key of this identity that is missing here, or was deleted",
        "seal-key-unlisted": "it is sealed for this identity to a key that the registry does not list; ask its author",
        "not-permitted": "the present registry does not let this identity read the channel",
        "not-recorded": "the opening could not be written into the audit record",
    }
)
"""The reasons why a reader does not see sealed content, beside those of a seal, a section or a bulletin."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """A reader's private seal keys; if there are none, the reason code."""

    keys: tuple[OpeningKey, ...] = ()
    problem: str = "seal-key-gone"


class SectionSight(msgspec.Struct, frozen=True, kw_only=True):
    """A section as a reader sees it: its content, or the reason why it is closed."""

    label: str
    recipients: tuple[str, ...]
    content: SectionContent | None = None
    reason: str = ""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin as a reader sees it; `reason` is the code why a sealed one is not opened."""

    outer: Bulletin
    inner: Admitted | None = None
    reason: str = ""
    sections: tuple[SectionSight, ...] = ()

    @property
    def bulletin(self) -> Bulletin:
        """The bulletin to show: the inner one, or the cover."""
        return self.inner.bulletin if self.inner else self.outer

    @property
    def opened(self) -> tuple[str, ...]:
        """The opened parts: `bulletin`, and the labels of sections."""
        return (
            *(("bulletin",) if self.inner else ()),
            *(section.label for section in self.sections if section.content is not None),
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of the closed parts."""
        reasons = (self.reason, *(section.reason for section in self.sections))
        return tuple(dict.fromkeys(filter(None, reasons)))

    @property
    def remarks(self) -> tuple[str, ...]:
        """The state of each part in a few words, for one line."""
        whole = ["opened"] if self.inner else [f"not opened: {self.reason}"] if self.reason else []
        return (
            *whole,
            *(
                f"section {section.label} "
                + (
                    f"sealed to {' '.join(section.recipients)}: {section.reason}"
                    if section.reason
                    else "opened"
                )
                for section in self.sections
            ),
        )


def is_closed(bulletin: Bulletin) -> bool:
    """Whether any part of a bulletin is sealed."""
    return isinstance(bulletin.body, Sealed) or bool(bulletin.sections)


def names(bulletin: Bulletin, reader: str) -> bool:
    """Whether any part of a bulletin is sealed to a reader."""
    whole = bulletin.body.recipients if isinstance(bulletin.body, Sealed) else ()
    return reader in whole or any(reader in section.recipients for section in bulletin.sections)


def look(outer: Bulletin, mine: Keys, *, reader: str, registry: VerifiedRegistry, now: dt.datetime) -> View:
    """Open the parts of a held bulletin that this reader can open. Raises nothing; each closed part has its reason.

    Args:
        outer: the bulletin; admission let it in.
        mine: the reader's keys.
        reader: the reader's authority id.
        registry: who may read and publish what.
        now: the present, aware.
    """
    inner = None
    if isinstance(outer.body, Sealed):
        try:
            _may_open(outer, outer.body.recipients, mine, reader, registry)
            inner = open_bulletin(outer, mine.keys, registry=registry, now=now, held=True)
        except TocsinError as exc:
            return closed(outer, _told(exc, reader, outer, registry))
    sections = look_at_sections(outer, inner, mine, reader=reader, registry=registry)
    return View(outer=outer, inner=inner, sections=sections)


def closed(outer: Bulletin, reason: str) -> View:
    """A bulletin with all parts closed, for one reason."""
    return View(
        outer=outer,
        reason=reason if isinstance(outer.body, Sealed) else "",
        sections=tuple(
            SectionSight(label=section.label, recipients=section.recipients, reason=reason)
            for section in outer.sections
        ),
    )


def look_at_sections(
    outer: Bulletin, inner: Admitted | None, mine: Keys, *, reader: str | None, registry: VerifiedRegistry
) -> tuple[SectionSight, ...]:
    """Open the sections that can be opened; with `reader` None only the keys decide."""
    sections = []
    for index, part in enumerate(outer.sections):
        content, reason = None, ""
        try:
            if reader is not None:
                _may_open(outer, part.recipients, mine, reader, registry)
            said = inner.bulletin if inner else None
            content = open_section(outer, index, mine.keys, registry=registry, inner=said)
        except TocsinError as exc:
            reason = _told(exc, reader, outer, registry, index)
        sections.append(
            SectionSight(label=part.label, recipients=part.recipients, content=content, reason=reason)
        )
    return tuple(sections)


def _may_open(
    outer: Bulletin, recipients: tuple[str, ...], mine: Keys, reader: str, registry: VerifiedRegistry
) -> None:
    """Raise the refusals that need no key."""
    if reader not in recipients:
        raise SealError(f"{reader} is not among the recipients", reason="not-a-recipient")
    if not registry.may_read(reader, channel_of(outer)):
        raise PermitError(f"{reader} may not read {channel_of(outer)}", reason="not-permitted")
    if not mine.keys:
        raise SealError("there is no seal key to open it with", reason=mine.problem)


def _told(
    exc: TocsinError,
    reader: str | None,
    outer: Bulletin,
    registry: VerifiedRegistry,
    index: int | None = None,
) -> str:
    """The reason code of an error. A named recipient without any of the keys has lost the key, or never had it."""
    part = outer.body if index is None else outer.sections[index]
    if exc.reason != "not-a-recipient" or not isinstance(part, Sealed | SealedSection):
        return exc.reason
    if reader not in part.recipients:
        return exc.reason
    label = part.label if isinstance(part, SealedSection) else ""
    context = context_of(outer, registry.domain, index, label)
    return "seal-key-gone" if is_listed(part, reader, context, registry) else "seal-key-unlisted"
