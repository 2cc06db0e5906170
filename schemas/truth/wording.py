"""The texts for people in a bulletin: the fields that hold them, with their paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from schemas.bulletin import Bulletin

_SKIPPED = frozenset({"observables", "provenance", "labels", "sections", "issuer", "spec", "prev", "id"})
"""Values for matching, and values from machines: not texts for people."""
_MACHINE = frozenset({"jwe", "file", "tz", "detection", "log_events", "ad_refs", "platform_ref"})
PUBLIC = frozenset({"public_line", "correct_information", "official_url", "web", "facts", "lines"})
"""Fields whose texts go to the public unchanged."""


_SMALL = b"abcdefghijklmnopqrstuvwxyz,"
"""Characters left out of a shape."""


def _shape_of(n: int) -> str:
    letter = chr(n)
    if letter in "\n\t":
        return " "
    if n < 0x20 or n in (0x7F, 0xAD):
        return "@"
    if n >= 0x80:
        return "?"
    if letter.isdigit():
        return "0"
    if letter.isupper():
        return "A"
    return "-" if letter in "+/" else letter


_SHAPE = "".join(map(_shape_of, range(256))).encode()
"""Digits as 0, capitals as A, + and / as -, control characters and U+00AD as @, tabs and line ends as a space, other letters as ?."""
_EXERCISE = "xerci"
_OTHER_LETTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u0370-\u052f\u115f\u1160\u17b4\u17b5\u180e\u1c80-\u1c8f\u1f00-\u200f"
    "\u2028-\u202e\u205f-\u206f\u2800\u3000\u3164\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e007f]"
)


_CAPITALS = re.compile("[A-Z\u00c0-\u00de\u0100-\u017f]{5}")
"""Five capitals, some beyond ASCII; small letters of Latin Extended-A count, because they lie between its capitals."""
_FEW_DIGITS = 15
"""Fewer digits than a payment card has."""


_FOLDED = "".join("0" if chr(n).isdigit() else chr(n).lower() for n in range(128)).encode().ljust(256, b"?")
"""Small letters, and every digit as 0."""
_LIKE_ASCII = (("\u0130", "i"), ("\u0131", "i"), ("\u017f", "s"), ("\u212a", "k"))
"""Letters beyond ASCII that equal an ASCII letter if case is ignored."""


def _backwards(text: str) -> bytes:
    """A text reversed, in small letters, with every digit as 0 and every letter beyond ASCII as a question mark."""
    if not text.isascii():
        for letter, like in _LIKE_ASCII:
            text = text.replace(letter, like)
    return text.encode("ascii", "replace").translate(_FOLDED)[::-1]


def _one_of(*words: str) -> bytes:
    return b"(?:" + b"|".join(re.escape(_backwards(word)) for word in words) + b")"


_PAPERS = (
    "identity",
    "identification",
    "national id",
    "personal id",
    "id card",
    "passport",
    "social security",
)
_CALLED = re.compile(
    rb"0000(?<!00000)[a-z0./+?-]{0,16}[ :#]*(?:"
    + _one_of(" is", " of", " was")
    + b"?s?"
    + _one_of("number", "no.", "no", "nr.", "nr", "code", "card")
    + b"[ -]?"
    + _one_of(" identification", " identity", " id", " card", " security")
    + b"?"
    + _one_of(*_PAPERS, "insurance", "tax", "personal", "citizen")
    + rb"|(?:\.?rn-?)?[a-z0_?]*"
    + _one_of("ausweis", "reisepass", "sozialversicherungs", "steuer")
    + b"|"
    + _one_of(" number", " no.", " no")
    + b"?"
    + _one_of(
        *("pesel", "cnp", "egn", "jmbg", "dni", "nie", "nif", "bsn", "cpr", "nino", "ssn", "amka"),
        *("personnummer", "henkilötunnus", "rodné číslo", "codice fiscale"),
    )
    + b")"
)
"""Four digits, and before them words for a personal number (`schemas.personal`), reversed.

So the words are sought only near a number; most texts have one, a year.
"""


def is_plain(texts: Sequence[str]) -> bool:
    """Whether several texts certainly satisfy all rules about texts. False means: check them. Most texts of any language are plain."""
    for text in texts:
        if not text[:1].isalnum():
            return False
    return not _is_odd("|".join(texts))


def is_odd(text: str) -> bool:
    """Whether a rule about texts must check a text. False means that it satisfies all; so do most texts of any language."""
    return not text[:1].isalnum() or _is_odd(text)


def _is_odd(text: str) -> bool:
    """As `is_odd`, for any beginning of the text."""
    # A search for one letter is ten times as fast as one for a word that begins with it.
    if ("x" in text and _EXERCISE in text) or ("N" in text and "NfD" in text):
        return True
    if text.isascii():
        return _has_odd_shape(text.encode(), text)
    try:
        raw = text.encode("cp1252")  # quick: no look-alike letter, and no invisible character except U+00AD
    except UnicodeEncodeError:
        if _OTHER_LETTERS.search(text):
            return True
        raw = text.encode("ascii", "replace")
    return _CAPITALS.search(text) is not None or "bung" in text.lower() or _has_odd_shape(raw, text)


def _has_odd_shape(raw: bytes, text: str) -> bool:
    """Whether the shape of a text, one byte for each letter, may break R47, R48, R61, R65 or R66.

    The shape is searched as a string, which takes a third of the time of bytes.
    """
    shape = raw.translate(_SHAPE, _SMALL).decode("latin-1")
    return (
        "@" in shape
        or (":" in shape and (":-" in shape or "A:" in shape))
        or "AAAAA" in shape
        or "A-A" in shape
        or "AA00" in shape
        or shape.count("0") > _FEW_DIGITS
        or ("0000" in shape and _has_odd_number(shape, text))
        or "000 000 00" in shape
        or "00.00.00-" in shape
        or ("?" in shape and ("?AAA" in shape or "AAA?" in shape or "A??A" in shape))
    )


def _has_odd_number(shape: str, text: str) -> bool:
    """Whether four digits in a row may belong to a personal number, by its length or the words before it."""
    if "0000000" in shape or "000000-" in shape or "000000A" in shape or "0000 0" in shape:
        return True
    return _CALLED.search(_backwards(text)) is not None


_last: tuple[Bulletin | None, tuple[tuple[str, str], ...]] = (None, ())


def odd_words(b: Bulletin) -> tuple[tuple[str, str], ...]:
    """(path, text) of the texts that a rule must check. The result is cached, since the rules run in turn."""
    global _last  # noqa: PLW0603 (one assignment, of the whole; a thread that finds another bulletin computes again)
    known, found = _last
    if known is not b:
        found = tuple((path, text) for path, text in words(b) if is_odd(text))
        _last = (b, found)
    return found


def gather(value: Any, said: list[str]) -> None:
    """Add every free text of a struct to a list: the texts of `words`, without their paths."""
    kind = type(value)
    get = _getters.get(kind)
    if get is None:
        get = _getters[kind] = _getter_of(kind)
    for found in get(value):
        if type(found) is str:
            said.append(found)
        elif type(found) is tuple:
            for each in found:
                if type(each) is str:
                    said.append(each)
                else:
                    gather(each, said)
        elif found is not None:
            gather(found, said)


_Getter = Callable[[Any], tuple[Any, ...]]
_getters: dict[type, _Getter] = {}
"""Type of a struct -> getter of its text fields."""


def _getter_of(type_: type) -> _Getter:
    names = [name for name, *_ in _fields(type_)]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def words(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    """(path, text) of every field of free text, in the order of the wire."""
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
    """The name of the field at the end of a path, without list indexes; for a line with a language, the name of its list."""
    return path.removesuffix("].text").rsplit(".", 1)[-1].partition("[")[0]


@cache
def _fields(type_: type) -> tuple[tuple[str, str, bool], ...]:
    """The fields of a struct that are or contain free text: (attribute, wire name, whether it is text)."""
    hints = get_type_hints(type_, include_extras=True)
    found = []
    for field in msgspec.structs.fields(type_):
        if field.name in _SKIPPED or field.name in _MACHINE:
            continue
        hint = hints[field.name]
        if _is_text(hint):
            found.append((field.name, field.encode_name, True))
        elif any(_fields(struct) for struct in _structs(hint)):
            found.append((field.name, field.encode_name, False))
    return tuple(found)


def _is_text(hint: Any, bounded: bool = False) -> bool:
    """Whether an annotation is free text: strings without pattern or vocabulary."""
    origin = get_origin(hint)
    if origin is Annotated:
        metas = [meta for meta in hint.__metadata__ if isinstance(meta, Meta)]
        return _is_text(hint.__origin__, bounded or any(meta.pattern or meta.extra for meta in metas))
    if hint is str:
        return not bounded
    return any(_is_text(part, bounded) for part in get_args(hint) if part is not type(None))


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:
    """The structs in an annotation, at any depth."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in get_args(hint):
        yield from _structs(part)
