"""Removes the names of persons from texts, in any spelling.

A name is found by its words, in any case, accents, hyphens or order, inflected or joined to one word. Each format
decides who is a person. A name that a source gives beside a text must not stay in the text. There is no list of names
and no guess: only added names are found.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

__all__ = ["OMITTED", "Persons"]

OMITTED: Final = "[…]"
"""The replacement for a name: no longer than the shortest one, and of no language."""

MAX_NAMES: Final = 2_000
MAX_NAME_CHARS: Final = 500
MAX_NAME_WORDS: Final = 12
MOST_TEXT: Final = 32_000  # four times the longest field
_MOST_GAP: Final = 3  # characters between two words of a name: a blank, a hyphen, a full stop and a blank
_KEY_CHARS: Final = 3
_MOST_ALIKE: Final = 64
_MOST_WORD: Final = 64
_LONG: Final = 5
_ALONE: Final = 4  # least letters of a surname that is found without the rest of its name
# Letters and digits with their accents, composed or not: normalising a hostile run of accents takes time of the square of its length.
_WORD: Final = re.compile(r"[^\W_][^\W_\u0300-\u036f]*(?:[\u0300-\u036f]+[^\W_]*)*")
_UNSEEN: Final = str.maketrans(dict.fromkeys("\u00ad\u200b\u2060\ufeff"))
_UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")  # scripts without blanks
# Legal forms at the end of an organisation's name, which texts often leave out.
_FORMS: Final = frozenset(
    {
        "ab",
        "ag",
        "as",
        "bv",
        "co",
        "corp",
        "ev",
        "gmbh",
        "inc",
        "kg",
        "llc",
        "ltd",
        "nv",
        "oy",
        "plc",
        "sa",
        "sarl",
        "se",
        "spa",
        "srl",
    }
)
_TITLES: Final = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "herr", "frau", "m", "mme", "president", "minister", "sir"}
)


class _Word(NamedTuple):
    """One word of a text: folded form, original form, and position."""

    folded: str
    written: str
    start: int
    end: int


class Persons:
    """The names to remove from the texts of one draft."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], bool] = {}
        self._by_key: dict[str, dict[tuple[str, ...], None]] = {}
        self._surnames: set[str] = set()
        self._unspaced: set[str] = set()
        self.has_absurd = False

    def __bool__(self) -> bool:
        return bool(self._names or self._unspaced)

    def add(self, name: object, *, surname: bool = True) -> None:
        """Adds a name.

        Args:
            name: The name in the source; ignored if it is not text, or shorter than three characters.
            surname: Whether it is the name of a declared person, so that its last word alone, capitalised, is found too.
        """
        if not isinstance(name, str):
            return
        if len(name) > MAX_NAME_CHARS:
            self.has_absurd = True
            return
        if _UNSPACED.fullmatch(name.strip()) and len(self._unspaced) < MAX_NAMES:
            self._unspaced.add(name.strip())
            return
        if len(name.strip()) < _KEY_CHARS:
            return
        words = tuple(word.folded for word in _words(name))
        while len(words) > 1 and words[-1] in _FORMS:
            words = words[:-1]
        while len(words) > 1 and words[0] in _TITLES:
            words = words[1:]
        if not words or len(words) > MAX_NAME_WORDS or len(self._names) >= MAX_NAMES or words in self._names:
            return
        if len("".join(words)) < _KEY_CHARS:
            return
        self._names[words] = surname
        orders = {words, words[::-1], (*words[-1:], *words[:-1]), ("".join(words),)}
        for order in orders:
            # An ending may replace the last letter of a first word.
            stem = order[0][:-1] if len(order) > 1 and len(order[0]) >= _LONG else order[0]
            held = self._by_key.setdefault(stem[:_MOST_WORD], {})
            # Many names with the same beginning would all be tried; then their common beginning is removed instead.
            held.setdefault(order if len(held) < _MOST_ALIKE else order[:1])
        if surname and len(words) > 1:
            written = [word.written for word in _words(name)]
            capitals = [word.lower() for word in written if len(word) >= _ALONE and word.isupper()]
            for word in (words[-1], *map(_folded, capitals)):
                if len(word) >= _ALONE:
                    self._surnames.add(word)

    def taken_out(self, text: str, instead: str = OMITTED) -> str:
        """The text without the names.

        Args:
            text: Prose; if a name is in it, the part after 32 000 characters is cut.
            instead: The replacement.
        """
        if not self or not text:
            return text
        written = text
        text = text[:MOST_TEXT].translate(_UNSEEN)
        is_changed = any(name in text for name in self._unspaced)
        for name in self._unspaced:
            text = text.replace(name, instead)
        words = list(_words(text))
        pieces, done, at = [], 0, 0
        while at < len(words):
            count = self._found_at(words, at)
            if count:
                pieces += [text[done : words[at].start], instead]
                done = words[at + count - 1].end
                at += count
            else:
                at += 1
        return "".join((*pieces, text[done:])) if pieces or is_changed else written

    def are_in(self, text: str) -> bool:
        """Whether a name is in the text."""
        return self.taken_out(text, "") != text

    def _found_at(self, words: list[_Word], at: int) -> int:
        """The number of words from here on that form a name; 0 for none."""
        first = words[at]
        longest = 0
        folded = first.folded[:_MOST_WORD]
        for length in range(1, len(folded) + 1):
            for name in self._by_key.get(folded[:length], ()):
                if len(name) > longest and _agrees(name, words, at):
                    longest = len(name)
        if not longest and first.written[:1].isupper() and self._surnames:
            ends = (first.folded[:length] for length in range(_ALONE, len(first.folded) + 1))
            longest = int(any(end in self._surnames and _inflected(end, first.folded) for end in ends))
        return longest


def _agrees(name: tuple[str, ...], words: list[_Word], at: int) -> bool:
    if at + len(name) > len(words):
        return False
    several = len(name) > 1
    for each, word in zip(name, words[at : at + len(name)], strict=True):
        if not _inflected(each, word.folded, loosely=several):
            return False
    found = words[at : at + len(name)]
    return all(after.start - before.end <= _MOST_GAP for before, after in pairwise(found))


def _inflected(name: str, word: str, *, loosely: bool = False) -> bool:
    """Whether a word of a text is a word of a name: equal, with an ending, or as the first part of a compound.

    In a name of several words an ending may replace the last letters, as in Kowalski and Kowalskiego.
    """
    if name == word:
        return True
    if len(name) < _ALONE:
        return loosely and word.startswith(name) and len(word) <= len(name) + 2
    if word.startswith(name):
        return len(name) > _LONG or len(word) <= len(name) + 3
    return loosely and len(name) >= _LONG and word.startswith(name[:-1]) and len(word) <= len(name) + 4


def _words(text: str) -> Iterator[_Word]:
    for found in _WORD.finditer(text):
        written = found[0]
        yield _Word(_folded(written), written, *found.span())


@lru_cache(maxsize=4096)
def _folded(word: str) -> str:
    """A word without case and accents."""
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize("NFKD", word[:MAX_NAME_CHARS])
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()
