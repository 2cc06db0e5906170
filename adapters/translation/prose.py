"""Cleans free text of a hostile source for a bulletin: no control characters, no e-mail addresses, limited length."""

import re
import unicodedata
from typing import Final

from adapters.translation.persons import Persons
from adapters.translation.reading import Losses, clip
from schemas.observables import EMAIL

__all__ = ["carried", "headline_of", "link_of", "nameless", "number_of", "one_line"]

# Everything below the space except tab and newline, DEL, the C1 range; lone surrogates and noncharacters (RFC 7493, section 2.1).
_UNCARRIED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane * 0x10000 + low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
# Embeddings, overrides and isolates change the visible order of a line; plain marks (U+200E, U+200F) stay.
_REORDERING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINK: Final = re.compile(r"https?://\S+")
_MOST_TEXT: Final = 32_000  # four times the longest field
_LOOKED_AT: Final = 4  # times the limit of a field: the part of a text that is read
_REMOVED: Final = "[e-mail address removed]"


def carried(text: str, *, limit: int, path: str, losses: Losses, verbatim: bool = False) -> str | None:
    """Cleans one text for a bulletin.

    Args:
        text: The text of the source.
        limit: The most characters of the field.
        path: Its place, for the losses.
        losses: Records what is removed.
        verbatim: Whether the text is a value for matching: it is not clipped and not redacted, and reordering marks stay.

    Returns:
        The text; None if nothing is left (or, verbatim, if it is too long).
    """
    most = limit * _LOOKED_AT
    if len(text) > most:
        # The part to cut is not cleaned first: one text may belong to thousands of values.
        if verbatim:
            losses.add(path, f"a value of {len(text)} characters: the limit is {limit}")
            return None
        losses.add(path, f"clipped from {len(text)} to {limit} characters")
        text = text[:most]
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    cleaned = _UNCARRIED.sub("", plain)
    if cleaned != plain:
        losses.add(path, "control characters removed")
    if verbatim:
        cleaned = cleaned.strip()
        if len(cleaned) > limit:
            losses.add(path, f"a value of {len(cleaned)} characters: the limit is {limit}")
            return None
        return cleaned or None
    if _REORDERING.search(cleaned):
        losses.add(path, "text-reordering characters removed")
        cleaned = _REORDERING.sub("", cleaned)
    if "@" in cleaned and EMAIL.search(cleaned):
        losses.add(path, "e-mail addresses in free text are not carried")
        cleaned = EMAIL.sub(_REMOVED, cleaned)
    cleaned = cleaned.strip()
    if len(cleaned) > limit:
        losses.add(path, f"clipped from {len(cleaned)} to {limit} characters")
        cleaned = clip(cleaned, limit)
    return cleaned or None


def one_line(text: str, *, limit: int = 160, path: str, losses: Losses) -> str | None:
    """A name or another text, cleaned, in one line; None if nothing is left."""
    return carried(" ".join(text[:_MOST_TEXT].split()), limit=limit, path=path, losses=losses)


def headline_of(text: str, *, path: str, losses: Losses) -> str | None:
    """One line of at most 160 characters; None if no visible character is left."""
    found = one_line(text, path=path, losses=losses)
    if found is None or not any(unicodedata.category(c)[0] in "LNPS" for c in found):
        return None
    return found


def nameless(text: str, name: object, instead: str, *, path: str, losses: Losses) -> str:
    """The text without a name that its source gives elsewhere and that must be left out."""
    persons = Persons()
    persons.add(name, surname=False)
    if persons.has_absurd:
        losses.add(path, "the name to remove is not a name: the text is left out")
        return ""
    found = persons.taken_out(text, instead)
    if persons and instead in found and found != text:
        losses.add(path, "a name removed")
    return found


def number_of(count: int, noun: str) -> str:
    """`1 statement`, `2 statements`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def link_of(text: str) -> str | None:
    """An http or https URL that a bulletin may show as a link, or None."""
    link = text.strip()
    if len(link) > 2_000 or not link.isprintable() or EMAIL.search(link):
        return None
    return link if _LINK.fullmatch(link) else None
