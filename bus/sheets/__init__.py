"""A bulletin as a person reads it: markings, what to do, facts in words, why one can rely on it, in the reader's language."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.sheets.catalogue import TRANSLATED, Sayings, sayings
    from bus.sheets.choosing import chosen_info, language_of
    from bus.sheets.clocks import clock_in_words
    from bus.sheets.defanging import defanged
    from bus.sheets.layout import lines_of
    from bus.sheets.making import sheet_of
    from bus.sheets.shape import Answered, Block, Entry, Known, SealedPart, Sheet, Version
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "TRANSLATED",
    "Answered",
    "Block",
    "Entry",
    "Known",
    "Sayings",
    "SealedPart",
    "Sheet",
    "Version",
    "chosen_info",
    "clock_in_words",
    "defanged",
    "language_of",
    "lines_of",
    "sayings",
    "sheet_of",
]
