"""The texts of a sheet in each language: catalogues in the form of gettext (`languages/*.po`), read when first needed.

Every catalogue has the same keys. `label NAME` is a field of the wire, `word SLUG` a word of a vocabulary, `word VOCABULARY/SLUG`
one that means something else there, `say NAME` a sentence with places in braces, `language TAG` a language.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bus.languages import DEFAULT, entries, looked_up
from schemas.open_vocab import OPEN

FOLDER = Path(__file__).parent / "languages"
TRANSLATED = ("en", "de", "el", "fr", "et")
"""The languages that have a catalogue."""


class Sayings:
    """The texts of one language. A key that its catalogue lacks is taken from the English one."""

    def __init__(self, lang: str, own: dict[str, str], english: dict[str, str]) -> None:
        """Take the catalogue of a language, and the English one."""
        self.lang = lang
        self._said = english | own

    def say(self, name: str, /, **places: object) -> str:
        """A sentence with its places filled; what is filled in stays as it is, braces and all."""
        return self._said[f"say {name}"].format(**places)

    def has(self, name: str) -> bool:
        """Whether there is a sentence of this name."""
        return f"say {name}" in self._said

    def label(self, name: str) -> str:
        """The label of a field of the wire; the field's own name if the catalogue has none."""
        return self._said.get(f"label {name}", name.replace("_", " "))

    def language(self, tag: str) -> str:
        """The name of a language, with the tag if that says more; only the tag if the language has no name here."""
        primary = tag.partition("-")[0].lower()
        name = self._said.get(f"language {primary}")
        if name is None:
            return tag
        return name if tag.lower() == primary else f"{name} ({tag})"

    def word(self, vocabulary: str, word: str) -> str:
        """The meaning of a word of a vocabulary; a word that the vocabulary lacks is shown unchanged."""
        known = OPEN.get(vocabulary)
        if known is not None and word not in known.values:
            return word
        own = self._said.get(f"word {vocabulary}/{word}")
        return own if own is not None else self._said.get(f"word {word}", word)


@cache
def sayings(lang: str) -> Sayings:
    """The catalogue for a reader's language, or the English one if that language has none yet."""
    found = looked_up((lang,), TRANSLATED) or DEFAULT
    return Sayings(found, catalogue(found), catalogue(DEFAULT))


@cache
def catalogue(lang: str) -> dict[str, str]:
    """The entries of a catalogue: key and text. An entry without a translation is left out."""
    text = (FOLDER / f"{lang}.po").read_text("utf-8")
    return {each.text: each.said[0] for each in entries(text) if each.text and each.said[0]}
