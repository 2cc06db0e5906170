"""What is said to people in their language: catalogues in the form of gettext, read as text; which language suits a reader."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.languages.choosing import DEFAULT, looked_up, preferred
    from bus.languages.reading import Entry, entries, heading
    from bus.languages.saying import ENGLISH, Language, language, marked
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "DEFAULT",
    "ENGLISH",
    "Entry",
    "Language",
    "entries",
    "heading",
    "language",
    "looked_up",
    "marked",
    "preferred",
]
