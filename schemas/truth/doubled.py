"""Doubled: what stands twice in a list where once is enough. For remarks alone."""

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
"""Lists that a rule or another remark looks at."""
_MAY_REPEAT = frozenset({"sections", "labels", "provenance"})


def doubled(b: Bulletin) -> Iterator[Violation]:
    """Each list of a bulletin that holds one thing twice, and a clock that runs twice."""
    yield from _in(b, "$")
    clocks: set[str] = set()
    for n, each in enumerate(b.deadlines):
        if each.clock in clocks and each not in b.deadlines[:n]:
            yield Violation(
                "twice", f"$.deadlines[{n}].clock", f"{each.clock} runs above, at other times; it starts once"
            )
        clocks.add(each.clock)


def _in(value: object, path: str) -> Iterator[Violation]:
    if isinstance(value, tuple):
        seen: list[object] = []
        for n, each in enumerate(value):
            if each in seen and path not in _TOLD:
                yield Violation("twice", f"{path}[{n}]", "stands above; once is enough")
                break
            seen.append(each)
        for n, each in enumerate(value):
            if isinstance(each, msgspec.Struct):
                yield from _in(each, f"{path}[{n}]")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name not in _MAY_REPEAT:
                yield from _in(getattr(value, name), f"{path}.{name}")
