"""How rare traits, words and matters are among the bulletins that are compared. Pure.

What two bulletins have in common says little where many have it. The numbers come from the bulletins of the window alone, so they
need no list of common words and fit any language.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from bus.hub.incidents.traits import HOSTS, SOFT, Sort, Traits

MOST_IN_COMMON = 60
"""A trait or word of more bulletins than this finds no candidates; it may still add to what others find."""
_FEWEST = 40
"""Among fewer bulletins nobody knows what is rare, so words, matters, numbers, names and labels say nothing."""
_LEAST_RARE = 0.25
_SHORTEST = 3


class Rarity:
    """How rare things are, each from 0 (nearly everywhere, or noise) to 1.

    Attributes:
        having: the ids of the bulletins with a trait; the machine in an address or mailbox counts as a value, too.
        words: of each word that is rare at all: in the window, and among the bulletins of its languages.
        matters: of each matter.
        sizes: how much the words and the matters of each bulletin weigh together, by id.
    """

    def __init__(self, every: Iterable[Traits], is_noise: Callable[[str], bool] = lambda _: False) -> None:
        """Count.

        Args:
            every: the traits of the bulletins.
            is_noise: whether a value says nothing: a public resolver, a shortener.
        """
        some = list(every)
        self._is_noise = is_noise
        self._of = len(some)
        self.having: Mapping[tuple[Sort, str], list[str]] = defaultdict(list)
        words: Counter[str] = Counter()
        matters: Counter[str] = Counter()
        languages: Counter[str] = Counter()
        spoken: dict[str, Counter[str]] = defaultdict(Counter)
        for each in some:
            words.update(each.words)
            matters.update(each.matters)
            languages.update(each.languages)
            for language in each.languages:
                spoken[language].update(each.words)
            for trait in each.traits:
                self.having[trait].append(each.id)
                if trait[0] in HOSTS:
                    self.having[Sort.VALUE, trait[1]].append(each.id)
        self.words: dict[str, float] = {}
        self.matters: dict[str, float] = {}
        if self._of >= _FEWEST:
            rare = {word: _rare(n, self._of) for word, n in words.items() if len(word) >= _SHORTEST}
            for language, counts in spoken.items():
                for word in rare.keys() & counts.keys():
                    rare[word] = min(rare[word], _rare(counts[word], languages[language]))
            self.words = {word: each - _LEAST_RARE for word, each in rare.items() if each > _LEAST_RARE}
            self.matters = {matter: _rare(n, self._of) for matter, n in matters.items()}
        self.sizes = {
            each.id: (weight(each.words, self.words), weight(each.matters, self.matters)) for each in some
        }

    def trait(self, sort: Sort, value: str) -> float:
        """Of a value of a sort: a soft one like a word, another 1 unless many have it; 0 for noise."""
        if self._is_noise(value):
            return 0.0
        count = len(self.having.get((sort, value), ()))
        if sort in SOFT:
            return _rare(count, self._of) if self._of >= _FEWEST else 0.0
        return min(1.0, MOST_IN_COMMON / 2 / max(1, count))


def weight(some: Iterable[str], rare: Mapping[str, float]) -> float:
    """How much words or matters weigh together: the squares of how rare they are; the same in whichever order they come."""
    return math.fsum(rare.get(each, 0.0) ** 2 for each in some)


def _rare(count: int, of: int) -> float:
    """From 1 for what one has to 0 for what all have, by the logarithm of how many share it."""
    return max(0.0, math.log((of + 1) / (count + 0.5)) / math.log(of + 1))
