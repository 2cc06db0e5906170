"""Bulletins that may belong together: compared in points with those around, and joined if their groups agree. Pure.

Then each group is taken as one bulletin and compared with the groups that have a name in common with it: what its bulletins tell
together may be enough where no two of them are. What is common is rare or not among groups, so a name that twelve bulletins of
one incident have is as rare as one that a single bulletin has.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from functools import cached_property

import msgspec

from bus.hub.incidents.finding import Pair, candidates
from bus.hub.incidents.likeness import ENOUGH, ENOUGH_NAMED, SURE, Likeness, Reason, Why, likeness
from bus.hub.incidents.naming import named
from bus.hub.incidents.pooling import pooled
from bus.hub.incidents.rarity import Rarity
from bus.hub.incidents.traits import Sort, Traits

MOST_NAMED = 2
"""A group is compared with so many others at the most that have names in common with it, each time."""
ROUNDS = 2
"""So often; in between, groups grow."""
_FEW = 4
"""A name of more groups joins none."""
_LIST_OF = 3
"""A bulletin that shares values with so many others, a different one with each, is a list; lists join nothing."""


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Two bulletins that may belong together, the one with the smaller id first, and why."""

    a: str
    b: str
    likeness: Likeness


def _surest(each: Suggestion) -> tuple[float, str, str]:
    return (-each.likeness.points, each.a, each.b)


class Pool:
    """The bulletins of a window that are compared with one another.

    Attributes:
        every: their traits by id.
        rarity: of what they have in common.
        lists: those that are lists of indicators.
    """

    def __init__(self, every: Iterable[Traits], is_noise: Callable[[str], bool] = lambda _: False) -> None:
        """Take bulletins in.

        Args:
            every: their traits.
            is_noise: whether a value says nothing: a public resolver, a shortener.
        """
        self.every: Mapping[str, Traits] = {each.id: each for each in named(every)}
        self._is_noise = is_noise
        self.rarity = Rarity(self.every.values(), is_noise)
        self.lists = self._lists()
        self._compared = [
            id_ for id_, each in self.every.items() if id_ not in self.lists and not each.is_overview
        ]

    @cached_property
    def pairs(self) -> Mapping[Pair, Likeness]:
        """Every two bulletins that are alike at all."""
        found = {}
        for a, b in candidates({id_: self.every[id_] for id_ in self._compared}, self.rarity):
            alike = likeness(self.every[a], self.every[b], self.rarity)
            if alike.points > 0:
                found[a, b] = alike
        return found

    def suggested(self, tied: Iterable[Pair] = (), apart: Iterable[Pair] = ()) -> list[Suggestion]:
        """Bulletins that may belong together, the surest first; joined ones are not suggested.

        Args:
            tied: pairs that authors or people have joined.
            apart: pairs of which a person said that they do not belong together.
        """
        groups = _Groups(self.pairs)
        for one, other in tied:
            groups.join(one, other)
        never = frozenset(apart)
        found = []
        for pair, alike in sorted(self.pairs.items(), key=lambda item: (-item[1].points, item[0])):
            if alike.points < ENOUGH:
                break
            if groups.are_apart(pair, never):
                continue
            if alike.points >= SURE or groups.agree(pair, alike.points):
                groups.join(*pair)
                found.append(Suggestion(a=pair[0], b=pair[1], likeness=alike))
        for _ in range(ROUNDS):
            grown = set[str]()
            for each in self._named(groups):
                pair = (each.a, each.b)
                if grown.isdisjoint(pair) and not groups.are_apart(pair, never):
                    grown |= groups.join(*pair)
                    found.append(each)
            if not grown:
                break
        return sorted(found, key=_surest)

    def _named(self, groups: _Groups) -> list[Suggestion]:
        """Groups that a name of few others may join, each taken as one bulletin; the surest first."""
        members = groups.of(self._compared)
        wholes = {id_: pooled([self.every[each] for each in some]) for id_, some in members.items()}
        rarity = Rarity(wholes.values(), self._is_noise)
        found = []
        for pair in with_names(rarity, {id_ for id_, some in members.items() if len(some) > 1}):
            alike = likeness(wholes[pair[0]], wholes[pair[1]], rarity)
            names = [(Sort.CALLED, each.value) for each in alike.reasons if each.sort is Sort.CALLED]
            if names and alike.points >= ENOUGH_NAMED:
                a, b = sorted(
                    next(id_ for id_ in members[each] if names[0] in self.every[id_].traits) for each in pair
                )
                reasons = (*alike.reasons, Reason(why=Why.TOGETHER, points=0.0))
                found.append(Suggestion(a=a, b=b, likeness=Likeness(points=alike.points, reasons=reasons)))
        return sorted(found, key=_surest)

    def _lists(self) -> frozenset[str]:
        """Bulletins that share a different value with each of several others and refer to none: they join nothing."""
        found: set[str] = set()
        while True:
            counts = {id_: self._spread(each, found) for id_, each in self.every.items() if id_ not in found}
            most = max(counts, key=lambda id_: (counts[id_], id_), default="")
            if counts.get(most, 0) < _LIST_OF:
                return frozenset(found)
            found.add(most)

    def _spread(self, traits: Traits, lists: set[str]) -> int:
        if traits.refers or traits.incident is not None or traits.is_overview:
            return 0
        others = [
            sharers
            for sort, value in traits.traits
            if sort in (Sort.MARK, Sort.VALUE, Sort.HOST)
            and (
                sharers := {*self.rarity.having[Sort.VALUE if sort is Sort.HOST else sort, value]}
                - {traits.id}
                - lists
            )
        ]
        spread, seen = 0, set[str]()
        for sharers in sorted(others, key=lambda each: (len(each), sorted(each))):
            if not sharers & seen:
                spread, seen = spread + 1, seen | sharers
        return spread


def with_names(rarity: Rarity, grown: Set[str]) -> list[Pair]:
    """Groups to compare, at least one of them of several bulletins: each with those with which it shares most names."""
    common: dict[str, Counter[str]] = defaultdict(Counter)
    for (sort, _), having in rarity.having.items():
        if sort is Sort.CALLED and 1 < len(having) <= _FEW:
            for one, other in itertools.permutations(having, 2):
                if one in grown or other in grown:
                    common[one][other] += 1
    return sorted(
        {
            (min(one, other), max(one, other))
            for one, some in common.items()
            for other, _ in heapq.nsmallest(MOST_NAMED, some.items(), key=lambda item: (-item[1], item[0]))
        }
    )


class _Groups:
    """Bulletins joined so far."""

    def __init__(self, pairs: Mapping[Pair, Likeness]) -> None:
        self._of: dict[str, set[str]] = {}
        self._near: dict[str, dict[str, float]] = defaultdict(dict)
        for (one, other), alike in pairs.items():
            self._near[one][other] = self._near[other][one] = alike.points

    def _group(self, id_: str) -> set[str]:
        return self._of.setdefault(id_, {id_})

    def join(self, one: str, other: str) -> set[str]:
        """Make one group of two, and return its members."""
        mine, theirs = self._group(one), self._group(other)
        if mine is not theirs:
            mine |= theirs
            for each in theirs:
                self._of[each] = mine
        return mine

    def of(self, some: Iterable[str]) -> dict[str, list[str]]:
        """The groups of bulletins: their members among these, sorted, by the first of them."""
        found: dict[int, list[str]] = defaultdict(list)
        for id_ in sorted(some):
            found[id(self._group(id_))].append(id_)
        return {members[0]: members for members in found.values()}

    def are_apart(self, pair: Pair, never: frozenset[Pair]) -> bool:
        """Whether two are of one group already, or a person keeps their groups apart."""
        mine, theirs = self._group(pair[0]), self._group(pair[1])
        if mine is theirs:
            return True
        return bool(never) and any((min(a, b), max(a, b)) in never for a in mine for b in theirs)

    def agree(self, pair: Pair, points: float) -> bool:
        """Whether a pair and all pairs between its two groups are together as alike as the pairs inside the looser group.

        So one weak pair does not chain two incidents, and an incident of which each office tells another part may grow.
        """
        few, many = sorted((self._group(pair[0]), self._group(pair[1])), key=len)
        between = self._sum(few, many) / (len(few) * len(many))
        return points + between >= ENOUGH + min(ENOUGH, self._inside(few), self._inside(many))

    def _inside(self, group: set[str]) -> float:
        """The mean of the points of all pairs inside a group."""
        return self._sum(group, group) / (len(group) * (len(group) - 1)) if len(group) > 1 else ENOUGH

    def _sum(self, some: set[str], others: set[str]) -> float:
        return math.fsum(each for one in some for other, each in self._near[one].items() if other in others)
