"""The output of `tocsin incident`: incidents, members, suggestions and decisions, in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from bus.cli.frame import Answer, Table, at
from bus.hub import incidents

if TYPE_CHECKING:
    from bus.desk.decisions import Decision
    from bus.hub.incidents import Group as Incident
    from bus.hub.incidents import Suggestion
    from bus.hub.picture import Together


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An incident in a list."""

    id: str
    bulletins: int
    issuers: tuple[str, ...]
    suggested: int
    headline: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A member of an incident, and by what it belongs to it."""

    id: str
    issuer: str
    kind: str
    headline: str
    tlp: str
    audience: str
    tied_by: tuple[str, ...]


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A suggestion: what may belong to which member, in points, with the reasons as sentences."""

    id: str
    to: str
    points: float
    why: tuple[str, ...]
    headline: str


def shown(found: Together, group: Incident) -> Shown:
    """The line of an incident in a list."""
    members = [found.members[id_] for id_ in group.members]
    return Shown(
        id=group.id,
        bulletins=len(members),
        issuers=tuple(sorted({each.issuer for each in members})),
        suggested=len(found.suggested_for(group)),
        headline=members[0].headline,
    )


def part(found: Together, group: Incident, id_: str) -> Part:
    """A member with what ties it to the others."""
    member = found.members[id_]
    ties = [tie for tie in group.ties if id_ in (tie.a, tie.b)]
    by = tuple(sorted({incidents.tie_in_words(tie) for tie in ties}))
    return Part(
        id=id_,
        issuer=member.issuer,
        kind=member.kind,
        headline=member.headline,
        tlp=member.tlp,
        audience=member.audience,
        tied_by=by,
    )


def is_loose(found: Together, each: Suggestion) -> bool:
    """Whether a suggestion is about two bulletins that are in no incident."""
    groups = (found.group_of(each.a), found.group_of(each.b))
    return all(group is None or len(group.members) == 1 for group in groups)


def offer(found: Together, each: Suggestion, to: str) -> Offer:
    """A suggestion as seen from one of its two bulletins."""
    other = each.b if each.a == to else each.a
    return Offer(
        id=other,
        to=to,
        points=round(each.likeness.points, 2),
        why=tuple(incidents.reason_in_words(reason) for reason in each.likeness.reasons),
        headline=found.members[other].headline,
    )


def offered(offers: Sequence[Offer], notes: list[str]) -> Answer:
    """Suggestions as a table."""
    rows = ((each.id, each.to, f"{each.points:.1f}", "; ".join(each.why), each.headline) for each in offers)
    columns = ("may belong", "to", "points", "why", "headline")
    return Answer(*offers, table=Table(columns, rows, ("headline", "points")), notes=notes)


def decided(made: Sequence[Decision]) -> Answer:
    """Decisions in force, as a table."""
    rows = (
        (each.n, each.verdict, each.bulletin, each.incident, each.by, at_second(each.at), each.why or "-")
        for each in made
    )
    columns = ("number", "verdict", "bulletin", "incident", "by", "at", "why")
    return Answer(*made, table=Table(columns, rows, ("incident", "at")))


def at_second(seconds: float) -> str:
    """A time in seconds since 1970 as views show it."""
    return at(dt.datetime.fromtimestamp(seconds, dt.UTC))


def marked(each: Part) -> str:
    """The allowed recipients of a member."""
    return f"TLP:{each.tlp.upper()} {each.audience}"
