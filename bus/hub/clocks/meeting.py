"""The later bulletin that meets a clock, and the authority that owes it after a handover."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from bus.hub.clocks import law
from bus.hub.clocks.reading import (
    ACKNOWLEDGEMENT,
    ACTION,
    COMPLY_BY,
    DONE_LESSONS,
    LESSON,
    SETTLED,
    with_owner,
)
from bus.hub.clocks.shape import Clock
from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.system import Receipt
from schemas.bulletin import Bulletin
from schemas.registry import Registry
from schemas.vocab import FeedbackKind, MsgType, ReceiptStage, RefRel

CLOSING = frozenset(FeedbackKind) - {
    FeedbackKind.ACK,
    FeedbackKind.REJECT,
    FeedbackKind.QUESTION,
    FeedbackKind.HANDOVER,
    FeedbackKind.REQUEST_UPGRADE,
}
"""The verdicts that say what was asked; the others say that it was heard, refused, asked back or passed on."""
ANSWERING = frozenset(
    {RefRel.ANSWERS, RefRel.ACKNOWLEDGES, RefRel.REJECTS, RefRel.CONTRADICTS, RefRel.CORROBORATES}
)
"""The relation by which feedback names the answered bulletin; its other references have other meanings."""


class _Asked(NamedTuple):
    """The conditions for each later bulletin."""

    clock: Clock
    about: Bulletin
    ids: frozenset[str]
    registry: Registry


def is_owner(who: str, words: Iterable[str], registry: Registry) -> bool:
    """Whether an authority is among those that words name: itself, its kind, or an audience that it belongs to.

    Args:
        who: the authority.
        words: ids of authorities, kinds of them, names of audiences.
        registry: who is of which kind, and belongs to which audience.
    """
    record = registry.authorities.get(who)
    for word in words:
        audience = registry.audiences.get(word)
        if word == who or (record is not None and record.kind == word):
            return True
        if audience is not None and who in audience.members:
            return True
    return False


def followed(
    clock: Clock,
    about: Bulletin,
    later: Iterable[Bulletin],
    registry: Registry,
    thread: Collection[str] = (),
) -> Clock:
    """The clock after later bulletins: handed on to another, and met by the first that meets it.

    Which bulletins count is the caller's: none that is withdrawn, and of answers those whose author may read what they answer.

    Args:
        clock: as `clocks_of` or an earlier call gives it; one that is met stays as it is.
        about: the bulletin that started it.
        later: what may meet it, in any order.
        registry: who belongs to a kind or an audience.
        thread: ids of other versions of `about`, and of what it is part of.
    """
    ids = frozenset((about.id, *thread))
    for each in sorted(later, key=lambda b: (b.issued, b.id)):
        if clock.met is not None:
            break
        if each.id == about.id or each.msg_type is MsgType.CANCEL:
            continue
        asked = _Asked(clock, about, ids, registry)
        met = _met(asked, each)
        if met is not None:
            clock = msgspec.structs.replace(clock, met=met, met_by=each.id)
        elif to := _handed_to(asked, each):
            clock = with_owner(clock, (to,))
    return clock


def _met(asked: _Asked, b: Bulletin) -> dt.datetime | None:
    clock, about = asked.clock, asked.about
    if isinstance(b.body, Receipt):
        return _read(asked, b, b.body)
    if b.status is not about.status:
        return None
    if isinstance(b.body, Feedback):
        is_answer = _is_answer(asked, b) and is_owner(b.issuer.id, clock.owner, asked.registry)
        return b.issued if is_answer and _is_enough(asked, b.body) else None
    if not _is_tied(asked, b):
        return None
    if clock.rule == LESSON and clock.place.startswith("lessons/"):
        return b.issued if _is_learnt(asked, b) else None
    if clock.rule == COMPLY_BY and isinstance(about.body, Enforcement):
        is_end = isinstance(b.body, Enforcement) and b.body.stage in SETTLED
        return b.issued if is_end and b.issuer.id == about.issuer.id else None
    return _reported(asked, b)


def _read(asked: _Asked, b: Bulletin, body: Receipt) -> dt.datetime | None:
    """When the reader says that a person has read it."""
    clock = asked.clock
    if (
        clock.rule != ACKNOWLEDGEMENT
        or body.stage is not ReceiptStage.ACKNOWLEDGED
        or b.issuer.id not in clock.owner
    ):
        return None
    return min((item.at for item in body.items if item.id in asked.ids), default=None)


def _is_answer(asked: _Asked, b: Bulletin) -> bool:
    return any(ref.id in asked.ids and ref.rel in ANSWERING for ref in b.references)


def _is_enough(asked: _Asked, body: Feedback) -> bool:
    """Whether an answer of a debtor fulfils the duty."""
    clock, about = asked.clock, asked.about
    if clock.place.startswith("actions/"):
        wanted = clock.rule.removeprefix(ACTION)
        return body.verdict is FeedbackKind.ACTION_TAKEN and body.action in (None, wanted)
    return clock.place == "body" and isinstance(about.body, Rfi | Feedback) and body.verdict in CLOSING


def _handed_to(asked: _Asked, b: Bulletin) -> str | None:
    """Whom one who owes an answer or an action has passed it on to."""
    clock, about, body = asked.clock, asked.about, b.body
    is_asked = clock.place.startswith("actions/") or (
        clock.place == "body" and isinstance(about.body, Rfi | Feedback)
    )
    if not is_asked or not isinstance(body, Feedback) or body.verdict is not FeedbackKind.HANDOVER:
        return None
    if b.status is not about.status or not _is_answer(asked, b):
        return None
    return body.handover_to if is_owner(b.issuer.id, clock.owner, asked.registry) else None


def _is_tied(asked: _Asked, b: Bulletin) -> bool:
    """Whether a bulletin names the one that started the clock, or is filed with it."""
    filed = asked.about.incident_id
    return any(ref.id in asked.ids for ref in b.references) or (filed is not None and filed == b.incident_id)


def _is_learnt(asked: _Asked, b: Bulletin) -> bool:
    report = asked.about.body
    if not isinstance(report, PostElectionReport) or not isinstance(b.body, PostElectionReport):
        return False
    wanted = report.lessons[int(asked.clock.place.removeprefix("lessons/"))].id
    is_done = any(each.id == wanted and each.status in DONE_LESSONS for each in b.body.lessons)
    return is_done and b.issuer.id == asked.about.issuer.id


def _reported(asked: _Asked, b: Bulletin) -> dt.datetime | None:
    """When a later report meets a clock of a law: its author's own, or that of the authority which was told of the breach."""
    clock = asked.clock
    is_own = is_owner(b.issuer.id, clock.owner, asked.registry)
    if is_own:
        for each in b.deadlines:
            if each.clock == clock.rule and each.met is not None:
                return each.met
    is_received = clock.rule in law.BREACH_RULES and b.issuer.kind == law.DPA
    return law.told(b, clock.rule) if is_own or is_received else None
