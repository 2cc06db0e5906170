"""The likelihood that two bulletins are about one incident, in points, each with its reason. Pure.

A value that hardly two people own joins alone. What else two bulletins have in common adds up: numbers, names, rare words,
matters and labels, each the more the rarer it is. Place, election and time add a little and join nothing alone; another place,
election or label, and a second first report of one office, speak against. The points are set on labelled bulletins and
tried on others (`tests/incidents`, docs/adr/060 and 067).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from bus.hub.incidents.legible import is_legible
from bus.hub.incidents.rarity import Rarity, weight
from bus.hub.incidents.spelling import mentionable
from bus.hub.incidents.traits import HOSTS, MENTIONABLE, Sort, Trait, Traits

DAY_S = 86_400.0
ENOUGH = 1.9
"""So many points make a suggestion, where the bulletins around agree (`bus.hub.incidents.suggesting`)."""
SURE = 3.75
"""So many make one alone."""
ENOUGH_NAMED = 2.4
"""So many make one between two groups that have a name in common, each taken as one bulletin."""


class Why(StrEnum):
    """The reasons of a suggestion."""

    SHARED = "shared"
    WORDS = "words"
    MATTERS = "matters"
    TECHNIQUES = "techniques"
    PLACE = "place"
    ELECTION = "election"
    TIME = "time"
    LABEL = "label"
    OFFICE = "office"
    TOGETHER = "together"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason.

    Attributes:
        why: what it is.
        points: what it adds; what speaks against has less than 0.
        sort: of what is shared.
        value: which value of the sort gives the points.
        said: what of the sort a person is told; None where all that is shared are times, hashes and ids of machines.
    """

    why: Why
    points: float
    sort: Sort | None = None
    value: str | None = None
    said: str | None = None


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """The reasons why two bulletins may belong together, and their sum."""

    points: float
    reasons: tuple[Reason, ...]


NONE = Likeness(points=0.0, reasons=())
POINTS: Mapping[Sort, float] = {
    Sort.KEYED: 3.5,
    Sort.MARK: 3.5,
    Sort.VALUE: 3.0,
    Sort.HOST: 2.5,
    Sort.CHANNEL: 2.25,
    Sort.MENTION: 2.0,
    Sort.ADDRESS: 2.0,
    Sort.VICTIM: 1.0,
    Sort.NUMBER: 2.0,
    Sort.CALLED: 1.25,
    Sort.TAG: 1.0,
    Sort.LABEL: 0.4,
}
"""For a shared trait that is as rare as can be."""
_OWNED = frozenset({Sort.KEYED, Sort.MARK, Sort.VALUE, Sort.HOST, Sort.CHANNEL, Sort.MENTION})
"""One value may show in several of these sorts; it counts once."""
_ONLY_NEAR = frozenset({Sort.NUMBER, Sort.LABEL})
"""Shared by chance between countries; these count where the place or election is one."""
_WORDS_ALL, _WORDS_SHARE, _LEAST_WORDS, _MOST_OF_WORDS = 1.25, 1.25, 0.25, 3.0
_MATTERS_ALL, _MATTERS_SHARE, _LEAST_MATTERS, _LEAST_SHARE, _FEW_MATTERS = 0.75, 2.25, 0.4, 0.25, 0.5
"""A bulletin with matters of less weight counts as if it had so much: one common matter that is all of both says little."""
_OWN = 0.5
"""With less in common, place and time are not looked at."""
_NAME, _TECHNIQUES = 0.25, 0.25
_ELECTION, _OTHER_ELECTION, _REGION, _OTHER_REGION, _PLACE, _OTHER_PLACE = (
    0.35,
    -0.75,
    0.75,
    -1.5,
    0.35,
    -0.05,
)
_TIME, _DELAY = 0.5, 0.45
_OTHER_LABEL, _SAME_OFFICE, _SAME_STAGE = -1.0, -1.2, -0.5
_DECIDING = frozenset({"category", "classification", "cause"})
"""Fields of which an incident has one label."""


def likeness(a: Traits, b: Traits, rarity: Rarity) -> Likeness:
    """The likelihood that two bulletins are about one incident.

    Args:
        a: one bulletin.
        b: another.
        rarity: of the bulletins that both stand among.
    """
    if a.is_actual is not b.is_actual or a.is_overview or b.is_overview:
        return NONE
    both = a.traits & b.traits
    own = [*_shared(a, b, both, rarity), *_words(a, b, rarity), *_matters(a, b, rarity)]
    if sum(each.points for each in own) < _OWN:
        return NONE
    has_value = any(each.sort in _OWNED for each in own)
    reasons = (*own, *_beside(a, b, both, has_value))
    return Likeness(points=sum(each.points for each in reasons), reasons=reasons)


def _shared(a: Traits, b: Traits, both: frozenset[Trait], rarity: Rarity) -> list[Reason]:
    """The best of each sort that is shared; a value counts once, as the sort that is worth most."""
    is_near = not a.countries.isdisjoint(b.countries) or (a.election is not None and a.election == b.election)
    best: dict[Sort, Reason] = {}
    told: dict[Sort, tuple[float, str]] = {}
    for sort, value in (*both, *_mentioned(a, b), *_mentioned(b, a), *_hosts(a, b), *_hosts(b, a)):
        if sort not in POINTS or (sort in _ONLY_NEAR and not is_near):
            continue
        points = POINTS[sort] * rarity.trait(sort, value) * (_size(value) if sort is Sort.NUMBER else 1.0)
        if points and (sort not in best or (points, value) > (best[sort].points, best[sort].value or "")):
            best[sort] = Reason(why=Why.SHARED, sort=sort, value=value, points=points)
        if points and (points, value) > told.get(sort, (0.0, "")) and is_legible(value):
            told[sort] = points, value
    said = (
        msgspec.structs.replace(each, said=told[sort][1]) if sort in told else each
        for sort, each in best.items()
    )
    found = sorted(said, key=lambda each: (-each.points, str(each.sort)))
    owned = [each for each in found if each.sort in _OWNED][:1]
    return [*owned, *(each for each in found if each.sort not in _OWNED and not _is_part(each, owned))]


def _is_part(name: Reason, owned: Sequence[Reason]) -> bool:
    """Whether a name is only a part of a value that counts already."""
    return name.sort is Sort.CALLED and any((name.value or "") in (each.value or "") for each in owned)


def _size(number: str) -> float:
    """A long number is hardly met by chance."""
    return (0.3, 0.7, 1.0)[min(len(number), 4) - 2]


def _words(a: Traits, b: Traits, rarity: Rarity) -> Iterator[Reason]:
    """Rare words in common: how rare they are together, and how much of both texts they are."""
    if common := weight(a.words & b.words, rarity.words):
        share = common / math.sqrt(rarity.sizes[a.id][0] * rarity.sizes[b.id][0])
        points = _WORDS_ALL * math.sqrt(common) + _WORDS_SHARE * share - _LEAST_WORDS
        if points > 0:
            yield Reason(why=Why.WORDS, points=min(_MOST_OF_WORDS, points))


def _matters(a: Traits, b: Traits, rarity: Rarity) -> Iterator[Reason]:
    """Matters in common, in any language: how rare they are, and how much of what both tell of. The rarest are named."""
    both = a.matters & b.matters
    if common := weight(both, rarity.matters):
        sizes = (max(_FEW_MATTERS, rarity.sizes[each.id][1]) for each in (a, b))
        share = max(0.0, common / math.sqrt(math.prod(sizes)) - _LEAST_SHARE)
        rare = max(0.0, math.sqrt(common) - _LEAST_MATTERS)
        if points := _MATTERS_ALL * rare + _MATTERS_SHARE * share:
            rarest = sorted(both, key=lambda each: (-rarity.matters.get(each, 0.0), each))[:3]
            yield Reason(why=Why.MATTERS, said=", ".join(rarest), points=points)


def _mentioned(a: Traits, b: Traits) -> list[Trait]:
    """Values of one that the prose of the other mentions."""
    mentions = {value for sort, value in b.traits if sort is Sort.MENTION}
    if not mentions:
        return []
    values = (mentionable(value) for sort, value in a.traits if sort in MENTIONABLE)
    return [(Sort.MENTION, value) for value in values if value in mentions]


def _hosts(a: Traits, b: Traits) -> list[Trait]:
    """Machines in addresses and mailboxes of one that the other names by themselves."""
    hosts = (value for sort, value in a.traits if sort in HOSTS)
    return [(Sort.HOST, value) for value in hosts if (Sort.VALUE, value) in b.traits]


def _beside(a: Traits, b: Traits, both: frozenset[Trait], has_value: bool) -> Iterator[Reason]:
    """The small points for one incident, and the points against it."""
    if names := sorted(value for sort, value in both if sort is Sort.NAME):
        said = next(filter(is_legible, names), None)
        yield Reason(why=Why.SHARED, sort=Sort.NAME, value=names[0], said=said, points=_NAME)
    if sum(sort is Sort.TECHNIQUE for sort, _ in both) > 1:
        yield Reason(why=Why.TECHNIQUES, points=_TECHNIQUES)
    if a.election is not None and b.election is not None:
        yield Reason(why=Why.ELECTION, points=_ELECTION if a.election == b.election else _OTHER_ELECTION)
    if a.regions and b.regions:
        yield Reason(why=Why.PLACE, points=_OTHER_REGION if a.regions.isdisjoint(b.regions) else _REGION)
    if a.countries and b.countries:
        is_other = a.countries.isdisjoint(b.countries)
        yield Reason(why=Why.PLACE, points=_OTHER_PLACE if is_other else _PLACE)
    yield Reason(why=Why.TIME, points=_TIME - _DELAY * math.log1p(_between(a, b) / DAY_S))
    if _have_other_labels(a, b):
        yield Reason(why=Why.LABEL, points=_OTHER_LABEL)
    if a.office == b.office and not has_value:
        # An office that reports again refers to its report; without that, it rather reports another event.
        points = _SAME_OFFICE + (_SAME_STAGE if a.stage == b.stage else 0.0)
        yield Reason(why=Why.OFFICE, points=points)


def _between(a: Traits, b: Traits) -> float:
    """Seconds from the end of the earlier to the beginning of the later; 0 where they overlap."""
    return max(0.0, a.issued - b.until, b.issued - a.until)


def _have_other_labels(a: Traits, b: Traits) -> bool:
    for field in _DECIDING:
        mine, theirs = ({label for name, label in each.labels if name == field} for each in (a, b))
        if mine and theirs and mine.isdisjoint(theirs):
            return True
    return False
