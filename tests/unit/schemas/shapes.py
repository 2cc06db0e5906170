"""Strategies for whatever a struct of the wire may hold, made from its own types, bounds and patterns."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st
from msgspec import Meta

from schemas import codec
from schemas.scalars import MAX_INTEGER

GUARD = r"$(?!\n)"
MOST = 3  # items drawn where more would do


def struct(type_: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Instances of one struct, optional fields sometimes left out."""
    hints = get_type_hints(type_, include_extras=True)
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(type_):
        (required if field.required else optional)[field.name] = shape(hints[field.name])
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: type_(**fields))


def shape(hint: Any, *metas: Meta) -> st.SearchStrategy[Any]:
    """Values of one annotation."""
    origin = get_origin(hint)
    if origin is Annotated:
        return shape(hint.__origin__, *metas, *(meta for meta in hint.__metadata__ if isinstance(meta, Meta)))
    if origin is Literal:
        return st.sampled_from(get_args(hint))
    if origin is tuple:
        least, most = lengths(metas)
        return st.lists(shape(get_args(hint)[0]), min_size=least, max_size=most).map(tuple)
    if origin is dict:
        key, value = get_args(hint)
        least, most = lengths(metas)
        # A member named like a time must be one, wherever it stands (`codec.gate`); a JWK has none.
        names = shape(key).filter(lambda name: name not in codec.time_names())
        return st.dictionaries(names, shape(value), min_size=least, max_size=most)
    if origin is not None or isinstance(hint, UNION):
        return st.one_of(*(shape(part, *metas) for part in get_args(hint)))
    return scalar(hint, metas)


UNION = type(int | str)


def scalar(hint: Any, metas: tuple[Meta, ...]) -> st.SearchStrategy[Any]:
    """Values of one plain type within its bounds."""
    if hint is type(None):
        return st.none()
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(first(metas, "ge", -MAX_INTEGER), first(metas, "le", MAX_INTEGER))
    if hint is dt.date:
        return st.dates()
    if hint is dt.datetime:
        return st.datetimes(timezones=st.just(dt.UTC))
    if hint is str:
        return text(metas)
    if issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    assert issubclass(hint, msgspec.Struct), hint
    return st.deferred(lambda: struct(hint))


def text(metas: tuple[Meta, ...]) -> st.SearchStrategy[str]:
    """Strings that fit a pattern, or any of a length."""
    pattern = first(metas, "pattern", None)
    if pattern is None:
        return st.text(
            st.characters(codec="utf-8"),
            min_size=first(metas, "min_length", 0),
            max_size=min(first(metas, "max_length", 20), 20),
        )
    found = st.from_regex(pattern.removesuffix(GUARD), fullmatch=True)
    most = first(metas, "max_length", None)
    return found if most is None else found.filter(lambda drawn: len(drawn) <= most)


def lengths(metas: tuple[Meta, ...]) -> tuple[int, int]:
    """How many items at least, and at most: few of them."""
    least: int = first(metas, "min_length", 0)
    return least, max(least, min(first(metas, "max_length", MOST), MOST))


def first(metas: tuple[Meta, ...], name: str, otherwise: Any) -> Any:
    """The first bound of a name."""
    return next((found for meta in metas if (found := getattr(meta, name)) is not None), otherwise)


def patterns(hint: Any) -> set[str]:
    """Every pattern in an annotation, however deep; structs are visited for themselves."""
    found = set()
    if get_origin(hint) is Annotated:
        found = {meta.pattern for meta in hint.__metadata__ if isinstance(meta, Meta) and meta.pattern}
        return found | patterns(hint.__origin__)
    for part in get_args(hint):
        found |= patterns(part)
    return found


def scalars(hint: Any, *metas: Meta) -> list[tuple[Any, tuple[Meta, ...]]]:
    """The plain types in an annotation with their bounds, however deep; structs are visited for themselves."""
    if get_origin(hint) is Annotated:
        return scalars(
            hint.__origin__, *metas, *(meta for meta in hint.__metadata__ if isinstance(meta, Meta))
        )
    if get_origin(hint) is Literal:
        return [(type(value), metas) for value in get_args(hint)]
    if parts := [part for part in get_args(hint) if part is not ...]:
        return [found for part in parts for found in scalars(part, *metas)]
    return [(hint, metas)]


def depth(type_: type[msgspec.Struct], above: tuple[type, ...] = ()) -> int:
    """How deep a value of a struct can be nested: objects and arrays."""
    assert type_ not in above, f"{type_} may hold itself"
    return 1 + max((_depth(hint, (*above, type_)) for hint in get_type_hints(type_).values()), default=0)


def _depth(hint: Any, above: tuple[type, ...]) -> int:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return depth(hint, above)
    inner = max((_depth(part, above) for part in get_args(hint) if part is not ...), default=0)
    return inner + (get_origin(hint) in (tuple, dict))
