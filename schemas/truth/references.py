"""References: an authority replaces only its own bulletins, answers only others, and refers only to earlier bulletins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from schemas.bodies.coordination import Feedback, Rfi, StratCom, text_of
from schemas.bodies.foreign import LegalReferral
from schemas.bulletin import Bulletin
from schemas.elections import TYPE_TOKENS
from schemas.errors import Broken
from schemas.truth.reasons import is_of_nothing
from schemas.truth.times import SKEW
from schemas.vocab import FeedbackKind, MsgType, Opinion, RefRel, Tlp

_ENDING = frozenset({RefRel.SUPERSEDES, RefRel.CANCELS})
_OPPOSED = (
    frozenset({RefRel.CORROBORATES, RefRel.CONTRADICTS}),
    frozenset({RefRel.ACKNOWLEDGES, RefRel.REJECTS}),
)
_OF_OTHERS = frozenset({RefRel.CORROBORATES, RefRel.ACKNOWLEDGES, RefRel.REJECTS})
_ALIASES: Mapping[str, str] = MappingProxyType({"EL": "GR", "UK": "GB"})
"""Country codes of the Union that differ from ISO 3166 (Interinstitutional Style Guide, 7.1)."""
_DIVISION = re.compile(r"ocd-division/country:([a-z]{2})(?:/.*)?")


def made_at(uuid: str) -> float:
    """The time in a UUID of version 7, in seconds since 1970 (RFC 9562, section 5.7)."""
    return int(uuid[:8] + uuid[9:13], 16) / 1000


def r52(b: Bulletin) -> Broken:
    """A reference names an earlier bulletin of the right author (CAP 1.2: references, sender)."""
    latest = b.issued.timestamp() + SKEW.total_seconds()
    ties: dict[str, set[RefRel]] = {}
    for n, ref in enumerate(b.references):
        path = f"$.references[{n}]"
        if ref.id == b.id:
            yield f"{path}.id", "a bulletin does not refer to itself"
        elif made_at(ref.id) > latest:
            yield f"{path}.id", "names a bulletin made after this one; copy the id again"
        if ref.rel in _ENDING and ref.issuer is not None and ref.issuer != b.issuer.id:
            yield (
                f"{path}.issuer",
                f"only {ref.issuer} can replace or withdraw its bulletin; answer with feedback",
            )
        if ref.rel in _OF_OTHERS and ref.issuer == b.issuer.id:
            yield (
                f"{path}.issuer",
                f"an authority cannot use {ref.rel} on its own bulletin; name another's bulletin",
            )
        before = ties.setdefault(ref.id, set())
        if ref.rel in before:
            yield path, "is listed twice; name it once"
        elif any(before | {ref.rel} >= pair and ref.rel in pair for pair in _OPPOSED):
            yield path, "this agrees and disagrees with the same bulletin; keep one of the two"
        elif before and (before | {ref.rel}) & _ENDING:
            yield path, "this ends the same bulletin and relies on it; keep one of the two"
        before.add(ref.rel)
    if b.incident_id is not None and made_at(b.incident_id) > latest:
        yield "$.incident_id", "was made after this bulletin; copy the id again"


def r53(b: Bulletin) -> Broken:
    """A bulletin that ends another has the right msg_type (CAP 1.2 msgType)."""
    if b.msg_type in (MsgType.UPDATE, MsgType.CANCEL):
        return
    for n, ref in enumerate(b.references):
        if ref.rel in _ENDING:
            wanted = "update" if ref.rel is RefRel.SUPERSEDES else "cancel"
            yield f"$.references[{n}].rel", f"{ref.rel} needs msg_type {wanted}, not {b.msg_type}"


def _asked(b: Bulletin, body: Feedback) -> Broken:
    """The fields that only a question, or a request for a wider marking, may have."""
    asks = body.verdict is FeedbackKind.QUESTION
    if asks and not body.text:
        yield "$.body.text", "a question needs its text; add it"
    if body.respond_by is not None and not asks:
        yield "$.body.respond_by", f"{body.verdict} is not a question; choose question, or drop respond_by"
    if body.respond_by is not None and body.respond_by <= b.issued and b.msg_type is MsgType.ALERT:
        yield "$.body.respond_by", "is before the question; write a time after issued"
    if body.relax_to is not None and body.verdict is not FeedbackKind.REQUEST_UPGRADE:
        yield (
            "$.body.relax_to",
            f"{body.verdict} is not a request for a marking; choose request-upgrade, or drop relax_to",
        )
    if body.relax_to is Tlp.RED:
        yield "$.body.relax_to", "red is the narrowest marking; name the wider marking that you ask for"


def _asks(b: Bulletin) -> Broken:
    """A request goes to others and has content."""
    body = b.body
    if isinstance(body, Rfi) and is_of_nothing(body.question):
        yield "$.body.question", f"{body.question[:40]!r} asks nothing; write what you want to know"
    if isinstance(body, Rfi) and set(body.to) == {b.issuer.id}:
        yield "$.body.to", "the question goes to its own issuer; name others who may know"
    if isinstance(body, LegalReferral) and body.mla and set(body.mla) == {b.issuer.country}:
        yield "$.body.mla", "legal assistance comes from another country; name it"


def r54(b: Bulletin) -> Broken:
    """An issuer does not ask, answer or accompany itself, and an answer does not contradict itself."""
    me = b.issuer.id
    named: set[str] = set()
    for n, other in enumerate(b.co_issuers):
        if other.id == me:
            yield f"$.co_issuers[{n}].id", "is the issuer; name others only"
        elif other.id in named:
            yield f"$.co_issuers[{n}].id", "is listed twice; name it once"
        named.add(other.id)
    yield from _asks(b)
    for n, action in enumerate(b.actions):
        if action.to == (me,) and action.kind == "share-upward":
            yield f"$.actions[{n}].to", "this hands on to its own issuer; name the other authority"
    if not isinstance(b.body, Feedback):
        return
    body = b.body
    if b.references and all(ref.issuer == me for ref in b.references):
        yield "$.references", "an answer to your own bulletin; update or cancel the bulletin instead"
    if body.verdict is FeedbackKind.HANDOVER and body.handover_to is None:
        yield "$.body.handover_to", "a handover needs handover_to; add it"
    if body.handover_to == me:
        yield "$.body.handover_to", "this hands over to its own issuer; name another authority"
    if body.verdict is FeedbackKind.ACTION_TAKEN and body.action is None and not body.text:
        yield "$.body.action", "action-taken needs an action or a text; add one"
    yield from _asked(b, body)
    agrees, disagrees = (Opinion.AGREE, Opinion.STRONGLY_AGREE), (Opinion.DISAGREE, Opinion.STRONGLY_DISAGREE)
    if body.verdict is FeedbackKind.ENDORSE and body.opinion in disagrees:
        yield "$.body.opinion", f"endorsed, but {body.opinion}; correct one of the two"
    if body.verdict in (FeedbackKind.DISPUTE, FeedbackKind.FALSE_POSITIVE) and body.opinion in agrees:
        yield "$.body.opinion", f"{body.verdict}, but {body.opinion}; correct one of the two"


def _country_of(code: str, system: str | None) -> str | None:
    """The country in an area code; None if its system does not show it."""
    if system in ("nuts-2024", "iso3166-1", "iso3166-2") and re.match(r"[A-Z]{2}(?![a-z])", code):
        return code[:2]
    if system == "lau-2024" and re.match(r"[A-Z]{2}[_-]?\d", code):
        return code[:2]
    if system == "ocd-id" and (found := _DIVISION.fullmatch(code)):
        return found[1].upper()
    return None


_WHOLES: Mapping[str, str] = MappingProxyType(
    {
        part: whole
        for whole, parts in (
            ("FR", "BL GF GP MF MQ NC PF PM RE TF WF YT"),
            ("NL", "AW BQ CW SX"),
            ("DK", "FO GL"),
            ("FI", "AX"),
            ("NO", "SJ BV"),
            ("GB", "AI BM FK GG GI GS IM IO JE KY MS PN SH TC VG"),
            ("US", "AS GU MP PR UM VI"),
            ("CN", "HK MO"),
            ("AU", "CC CX HM NF"),
            ("NZ", "CK NU TK"),
        )
        for part in parts.split()
    }
)
"""Territories with their own code in ISO 3166-1 and another code in the lists of their country."""


def _whole_of(code: str) -> str:
    """The country of a code; for a territory, its country."""
    code = _ALIASES.get(code, code)
    return _WHOLES.get(code, code)


def r55(b: Bulletin) -> Broken:
    """The code of an area is in its country (Regulation (EC) No 1059/2003, Article 3(3); ISO 3166-2)."""
    for n, area in enumerate(b.areas):
        if area.code is None or area.country in (None, "EU", "INT"):
            continue
        found = _country_of(area.code, area.system)
        if found is not None and _whole_of(found) != _whole_of(area.country or ""):
            yield (
                f"$.areas[{n}].code",
                f"{area.code} is in {found}, not in {area.country}; correct one of the two",
            )


def r56(b: Bulletin) -> Broken:
    """The type of an election is the type in its id."""
    if b.election is None:
        return
    wanted = TYPE_TOKENS[b.election.id.split("-")[1]]
    if b.election.type is not wanted:
        yield "$.election.type", f"{b.election.id} is {wanted}, not {b.election.type}; correct one of the two"


def r57(b: Bulletin) -> Broken:
    """A bulletin does not repeat its own line from do_not_repeat."""
    if not isinstance(b.body, StratCom):
        return
    if b.body.mode == "strategic-silence" and b.msg_type is not MsgType.CANCEL:
        for n, each in enumerate(b.info):
            if each.public_line:
                yield (
                    f"$.info[{n}].public_line",
                    "a line for the public breaks the silence; drop it, or choose another mode",
                )
    said = [(f"$.body.lines[{n}]", text_of(line)) for n, line in enumerate(b.body.lines)]
    said += [
        (f"$.info[{n}].public_line", each.public_line) for n, each in enumerate(b.info) if each.public_line
    ]
    for phrase in b.body.do_not_repeat:
        plain = " ".join(text_of(phrase).casefold().split()).strip(" .!?\"'«»„“”")
        for path, line in said:
            if len(plain) >= 8 and plain in " ".join(line.casefold().split()):
                yield path, "repeats a phrase of do_not_repeat; use other words"


RULES = ((52, r52), (53, r53), (54, r54), (55, r55), (56, r56), (57, r57))
