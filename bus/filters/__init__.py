"""What a person asks for: one grammar of filters, for streams of bulletins and for questions to a store."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.filters.asking import Question, phrase_of, question_of
    from bus.filters.reading import of_options, of_text
    from bus.filters.sayings import BETWEEN, indexed, norm, observed, said
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
    "question_of",
    "said",
]
