"""Remarks: entries that a list repeats."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from schemas.bulletin import Bulletin
from schemas.errors import Violation

_TOLD = frozenset(
    {
        *("$.observables", "$.references", "$.links", "$.co_issuers", "$.info"),
        *("$.body.listed", "$.body.dimensions", "$.body.windows"),
    }
)
"""Lists that a rule or another remark checks."""
_MAY_REPEAT = frozenset({"sections", "labels", "provenance"})


def doubled(b: Bulletin) -> Iterator[Violation]:
    """Each list of a bulletin with a repeated entry, and a clock that runs twice."""
    yield from _in(b, "$")
    clocks: set[str] = set()
    for n, each in enumerate(b.deadlines):
        if each.clock in clocks and each not in b.deadlines[:n]:
            yield Violation(
                "twice",
                f"$.deadlines[{n}].clock",
                f"{each.clock} is listed above with other times; a clock starts once",
            )
        clocks.add(each.clock)


def _in(value: object, path: str) -> Iterator[Violation]:
    if isinstance(value, tuple):
        if len(value) > 1 and path not in _TOLD and len(set(value)) < len(value):
            yield Violation("twice", f"{path}[{_again(value)}]", "is listed above; once is enough")
        for n, each in enumerate(value):
            if isinstance(each, msgspec.Struct):
                yield from _in(each, f"{path}[{n}]")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            found = getattr(value, name)
            if name not in _MAY_REPEAT and found and isinstance(found, tuple | msgspec.Struct):
                yield from _in(found, f"{path}.{name}")


def _again(value: tuple[object, ...]) -> int:
    """The index of the first repeated entry; -1 if there is none."""
    seen: set[object] = set()
    for n, each in enumerate(value):
        if each in seen:
            return n
        seen.add(each)
    return 0
