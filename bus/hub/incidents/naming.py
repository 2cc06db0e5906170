"""Which words of a window are names, in whichever language they are written. Pure.

A language that writes all nouns with a capital, and the beginning of a sentence, do not show what is a name. So what one bulletin
shows to be a name is a name in all: *Norvo* inside an English sentence, and in German.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bus.hub.incidents.matters import matters_of
from bus.hub.incidents.traits import Sort, Traits

_MONTHS = (
    "janua", "febru", "march", "april", "may", "june", "july", "augus", "septe", "octob", "novem", "decem",
    "ianoy", "fevro", "marti", "maios", "maioy", "ioyni", "ioyli", "aygoy", "oktov", "noemv", "dekem",
)  # fmt: skip
"""Beginnings of months in languages that write them with a capital inside a sentence: English, Greek."""


def named(every: Iterable[Traits]) -> list[Traits]:
    """Bulletins with all names that they hold as traits (`Sort.CALLED`).

    A word is a name if a bulletin writes it with a capital inside a sentence, or holds it as a name, and no bulletin writes it
    small; terms of the field and months are none.

    Args:
        every: the bulletins of a window; in each, the traits of this sort are those that itself shows.
    """
    some = list(every)
    shown = {value for each in some for sort, value in each.traits if sort is Sort.CALLED}
    shown -= {word for each in some for word in each.plain}
    names = frozenset(word for word in shown if not matters_of(word) and word[:5] not in _MONTHS)
    return [
        msgspec.structs.replace(
            each,
            traits=frozenset(
                (
                    *(trait for trait in each.traits if trait[0] is not Sort.CALLED),
                    *((Sort.CALLED, word) for word in each.words & names),
                )
            ),
        )
        for each in some
    ]
