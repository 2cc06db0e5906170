"""Filters: one grammar, for streams of bulletins and for queries of a store."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.filters.asking import Question, phrase_of, question_of
    from bus.filters.reading import of_options, of_text
    from bus.filters.sayings import BETWEEN, indexed, norm, observed, prose, said, words_in
    from bus.filters.selection import FACTS, FIELDS, Selection
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "BETWEEN",
    "FACTS",
    "FIELDS",
    "Question",
    "Selection",
    "indexed",
    "norm",
    "observed",
    "of_options",
    "of_text",
    "phrase_of",
    "prose",
    "question_of",
    "said",
    "words_in",
]
