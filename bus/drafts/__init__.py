"""Drafts as people write them: read with line numbers, and checked for every fault in one run; pure."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.drafts import doubles
    from bus.drafts.amending import referring_to, updated, withdrawal
    from bus.drafts.composing import Answer, Question, answered, questions
    from bus.drafts.explaining import Example, Explained, Meaning, explained, like
    from bus.drafts.findings import DraftError, Finding, at, in_order, placed, told
    from bus.drafts.judging import Judgement, judgement, stamped
    from bus.drafts.looking import Look, Speaker, look, read, read_table
    from bus.drafts.openings import Opening, audiences_of
    from bus.drafts.phrases import field_names, info_of, words_at
    from bus.drafts.reach import Border, Egress, Part, Reader, egress
    from bus.drafts.remembering import Remembered
    from bus.drafts.source import Source
    from bus.drafts.template import DRAFTED, begun, rest_text, table_text
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "DRAFTED",
    "Answer",
    "Border",
    "DraftError",
    "Egress",
    "Example",
    "Explained",
    "Finding",
    "Judgement",
    "Look",
    "Meaning",
    "Opening",
    "Part",
    "Question",
    "Reader",
    "Remembered",
    "Source",
    "Speaker",
    "answered",
    "at",
    "audiences_of",
    "begun",
    "doubles",
    "egress",
    "explained",
    "field_names",
    "in_order",
    "info_of",
    "judgement",
    "like",
    "look",
    "placed",
    "questions",
    "read",
    "read_table",
    "referring_to",
    "rest_text",
    "stamped",
    "table_text",
    "told",
    "updated",
    "withdrawal",
    "words_at",
]
