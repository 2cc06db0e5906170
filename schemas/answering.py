"""The draft of an answer: its channel, its references and its text. Pure.

An answer has the status and audience of the bulletin it answers, the same or a narrower marking, and the same embargo
and countries. So its readers are all allowed to read that bulletin.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from schemas.bodies.coordination import Feedback
from schemas.bulletin import Bulletin, Draft
from schemas.errors import SchemaError
from schemas.parts import Handling, Info, Ref
from schemas.vocab import TALK, TLP_RANK, FeedbackKind, MsgType, RefRel, Tlp

MAX_HEADLINE = 160
LEAST_LIFETIME = dt.timedelta(days=1)
MOST_LIFETIME = dt.timedelta(days=399)
_TYPES: Mapping[FeedbackKind, tuple[MsgType, RefRel]] = MappingProxyType(
    {
        FeedbackKind.ACK: (MsgType.ACK, RefRel.ACKNOWLEDGES),
        FeedbackKind.REJECT: (MsgType.ERROR, RefRel.REJECTS),
    }
)
_WORDS: Mapping[FeedbackKind, str] = MappingProxyType(
    {
        FeedbackKind.ACK: "Accepted",
        FeedbackKind.REJECT: "Rejected",
        FeedbackKind.SIGHTING: "Seen here too",
        FeedbackKind.ENDORSE: "Endorsed",
        FeedbackKind.DISPUTE: "Disputed",
        FeedbackKind.FALSE_POSITIVE: "False positive",
        FeedbackKind.ACTION_TAKEN: "Action taken",
        FeedbackKind.HANDOVER: "Handed over",
        FeedbackKind.REQUEST_UPGRADE: "A wider marking is asked for",
        FeedbackKind.QUESTION: "Question",
        FeedbackKind.REPLY: "Reply",
    }
)


NEEDS_TEXT = frozenset(
    {FeedbackKind.DISPUTE, FeedbackKind.FALSE_POSITIVE, FeedbackKind.QUESTION, FeedbackKind.REPLY}
)
"""Verdicts that say nothing without a sentence."""


def rel_of(verdict: FeedbackKind) -> tuple[MsgType, RefRel]:
    """(msg_type, rel of the reference) of an answer with a verdict."""
    return _TYPES.get(verdict, (MsgType.ALERT, RefRel.ANSWERS))


def answer_to(
    original: Bulletin, body: Feedback, now: dt.datetime, *, lang: str = "en", tlp: Tlp | None = None
) -> Draft:
    """The draft that answers a bulletin.

    It expires with the bulletin it answers, but not before a day has passed, so that it counts as long.

    Args:
        original: the bulletin to answer.
        body: the content of the answer.
        now: the present.
        lang: the language of the text.
        tlp: a narrower marking than the original's.

    Raises:
        SchemaError: `not-answerable`: a bulletin of programs, or a sealed one; `wider-marking`; `schema`: the text or
            the language is malformed.
    """
    if original.status in TALK:
        raise SchemaError(
            f"{original.id} is a message between programs; answer only bulletins of people",
            reason="not-answerable",
        )
    if original.kind == "sealed":
        raise SchemaError(
            f"{original.id} is sealed, and an answer in clear would reveal it to others; write a draft of kind "
            "feedback that names it, and seal it: tocsin bulletin seal",
            reason="not-answerable",
        )
    marking = original.tlp if tlp is None else tlp
    if TLP_RANK[marking] < TLP_RANK[original.tlp]:
        raise SchemaError(
            f"{original.id} is TLP:{original.tlp.upper()}, and an answer must not be wider; leave the marking out",
            reason="wider-marking",
        )
    msg_type, rel = rel_of(body.verdict)
    handling = Handling(
        releasable_to=original.handling.releasable_to,
        embargo_until=original.handling.embargo_until,
        retention_days=original.handling.retention_days,
    )
    return Draft(
        msg_type=msg_type,
        references=(Ref(id=original.id, rel=rel, issuer=original.issuer.id),),
        status=original.status,
        exercise_id=original.exercise_id,
        tlp=marking,
        pap=original.pap,
        audience=original.audience,
        handling=handling,
        areas=original.areas,
        election=original.election,
        incident_id=original.incident_id,
        expires=min(max(original.expires, now + LEAST_LIFETIME), now + MOST_LIFETIME).replace(microsecond=0),
        info=(_words(original, body, lang),),
        body=body,
    )


def told_alone(answer: Draft, original: Bulletin) -> Draft:
    """The same answer once more, for the author of what it answers alone: its audience is the author's id."""
    allowed, country = answer.handling.releasable_to, original.issuer.country
    if allowed and country not in allowed:
        handling = msgspec.structs.replace(answer.handling, releasable_to=(*allowed, country))
        return msgspec.structs.replace(answer, audience=original.issuer.id, handling=handling)
    return msgspec.structs.replace(answer, audience=original.issuer.id)


def _words(original: Bulletin, body: Feedback, lang: str) -> Info:
    # The headline is the answer itself, for lists; the reference names the bulletin.
    headline = f"{_about(body)}: {body.text or original.info[0].headline}"
    if len(headline) > MAX_HEADLINE:
        headline = headline[: MAX_HEADLINE - 1] + "…"
    words: dict[str, Any] = {
        "lang": lang,
        "headline": headline,
        "summary": body.text or f"{_about(body)}, said of a bulletin of {original.issuer.id}.",
    }
    try:
        return msgspec.convert(words, Info)
    except msgspec.ValidationError as exc:
        raise SchemaError(f"the text of the answer is not valid: {exc}") from None


def _about(body: Feedback) -> str:
    if body.verdict is FeedbackKind.HANDOVER and body.handover_to is not None:
        return f"{_WORDS[body.verdict]} to {body.handover_to}"
    if body.verdict is FeedbackKind.REQUEST_UPGRADE and body.relax_to is not None:
        return f"TLP:{body.relax_to.upper()} is asked for"
    return _WORDS[body.verdict]


def taken_back(answer: Bulletin, now: dt.datetime, why: str, lang: str = "en") -> Draft:
    """The draft that withdraws an answer, on the channel of the answer.

    Raises:
        SchemaError: the reason or the language is malformed.
    """
    headline = f"Withdrawn: {answer.info[0].headline}"[:MAX_HEADLINE]
    try:
        info = msgspec.convert({"lang": lang, "headline": headline, "summary": why}, Info)
    except msgspec.ValidationError as exc:
        raise SchemaError(f"the reason is not a valid text: {exc}") from None
    others = tuple(ref for ref in answer.references if ref.rel not in (RefRel.CANCELS, RefRel.SUPERSEDES))
    fields = {name: getattr(answer, name) for name in Draft.__struct_fields__ if name != "sections"}
    fields |= {
        "msg_type": MsgType.CANCEL,
        "references": (Ref(id=answer.id, rel=RefRel.CANCELS), *others),
        "info": (info,),
        "expires": answer.expires if answer.expires > now else None,
    }
    return Draft(**fields)
