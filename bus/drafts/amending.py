"""Drafts that say something anew: an update or a withdrawal of a bulletin of one's own, made from what it said. Pure."""

from __future__ import annotations

import datetime as dt

import msgspec

from schemas.bulletin import Bulletin, Draft
from schemas.errors import SchemaError
from schemas.parts import Handling, Info, Ref
from schemas.vocab import MsgType, RefRel

WITHDRAWN = "Withdrawn: "
MAX_HEADLINE = 160
_OF_VERSIONS = (RefRel.SUPERSEDES, RefRel.CANCELS)


def referring_to(
    draft: Draft, msg_type: MsgType, rel: RefRel, original: Bulletin, newest: Bulletin | None = None
) -> Draft:
    """The draft on the channel of `original`, with a reference to it, and to the newest version if that is another."""
    named = dict.fromkeys((original.id, *([newest.id] if newest else [])))
    others = tuple(other for other in draft.references if (other.id in named, other.rel) != (True, rel))
    return msgspec.structs.replace(
        draft,
        msg_type=msg_type,
        references=(*(Ref(id=id_, rel=rel) for id_ in named), *others),
        status=original.status,
        exercise_id=original.exercise_id,
        tlp=original.tlp,
        pap=draft.pap or original.pap,
        # An update without an embargo keeps that of the original.
        handling=original.handling if draft.handling == Handling() else draft.handling,
        audience=original.audience,
    )


def updated(original: Bulletin, now: dt.datetime) -> Draft:
    """A draft that supersedes the original and still says the same, for its author to change.

    It expires with the original, or, if that has expired, after the usual lifetime. Sealed sections are left out: a
    bulletin does not hold their content.

    Raises:
        SchemaError: the original is sealed.
    """
    return referring_to(_again(original, now), MsgType.UPDATE, RefRel.SUPERSEDES, original)


def withdrawal(
    original: Bulletin, reason: str, lang: str, now: dt.datetime, newest: Bulletin | None = None
) -> Draft:
    """A draft that withdraws the original and the newest version: same facts, with the reason in place of the texts.

    Raises:
        SchemaError: the reason or the language is malformed, or the original is sealed.
    """
    draft = _again(original, now)
    headline = WITHDRAWN + original.info[0].headline.removeprefix(WITHDRAWN)
    if len(headline) > MAX_HEADLINE:
        headline = headline[: MAX_HEADLINE - 1] + "…"
    try:
        info = msgspec.convert({"lang": lang, "headline": headline, "summary": reason}, Info)
    except msgspec.ValidationError as exc:
        raise SchemaError(f"the reason is not a valid text: {exc}") from None
    draft = msgspec.structs.replace(draft, info=(info,))
    return referring_to(draft, MsgType.CANCEL, RefRel.CANCELS, original, newest)


def _again(original: Bulletin, now: dt.datetime) -> Draft:
    """A draft with the facts of a bulletin, without the references to earlier versions."""
    if original.kind == "sealed":
        raise SchemaError(
            "the original is sealed; write a draft with msg_type cancel, and send it with tocsin bulletin seal"
        )
    fields = {name: getattr(original, name) for name in Draft.__struct_fields__}
    # It expires with the original; if that has expired, it gets the usual lifetime.
    # Sealed sections are not repeated: a withdrawal needs none, and an update has not their content.
    fields |= {
        "sections": (),
        "expires": original.expires if original.expires > now else None,
        "references": tuple(ref for ref in original.references if ref.rel not in _OF_VERSIONS),
    }
    return Draft(**fields)
