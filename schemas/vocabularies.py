"""Vocabularies as data with versions and former ids: look up a word, search for one, find the successor of a former id.

The files in `schemas/terms` hold taxonomies of others: ids and labels, version, source, licence, and ids of earlier
versions. All other words of the wire are in `schemas.vocab` and `schemas.open_vocab`. A file is read on first use;
decoding bulletins reads none.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import msgspec

from schemas import vocab
from schemas.bodies import Body
from schemas.open_vocab import OPEN
from schemas.zones import VERSION as ZONES_VERSION
from schemas.zones import ZONES

FOLDER = Path(__file__).parent / "terms"
FRAMEWORKS = (
    "amitt",
    "atlas",
    "attack-enterprise",
    "attack-ics",
    "attack-mobile",
    "currency",
    "disarm",
    "rsit",
)
"""The taxonomies of others; each is a file of that name in `FOLDER`."""
FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"attack": ("attack-enterprise", "attack-mobile", "attack-ics")}
)
"""Names for groups of vocabularies."""

_NEAREST = 3
_SHORTEST = 3
_STEM = 6
"""Number of equal first letters that make two words similar: website and websites, impersonate and impersonated."""


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One word of a vocabulary: its id, its label for people, and a description."""

    id: str
    label: str = ""
    text: str = ""


class Former(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A former id of a vocabulary: its last label, the cause or date of its removal, and its successors, if any."""

    id: str
    label: str
    why: str
    now: tuple[str, ...] = ()


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All words of one vocabulary in one version, with source, licence and former ids."""

    name: str
    title: str
    version: str
    source: str
    licence: str
    terms: tuple[Term, ...]
    former: tuple[Former, ...] = ()


class Found(msgspec.Struct, frozen=True):
    """The result of a search in one vocabulary: present words, former ids, and if there are neither, the nearest words."""

    terms: tuple[Term, ...] = ()
    former: tuple[Former, ...] = ()
    nearest: tuple[Term, ...] = ()


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


_CLOSED: Mapping[str, type[StrEnum]] = MappingProxyType(
    {
        _kebab(each.__name__): each
        for each in vars(vocab).values()
        if isinstance(each, type) and issubclass(each, StrEnum) and each is not StrEnum
    }
)


def name_of(words: type[StrEnum]) -> str:
    """The vocabulary name of a closed list."""
    return _kebab(words.__name__)


def names() -> tuple[str, ...]:
    """The names of all vocabularies, in alphabetical order."""
    return tuple(sorted({*_CLOSED, *OPEN, *FRAMEWORKS, "kind", "time-zone"}))


@cache
def vocabulary(name: str) -> Vocabulary:
    """One vocabulary by its name.

    Raises:
        KeyError: there is no vocabulary of that name.
    """
    if name in FRAMEWORKS:
        return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=Vocabulary)
    if name in _CLOSED:
        words: Iterable[str] = (str(each) for each in _CLOSED[name])
        return _own(name, (_CLOSED[name].__doc__ or name).split("\n", 1)[0], "tocsin; closed", words)
    if name == "kind":
        tags = (str(each.__struct_config__.tag) for each in get_args(Body))
        return _own(name, "What a bulletin is about.", "tocsin; closed", sorted(tags))
    if name == "time-zone":
        return Vocabulary(
            name=name,
            title="Time zones of calendars.",
            version=ZONES_VERSION,
            source="IANA time zone database; closed",
            licence="public domain",
            terms=tuple(Term(id=each) for each in sorted(ZONES)),
        )
    found = OPEN[name]
    return _own(name, f"Words for {name}.", found.source, sorted(found.values))


def _own(name: str, title: str, source: str, words: Iterable[str]) -> Vocabulary:
    return Vocabulary(
        name=name,
        title=title,
        version=vocab.VERSION,
        source=source,
        licence="Apache License 2.0",
        terms=tuple(Term(id=each) for each in words),
    )


def find(within: Vocabulary, word: str) -> Found:
    """Search a vocabulary for a word that a person typed.

    An id, in any case, finds itself and its parts. A former id finds its old label, and its successors or similar
    words. Otherwise each part of the word must occur in the id, the label or the text; exact matches come first, then
    ids and labels, then texts. If nothing matches, the nearest words are returned.
    """
    wanted = word.strip()
    low = wanted.casefold()
    exact = [each for each in within.terms if each.id.casefold() == low]
    if exact:
        parts = [each for each in within.terms if each.id.casefold().startswith(f"{low}.")]
        return Found(terms=(*exact, *parts))
    if past := [each for each in within.former if each.id.casefold() == low]:
        now = {each for one in past for each in one.now}
        terms = tuple(each for each in within.terms if each.id in now)
        return Found(terms=terms, former=tuple(past), nearest=() if now else akin(within, past[0].label))
    parts_of = _plain(wanted).split()
    if not parts_of:
        return Found()
    named = [each for each in within.terms if _has(f"{each.id} {each.label}", parts_of)]
    named.sort(key=lambda each: _plain(wanted) not in (_plain(each.id), _plain(each.label)))
    told = [
        each
        for each in within.terms
        if each.text and each not in named and _has(f"{each.id} {each.label} {each.text}", parts_of)
    ]
    former = [each for each in within.former if _has(f"{each.id} {each.label}", parts_of)]
    if named or told or former:
        return Found(terms=(*named, *told), former=tuple(former))
    return Found(nearest=near(within, wanted))


def near(within: Vocabulary, word: str) -> tuple[Term, ...]:
    """The terms whose id, label, or a word of the label is most similar to a word; at most three."""
    spelled: dict[str, list[Term]] = {}
    for each in within.terms:
        whole = _plain(each.label)
        for spelling in {each.id.casefold(), whole, *whole.split(), *_plain(each.id).split()}:
            spelled.setdefault(spelling, []).append(each)
    like = difflib.get_close_matches(word.strip().casefold(), spelled, n=_NEAREST)
    found = dict.fromkeys(each for spelling in like for each in spelled[spelling])
    return tuple(found)[:_NEAREST]


def akin(within: Vocabulary, label: str) -> tuple[Term, ...]:
    """The terms whose labels share words with a label, rare words counting more; at most three, most similar first."""
    wanted = _stems(label)
    stems = [(each, _stems(each.label)) for each in within.terms]
    count = Counter(stem for _, found in stems for stem in found)
    weighed = [(sum(1 / count[stem] for stem in wanted & found), each) for each, found in stems]
    best = sorted((each for each in weighed if each[0]), key=lambda each: (-each[0], len(each[1].label)))
    return tuple(each for _, each in best[:_NEAREST])


def _stems(label: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in _plain(label).split() if len(word) >= _SHORTEST)


def _plain(text: str) -> str:
    return re.sub(r"[^\w.]+", " ", text.casefold()).strip()


def _has(text: str, parts: list[str]) -> bool:
    plain = _plain(text)
    return all(part in plain for part in parts)
