"""Compares a draft with the types of the wire, field by field: lists every fault of its shape, and guesses the draft without them.

msgspec stops at the first fault. This module walks through the types that msgspec describes, so a new field needs no code here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import inspect

from bus.drafts.moments import read_day, read_time
from bus.drafts.phrases import (
    Extra,
    asked,
    field_names,
    info_of,
    nearest,
    one_of,
    shown,
    text_or_table,
    words_at,
)
from bus.drafts.source import Path
from schemas.bodies import KINDS
from schemas.bulletin import Draft
from schemas.codec import MAX_QUOTED, encode_time
from schemas.scalars import MAX_INTEGER

MOST_LIKES = 40
"""The nearest known word is sought for at most this many words of a draft: a person mistypes only a few."""
MOST_FAULTS = 200
"""At most this many faults of one draft are listed; a draft of a program may repeat one thousands of times."""


class Fault(NamedTuple):
    """One fault of a draft's shape.

    Attributes:
        path: of the value; for a missing field, of the table that lacks it.
        text: one sentence: the fault, and what to write.
        on_key: whether the fault is in the name, not the value.
        words: the allowed words, if there is a list of them.
        vocabulary: the name of those words.
        nearest: the allowed word most similar to the value.
    """

    path: Path
    text: str
    on_key: bool = False
    words: tuple[str, ...] = ()
    vocabulary: str | None = None
    nearest: str | None = None


class _HopelessError(Exception):
    """No guess is possible here, so the draft cannot be checked further."""


class Shaped(NamedTuple):
    """The result of comparing a draft.

    Attributes:
        faults: the faults of its shape, in the order of the types.
        mended: two guesses at the intended draft, fit for the decoder; a draft without faults itself; none if no
            guess is possible.
        more: the number of further faults, which are not listed.
    """

    faults: tuple[Fault, ...]
    mended: tuple[dict[str, Any], ...]
    more: int = 0


def shaped(value: Mapping[str, Any], now: dt.datetime, missing: Iterable[str] = ()) -> Shaped:
    """Compare a draft with its types.

    Args:
        value: the draft, as parsed from its file.
        now: the present, for times that are guessed.
        missing: names of fields that are present but unreadable, so that they are not reported as missing.
    """
    faults: list[Fault] = []
    mended: list[dict[str, Any]] = []
    likes: dict[tuple[str, tuple[str, ...]], str | None] = {}
    more = 0
    for bold in (True, False):
        reader = _Reader(faults if bold else [], likes, bold=bold, now=now, missing=missing)
        try:
            mended.append(reader.struct(info_of(Draft), value, ()))
        except _HopelessError:
            break
        finally:
            more = max(more, reader.count - MOST_FAULTS)
        if bold and not faults and not reader.missing:
            break
    return Shaped(tuple(faults), tuple(mended), more)


def fault_of(type_: inspect.Type, value: object, extra: Extra, now: dt.datetime) -> str | None:
    """One sentence on the fault of a value at the place of a type; None if the value is allowed."""
    faults: list[Fault] = []
    with contextlib.suppress(_HopelessError):
        _Reader(faults, {}, bold=True, now=now, missing=()).value(type_, value, (), extra)
    return faults[0].text if faults else None


class _Reader:
    """Walks through one draft with one way to guess: the probable intention, or the least that is allowed."""

    def __init__(
        self,
        faults: list[Fault],
        likes: dict[tuple[str, tuple[str, ...]], str | None],
        *,
        bold: bool,
        now: dt.datetime,
        missing: Iterable[str],
    ) -> None:
        self.faults, self.likes, self.bold, self.now, self.missing = faults, likes, bold, now, set(missing)
        self.count = 0
        self.readers: Mapping[type, Callable[[Any, object, Path, Extra], Any]] = {
            inspect.UnionType: self._either,
            inspect.StructType: lambda type_, value, path, _: self.struct(type_, value, path),
            inspect.VarTupleType: self._list,
            inspect.EnumType: self._word,
            inspect.StrType: self._text,
            inspect.IntType: self._number,
            inspect.BoolType: self._truth,
            inspect.DateTimeType: self._time,
            inspect.DateType: self._day,
        }

    def tell(self, path: Path, text: str, **more: Any) -> None:
        self.count += 1
        if self.count <= MOST_FAULTS:
            self.faults.append(Fault(path, text, **more))

    # -- tables -----------------------------------------------------------------------------------------------

    def struct(self, info: inspect.StructType, value: object, path: Path) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            self.tell(path, f"{shown(value)} is not {asked(info, {})}")
            guess: dict[str, Any] = self.least(info, {})
            return guess
        fields = {field.encode_name: field for field in info.fields}
        known = field_names(info.cls)
        meant: dict[str, str] = {}
        for name in value:
            if name not in known and self.count >= MOST_FAULTS:
                self.count += 1
            elif name not in known:
                like = self._unknown(info, name, path, [each for each in known if each not in value])
                if like is not None and like in fields:
                    meant.setdefault(like, name)
        done: dict[str, Any] = {info.tag_field: info.tag} if info.tag_field else {}
        for name, field in fields.items():
            if name in value:
                found = self._field(field, value[name], (*path, name))
            elif name in meant:
                found = self._field(field, value[meant[name]], (*path, meant[name]))
                if not self.bold and not field.required:
                    continue
            elif field.required:
                if name not in self.missing:
                    self._absent(field, path)
                found = self.least(field.type, {})
            else:
                continue
            if found is not _DROPPED:
                done[name] = found
        return done

    def _field(self, field: inspect.Field, value: object, path: Path) -> object:
        before = self.count
        found = self.value(field.type, value, path, {})
        is_wrong = self.count > before
        return _DROPPED if is_wrong and not self.bold and not field.required else found

    def _unknown(self, info: inspect.StructType, name: str, path: Path, free: list[str]) -> str | None:
        """Report an unknown field. Returns the field of this table that is probably meant, or None."""
        like = self._like(name.replace("_", "-"), tuple(each.replace("_", "-") for each in free))
        like = like.replace("-", "_") if like is not None else None
        what = f"there is no field {shown(name)[1:-1]}" + (f" in {info.tag}" if info.tag_field else " here")
        here = (*path, name)
        top = field_names(Draft)
        if path and name in top:
            self.tell(
                here,
                f"{what}; it belongs to the top of the draft, before the first heading in [ ]",
                on_key=True,
            )
            return None
        if not path and any(name in field_names(type_) for type_ in KINDS.values()):
            self.missing.add(name)  # it is present, elsewhere
            self.tell(here, f"{what}; it belongs below [body]", on_key=True)
            return None
        if like is not None:
            self.tell(here, f"{what}; did you mean {like}?", on_key=True, nearest=like)
            return like
        self.tell(here, what, on_key=True, words=tuple(free))
        return None

    def _absent(self, field: inspect.Field, path: Path) -> None:
        words, name = words_at(field.type, {})
        self.tell(
            path,
            f"{field.encode_name} is missing: {asked(field.type, {})}",
            on_key=True,
            words=words,
            vocabulary=name,
        )

    # -- values -----------------------------------------------------------------------------------------------

    def value(self, type_: inspect.Type, value: object, path: Path, extra: Extra) -> Any:
        """The value for the decoder; a fault is reported, and the value is then a guess."""
        if isinstance(type_, inspect.Metadata):
            return self.value(type_.type, value, path, {**extra, **(type_.extra or {})})
        return self.readers[type(type_)](type_, value, path, extra)

    def _either(self, type_: inspect.UnionType, value: object, path: Path, extra: Extra) -> Any:
        only = one_of(type_)
        if value is None and any(isinstance(each, inspect.NoneType) for each in type_.types):
            return None
        both = text_or_table(type_)
        if both is not None:
            only = both[1] if isinstance(value, Mapping) else both[0]
        if only is not None:
            return self.value(only, value, path, extra)
        by_kind = {str(each.tag): each for each in type_.types if isinstance(each, inspect.StructType)}
        if not isinstance(value, Mapping):
            self.tell(path, f"{shown(value)} is not a table that begins with its kind")
            raise _HopelessError
        kind = value.get("kind")
        words = tuple(sorted(by_kind))
        if kind is None:
            self.tell(path, "kind is missing: a word of kind", on_key=True, words=words, vocabulary="kind")
            raise _HopelessError
        like = kind if isinstance(kind, str) and kind in by_kind else None
        if like is None:
            like = nearest(kind, words) if isinstance(kind, str) else None
            text = f"{shown(kind)} is not a word of kind" + (f"; did you mean {like}?" if like else "")
            self.tell((*path, "kind"), text, words=words, vocabulary="kind", nearest=like)
        if like is None:
            raise _HopelessError
        return self.struct(by_kind[like], value, path)

    def _list(self, type_: inspect.VarTupleType, value: object, path: Path, extra: Extra) -> Any:
        if not isinstance(value, list):
            self.tell(path, f"{shown(value)} is not {asked(type_, extra)}")
            return self.least(type_, extra)
        # No entry is looked at that may not stand there: of a flood of them the number is told.
        some = value[: type_.max_length]
        found = [self.value(type_.item_type, each, (*path, n), extra) for n, each in enumerate(some)]
        if len(some) < len(value):
            self.tell(path, f"there are {len(value)} entries; at most {len(some)} are allowed")
            return found
        if type_.min_length is not None and len(found) < type_.min_length:
            self.tell(
                path,
                f"the list has {len(found)} entries; at least {type_.min_length} is needed: {asked(type_, extra)}",
            )
            return self.least(type_, extra)
        return found

    def _truth(self, type_: inspect.BoolType, value: object, path: Path, _: Extra) -> bool:
        if isinstance(value, bool):
            return value
        self.tell(path, f"{shown(value)} is not {asked(type_, {})}")
        return self.bold

    def _word(self, type_: inspect.EnumType, value: object, path: Path, _: Extra) -> str:
        words, name = words_at(type_, {})
        if isinstance(value, str) and value in words:
            return value
        like = self._like(value, words) if isinstance(value, str) else None
        text = f"{shown(value)} is not a word of {name}" + (f"; did you mean {like}?" if like else "")
        self.tell(path, text, words=words, vocabulary=name, nearest=like)
        return like if like and self.bold else words[0 if self.bold else -1]

    def _text(self, type_: inspect.StrType, value: object, path: Path, extra: Extra) -> str:
        if not isinstance(value, str):
            self.tell(path, f"{shown(value)} is not {asked(type_, extra)}")
            return str(self.least(type_, extra))
        if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
            self.tell(path, "an escape in this text names half of a character; write the character itself")
            return str(self.least(type_, extra))
        low, high = type_.min_length or 0, type_.max_length
        if len(value) < low:
            self.tell(path, "the text is empty; write something, or leave the field out")
            return str(self.least(type_, extra))
        if high is not None and len(value) > high:
            self.tell(path, f"the text has {len(value)} characters; at most {high} are allowed")
            value = value[:high]
        if type_.pattern is None or re.search(type_.pattern, value):
            return value
        words, name = words_at(type_, extra)
        like = self._like(value, words) if words else self._folded(type_.pattern, value)
        text = f"{shown(value)} is not {asked(type_, extra)}" + (f"; did you mean {like}?" if like else "")
        self.tell(path, text, words=words, vocabulary=name, nearest=like)
        return like if like and self.bold else str(self.least(type_, extra))

    def _like(self, value: str, words: tuple[str, ...]) -> str | None:
        asked_for = (value[:MAX_QUOTED], words)
        if asked_for not in self.likes and len(self.likes) < MOST_LIKES:
            self.likes[asked_for] = nearest(value, words)
        return self.likes.get(asked_for)

    def _folded(self, pattern: str, value: str) -> str | None:
        """The same text in other case, if that corrects it; else None."""
        plain = value[:MAX_QUOTED].strip()
        slug = re.sub(r"[\s_.]+", "-", plain)
        tried = (plain, plain.lower(), plain.upper(), slug.lower(), slug.upper())
        return next((each for each in tried if each and each != value and re.search(pattern, each)), None)

    def _number(self, type_: inspect.IntType, value: object, path: Path, _: Extra) -> int:
        low = type_.ge if type_.ge is not None else 0
        if isinstance(value, bool) or not isinstance(value, int):
            self.tell(path, f"{shown(value)} is not {asked(type_, {})}")
            return low if self.bold else low + 1
        high = type_.le if type_.le is not None else MAX_INTEGER
        if value < low or value > high:
            self.tell(path, f"{shown(value)} is not {asked(type_, {})}")
            return min(max(value, low), high)
        return value

    def _time(self, _: inspect.DateTimeType, value: object, path: Path, __: Extra) -> str:
        found = read_time(value)
        if found.fault is not None:
            self.tell(path, found.fault)
        return found.wire or self._moment()

    def _day(self, _: inspect.DateType, value: object, path: Path, __: Extra) -> str:
        found = read_day(value)
        if found.fault is not None:
            self.tell(path, found.fault)
        return found.wire or self.now.date().isoformat()

    def _moment(self) -> str:
        return encode_time(self.now if self.bold else self.now - dt.timedelta(hours=1))

    # -- guesses ----------------------------------------------------------------------------------------------

    def least(self, type_: inspect.Type, extra: Extra) -> Any:
        """The least value that is allowed at a place."""
        if isinstance(type_, inspect.Metadata):
            return self.least(type_.type, {**extra, **(type_.extra or {})})
        if isinstance(type_, inspect.UnionType):
            if any(isinstance(each, inspect.NoneType) for each in type_.types):
                return None
            both = text_or_table(type_)
            if both is None:
                raise _HopelessError
            return self.least(both[0], extra)
        if isinstance(type_, inspect.StructType):
            required = {each.encode_name: self.least(each.type, {}) for each in type_.fields if each.required}
            return {**({type_.tag_field: type_.tag} if type_.tag_field else {}), **required}
        if isinstance(type_, inspect.VarTupleType):
            return [self.least(type_.item_type, extra)] if type_.min_length else []
        if isinstance(type_, inspect.StrType | inspect.EnumType):
            words, _ = words_at(type_, extra)
            text = str(extra.get("like", "A text"))
            return words[0 if self.bold else -1] if words else text[: getattr(type_, "max_length", None)]
        if isinstance(type_, inspect.IntType):
            return type_.ge or 0
        if isinstance(type_, inspect.BoolType):
            return self.bold
        return self._moment() if isinstance(type_, inspect.DateTimeType) else self.now.date().isoformat()


_DROPPED = object()
