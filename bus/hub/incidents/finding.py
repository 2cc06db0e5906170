"""Which bulletins are compared: each with those that it has most in common with. Pure.

The work is bounded: a trait, word or matter of many bulletins finds nobody, and each bulletin is compared with so many at the most.
So a window of bulletins that share everything costs no more than one in which each tells of something else.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping

from bus.hub.incidents.likeness import DAY_S, POINTS
from bus.hub.incidents.rarity import MOST_IN_COMMON, Rarity
from bus.hub.incidents.spelling import mentionable
from bus.hub.incidents.traits import HOSTS, MENTIONABLE, Sort, Traits

MOST_NEAR = 16
"""A bulletin is compared with so many others at the most, those with which it has most in common."""
_MOST_WORDS = 16
"""So many of its rarest words find others."""
_DAYS = 4
"""Matters find others of the same place within so many days."""

Pair = tuple[str, str]
"""Two ids, the smaller first."""
_Token = tuple[str, ...]


def candidates(every: Mapping[str, Traits], rarity: Rarity) -> list[Pair]:
    """Pairs to compare, sorted: at most `MOST_NEAR` times as many as there are bulletins."""
    # Sorted, so that sums and so the nearest are the same in each process.
    tokens = {id_: dict(sorted(_tokens(each, rarity))) for id_, each in sorted(every.items())}
    having: dict[_Token, list[str]] = defaultdict(list)
    for id_, some in tokens.items():
        for token in some:
            having[token].append(id_)
    found: set[Pair] = set()
    for id_, some in tokens.items():
        common: dict[str, float] = defaultdict(float)
        for token, weight in some.items():
            others = having[token]
            if 1 < len(others) <= MOST_IN_COMMON:
                for other in others:
                    common[other] += weight
        common.pop(id_, None)
        near = heapq.nsmallest(MOST_NEAR, common.items(), key=lambda item: (-item[1], item[0]))
        found.update((min(id_, other), max(id_, other)) for other, _ in near)
    return sorted(found)


def _tokens(each: Traits, rarity: Rarity) -> Iterator[tuple[_Token, float]]:
    """By what a bulletin is found, and how much that weighs."""
    for sort, value in each.traits:
        weight = POINTS.get(sort, 0.0) * rarity.trait(sort, value)
        if sort in HOSTS:
            yield (Sort.VALUE, value), POINTS[Sort.HOST]
        if weight and sort is not Sort.LABEL:
            yield (sort, value), weight
        if sort in MENTIONABLE:
            yield (Sort.MENTION, mentionable(value)), POINTS[Sort.MENTION]
    rare = ((rarity.words[word], word) for word in each.words if word in rarity.words)
    for weight, word in heapq.nlargest(_MOST_WORDS, rare):
        yield ("word", word), weight
    day = int(each.issued // DAY_S)
    for place in {*each.countries, each.election or ""} - {""}:
        for matter in each.matters:
            weight = rarity.matters.get(matter, 0.0) / 2
            # Two rows of days, so that neighbours on both sides of a border meet in one of them.
            yield ("matter", matter, place, "a", str(day // _DAYS)), weight
            yield ("matter", matter, place, "b", str((day + _DAYS // 2) // _DAYS)), weight
