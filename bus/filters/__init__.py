"""Filters: one grammar, for streams of bulletins and for queries of a store."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.filters.asking import Question, question_of
    from bus.filters.reading import of_options, of_text
    from bus.filters.sayings import indexed, observed, said
    from bus.filters.selection import FIELDS, Selection
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "FIELDS",
    "Question",
    "Selection",
    "indexed",
    "observed",
    "of_options",
    "of_text",
    "question_of",
    "said",
]
