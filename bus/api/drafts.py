"""Drafts in either form: the struct, or the table of a draft file."""

from __future__ import annotations

import datetime as dt

import msgspec

from bus import drafts
from bus.api.participant import AnyDraft
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Draft
from schemas.codec import decode_draft
from schemas.errors import SchemaError, TocsinError
from schemas.vocab import FeedbackKind

NAME = "this table"
"""The name of a draft without a file."""


def as_draft(draft: AnyDraft, now: dt.datetime) -> Draft:
    """The draft.

    Args:
        draft: in either form; a time may have an offset, as in a file.
        now: the present, aware.

    Raises:
        DraftError: the table is not a draft; lists every fault of its shape.
        SchemaError: it holds values that JSON cannot express.
    """
    if isinstance(draft, Draft):
        return draft
    try:
        raw = msgspec.json.encode(draft, enc_hook=str)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise SchemaError(f"{NAME} is not a draft: {exc}", reason="malformed-payload") from None
    try:
        return decode_draft(raw)
    except SchemaError as exc:
        found = drafts.read_table(msgspec.json.decode(raw), now)
        if found.draft is not None:
            return found.draft
        wrong = found.of("error")
        if not wrong:
            raise exc from None
    lines = [line for each in wrong for line in drafts.told(each, found.source, NAME)]
    raise drafts.DraftError(NAME, wrong, lines)


def read(draft: AnyDraft, now: dt.datetime) -> Draft | TocsinError:
    """The draft, or the error."""
    try:
        return as_draft(draft, now)
    except TocsinError as exc:
        return exc


def body_of(verdict: FeedbackKind | Feedback, text: str | None) -> Feedback:
    """The body of an answer."""
    return verdict if isinstance(verdict, Feedback) else Feedback(verdict=verdict, text=text)
