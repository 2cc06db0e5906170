"""The bulletins of one incident, by the statements of their authors and the decisions of people. Pure.

An author ties bulletins by a common incident or a reference. A person says of a bulletin that it belongs to an incident, that it
does not, or that it is split off. The last decision about a bulletin and an incident counts until it is undone. An incident is
named by any of its members.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from bus.desk import decisions
from bus.hub.incidents.traits import Traits
from schemas.bulletin import Bulletin


class How(StrEnum):
    """How two bulletins are tied."""

    INCIDENT = "incident-id"
    REFERENCE = "reference"
    DECIDED = "decided"


class Tie(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Two ids, the smaller first, how they are tied, and who says so: an issuer or a person."""

    a: str
    b: str
    how: How
    by: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """An incident: its members, the oldest first, and the ties between them.

    Attributes:
        id: of the oldest member.
        members: the ids of all, by time.
        ties: sorted.
    """

    id: str
    members: tuple[str, ...]
    ties: tuple[Tie, ...]


def references_of(b: Bulletin) -> tuple[str, ...]:
    """The ids that a bulletin is tied to by what its author says."""
    return tuple(sorted({ref.id for ref in b.references}))


def said(
    every: Mapping[str, Traits], references: Mapping[str, Sequence[str]], by: Mapping[str, str]
) -> list[Tie]:
    """The ties that authors say between bulletins of a window.

    Args:
        every: the bulletins by id; those that speak of many events tie nothing.
        references: the ids that each refers to.
        by: the issuer of each.
    """
    found = []
    first: dict[str, str] = {}
    for id_, each in sorted(every.items(), key=lambda item: (item[1].issued, item[0])):
        if each.is_overview:
            continue
        if each.incident is not None:
            # Authors may name the bulletin with which it began.
            anchor = each.incident if each.incident in every else first.setdefault(each.incident, id_)
            if anchor != id_:
                found.append(_tie(anchor, id_, How.INCIDENT, by[id_]))
        found += [
            _tie(id_, other, How.REFERENCE, by[id_])
            for other in references.get(id_, ())
            if other in every and other != id_ and not every[other].is_overview
        ]
    return found


def joined(
    every: Mapping[str, Traits], ties: Iterable[Tie], made: Iterable[decisions.Decision]
) -> list[Group]:
    """The incidents of a window: groups of two bulletins or more, the newest member's first.

    Args:
        every: the bulletins by id.
        ties: what authors say (`said`).
        made: the decisions in force, in the order in which they were made.
    """
    edges: dict[tuple[str, str], list[Tie]] = defaultdict(list)
    for tie in ties:
        edges[tie.a, tie.b].append(tie)
    splits = []
    for each in made:
        if each.incident not in every or each.bulletin not in every or each.incident == each.bulletin:
            continue
        pair = pair_of(each.incident, each.bulletin)
        match each.verdict:
            case decisions.Verdict.BELONGS:
                edges[pair].append(_tie(*pair, How.DECIDED, each.by))
            case decisions.Verdict.DOES_NOT:
                edges.pop(pair, None)
            case decisions.Verdict.SPLIT:
                splits.append(each)
    near = _near(edges)
    for each in splits:
        rest = _reached(near, each.incident, without=each.bulletin)
        for other in near.get(each.bulletin, set()) & rest:
            edges.pop(pair_of(each.bulletin, other), None)
        near = _near(edges)
    groups, seen = [], set[str]()
    for id_ in sorted(near):
        if id_ not in seen:
            members = _reached(near, id_)
            seen |= members
            within = [tie for pair, some in edges.items() if pair[0] in members for tie in some]
            by_time = sorted(members, key=lambda one: (every[one].issued, one))
            groups.append(Group(id=by_time[0], members=tuple(by_time), ties=tuple(sorted(set(within)))))
    return sorted(groups, key=lambda group: (-every[group.members[-1]].issued, group.id))


def apart(made: Iterable[decisions.Decision]) -> list[tuple[str, str]]:
    """Pairs that a person keeps apart: neither they nor their incidents are suggested to belong together."""
    return [
        pair_of(each.incident, each.bulletin)
        for each in made
        if each.verdict is not decisions.Verdict.BELONGS
    ]


def pair_of(one: str, other: str) -> tuple[str, str]:
    """Two ids, the smaller first."""
    return (min(one, other), max(one, other))


def _tie(one: str, other: str, how: How, by: str) -> Tie:
    a, b = pair_of(one, other)
    return Tie(a=a, b=b, how=how, by=by)


def _near(edges: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    near: dict[str, set[str]] = defaultdict(set)
    for one, other in edges:
        near[one].add(other)
        near[other].add(one)
    return near


def _reached(near: Mapping[str, set[str]], start: str, without: str | None = None) -> set[str]:
    found, front = {start}, [start]
    while front:
        for other in near.get(front.pop(), ()):
            if other not in found and other != without:
                found.add(other)
                front.append(other)
    return found
