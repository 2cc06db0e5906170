"""Who exactly could read a draft, by which grant, across which borders: computed from the registry as admission and sealing do. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from bus import sealing, trust
from schemas.bulletin import Bulletin, Draft
from schemas.passing_on import countries, sentences
from schemas.rules import with_section
from schemas.subject import Channel, channel_of, subject_for
from schemas.vocab import Tlp

if TYPE_CHECKING:
    from bus.trust import VerifiedRegistry


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """An authority that may read it by a grant.

    Attributes:
        authority: its id.
        name: its name.
        country: its country.
        kind: its kind.
        member: whether it is a member of the audience.
        seal_key: whether it can open what is sealed.
    """

    authority: str
    name: str
    country: str
    kind: str
    member: bool
    seal_key: bool


class Border(msgspec.Struct, frozen=True, kw_only=True):
    """The readers of one country.

    Attributes:
        country: its code.
        readers: how many there are.
        hubs: the ids of the hubs among them.
        is_home: whether it is the issuer's country, so that no border is crossed.
        is_left_out: whether `releasable_to` leaves this country out although its authorities would read it.
    """

    country: str
    readers: int
    hubs: tuple[str, ...]
    is_home: bool
    is_left_out: bool


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed section: its label, its channel, who may open it, and who of them cannot for lack of a seal key."""

    label: str
    channel: str
    readers: tuple[str, ...]
    without_seal_key: tuple[str, ...]


class Egress(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves, and who reads it.

    Attributes:
        subject: where it is published.
        channel: its channel.
        public: whether it is TLP:CLEAR, which every recipient may publish.
        sealed: whether the policy of the audience seals it, so that the broker's operator cannot read it.
        handling: the limits on passing it on, in sentences.
        readers: all readers, by id.
        borders: the same by country, the issuer's first.
        sections: its sealed sections.
        left_out: ids of those who read other bulletins of the issuer at this status, and not this one.
        answering: how many readers may answer it.
        hears_answers: whether the issuer receives the answers on this channel; otherwise by its id.
    """

    subject: str
    channel: str
    public: bool
    sealed: bool
    handling: tuple[str, ...]
    readers: tuple[Reader, ...]
    borders: tuple[Border, ...]
    sections: tuple[Part, ...]
    left_out: tuple[str, ...]
    answering: int
    hears_answers: bool


def egress(draft: Draft, bulletin: Bulletin, registry: VerifiedRegistry, now: dt.datetime) -> Egress:
    """What leaves, and who reads it.

    Args:
        draft: the draft, whose sections are to be sealed.
        bulletin: the same as it would be stamped.
        registry: the grants.
        now: the present, aware.
    """
    channel, me = channel_of(bulletin), bulletin.issuer.id
    names = registry.readers(channel)
    audience = registry.document.audiences.get(bulletin.audience)
    members = audience.members if audience else (bulletin.audience,)

    def has_seal_key(reader: str) -> bool:
        return sealing.current_key(registry.seal_keys(reader), now) is not None

    readers = tuple(
        Reader(
            authority=name,
            name=(record := registry.authority(name)).name,
            country=record.country,
            kind=record.kind,
            member=name in members,
            seal_key=has_seal_key(name),
        )
        for name in names
    )
    parts = tuple(
        Part(
            label=section.label,
            channel=channel_of(with_section(bulletin, section)).name,
            readers=(opened := sealing.sections.readers(bulletin, section, registry)),
            without_seal_key=tuple(name for name in opened if not has_seal_key(name)),
        )
        for section in draft.sections
    )
    return Egress(
        subject=subject_for(bulletin),
        channel=str(channel),
        public=bulletin.tlp is Tlp.CLEAR,
        sealed=sealing.must_seal(bulletin, registry),
        handling=sentences(bulletin, now),
        readers=readers,
        borders=tuple(_borders(bulletin, readers)),
        sections=parts,
        left_out=_left_out(registry, channel, names),
        answering=sum(bool(registry.authority(name).keys) for name in names),
        hears_answers=registry.hears_answers(me, channel),
    )


def _borders(bulletin: Bulletin, readers: Sequence[Reader]) -> Iterator[Border]:
    home, allowed = bulletin.issuer.country, countries(bulletin)
    for country in sorted({each.country for each in readers}, key=lambda each: (each != home, each)):
        here = [each for each in readers if each.country == country]
        yield Border(
            country=country,
            readers=len(here),
            hubs=tuple(each.authority for each in here if each.kind == trust.HUB),
            is_home=country == home,
            is_left_out=bool(allowed) and country not in allowed,
        )


def _left_out(registry: VerifiedRegistry, channel: Channel, names: Sequence[str]) -> tuple[str, ...]:
    """Those who read the issuer on another channel of the same status, and not on this one."""
    elsewhere: set[str] = set()
    for status, tlp, audience in registry.granted_prefixes(channel.issuer):
        if status == channel.status:
            other = Channel(issuer=channel.issuer, status=status, tlp=tlp, audience=audience)
            elsewhere.update(registry.readers(other))
    return tuple(sorted(elsewhere - {*names, channel.issuer}))
