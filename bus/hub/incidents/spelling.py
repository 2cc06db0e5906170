"""One spelling of each value, word and name, so that what is the same looks the same. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from bus.filters import norm

MARKS = frozenset(
    {"file", "x509-certificate", "image-phash", "voice-hash", "mutex", "analytics-id", "text", "media-content", "artifact"}
)  # fmt: skip
"""Types of which one value is hardly ever two people's."""
_LETTERS_ONLY = MARKS - {"text", "mutex"} | {
    "phone-number",
    "bank-account",
    "crypto-wallet",
    "sms-sender",
    "ad-id",
}
"""Types in which blanks, colons and hyphens say nothing."""
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://(?:www\.)?")
NO_LETTER = re.compile(r"[\W_]+")
_ENDINGS = ("ing", "ed", "es", "s")
_LOOKS = dict(
    zip("ανικορτυχγηεαеѕіјкорсухгпԁһӏԛԝмтнвьё", "avikoptuxyneaesijkopcyxrndhlqwmthbbe", strict=True)
)
_SOUNDS = {
    **dict(zip("абвгдезийклмнопрстуфхыэіјєґ", "abvgdeziiklmnoprstufhyeijeg", strict=True)),
    "ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ю": "yu", "я": "ya", "ь": "", "ъ": "", "ђ": "dj", "џ": "dz",
    **dict(zip("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo", strict=True)),
    "θ": "th", "χ": "ch", "ψ": "ps",
}  # fmt: skip


def mentionable(value: str) -> str:
    """A value as `Sort.MENTION` spells it: its last word, letters and digits alone."""
    return NO_LETTER.sub("", value.rsplit(" ", 1)[-1])


def canonical(type_: str, value: str) -> str:
    """A value of a type in one spelling: without defanging, scheme and parts that its type does not need."""
    plain = norm(value)
    if type_ in _LETTERS_ONLY:
        return NO_LETTER.sub("", plain) or plain
    return _SCHEME.sub("", plain).lstrip("@").rstrip("/.") or plain


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A word in Latin letters without the endings of plurals and participles."""
    plain = word if word.isascii() else "".join(_SOUNDS.get(each, each) for each in word)
    for ending in _ENDINGS:
        if plain.endswith(ending) and len(plain) > len(ending) + 3:
            return plain.removesuffix(ending)
    return plain


def spellings(name: str) -> tuple[str, ...]:
    """A name as it looks and as it sounds: letters and digits alone, without marks, in small Latin letters.

    Two names are alike where one spelling of both is. Source: Unicode TR 39 (look-alikes); ISO 9 and ISO 843 without marks.
    """
    plain = [each for each in unicodedata.normalize("NFKD", name.casefold()) if each.isalnum()]
    looks = "".join(_LOOKS.get(each, each) for each in plain)
    sounds = "".join(_SOUNDS.get(each, each) for each in plain)
    return (looks,) if looks == sounds else (looks, sounds)
