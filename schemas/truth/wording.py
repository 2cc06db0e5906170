"""The words for people in a bulletin: which fields hold them, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from schemas.bulletin import Bulletin

_SKIPPED = frozenset({"observables", "provenance", "labels", "sections", "issuer", "spec", "prev", "id"})
"""Values to be matched, and what machines write: no words for people."""
_MACHINE = frozenset({"jwe", "file", "tz", "detection", "log_events", "ad_refs", "platform_ref"})
PUBLIC = frozenset({"public_line", "correct_information", "official_url", "web", "facts", "lines"})
"""Fields whose words are said to the public as they stand."""


_SMALL = b"abcdefghijklmnopqrstuvwxyz,"
_SHAPE = bytes(
    ord("0")
    if chr(n).isdigit() and n < 0x80
    else ord("A")
    if 0x41 <= n <= 0x5A
    else ord("-")
    if chr(n) in "+/"
    else ord("@")
    if n < 0x20 or n == 0x7F
    else n
    for n in range(256)
)
"""Every digit as 0, every capital as A, + and / as -, control characters as @; small letters are left out."""
_ODD = (
    b"@",
    b":-",
    b"A:",
    b"AAAAA",
    b"A-A",
    b"0000000",
    b"000000-",
    b"000000A",
    b"0000 0",
    b"000 000 00",
    b"00.00.00-",
)
"""Shapes of what some rule about words objects to: R47, R48, R61, R65, R66."""
_EXERCISE = "xerci"
_OTHER_LETTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u0370-\u052f\u115f\u1160\u17b4\u17b5\u180e\u1c80-\u1c8f\u1f00-\u200f"
    "\u2028-\u202e\u205f-\u206f\u2800\u3000\u3164\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e007f]"
)


def is_plain(texts: Sequence[str]) -> bool:
    """Whether texts are of ASCII, begin with a letter or digit each, and have no shape to which a rule objects."""
    text = "|".join(texts)
    if not text.isascii() or _EXERCISE in text:
        return False
    shape = text.encode().translate(_SHAPE, _SMALL)
    for odd in _ODD:
        if odd in shape:
            return False
    return all(each[:1].isalnum() for each in texts)


def is_odd(text: str) -> bool:
    """Whether a rule about words may object to a text. False where none does; most text of any language is not odd."""
    if text.isascii():
        if not text[:1].isalnum() or _EXERCISE in text:
            return True
    elif not text[:1].isalnum() or _OTHER_LETTERS.search(text) or _EXERCISE in text or "bung" in text.lower():
        return True
    shape = (
        text.encode("ascii", "replace").replace(b"\n", b" ").replace(b"\t", b" ").translate(_SHAPE, _SMALL)
    )
    return any(odd in shape for odd in _ODD) or b"?AAA" in shape or b"AAA?" in shape or b"A??A" in shape


_last: tuple[Bulletin | None, tuple[tuple[str, str], ...]] = (None, ())


def odd_words(b: Bulletin) -> tuple[tuple[str, str], ...]:
    """Path and text of those words of a bulletin to which some rule may object; the rules ask one after the other."""
    global _last  # noqa: PLW0603 (one assignment, of the whole; who finds another's begins anew)
    known, found = _last
    if known is not b:
        found = tuple((path, text) for path, text in words(b) if is_odd(text))
        _last = (b, found)
    return found


def words(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    """Path and text of every field of free text, in the order of the wire."""
    for name, wire, is_text in _fields(type(value)):  # type: ignore[arg-type]
        found = getattr(value, name)
        if found is None or found == ():
            continue
        if is_text:
            if isinstance(found, str):
                yield f"{path}.{wire}", found
            else:
                for n, each in enumerate(found):
                    if isinstance(each, str):
                        yield f"{path}.{wire}[{n}]", each
                    else:
                        yield from words(each, f"{path}.{wire}[{n}]")
        elif isinstance(found, tuple):
            for n, each in enumerate(found):
                yield from words(each, f"{path}.{wire}[{n}]")
        else:
            yield from words(found, f"{path}.{wire}")


def field_of(path: str) -> str:
    """The name of the field at the end of a path, without its place in a list; of a line with its language, that of the list."""
    return path.removesuffix("].text").rsplit(".", 1)[-1].partition("[")[0]


@cache
def _fields(type_: type) -> tuple[tuple[str, str, bool], ...]:
    """The fields of a struct that are free text, and those that may hold some: attribute, wire name, whether it is text."""
    hints = get_type_hints(type_, include_extras=True)
    found = []
    for field in msgspec.structs.fields(type_):
        if field.name in _SKIPPED or field.name in _MACHINE:
            continue
        hint = hints[field.name]
        if _is_text(hint):
            found.append((field.name, field.encode_name, True))
        elif _structs(hint):
            found.append((field.name, field.encode_name, False))
    return tuple(found)


def _is_text(hint: Any, bounded: bool = False) -> bool:
    """Whether an annotation is a string, or strings, that no pattern and no vocabulary bounds."""
    origin = get_origin(hint)
    if origin is Annotated:
        metas = [meta for meta in hint.__metadata__ if isinstance(meta, Meta)]
        return _is_text(hint.__origin__, bounded or any(meta.pattern or meta.extra for meta in metas))
    if hint is str:
        return not bounded
    return any(_is_text(part, bounded) for part in get_args(hint) if part is not type(None))


def _structs(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return True
    return any(_structs(part) for part in get_args(hint))
