"""The differences between two documents of a registry, place by place. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.registry import Registry


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value that was removed or added; a value that changed is one removed and one added.

    Attributes:
        place: the names that lead to it, with dots between them.
        gone: the removed value, as JSON.
        new: the added value, as JSON.
    """

    place: str
    gone: str | None = None
    new: str | None = None


def differences(before: Registry, after: Registry) -> tuple[Change, ...]:
    """Every difference between two documents: members of objects by name, members of lists regardless of order."""
    return tuple(_of(msgspec.to_builtins(before), msgspec.to_builtins(after), ""))


def _of(before: Any, after: Any, place: str) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in (*before, *(name for name in after if name not in before)):
            inner = f"{place}.{name}" if place else str(name)
            if isinstance(before.get(name, after.get(name)), list | tuple):  # an empty one is not written
                yield from _of(before.get(name, ()), after.get(name, ()), inner)
            elif name not in after:
                yield Change(place=inner, gone=_json(before[name]))
            elif name not in before:
                yield Change(place=inner, new=_json(after[name]))
            else:
                yield from _of(before[name], after[name], inner)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        yield from (Change(place=place, gone=_json(each)) for each in before if each not in after)
        yield from (Change(place=place, new=_json(each)) for each in after if each not in before)
    else:
        yield Change(place=place, gone=_json(before))
        yield Change(place=place, new=_json(after))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
