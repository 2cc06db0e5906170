"""Answers of this hub to a bulletin: given, handed over, asked for a wider marking, taken back. The hub signs them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Mapping

import msgspec

from bus import desk
from bus.console.doing import Doing
from bus.console.errors import BadRequestError
from bus.console.pages.bulletin_desk import about_named, hands_of, must_be_done, page_of, wider_than
from bus.console.pages.held import held
from bus.desk import About
from bus.hub.acting import Answer, TakeBack, is_key
from bus.languages import marked
from schemas.answering import NEEDS_TEXT
from schemas.bodies.coordination import Feedback
from schemas.scalars import Text2000
from schemas.vocab import FeedbackKind, Tlp

VERDICTS = {
    FeedbackKind.SIGHTING: marked("Seen here too"),
    FeedbackKind.ENDORSE: marked("We confirm it"),
    FeedbackKind.ACTION_TAKEN: marked("Action taken"),
    FeedbackKind.FALSE_POSITIVE: marked("False positive"),
    FeedbackKind.DISPUTE: marked("It is wrong"),
    FeedbackKind.QUESTION: marked("A question"),
    FeedbackKind.REPLY: marked("A reply"),
}
"""What one form of the page offers as an answer, with the words for it."""
OTHERS = (FeedbackKind.HANDOVER, FeedbackKind.REQUEST_UPGRADE)
"""Answers with forms of their own."""


async def answer(doing: Doing) -> str:
    """Have the hub sign and publish an answer, under the key of the form, so that it is published once.

    Raises:
        NotHereError: it is not here, or its sender may not read it.
        BadRequestError: the form does not say what the answer is.
        DeedError: as the desk.
        AgainError: a person must look at it once more.
        RefusedError, HubError: as the hub.
    """
    about, hands = await doing.look(
        lambda asked: (about_named(asked), dict(hands_of(asked, held(asked).bulletin)))
    )
    body = feedback_of(doing.fields, about.tlp, hands)
    key, reviewed, who = await _on_record(doing, about, str(body.verdict))
    request = Answer(key=key, bulletin=about.id, body=body, by=who, reviewed=reviewed)
    must_be_done(await doing.hub.ask(request), doing)
    return f"{page_of(about)}#others"


async def take_back(doing: Doing) -> str:
    """Have the hub withdraw its answers with one verdict.

    Raises:
        BadRequestError: the form does not say which.
        NotHereError, DeedError, AgainError, RefusedError, HubError: as `answer`.
    """
    about = await doing.look(about_named)
    if doing.field("verdict") not in tuple(FeedbackKind):
        raise BadRequestError("choose which answer is taken back")
    verdict = FeedbackKind(doing.field("verdict"))
    key, reviewed, who = await _on_record(doing, about, f"take-back {verdict}")
    words = _words(doing.field("text"))
    request = TakeBack(
        key=key,
        bulletin=about.id,
        verdict=verdict,
        upto=doing.viewer.clearance.ceiling,
        why=words,
        by=who,
        reviewed=reviewed,
    )
    must_be_done(await doing.hub.ask(request), doing)
    return f"{page_of(about)}#ours"


async def _on_record(doing: Doing, about: About, what: str) -> tuple[str, str, str]:
    """(key, why it is right in spite of doubts, person) of an answer, which is on record at the desk by then.

    Raises:
        BadRequestError: the form has no key.
        DeedError: as the desk.
    """
    given, reviewed = doing.field("key"), doing.field("reviewed").strip()
    if not is_key(given):
        raise BadRequestError("this page is too old to be sent; load it anew", reason="form-token")
    # The forms of a page share its key, and each is done once.
    key = hashlib.sha256(f"{given} {what}".encode()).hexdigest()[:32]

    def work(db: sqlite3.Connection, act: desk.Act) -> str:
        desk.duty.answer(db, act, about, what, key, reviewed)
        return act.who

    return key, reviewed, await doing.at_desk(work)


def _words(text: str) -> str:
    """A text of an answer.

    Raises:
        BadRequestError: it is too long, or nothing of it can be seen.
    """
    words = text.strip().replace("\r\n", "\n")
    try:
        return msgspec.convert(words, Text2000) if words else ""
    except msgspec.ValidationError:
        raise BadRequestError("the text of an answer has 1 to 2000 characters that can be seen") from None


def feedback_of(fields: Mapping[str, str], tlp: Tlp, hands: Collection[str]) -> Feedback:
    """An answer from a form.

    Args:
        fields: of the form: `verdict`, `text`, and `to` or `marking` where the verdict needs it.
        tlp: the marking of what is answered.
        hands: the authorities that may take it over.

    Raises:
        BadRequestError: it says no verdict of the page, lacks what its verdict needs, or the text is too long.
    """
    verdict, words = fields.get("verdict", ""), _words(fields.get("text", ""))
    if verdict not in (*VERDICTS, *OTHERS):
        raise BadRequestError("choose what the answer says")
    if not words and (verdict in NEEDS_TEXT or verdict == FeedbackKind.ACTION_TAKEN):
        raise BadRequestError("this answer needs a sentence")
    said = Feedback(verdict=FeedbackKind(verdict), text=words or None)
    if verdict == FeedbackKind.HANDOVER:
        to = fields.get("to", "")
        if to not in hands:
            raise BadRequestError("choose the authority that takes it over; it must read the bulletin")
        return msgspec.structs.replace(said, handover_to=to)
    if verdict == FeedbackKind.REQUEST_UPGRADE:
        marking = fields.get("marking", "")
        if marking not in wider_than(tlp):
            raise BadRequestError(
                "choose the marking that you ask for; it must be wider than that of the bulletin"
            )
        return msgspec.structs.replace(said, relax_to=Tlp(marking))
    return said
