"""A language that nobody speaks: every letter bears an accent and every text is 40 % longer, so what is not translated is seen.

Its tag is that of pseudo-accents in CLDR, `en-XA`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

from bus import sheets
from bus.console.voices import Voice, Voices
from bus.languages import Language
from bus.sheets.catalogue import catalogue

TAG = "en-XA"
LONGER = 1.4
_PLACE = re.compile(r"%\(\w+\)s|%%|\{\w+\}|</?\w[^>]*>|&\w+;")
_ACCENTED = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "ÅƁÇÐÉƑĜĤÎĴĶĻƜÑÖÞǪŔŠŢÛṼŴẊÝŽåƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýž",
)


def pseudo(text: str) -> str:
    """A text in this language: places and tags stay; what has no letters stays as it is."""
    bare = _PLACE.sub("", text)
    if not any(each.isascii() and each.isalpha() for each in bare):
        return text
    at, said = 0, ""
    for found in _PLACE.finditer(text):
        said += text[at : found.start()].translate(_ACCENTED) + found[0]
        at = found.end()
    said += text[at:].translate(_ACCENTED)
    # In words, so that a line can be broken as in any language.
    more = max(1, round(len(bare) * (LONGER - 1)))
    return said + " " + " ".join("ö" * min(5, more - n) for n in range(0, more, 6))


class Pseudo(Language):
    """Every text, marked or not known, in this language."""

    def form(self, text: str, context: str = "") -> str:
        """A sentence with its places open."""
        return pseudo(super().form(text, context))

    def form_of(self, one: str, many: str, n: int) -> str:
        """A sentence about a number with its places open."""
        return pseudo(super().form_of(one, many, n))


def voices() -> Voices:
    """The languages of the console with this one."""
    english = catalogue("en")
    words = sheets.Sayings(TAG, {key: pseudo(said) for key, said in english.items()}, english)
    return Voices({TAG: Voice(name="Þšéûðö", say=Pseudo(TAG), words=words)})


def plain_words(page: str, known: frozenset[str], others: Sequence[str] = ()) -> list[str]:
    """What of a page is still in English: text and attributes, but for words of others, code and what is known.

    Args:
        page: the HTML of a page in this language.
        known: words that are the same in every language: names, ids, markings.
        others: what others have written and a page repeats, as headlines.
    """
    return _Words(page, known, others).found


class _Words(HTMLParser):
    """Goes through a page; leaves out what is marked as another's or as code."""

    EMPTY = frozenset({"input", "link", "meta", "br", "path", "rect", "circle"})
    SHOWN = ("aria-label", "title", "placeholder", "alt")
    CODE = re.compile(r"\{\w+\}|&\w+;|[\w-]{30,}|\S+\[\.\]\S+")
    """Places of scripts, entities, keys and digests, addresses that were made harmless."""
    WORD = re.compile(r"[A-Za-z][a-z]+|[A-Z]{3,}")

    def __init__(self, page: str, known: frozenset[str], others: Sequence[str]) -> None:
        super().__init__()
        self.found: list[str] = []
        self._known, self._others, self._quiet = known, others, [False]
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes, and whether what is inside counts."""
        given = {name: value or "" for name, value in attrs}
        is_other = "dir" in given or given.get("lang", TAG) != TAG or given.get("translate") == "no"
        is_code = tag in ("kbd", "code", "script", "style") or "mono" in given.get("class", "").split()
        quiet = self._quiet[-1] or is_other or is_code or tag == "bdi"
        if not quiet:
            shown = [*self.SHOWN, *(name for name in given if name.startswith("data-other"))]
            for name in shown:
                self._look(given.get(name, ""))
        if tag not in self.EMPTY:
            self._quiet.append(quiet)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content."""
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self._quiet.pop()

    def handle_endtag(self, tag: str) -> None:
        """One step back."""
        if tag not in self.EMPTY:
            self._quiet.pop()

    def handle_data(self, data: str) -> None:
        """Text."""
        if not self._quiet[-1]:
            self._look(data)

    def _look(self, text: str) -> None:
        for each in self._others:
            text = text.replace(each, "")
        text = self.CODE.sub("", text)
        lacking = [word for word in self.WORD.findall(text) if word not in self._known]
        if lacking:
            self.found.append(f"{' '.join(lacking)!r} in {text.strip()!r}")
