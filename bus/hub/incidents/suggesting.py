"""Bulletins that may belong together: compared in points with those around, and joined if their groups agree. Pure."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import msgspec

from bus.hub.incidents.finding import Pair, candidates
from bus.hub.incidents.likeness import ENOUGH, SURE, Likeness, Reason, Why, likeness
from bus.hub.incidents.naming import named
from bus.hub.incidents.pooling import pooled
from bus.hub.incidents.rarity import Rarity
from bus.hub.incidents.traits import Sort, Traits

ENOUGH_NAMED = 2.4
"""So many points join two incidents that have a name in common."""
_FEW = 4
"""A name of more incidents joins none."""
_ROUNDS = 3
_LIST_OF = 3
"""A bulletin that shares values with so many others, a different one with each, is a list; lists join nothing."""


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Two bulletins that may belong together, the one with the smaller id first, and why."""

    a: str
    b: str
    likeness: Likeness


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
        for _ in range(_ROUNDS):
            grown: set[str] = set()
            for each in self._named(groups):
                pair = (each.a, each.b)
                if grown.isdisjoint(pair) and not groups.are_apart(pair, never):
                    grown |= groups.join(*pair)
                    found.append(each)
            if not grown:
                break
        return found

    def _named(self, groups: _Groups) -> list[Suggestion]:
        """Groups that a name of few others joins, each taken as one bulletin; the surest first."""
        members = groups.of(self._compared)
        wholes = {id_: pooled([self.every[each] for each in some]) for id_, some in members.items()}
        rarity = Rarity(wholes.values(), self._is_noise)
        pairs = {
            pair
            for (sort, _), having in rarity.having.items()
            if sort is Sort.CALLED and 1 < len(having) <= _FEW
            for pair in itertools.combinations(sorted(having), 2)
            if any(len(members[each]) > 1 for each in pair)
        }
        found = []
        for pair in sorted(pairs):
            alike = likeness(*(wholes[each] for each in pair), rarity)
            names = [each.value for each in alike.reasons if each.sort is Sort.CALLED]
            if names and alike.points >= ENOUGH_NAMED:
                trait = (Sort.CALLED, names[0])
                a, b = (next(id_ for id_ in members[each] if trait in self.every[id_].traits) for each in pair)
                whole = msgspec.structs.replace(
                    alike, reasons=(*alike.reasons, Reason(why=Why.TOGETHER, points=0.0))
                )
                found.append(Suggestion(a=min(a, b), b=max(a, b), likeness=whole))
        return sorted(found, key=lambda each: (-each.likeness.points, each.a, each.b))

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
        return sum(each for one in some for other, each in self._near[one].items() if other in others)
