"""The languages in which the console speaks: its own sentences, the words of sheets beside them, and which of them a reader gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from bus import sheets
from bus.languages import DEFAULT, ENGLISH, Language, language, looked_up, preferred

FOLDER = Path(__file__).parent / "languages"
"""A catalogue for each language but English, whose sentences are the keys."""
COOKIE = "tocsin-language"
KEPT_S = 365 * 86_400
"""So long a choice is kept."""
NAMES = {"en": "English", "de": "Deutsch", "et": "Eesti", "el": "Ελληνικά", "fr": "Français"}
"""Each language by its own name, by which who reads no other finds it."""


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """A language of the console.

    Attributes:
        name: of the language, in itself.
        say: the sentences of pages.
        words: the words of the wire and of sheets.
    """

    name: str
    say: Language
    words: sheets.Sayings

    @property
    def tag(self) -> str:
        """The language, BCP 47."""
        return self.say.tag


@cache
def _voice(tag: str) -> Voice:
    say = ENGLISH if tag == DEFAULT else language(FOLDER, tag)
    return Voice(name=NAMES[tag], say=say, words=sheets.sayings(tag))


def english() -> Voice:
    """The voice of a reader who asks for no other."""
    return _voice(DEFAULT)


class Voices(Mapping[str, Voice]):
    """The languages that are offered, by their tags; each is read when somebody first wants it."""

    def __init__(self, more: Mapping[str, Voice] | None = None) -> None:
        """Take further ones beside those of the catalogues."""
        self._more = more or {}

    def __getitem__(self, tag: str) -> Voice:
        """The voice of a tag."""
        if tag in self._more:
            return self._more[tag]
        if tag not in NAMES:  # a tag from a cookie or a form is no name of a file
            raise KeyError(tag)
        return _voice(tag)

    def __iter__(self) -> Iterator[str]:
        """The tags."""
        return iter({**NAMES, **self._more})

    def __len__(self) -> int:
        """How many are offered."""
        return len({**NAMES, **self._more})

    def of(self, chosen: str, accepted: str) -> Voice:
        """The voice of a reader.

        Args:
            chosen: the tag that the reader has chosen here; a tag that is not offered counts as none.
            accepted: the `Accept-Language` header of the browser.
        """
        if chosen in self:
            return self[chosen]
        return self[looked_up(preferred(accepted), tuple(self)) or DEFAULT]
