"""The types of the wire in words for people: what is allowed at a place, which words, and the nearest one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from msgspec import inspect

from schemas.codec import MAX_QUOTED
from schemas.scalars import MAX_INTEGER
from schemas.vocabularies import name_of, vocabulary

Extra = Mapping[str, Any]
"""The metadata of a type: its description, an example, its vocabulary (`schemas.scalars.Form` and `Open`)."""

LIKE_A_TIME = "a time, as 2026-11-28T18:07:00Z or 2026-11-28T19:07:00+01:00"
LIKE_A_DAY = "a day, as 2026-11-28"
_CLOSE = 0.6
_MOST_FIELDS = 6


@cache
def info_of(type_: type) -> inspect.StructType:
    """The description of a struct by msgspec."""
    found = inspect.type_info(type_)
    assert isinstance(found, inspect.StructType)  # noqa: S101 (what is asked for are structs)
    return found


@cache
def field_names(type_: type) -> tuple[str, ...]:
    """The field names of a struct in a draft, `kind` first."""
    info = info_of(type_)
    return (*((info.tag_field,) if info.tag_field else ()), *(field.encode_name for field in info.fields))


@cache
def of_vocabulary(name: str) -> tuple[str, ...]:
    """The words of a vocabulary."""
    return tuple(term.id for term in vocabulary(name).terms)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The most similar word; None if no word is similar."""
    plain = re.sub(r"[\s_]+", "-", word[:MAX_QUOTED].strip()).lower()
    known = list(words)
    if plain in known:
        return plain
    found = difflib.get_close_matches(plain, known, n=1, cutoff=_CLOSE)
    return found[0] if found else None


def shown(value: object) -> str:
    """A value as quoted in a sentence."""
    if isinstance(value, str):
        text = value if len(value) <= MAX_QUOTED else value[:MAX_QUOTED] + "…"
        return f'"{text}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        return "this list" if isinstance(value, list) else "this table"
    return "null" if value is None else f"{value}"[:MAX_QUOTED]


def one_of(type_: inspect.UnionType) -> inspect.Type | None:
    """The type of an optional place; None if it has several."""
    kinds = [each for each in type_.types if not isinstance(each, inspect.NoneType)]
    return kinds[0] if len(kinds) == 1 else None


def text_or_table(type_: inspect.UnionType) -> tuple[inspect.Type, inspect.StructType] | None:
    """The two types of a place that takes a text, or a table with more details; None for other places."""
    table = next(
        (each for each in type_.types if isinstance(each, inspect.StructType) and not each.tag), None
    )
    text = next(
        (each for each in type_.types if each is not table and not isinstance(each, inspect.NoneType)), None
    )
    return None if table is None or text is None else (text, table)


def words_at(type_: inspect.Type, extra: Extra) -> tuple[tuple[str, ...], str | None]:
    """(allowed words at a place, their name or None); no words if the place takes other values."""
    if isinstance(type_, inspect.Metadata):
        return words_at(type_.type, {**extra, **(type_.extra or {})})
    if isinstance(type_, inspect.UnionType):
        only = one_of(type_)
        return ((), None) if only is None else words_at(only, extra)
    if isinstance(type_, inspect.VarTupleType):
        return words_at(type_.item_type, extra)
    if isinstance(type_, inspect.EnumType) and issubclass(type_.cls, StrEnum):
        return tuple(str(each.value) for each in type_.cls), name_of(type_.cls)
    if isinstance(type_, inspect.StrType) and "vocabulary" in extra:
        return of_vocabulary(extra["vocabulary"]), extra["vocabulary"]
    return (), None


def asked(type_: inspect.Type, extra: Extra) -> str:
    """What is allowed at a place, in words, beginning with an article."""
    if isinstance(type_, inspect.Metadata):
        return asked(type_.type, {**extra, **(type_.extra or {})})
    return _ASKED[type(type_)](type_, extra)


def _union(type_: inspect.UnionType, extra: Extra) -> str:
    only, both = one_of(type_), text_or_table(type_)
    if both is not None:
        return f"{asked(both[0], extra)}, or {asked(both[1], extra)}"
    return "a table that begins with its kind" if only is None else asked(only, extra)


def _text(type_: inspect.StrType, extra: Extra) -> str:
    if type_.pattern is not None:
        return f"{extra.get('says', 'a text of a form of its own')}, as {extra.get('like', '...')}"
    return (
        f"a text of at most {type_.max_length} characters, in quotes"
        if type_.max_length
        else "a text in quotes"
    )


def _word(type_: inspect.EnumType, _: Extra) -> str:
    return f"a word of {name_of(type_.cls)}" if issubclass(type_.cls, StrEnum) else "a word"


def _number(type_: inspect.IntType, _: Extra) -> str:
    low, high = type_.ge, type_.le
    if low is not None and high is not None and high < MAX_INTEGER:
        return f"a whole number from {low} to {high}"
    return f"a whole number, {low} or more" if low is not None else "a whole number"


def _table(type_: inspect.StructType, _: Extra) -> str:
    names = field_names(type_.cls)
    return f"a table with {', '.join(names[:_MOST_FIELDS])}" + (", ..." if len(names) > _MOST_FIELDS else "")


_ASKED: Mapping[type, Callable[[Any, Extra], str]] = MappingProxyType(
    {
        inspect.UnionType: _union,
        inspect.StrType: _text,
        inspect.EnumType: _word,
        inspect.IntType: _number,
        inspect.BoolType: lambda *_: "true or false, without quotes",
        inspect.DateTimeType: lambda *_: LIKE_A_TIME,
        inspect.DateType: lambda *_: LIKE_A_DAY,
        inspect.VarTupleType: lambda type_, extra: (
            f"a list in [ ], each entry {asked(type_.item_type, extra)}"
        ),
        inspect.StructType: _table,
    }
)
