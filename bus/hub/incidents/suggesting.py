"""Bulletins that may belong together: those with a common trait, compared in points, and joined if their groups agree. Pure.

The work is bounded: a trait or word of many bulletins finds no candidates, and only candidates are compared.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import msgspec

from bus.hub.incidents.likeness import ENOUGH, LEAST_ALONE, SURE, Likeness, likeness
from bus.hub.incidents.traits import Sort, Traits, mentionable

MOST_IN_COMMON = 60
"""A trait or word of more bulletins than this finds no candidates; it may still add to what others find."""
_SUPPORT = 2.0
"""The necessary average likeness of each of one side to its most similar of the other, if no pair is sure."""
_LEAST_RARE = 0.25
_FINDING = (Sort.KEYED, Sort.MARK, Sort.VALUE, Sort.HOST, Sort.MENTION, Sort.ADDRESS, Sort.VICTIM, Sort.TAG)
_LIST_OF = 3
"""A bulletin that shares values with so many others, a different one with each, is a list; lists join nothing."""
_SHORTEST = 3
_FEWEST = 40
"""Among fewer bulletins the rare words are unknown, so no words are compared."""

Pair = tuple[str, str]
"""Two ids, the smaller first."""


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Two bulletins that may belong together, the one with the smaller id first, and why."""

    a: str
    b: str
    likeness: Likeness


class Pool:
    """The bulletins of a window that are compared with one another.

    Attributes:
        every: their traits by id.
        lists: those that are lists of indicators.
    """

    def __init__(self, every: Iterable[Traits], is_noise: Callable[[str], bool] = lambda _: False) -> None:
        """Take bulletins in.

        Args:
            every: their traits.
            is_noise: whether a value says nothing: a public resolver, a shortener.
        """
        self.every: Mapping[str, Traits] = {each.id: each for each in every}
        self._is_noise = is_noise
        self._having: Mapping[tuple[Sort, str], list[str]] = defaultdict(list)
        counts: Counter[str] = Counter()
        for each in self.every.values():
            counts.update(each.words)
            for trait in each.traits:
                self._having[trait].append(each.id)
            for sort, value in each.traits:
                if sort in (Sort.HOST, Sort.MAIL_HOST):
                    self._having[Sort.VALUE, value].append(each.id)
        whole = math.log(len(self.every) + 1) or 1.0
        self._rare = {
            word: rare
            for word, count in counts.items()
            if len(word) >= _SHORTEST
            and len(self.every) >= _FEWEST
            and (rare := math.log((len(self.every) + 1) / (count + 0.5)) / whole - _LEAST_RARE) > 0
        }
        self.lists = self._lists()

    def common(self, sort: Sort, value: str) -> float:
        """The weight of a shared trait, from 0 to 1: 0 for noise, less for a trait of many bulletins."""
        if self._is_noise(value):
            return 0.0
        return min(1.0, MOST_IN_COMMON / 2 / max(1, len(self._having.get((sort, value), ()))))

    @cached_property
    def pairs(self) -> Mapping[Pair, Likeness]:
        """Every two bulletins that are alike at all."""
        found = {}
        for pair, words in sorted(self._candidates().items()):
            a, b = (self.every[id_] for id_ in pair)
            if a.id not in self.lists and b.id not in self.lists:
                alike = likeness(a, b, self.common, words)
                if alike.points > 0:
                    found[pair] = alike
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
            if alike.points >= SURE or groups.agree(pair) >= _SUPPORT:
                groups.join(*pair)
                found.append(Suggestion(a=pair[0], b=pair[1], likeness=alike))
        return found

    def _candidates(self) -> Mapping[Pair, float]:
        """Pairs that share a trait or words, with how alike their prose is: the cosine of the rare words of both."""
        dot: dict[Pair, float] = {}
        having: dict[str, list[str]] = defaultdict(list)
        for id_, each in sorted(self.every.items()):
            for word in each.words:
                having[word].append(id_)
        for word, ids in having.items():
            rare = self._rare.get(word, 0.0)
            if rare and len(ids) <= MOST_IN_COMMON:
                for i, one in enumerate(ids):
                    for other in ids[i + 1 :]:
                        dot[one, other] = dot.get((one, other), 0.0) + rare * rare
        size = {
            id_: math.sqrt(sum(self._rare.get(word, 0.0) ** 2 for word in each.words)) or 1.0
            for id_, each in self.every.items()
        }
        alike = {(a, b): each / (size[a] * size[b]) for (a, b), each in dot.items()}
        # Prose alone joins nothing below this, so such pairs are not compared.
        found = {pair: each for pair, each in alike.items() if each >= LEAST_ALONE}
        for (sort, _), ids in self._having.items():
            if sort in _FINDING and 1 < len(ids) <= MOST_IN_COMMON:
                some = sorted(set(ids))
                for i, one in enumerate(some):
                    for other in some[i + 1 :]:
                        found.setdefault((one, other), alike.get((one, other), 0.0))
        for one, other in self._mentions():
            found.setdefault((one, other), alike.get((one, other), 0.0))
        return found

    def _mentions(self) -> Iterable[Pair]:
        for (sort, value), ids in list(self._having.items()):
            if sort in (Sort.MARK, Sort.VALUE):
                others = self._having.get((Sort.MENTION, mentionable(value)), ())
                if others and len(ids) * len(others) <= MOST_IN_COMMON:
                    yield from ((min(a, b), max(a, b)) for a in ids for b in others if a != b)

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
                sharers := {*self._having[Sort.VALUE if sort is Sort.HOST else sort, value]}
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
        self._pairs = pairs
        self._of: dict[str, set[str]] = {}

    def _group(self, id_: str) -> set[str]:
        return self._of.setdefault(id_, {id_})

    def join(self, one: str, other: str) -> None:
        """Make one group of two."""
        mine, theirs = self._group(one), self._group(other)
        if mine is not theirs:
            mine |= theirs
            for each in theirs:
                self._of[each] = mine

    def are_apart(self, pair: Pair, never: frozenset[Pair]) -> bool:
        """Whether two are of one group already, or a person keeps their groups apart."""
        mine, theirs = self._group(pair[0]), self._group(pair[1])
        if mine is theirs:
            return True
        return bool(never) and any((min(a, b), max(a, b)) in never for a in mine for b in theirs)

    def agree(self, pair: Pair) -> float:
        """The average likeness of each of one group to its most similar of the other, from the larger side too."""
        mine, theirs = self._group(pair[0]), self._group(pair[1])
        return max(self._mean(mine, theirs), self._mean(theirs, mine))

    def _mean(self, some: set[str], others: set[str]) -> float:
        return sum(max(self._points(a, b) for b in others) for a in some) / len(some)

    def _points(self, a: str, b: str) -> float:
        found = self._pairs.get((min(a, b), max(a, b)))
        return 0.0 if found is None else found.points
