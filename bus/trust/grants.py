"""What grants open: the ways on which an authority is heard, or hears, and what it may say there. Pure.

A way is a (status, tlp, audience).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import msgspec

from bus.errors import PermitError
from schemas.bodies.system import receipt_tlp
from schemas.bulletin import Bulletin
from schemas.parts import Area, Authority
from schemas.registry import AuthorityRecord, PublishGrant, ReadGrant
from schemas.subject import Channel
from schemas.vocab import TALK, Status, Tlp

ANY = "*"
UNION = "EU"  # the area code of what concerns the whole Union, and reaches every hub
HEARTBEAT = "channel-status"
HUB = "hub"
"""The kind of an authority that is a country's reader: it must have what it may read, answers, and helps other hubs."""

Ways = frozenset[tuple[Status, Tlp, str]]


def spoken_by(record: AuthorityRecord) -> Ways:
    """Where an authority may speak, whatever the kind and area."""
    return granted(record.publish)


def read_by(name: str, record: AuthorityRecord) -> Ways:
    """What an authority may read; a hub also hears what others say to it, by its id, about what it reads."""
    ways = granted(record.read)
    return ways | _said_to(name, ways) if record.kind == HUB else ways


def answers_to(name: str, record: AuthorityRecord) -> Ways:
    """Where others answer an author, and ask it, by its id, about what it says; it reads that by no grant."""
    return _said_to(name, (way for way in spoken_by(record) if way[0] not in TALK))


def _said_to(name: str, ways: Iterable[tuple[Status, Tlp, str]]) -> Ways:
    return frozenset((Status.SYSTEM, receipt_tlp(tlp), name) for _, tlp, _ in ways)


def granted(grants: Iterable[PublishGrant | ReadGrant]) -> Ways:
    """The ways that grants open themselves."""
    return frozenset(
        way for grant in grants for way in product(opened_by(grant), grant.tlps, grant.audiences)
    )


def opened_by(grant: PublishGrant | ReadGrant) -> frozenset[Status]:
    """The statuses that a grant opens: one for heartbeats on status system opens status beat, where they are said.

    Who may read system reads heartbeats.
    """
    statuses = frozenset(grant.statuses) - {Status.BEAT}
    if Status.SYSTEM not in statuses:
        return statuses
    is_heard = isinstance(grant, ReadGrant) or not {ANY, HEARTBEAT}.isdisjoint(grant.kinds)
    return statuses | {Status.BEAT} if is_heard else statuses


class Speaker(msgspec.Struct, frozen=True):
    """An authority as a speaker.

    Attributes:
        authority: how its bulletins must describe it.
        require: the algorithms that it must sign with.
        grants: what it may say.
    """

    authority: Authority
    require: tuple[str, ...]
    grants: tuple[PublishGrant, ...]

    @classmethod
    def of(cls, authority_id: str, record: AuthorityRecord) -> Speaker:
        """The speaker that a record of the registry describes."""
        return cls(
            authority=Authority(
                id=authority_id,
                kind=record.kind,
                domain=record.domain,
                country=record.country,
                name=record.name,
            ),
            require=tuple(record.require),
            grants=tuple(record.publish),
        )

    def permit(self, bulletin: Bulletin, channel: Channel) -> None:
        """Refuse what the speaker has no grant for.

        Args:
            bulletin: what it says.
            channel: the bulletin's own (`schemas.subject.channel_of`).

        Raises:
            PermitError: `not-permitted`, saying what is missing.
        """
        ways = [grant for grant in self.grants if _covers(grant, channel)]
        if not ways:
            raise PermitError(
                f"{bulletin.issuer.id} has no grant to publish {channel.name} ({bulletin.status}, "
                f"TLP:{bulletin.tlp.upper()}, to {bulletin.audience}); ask your registrar",
                reason="not-permitted",
            )
        kinds = [grant for grant in ways if ANY in grant.kinds or bulletin.kind in grant.kinds]
        if not kinds:
            raise PermitError(
                f"{bulletin.issuer.id} has no grant for kind {bulletin.kind} on {channel.name}",
                reason="not-permitted",
            )
        needed = areas_needed(bulletin.areas)
        if not any(ANY in grant.areas or needed <= set(grant.areas) for grant in kinds):
            said = ", ".join(sorted(needed)).replace(ANY, "areas without a country")
            raise PermitError(
                f"{bulletin.issuer.id} has no grant for {said} on {channel.name}", reason="not-permitted"
            )


def areas_needed(areas: Iterable[Area]) -> frozenset[str]:
    """What a grant must name for a bulletin about these areas: their countries; `*` for what names none, or for no area.

    What is left out must not be granted more than what is said.
    """
    needed: set[str] = set()
    for area in areas:
        if area.scope == "eu":
            needed |= {UNION, area.country or UNION}
        else:
            needed.add(area.country or ANY)
    return frozenset(needed or {ANY})


def _covers(grant: PublishGrant, channel: Channel) -> bool:
    return (
        channel.status in opened_by(grant)
        and channel.tlp in grant.tlps
        and channel.audience in grant.audiences
    )
