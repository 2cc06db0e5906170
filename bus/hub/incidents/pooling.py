"""Bulletins that belong together, taken as one: what they say together. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from bus.hub.incidents.traits import Traits

_T = TypeVar("_T")
_SHARE = 0.3
"""What fewer of them have is no trait of all."""


def pooled(some: Sequence[Traits]) -> Traits:
    """One bulletin that says what several say.

    It lasts from the first to the last, and has their words, matters, places and labels, and the traits of many of them. It
    is of no office, because what several offices tell is no second report of one of them.

    Args:
        some: bulletins of one incident, at least one.
    """
    first = min(some, key=lambda each: each.id)
    if len(some) == 1:
        return first
    counts = Counter(trait for each in some for trait in each.traits)
    elections = {each.election for each in some if each.election is not None}
    return msgspec.structs.replace(
        first,
        issued=min(each.issued for each in some),
        until=max(each.until for each in some),
        election=elections.pop() if len(elections) == 1 else None,
        countries=_all(some, lambda each: each.countries),
        regions=_all(some, lambda each: each.regions),
        traits=frozenset(trait for trait, n in counts.items() if n >= _SHARE * len(some)),
        words=_all(some, lambda each: each.words),
        languages=_all(some, lambda each: each.languages),
        labels=_all(some, lambda each: each.labels),
        matters=_all(some, lambda each: each.matters),
        office=("", first.id),
    )


def _all(some: Sequence[Traits], part: Callable[[Traits], frozenset[_T]]) -> frozenset[_T]:
    return frozenset().union(*map(part, some))
