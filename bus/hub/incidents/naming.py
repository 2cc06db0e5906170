"""Which words of a window are names, in whichever language they are written, and which of these are places. Pure.

A language that writes all nouns with a capital, and the beginning of a sentence, do not show what is a name. So what one bulletin
shows to be a name is a name in all: *Norvo* inside an English sentence, and in German. A name that goes with the code of one
region alone is a place there, so a bulletin that names it is about that region.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bus.hub.incidents.matters import matters_of
from bus.hub.incidents.traits import Sort, Traits

_MONTHS = (
    "janua", "febru", "march", "april", "may", "june", "july", "augus", "septe", "octob", "novem", "decem",
    "ianoy", "fevro", "marti", "maios", "maioy", "ioyni", "ioyli", "aygoy", "oktov", "noemv", "dekem",
)  # fmt: skip
"""Beginnings of months in languages that write them with a capital inside a sentence: English, Greek."""


def named(every: Iterable[Traits]) -> list[Traits]:
    """Bulletins with all names that they hold as traits (`Sort.CALLED`), and with the regions of the places that they name.

    A word is a name if a bulletin writes it with a capital inside a sentence, or holds it as a name, and no bulletin writes it
    small; terms of the field and months are none.

    Args:
        every: the bulletins of a window; in each, the traits of this sort are those that itself shows.
    """
    some = list(every)
    shown = {value for each in some for sort, value in each.traits if sort is Sort.CALLED}
    shown -= {word for each in some for word in each.plain}
    names = frozenset(word for word in shown if not matters_of(word) and word[:5] not in _MONTHS)
    held = [each.words & names for each in some]
    places = _places(some, held)
    return [
        msgspec.structs.replace(
            each,
            regions=each.regions.union(*(places[word] for word in mine if word in places)),
            traits=frozenset(
                (
                    *(trait for trait in each.traits if trait[0] is not Sort.CALLED),
                    *((Sort.CALLED, word) for word in mine if word not in places),
                )
            ),
        )
        for each, mine in zip(some, held, strict=True)
    ]


def _places(every: Sequence[Traits], held: Sequence[frozenset[str]]) -> Mapping[str, frozenset[str]]:
    """The regions that all bulletins with a name have in common, where two and more of these have a region."""
    found: dict[str, list[frozenset[str]]] = defaultdict(list)
    for each, names in zip(every, held, strict=True):
        if each.regions:
            for name in names:
                found[name].append(each.regions)
    common = {name: frozenset.intersection(*some) for name, some in found.items() if len(some) > 1}
    return {name: regions for name, regions in common.items() if regions}
