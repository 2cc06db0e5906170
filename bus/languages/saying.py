"""The sentences of a program in one language: the English sentence is the key, and what is said where a translation is missing.

Places stand in a sentence as `%(name)s`, so a plain percent sign is written twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from gettext import c2py
from pathlib import Path

from bus.languages.choosing import DEFAULT
from bus.languages.reading import entries, heading

_PLURAL = re.compile(r"nplurals\s*=\s*\d\s*;\s*plural\s*=\s*([^;]+)")
_JOINED = "\x04"


def marked(text: str, *contexts: str) -> str:
    """The text as it is. Marks it to be translated, in contexts if any are named; it is said elsewhere, by `plain` or `within`."""
    del contexts
    return text


class Language:
    """What can be said in one language."""

    def __init__(
        self,
        tag: str,
        texts: Mapping[str, tuple[str, ...]] | None = None,
        plural: Callable[[int], int] = lambda n: int(n != 1),
    ) -> None:
        """Take its tag, its translations by their keys, and which of several forms goes with a number."""
        self.tag = tag
        self._texts, self._plural = texts or {}, plural

    def __call__(self, text: str, /, **places: object) -> str:
        """A sentence with its places filled."""
        return self.form(text) % places

    def within(self, context: str, text: str, /, **places: object) -> str:
        """A sentence that has another meaning elsewhere; the context tells which it has here."""
        return self.form(text, context) % places

    def many(self, one: str, many: str, n: int, /, **places: object) -> str:
        """A sentence about a number, which is its place `num`."""
        return self.form_of(one, many, n) % {"num": n, **places}

    def plain(self, text: str) -> str:
        """A text without places; one that has no translation is shown as it is, percent signs and all."""
        return self.form(text)

    def knows(self, text: str) -> bool:
        """Whether there is a translation of a text; in English none is needed."""
        return self.tag == DEFAULT or text in self._texts

    def form(self, text: str, context: str = "") -> str:
        """A sentence with its places open."""
        return self._texts.get(f"{context}{_JOINED}{text}" if context else text, (text,))[0]

    def form_of(self, one: str, many: str, n: int) -> str:
        """A sentence about a number with its places open."""
        said = self._texts.get(one)
        if said is None or len(said) == 1:
            return one if n == 1 else many
        return said[min(self._plural(abs(n)), len(said) - 1)]


ENGLISH = Language(DEFAULT)


@cache
def language(folder: Path, tag: str) -> Language:
    """A language from its catalogue, `TAG.po`; entries without a translation are left out.

    Raises:
        OSError: there is no such file.
        ValueError: it is no catalogue.
    """
    text = (folder / f"{tag}.po").read_text("utf-8")
    rule = _PLURAL.search(heading(text).get("Plural-Forms", ""))
    texts = {
        f"{each.context}{_JOINED}{each.text}" if each.context else each.text: each.said
        for each in entries(text)
        if each.text and all(each.said)
    }
    return Language(tag, texts, c2py(rule[1].strip())) if rule else Language(tag, texts)
