"""Drafts as people write them: read with their places, and everything that is wrong with one told at once; pure."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.drafts import doubles
    from bus.drafts.composing import DRAFTED, Answer, Question, answered, begun, questions
    from bus.drafts.explaining import Example, Explained, Meaning, explained, like
    from bus.drafts.findings import Finding, told
    from bus.drafts.looking import Look, Speaker, look, read
    from bus.drafts.openings import Opening, audiences_of
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "DRAFTED",
    "Answer",
    "Example",
    "Explained",
    "Finding",
    "Look",
    "Meaning",
    "Opening",
    "Question",
    "Speaker",
    "answered",
    "audiences_of",
    "begun",
    "doubles",
    "explained",
    "like",
    "look",
    "questions",
    "read",
    "told",
]
