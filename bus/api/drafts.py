"""Drafts in either form: the struct, or the table of a draft file."""

from __future__ import annotations

import msgspec

from bus.api.participant import AnyDraft
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Draft
from schemas.codec import decode_draft
from schemas.errors import SchemaError, TocsinError
from schemas.vocab import FeedbackKind


def as_draft(draft: AnyDraft) -> Draft:
    """The draft.

    Raises:
        SchemaError: the table is not a draft; gives the path of the fault.
    """
    if isinstance(draft, Draft):
        return draft
    try:
        return decode_draft(msgspec.json.encode(draft, enc_hook=str))
    except (TypeError, OverflowError) as exc:
        raise SchemaError(f"this table is not a draft: {exc}", reason="malformed-payload") from None


def read(draft: AnyDraft) -> Draft | TocsinError:
    """The draft, or the error."""
    try:
        return as_draft(draft)
    except TocsinError as exc:
        return exc


def body_of(verdict: FeedbackKind | Feedback, text: str | None) -> Feedback:
    """The body of an answer."""
    return verdict if isinstance(verdict, Feedback) else Feedback(verdict=verdict, text=text)
