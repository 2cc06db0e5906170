"""The audiences that an authority may publish to by its grants, with markings and kinds. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bus.drafts.template import OF_PROGRAMS
from bus.trust import VerifiedRegistry, says
from schemas.bodies import KINDS
from schemas.registry import PublishGrant
from schemas.vocab import TALK, TLP_RANK, Status, Tlp

_ANY = "*"


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """One audience to which an authority may publish.

    Attributes:
        audience: its name, or the id of one authority.
        tlps: the markings, widest first.
        kinds: the kinds of bulletins.
        areas: the countries that the bulletins may be about; `*` is all.
        statuses: the statuses: actual, exercise, test.
        scope: the scope of the audience; empty for a single authority.
        members: the number of its members.
    """

    audience: str
    tlps: tuple[str, ...]
    kinds: tuple[str, ...]
    areas: tuple[str, ...]
    statuses: tuple[str, ...]
    scope: str = ""
    members: int = 0


def audiences_of(registry: VerifiedRegistry, authority: str) -> tuple[Opening, ...]:
    """Every audience to which an authority may publish drafts of a person, by name.

    Raises:
        TrustError: `unknown-authority`.
    """
    record = registry.authority(authority)
    grants = [
        grant for grant in record.publish if set(grant.statuses) - TALK and _drafted(grant, record.kind)
    ]
    found: dict[str, Opening] = {}
    for name in sorted({name for grant in grants for name in grant.audiences}):
        mine = [grant for grant in grants if name in grant.audiences]
        group = registry.document.audiences.get(name)
        found[name] = Opening(
            audience=name,
            tlps=tuple(
                sorted({str(tlp) for grant in mine for tlp in grant.tlps}, key=lambda tlp: TLP_RANK[Tlp(tlp)])
            ),
            kinds=tuple(sorted({kind for grant in mine for kind in _drafted(grant, record.kind)})),
            areas=tuple(sorted({str(area) for grant in mine for area in grant.areas})),
            statuses=tuple(
                str(status)
                for status in Status
                if status not in TALK and any(status in grant.statuses for grant in mine)
            ),
            scope="" if group is None else str(group.scope),
            members=0 if group is None else len(group.members),
        )
    return tuple(found.values())


def _drafted(grant: PublishGrant, kind_of_authority: str) -> tuple[str, ...]:
    kinds: Iterable[str] = grant.kinds
    if _ANY in grant.kinds:
        kinds = {*grant.kinds, *(kind for kind in KINDS if says(kind_of_authority, kind))} - {_ANY}
    return tuple(kind for kind in kinds if kind not in OF_PROGRAMS)
