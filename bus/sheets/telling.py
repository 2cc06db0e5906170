"""The facts of any struct of the wire in words: its fields in their order, each with its label, nested parts indented below it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from functools import cache

import msgspec

from bus.sheets.catalogue import Sayings
from bus.sheets.defanging import defanged, defanged_url
from bus.sheets.shape import Entry
from schemas.bodies.coordination import Line
from schemas.lint import fields_of
from schemas.parts import Amount, Area, Observable
from schemas.vocabularies import name_of, vocabulary

MOST = 50
"""So many parts of one field are told; of more, how many there are."""
_SHORT = 160
"""A part of at most so many characters is put on one line."""
_HARMFUL = frozenset({"url", "ad_refs", "impersonated"})
_WHO = frozenset({"to", "speaker", "owner", "audience"})
"""Fields whose words are kinds of authorities, or ids of them."""
_ALWAYS = frozenset({"presumption"})
"""Fields that are shown even with their default value."""
_MILLION = 1_000_000


class Telling:
    """Tells facts in one language."""

    def __init__(self, say: Sayings) -> None:
        """Take what can be said in the language."""
        self.say = say

    def entries(
        self, part: msgspec.Struct, skip: Collection[str] = (), depth: int = 0, only: Collection[str] = ()
    ) -> Iterator[Entry]:
        """The content of a struct, field by field; empty and default values are left out.

        Args:
            part: a struct of the wire.
            skip: fields that are told elsewhere.
            depth: how far its entries are indented.
            only: these fields alone; none for all of them.
        """
        for field, (name, wire, words) in zip(
            msgspec.structs.fields(type(part)), fields_of(type(part)), strict=True
        ):
            value = getattr(part, name)
            if wire in skip or (only and wire not in only) or value is None or value == ():
                continue
            if value == field.default and wire not in _ALWAYS:
                continue
            yield from self._field(wire, value, words, depth)

    def text(self, name: str, value: object, words: str | None = None) -> str:
        """One value in words; an unknown one is shown unchanged."""
        match value:
            case bool():
                return self.say.say("yes" if value else "no")
            case StrEnum():
                return self.say.word(_vocabulary_of(type(value)), str(value))
            case int():
                return self._number(name, value)
            case dt.datetime():
                return moment(value)
            case Amount():
                return f"{value.value} {value.currency}"
            case Line():
                return value.text
            case _:
                return self._plain(name, str(value), words)

    def _plain(self, name: str, plain: str, words: str | None) -> str:
        if words is not None:
            return self.say.word(words, plain)
        if name in _WHO:
            return self.say.word("authority-kind", plain)
        if name in _HARMFUL and "." in plain:
            return defanged_url(plain)
        if name == "jwe":
            return self.say.say("sealed-chars", count=len(plain))
        if name == "file":
            return self.say.say("file-chars", count=len(plain))
        return plain

    def observable(self, each: Observable) -> Entry:
        """One observable, made harmless, with its other properties."""
        seen = (
            defanged(each.type, each.value)
            if each.value is not None
            else self.say.say("hashed", value=each.value_hmac or "")
        )
        rest = [
            self.say.word("observable-role", each.role),
            joined(self.entries(each, skip=("type", "personal", "value", "value_hmac", "role"))),
        ]
        return Entry(self.say.word("observable-type", each.type), (seen, "; ".join(filter(None, rest))))

    def technique(self, framework: str, id_: str, name: str | None) -> str:
        """A technique by its framework, its id and its name, taken from the framework where the bulletin gives none."""
        known = name or _names(framework).get(id_, "")
        return " ".join(filter(None, (self.say.word("ttp-framework", framework), id_, known)))

    def _field(self, name: str, value: object, words: str | None, depth: int) -> Iterator[Entry]:
        label = self.say.label(name)
        if isinstance(value, tuple):
            yield from self._many(name, label, value, words, depth)
        elif isinstance(value, msgspec.Struct) and not isinstance(value, Amount | Line):
            yield from self._nested(label, value, depth)
        else:
            yield Entry(label, (self.text(name, value, words),), depth, _language(value))

    def _many(
        self, name: str, label: str, values: tuple[object, ...], words: str | None, depth: int
    ) -> Iterator[Entry]:
        shown, more = values[:MOST], len(values) - MOST
        if all(isinstance(value, Area) for value in shown):
            yield Entry(
                label, ("; ".join(self.place(value) for value in shown if isinstance(value, Area)),), depth
            )
            shown = ()
        if any(isinstance(value, msgspec.Struct) and not isinstance(value, Amount | Line) for value in shown):
            for n, value in enumerate(shown, 1):
                numbered = label if len(values) == 1 else f"{label} {n}"
                yield from (
                    self._nested(numbered, value, depth)
                    if isinstance(value, msgspec.Struct)
                    else (Entry(numbered, (self.text(name, value, words),), depth),)
                )
        elif any(isinstance(value, Line) for value in shown) or any(
            len(text) > 60 for text in map(str, shown)
        ):
            for n, value in enumerate(shown, 1):
                numbered = label if len(values) == 1 else f"{label} {n}"
                yield Entry(numbered, (self.text(name, value, words),), depth, _language(value))
        elif shown:
            yield Entry(label, (", ".join(self.text(name, value, words) for value in shown),), depth)
        if more > 0:
            yield Entry(label, (self.say.say("and-more", count=more),), depth)

    def _nested(self, label: str, part: msgspec.Struct, depth: int) -> Iterator[Entry]:
        below = list(self.entries(part, depth=depth + 1))
        if isinstance(part, Observable):
            seen = self.observable(part)
            yield Entry(seen.label, seen.text, depth)
        elif isinstance(part, Area):
            yield Entry(label, (self.place(part),), depth)
        elif len(below) == 1 and below[0].label in (self.say.label("text"), self.say.label("whole")):
            yield Entry(label, below[0].text, depth, below[0].lang)
        elif len(flat := joined(below)) <= _SHORT and all(entry.depth == depth + 1 for entry in below):
            yield Entry(label, (flat,), depth)
        else:
            yield Entry(label, (), depth)
            yield from below

    def place(self, area: Area) -> str:
        """A place in a few words: a country by its code, any other by what it is, its name and its code."""
        if area.scope in ("country", "eu") and area.code is None and area.name is None:
            return area.country or self.say.word("area-scope", area.scope)
        of = f"({area.code})" if area.code and area.name else area.code
        words = (self.say.word("area-scope", area.scope), area.name, of)
        said = " ".join(filter(None, words))
        return f"{said}, {area.country}" if area.country else said

    def _number(self, name: str, value: int) -> str:
        if name.endswith("_ppm"):
            return f"{value * 100 / _MILLION:g} %"
        if name == "score_x10":
            return f"{value / 10:.1f}"
        if name.endswith("_s"):
            return self.span(value)
        return str(value)

    def span(self, seconds: float) -> str:
        """A length of time, to its largest one or two units."""
        left, parts = int(seconds), []
        for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
            count, left = divmod(left, size)
            if count:
                parts.append(self.say.say(name, n=count))
        return " ".join(parts[:2]) or self.say.say("second", n=0)


def joined(entries: Iterable[Entry]) -> str:
    """Entries in one line."""
    return "; ".join(f"{entry.label}: {' '.join(entry.text)}" for entry in entries)


def moment(when: dt.datetime) -> str:
    """A time in UTC, to the minute or, where it has seconds, to the second."""
    form = "%Y-%m-%d %H:%M:%S UTC" if when.second else "%Y-%m-%d %H:%M UTC"
    return f"{when.astimezone(dt.UTC):{form}}"


def plain(lines: Iterable[Line | str]) -> Iterator[tuple[str, str]]:
    """The words of lines, each with its language; that of a plain text is not named."""
    for line in lines:
        yield (line, "") if isinstance(line, str) else (line.text, line.lang)


def _language(value: object) -> str:
    return value.lang if isinstance(value, Line) else ""


@cache
def _vocabulary_of(kind: type[StrEnum]) -> str:
    return name_of(kind)


@cache
def _names(framework: str) -> dict[str, str]:
    try:
        return {term.id: term.label for term in vocabulary(framework).terms}
    except KeyError:
        return {}
