"""Which fields a struct of the wire has in a form: the shape of each follows from its type. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import inspect

from bus import drafts
from bus.console.pages.draft_cells import LONG, Cell
from schemas.parts import Amount
from schemas.scalars import Slug

_MILLIONTHS, _TENTHS = 4, 1
"""Digits after the point: of a percentage that the wire has in millionths, of a score that it has in tenths."""
_MANY = 100
"""Where a list may have as many entries, one stands on each line."""


class Plain(NamedTuple):
    """A type without what is around it, and what its metadata say."""

    type_: inspect.Type
    says: Mapping[str, Any]


class Many(NamedTuple):
    """A list of tables: its name, the struct of an entry, how many there may be, whether there must be one."""

    name: str
    type_: type[msgspec.Struct]
    most: int
    is_needed: bool


def plain(type_: inspect.Type) -> Plain:
    """A type without its metadata, and without that it may be left out; of a text or a table, the text."""
    says: dict[str, Any] = {}
    while isinstance(type_, inspect.Metadata | inspect.UnionType):
        if isinstance(type_, inspect.Metadata):
            says = {**(type_.extra_json_schema or {}), **(type_.extra or {}), **says}
            type_ = type_.type
            continue
        kinds = [each for each in type_.types if not isinstance(each, inspect.NoneType)]
        type_ = next((each for each in kinds if not isinstance(each, inspect.StructType)), kinds[0])
    return Plain(type_, says)


def cells_of(type_: type[msgspec.Struct], common: Container[str]) -> tuple[Cell, ...]:
    """A cell for each field of a struct that one can say, in the order of the wire.

    Args:
        type_: the struct; a list of tables in it has no cell.
        common: the fields that are shown beside those that the wire wants; the others are folded away.
    """
    found = (each for field in drafts.info_of(type_).fields for each in _cells(field))
    return tuple(
        msgspec.structs.replace(each, is_rare=not each.is_needed and each.name not in common)
        for each in found
    )


def cells_of_row(type_: type[msgspec.Struct], shown: int = 6) -> tuple[Cell, ...]:
    """The cells of a row for a struct; of those that the wire does not want, the ones beyond the first few are folded away."""
    found = [each for field in drafts.info_of(type_).fields for each in _cells(field, in_row=True)]
    return tuple(
        msgspec.structs.replace(each, is_rare=not each.is_needed and n >= shown)
        for n, each in enumerate(found)
    )


def lists_in(type_: type[msgspec.Struct]) -> Iterator[Many]:
    """The fields of a struct that are lists of tables."""
    for field in drafts.info_of(type_).fields:
        many = plain(field.type).type_
        if isinstance(many, inspect.VarTupleType):
            item = plain(many.item_type).type_
            if isinstance(item, inspect.StructType):
                yield Many(field.encode_name, item.cls, many.max_length or 0, field.required)


def ordered(type_: type[msgspec.Struct], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by their names in the order of the wire, so that a form that says the same becomes the same bytes."""
    names = [each.encode_name for each in drafts.info_of(type_).fields if each.encode_name in values]
    return {name: values[name] for name in names} | dict(values)


def _cells(field: inspect.Field, *, in_row: bool = False) -> Iterator[Cell]:
    """The cells of a field: none where none says it, several where it is a small table."""
    inner = plain(field.type)
    if isinstance(inner.type_, inspect.StructType) and inner.type_.cls is not Amount:
        for part in inner.type_.fields:
            for each in _cells(part, in_row=in_row):
                name = f"{field.encode_name}.{each.name}"
                yield msgspec.structs.replace(each, name=name, is_needed=each.is_needed and field.required)
        return
    shape = _shape(field, inner, in_row=in_row)
    if shape is None:
        return
    many = inner.type_
    item = plain(many.item_type).says if isinstance(many, inspect.VarTupleType) else {}
    says = {**item, **inner.says}
    words, vocabulary = drafts.words_at(field.type, {})
    like = str(says.get("like", ""))
    yield Cell(
        name=field.encode_name,
        words=words,
        vocabulary=vocabulary or "",
        first=(first := _first(field.default)),
        is_usual=bool(first),
        is_needed=field.required,
        like="" if like in _OF_WORDS else like,
        **shape,
    )


def _first(default: object) -> str:
    """What a field without a value means, as its text."""
    if isinstance(default, bool):
        return "yes" if default else ""
    return str(default) if isinstance(default, str | int) else ""


def _shape(field: inspect.Field, inner: Plain, *, in_row: bool) -> dict[str, Any] | None:
    """What a cell of a field has by its type; None for none."""
    type_ = inner.type_
    match type_:
        case inspect.BoolType():
            return {"shape": "tick" if field.default is False else "flag"}
        case inspect.IntType():
            places = (
                _MILLIONTHS if field.name.endswith("_ppm") else _TENTHS if field.name.endswith("_x10") else 0
            )
            return {"shape": "decimal" if places else "number", "places": places, "most": 20}
        case inspect.DateTimeType():
            return {"shape": "time", "most": 40}
        case inspect.DateType():
            return {"shape": "day", "most": 10}
        case inspect.EnumType():
            return {"shape": "choice"} if issubclass(type_.cls, StrEnum) else None
        case inspect.StructType():
            return {"shape": "money", "most": 24}
        case inspect.VarTupleType():
            return _several(type_, inner, in_row=in_row)
        case inspect.StrType():
            if "vocabulary" in inner.says:
                return {"shape": "choice"}
            most = type_.max_length or (LONG if _is_word(type_) else 2 * LONG)
            return {"shape": "text" if type_.pattern or most <= LONG else "lines", "most": most}
    return None


def _several(type_: inspect.VarTupleType, inner: Plain, *, in_row: bool) -> dict[str, Any] | None:
    item = plain(type_.item_type)
    if isinstance(item.type_, inspect.StructType):
        # In a row there are no rows; a table that one text can say, as a name without its language, is a line.
        needed = [each.encode_name for each in item.type_.fields if each.required]
        return {"shape": "list", "most": 0, "key": needed[0]} if in_row and len(needed) == 1 else None
    if isinstance(item.type_, inspect.EnumType) or "vocabulary" in {**item.says, **inner.says}:
        return {"shape": "choices"}
    if isinstance(item.type_, inspect.IntType):
        return {"shape": "numbers"}
    if not isinstance(item.type_, inspect.StrType):
        return None
    is_short = _is_word(item.type_) and (type_.max_length or _MANY) < _MANY
    return {"shape": "words", "most": 1000} if is_short else {"shape": "list", "most": 0}


def _is_word(type_: inspect.StrType) -> bool:
    """Whether its texts have neither blanks nor commas: their pattern lists the letters that they have."""
    return type_.pattern is not None and "[^" not in type_.pattern


_OF_WORDS = frozenset((each.extra or {}).get("like") for each in get_args(Slug)[1:])
"""The example of any word, which is none of the words of a field."""
