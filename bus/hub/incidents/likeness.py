"""The likelihood that two bulletins are about one incident, in points, each with its reason. Pure.

A value that hardly two people own joins alone. A value of other sorts, a mention or many rare words in common join together.
Place, election, time, names and techniques add a little and join nothing alone. The points are set by hand on the labelled set
(`tests/incidents`), and tried on another that was not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from bus.hub.incidents.traits import Sort, Traits, mentionable

DAY_S = 86_400.0
ENOUGH = 2.0
"""So many points make a suggestion, where the bulletins around agree (`bus.hub.incidents.suggesting`)."""
SURE = 3.2
"""So many make one alone."""


class Why(StrEnum):
    """The reasons of a suggestion."""

    SHARED = "shared"
    WORDS = "words"
    TECHNIQUES = "techniques"
    PLACE = "place"
    ELECTION = "election"
    TIME = "time"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason: what it is, the sort and value where something is shared, and its points; what speaks against has less than 0."""

    why: Why
    points: float
    sort: Sort | None = None
    value: str | None = None


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """The reasons why two bulletins may belong together, and their sum."""

    points: float
    reasons: tuple[Reason, ...]


NONE = Likeness(points=0.0, reasons=())
_POINTS: Mapping[Sort, float] = {
    Sort.KEYED: 3.5,
    Sort.MARK: 3.5,
    Sort.VALUE: 3.0,
    Sort.HOST: 2.5,
    Sort.MENTION: 2.0,
    Sort.ADDRESS: 1.5,
    Sort.VICTIM: 1.5,
    Sort.TAG: 1.0,
}
_BESIDE_S = 2 * DAY_S
_NEAR_S = 10 * DAY_S
_LEAST_ALIKE = 0.1
"""Prose of which less is in common says nothing."""
_WORDS_WORTH, _MOST_OF_WORDS = 10.0, 3.0
LEAST_ALONE = _LEAST_ALIKE + 1.0 / _WORDS_WORTH
"""Prose of which less is in common joins nothing by itself."""
_WORDS_ALONE = 0.6
"""If only words join, other traits add at most so many points."""
_NAME, _REGION, _PLACE, _ELECTION, _TECHNIQUES = 0.5, 0.5, 0.25, 0.25, 0.25
_OTHER_PLACE, _OTHER_ELECTION, _TIME, _MOST_OF_DELAY = -0.5, -1.0, 0.5, -1.5


def likeness(a: Traits, b: Traits, common: Callable[[Sort, str], float], words: float) -> Likeness:
    """The likelihood that two bulletins are about one incident.

    Args:
        a: one bulletin.
        b: another.
        common: how much a shared trait counts, from 0 (it says nothing) to 1.
        words: how alike their prose is, from 0 to 1.
    """
    if a.is_actual is not b.is_actual or a.is_overview or b.is_overview:
        return NONE
    shared = [*_shared(a, b, common)]
    reasons = list(shared)
    if words > _LEAST_ALIKE:
        worth = min(_MOST_OF_WORDS, (words - _LEAST_ALIKE) * _WORDS_WORTH)
        reasons.append(Reason(why=Why.WORDS, points=worth))
    own = sum(each.points for each in reasons)
    if own < 1.0:
        return NONE
    beside = _beside(a, b)
    points = own + sum(each.points for each in beside)
    if not shared:
        points = min(points, own + _WORDS_ALONE)
    return Likeness(points=points, reasons=(*reasons, *beside))


def _shared(a: Traits, b: Traits, common: Callable[[Sort, str], float]) -> list[Reason]:
    """The best of each sort that is shared; a value counts once, as the sort that is worth most."""
    best: dict[Sort, Reason] = {}
    for sort, value in (
        *(a.traits & b.traits),
        *_mentioned(a, b),
        *_mentioned(b, a),
        *_hosts(a, b),
        *_hosts(b, a),
    ):
        points = _POINTS.get(sort, 0.0) * common(sort, value)
        if points and (sort not in best or (points, value) > (best[sort].points, best[sort].value or "")):
            best[sort] = Reason(why=Why.SHARED, sort=sort, value=value, points=points)
    found = sorted(best.values(), key=lambda each: -each.points)
    values = [
        each for each in found if each.sort in (Sort.KEYED, Sort.MARK, Sort.VALUE, Sort.HOST, Sort.MENTION)
    ]
    return [*values[:1], *(each for each in found if each not in values)]


def _mentioned(a: Traits, b: Traits) -> list[tuple[Sort, str]]:
    """Values of one that the prose of the other mentions."""
    mentions = {value for sort, value in b.traits if sort is Sort.MENTION}
    if not mentions:
        return []
    values = (mentionable(value) for sort, value in a.traits if sort in (Sort.MARK, Sort.VALUE))
    return [(Sort.MENTION, value) for value in values if value in mentions]


def _hosts(a: Traits, b: Traits) -> list[tuple[Sort, str]]:
    """Machines in addresses and mailboxes of one that the other names by themselves."""
    hosts = (value for sort, value in a.traits if sort in (Sort.HOST, Sort.MAIL_HOST))
    return [(Sort.HOST, value) for value in hosts if (Sort.VALUE, value) in b.traits]


def _beside(a: Traits, b: Traits) -> list[Reason]:
    """The small points for one incident, and the points against it."""
    found = []
    both = a.traits & b.traits
    if names := sorted(value for sort, value in both if sort is Sort.NAME):
        found.append(Reason(why=Why.SHARED, sort=Sort.NAME, value=names[0], points=_NAME))
    if sum(sort is Sort.TECHNIQUE for sort, _ in both) > 1:
        found.append(Reason(why=Why.TECHNIQUES, points=_TECHNIQUES))
    if a.election is not None and b.election is not None:
        points = _ELECTION if a.election == b.election else _OTHER_ELECTION
        found.append(Reason(why=Why.ELECTION, points=points))
    if a.regions & b.regions:
        found.append(Reason(why=Why.PLACE, points=_REGION))
    if a.countries and b.countries:
        points = _PLACE if a.countries & b.countries else _OTHER_PLACE
        found.append(Reason(why=Why.PLACE, points=points))
    apart = abs(a.issued - b.issued)
    if apart <= _BESIDE_S:
        found.append(Reason(why=Why.TIME, points=_TIME))
    elif apart > _NEAR_S:
        found.append(Reason(why=Why.TIME, points=max(_MOST_OF_DELAY, -(apart - _NEAR_S) / _NEAR_S)))
    return found
