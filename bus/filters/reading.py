"""Filters as people write them: options of a command, or one line such as `kind:data-breach country:XA text:"false date" since:2h`.

A word without a field is sought in the text. Separate several values of one field with commas, or repeat the field.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from bus.errors import FilterError
from bus.filters.sayings import norm, words_in
from bus.filters.selection import FIELDS, Selection, any_of
from schemas.bodies import KINDS
from schemas.scalars import AudienceName, Country, ElectionId, OrgId
from schemas.subject import PRIORITIES
from schemas.vocab import Dimension, Domain

OTHER_NAMES: Mapping[str, str] = {
    "domains": "domain",
    "kinds": "kind",
    "topic": "kind",
    "dim": "dimension",
    "by": "issuer",
    "from": "issuer",
    "authority": "issuer",
    "ioc": "observable",
    "indicator": "observable",
    "words": "text",
    "for": "audience",
}
"""Names that people try -> the field they mean."""
_DIMENSIONS = {"ai": "ai-misuse", "cybersecurity": "cybercrime", "interference": "foreign-interference"}
_SPAN = re.compile(r"([0-9]{1,9})([smhdw])")
_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_INCIDENT = re.compile(r"[0-9a-f-]{4,36}")
_REGION = re.compile(r"[a-z0-9:/_.-]{1,64}")
_TOKEN = re.compile(r"""\s*(?:([A-Za-z_-]+):)?((?:"(?:[^"\\]|\\.)*"|[^\s",]|,)+)(?=\s|$)""")
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",]+)')
_MOST = 8_000


def of_text(line: str) -> Selection:
    """A filter from one line.

    Raises:
        FilterError: `filter-malformed`; the sentence names the fault and the nearest word.
    """
    if len(line) > _MOST:
        raise FilterError(f"a filter has at most {_MOST} characters")
    given: dict[str, list[str]] = {}
    place, end = 0, len(line.rstrip())
    while place < end:
        found = _TOKEN.match(line, place)
        if found is None:
            raise FilterError(
                f"cannot read {line[place:].strip()[:40]!r}: close the quote, and put quotes around whole words only"
            )
        place = found.end()
        name = _field(found[1]) if found[1] else "text"
        given.setdefault(name, []).extend(_values(found[2], whole=not found[1]))
    return _made(given)


def of_options(given: Mapping[str, Iterable[str]]) -> Selection:
    """A filter from values by field, from the options of a command.

    A value may hold several, separated by commas; not texts and observables, which may contain commas.

    Raises:
        FilterError: `filter-malformed`.
    """
    return _made(
        {
            name: values
            if _field(name) in ("text", "observable")
            else [part for value in values for part in _parts(value)]
            for name, values in given.items()
        }
    )


def _made(given: Mapping[str, Iterable[str]]) -> Selection:
    read: dict[str, tuple[str, ...]] = {}
    since: int | None = None
    for name, values in given.items():
        field = _field(name)
        if field == "since":
            for value in values:
                since = _since(value)
            continue
        found = (each for value in values for each in _read(field, value))
        read[field] = any_of((*read.get(field, ()), *found))
    return Selection(**read, since_s=since)


def _values(text: str, *, whole: bool) -> Iterator[str]:
    """The values of one token; a word of the text may contain commas."""
    if whole and '"' not in text:
        yield text
        return
    for quoted, plain in _VALUE.findall(text):
        yield plain or re.sub(r"\\(.)", r"\1", quoted)


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _field(name: str) -> str:
    plain = name.lower().replace("_", "-")
    plain = OTHER_NAMES.get(plain, plain)
    if plain not in FIELDS:
        raise FilterError(f"there is no field {name!r} to filter by{_hint(plain, FIELDS)}")
    return plain


def _read(field: str, value: str) -> tuple[str, ...]:
    """A value in the form used for comparison; a range of priorities gives several."""
    plain = value.strip()
    if any("\ud800" <= character <= "\udfff" for character in plain):
        raise FilterError(f"{field} holds bytes that are not text")
    low = plain.casefold()
    if field in _WORDS:
        low = _DIMENSIONS.get(low, low) if field == "dimension" else low
        if field == "priority" and (low[:-1] in PRIORITIES and low.endswith("+")):
            return PRIORITIES[: PRIORITIES.index(low[:-1]) + 1]
        if low not in _WORDS[field]:
            raise FilterError(f"there is no {field} {plain!r}{_hint(low, _WORDS[field])}")
        return (low,)
    if field == "text":
        words = words_in(plain)
        if not words:
            raise FilterError(f"no word to look for in {plain[:40]!r}")
        return (" ".join(words) + ("*" if plain.endswith("*") else ""),)
    if field == "observable":
        return (norm(plain),)
    if field == "area" and low in ("multi", "intl"):
        return (low.upper(),)
    if field in ("country", "area"):
        return (_shaped(field, plain.upper(), Country, "two letters, EU or INT"),)
    if field == "region":
        if not _REGION.fullmatch(low):
            raise FilterError(f"region takes the code of a place such as xa12, not {plain[:40]!r}")
        return (low,)
    if field == "incident":
        if not _INCIDENT.fullmatch(low):
            raise FilterError(f"incident takes an id, or at least its first 4 characters, not {plain[:40]!r}")
        return (low,)
    type_, shape = _SHAPES[field]
    return (_shaped(field, low, type_, shape),)


def _shaped(field: str, value: str, type_: object, shape: str) -> str:
    try:
        return msgspec.convert(value, type_)  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        raise FilterError(f"{field} takes {shape}, not {value[:40]!r}") from None


def _since(value: str) -> int | None:
    plain = value.strip().lower()
    if plain == "all":
        return None
    if plain == "now":
        return 0
    found = _SPAN.fullmatch(plain)
    if found is None:
        raise FilterError(f"since takes all, or a span such as 30m, 2h or 7d, not {value[:40]!r}")
    return int(found[1]) * _UNIT[found[2]]


def _hint(word: str, known: Collection[str]) -> str:
    listed = sorted(map(str, known))
    near = difflib.get_close_matches(word, listed, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(listed)}"


_WORDS: Mapping[str, Collection[str]] = {
    "domain": frozenset(map(str, Domain)),
    "kind": KINDS.keys(),
    "dimension": frozenset(map(str, Dimension)),
    "priority": frozenset(PRIORITIES),
}
_SHAPES: Mapping[str, tuple[object, str]] = {
    "election": (ElectionId, "an id such as xa-parl-2027"),
    "audience": (AudienceName, "the name of an audience such as eu-csirts"),
    "issuer": (OrgId, "the id of an authority such as xa-csirt"),
}
