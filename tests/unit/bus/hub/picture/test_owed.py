"""What is owed by when, asked of a store: clocks of what stands, met by what came later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from bus.hub.exchange import receipt_queue
from bus.hub.picture import clocked, ringing, tied
from bus.hub.picture.owed import Owed, owed
from bus.hub.picture.projection import Projection
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.parts import Action, Deadline, Ref
from schemas.subject import Channel as ChannelName
from schemas.vocab import (
    BreachNature,
    BreachRisk,
    Certainty,
    FeedbackKind,
    MsgType,
    Nis2Stage,
    ReceiptStage,
    RefRel,
    Severity,
    Tlp,
    Urgency,
)
from tests.support.hubs import judged
from tests.support.world import NOW, Message
from tests.unit.bus.hub.picture.test_questions import REGISTRY
from tests.unit.bus.hub.picture.test_situation import Channel, admitted

HOUR = dt.timedelta(hours=1)
INCIDENT = "0197a1b0-0000-7000-8000-000000000001"
DAY = dt.timedelta(days=1)
ASKS = Rfi(question="Which servers are hit?", respond_by=NOW + HOUR, to=("xb-csirt", "dpa"))
GRAVE: dict[str, Any] = {
    "urgency": Urgency.IMMEDIATE,
    "severity": Severity.EXTREME,
    "certainty": Certainty.OBSERVED,
}


def found(
    messages: Sequence[Message],
    now: dt.datetime = NOW,
    reader: str | None = None,
    *,
    read: Sequence[Message] = (),
    **of: Any,
) -> tuple[Owed, ...]:
    """The clocks of a store that has taken these in, and whose hub has acknowledged some."""
    with admitted([judged(each, REGISTRY) for each in messages]) as (db, rows):
        law = clocked.law_of(lambda: REGISTRY, reader or "xa-csirt")
        Projection(law).apply_many(db, rows)
        for each in read:
            channel = ChannelName(
                issuer="xa-csirt",
                status=each.bulletin.status,
                tlp=each.bulletin.tlp,
                audience=each.bulletin.audience,
            )
            receipt_queue.add(
                db, ReceiptStage.ACKNOWLEDGED, each.digest, each.bulletin.id, channel, NOW.timestamp()
            )
        while ringing.advance(db, law(), now):
            pass
        return owed(db, now, REGISTRY, reader, **of)


def incident(stage: str, detected: dt.datetime) -> CyberIncident:
    """A significant one."""
    return CyberIncident(
        stage=Nis2Stage(stage),
        classification="availability:ddos",
        detected=detected,
        significant=True,
        impact="minor",
    )


def told(clocks: Sequence[Owed]) -> list[tuple[str, str]]:
    """Rule and standing of each."""
    return [(each.rule, str(each.standing)) for each in clocks]


def test_a_clock_stands_with_its_bulletin() -> None:
    """Its id, who said it, of which kind and marking, and what is owed by whom."""
    made = Channel().say(body=ASKS, age_s=600.0)
    (each,) = found([made])
    b = made.bulletin
    assert (each.id, each.issuer, each.kind, each.headline) == (b.id, "xa-csirt", "rfi", b.headline)
    assert (each.rule, each.owner, each.due, each.start) == ("rfi", ASKS.to, NOW + HOUR, b.issued)
    assert (each.tlp, each.audience, str(each.standing)) == ("green", "community", "due_soon")


def test_what_was_met_is_told_only_when_asked_for() -> None:
    """With when, and by which bulletin."""
    author, other = Channel(), Channel("xb-csirt")
    made = author.say(body=ASKS, age_s=600.0)
    reply = other.answer(made, FeedbackKind.REPLY, age_s=60.0)
    assert found([made, reply]) == ()
    (each,) = found([made, reply], every=True)
    assert (each.met, each.met_by, str(each.standing)) == (reply.bulletin.issued, reply.bulletin.id, "met")


def test_an_answer_that_is_taken_back_meets_nothing() -> None:
    """The clock runs on."""
    author, other = Channel(), Channel("xb-csirt")
    made = author.say(body=ASKS, age_s=600.0)
    reply = other.answer(made, FeedbackKind.REPLY, age_s=60.0)
    assert told(found([made, reply, other.take_back(reply)])) == [("rfi", "due_soon")]


def test_an_answer_that_does_not_count_meets_nothing() -> None:
    """It was said where others read it."""
    narrow = Channel(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    made = narrow.say(body=ASKS, age_s=600.0)
    assert told(found([made, Channel("xb-csirt").answer(made, FeedbackKind.REPLY)])) == [("rfi", "due_soon")]


def test_an_update_takes_the_clocks_of_what_it_supersedes() -> None:
    """The notification in place of the warning: its clock is met, and the month begins."""
    author = Channel()
    warning = author.say(body=incident("early-warning", NOW - 20 * HOUR), age_s=10 * 3600.0)
    assert told(found([warning])) == [("nis2-notification", "running")]
    update = author.revise(MsgType.UPDATE, warning, body=incident("incident-notification", NOW - 20 * HOUR))
    assert told(found([warning, update])) == [("nis2-final", "running")]


def test_another_report_of_the_incident_meets_a_clock() -> None:
    """That names the first, or is filed under the same id."""
    for changes in ({"incident_id": INCIDENT}, {}):
        author = Channel()
        warning = author.say(body=incident("early-warning", NOW - 20 * HOUR), age_s=10 * 3600.0, **changes)
        refs = () if changes else (Ref(id=warning.bulletin.id, rel=RefRel.SAME_INCIDENT),)
        body = incident("incident-notification", NOW - 20 * HOUR)
        second = author.say(body=body, references=refs, age_s=60.0, **changes)
        assert told(found([warning, second])) == [("nis2-final", "running")]


def test_a_reply_to_the_version_before_counts() -> None:
    """The question is the same."""
    author, other = Channel(), Channel("xb-csirt")
    first = author.say(body=ASKS, age_s=600.0)
    reply = other.answer(first, FeedbackKind.REPLY, age_s=60.0)
    second = author.revise(MsgType.UPDATE, first, body=ASKS)
    assert found([first, reply, second]) == ()


def test_actions_ring_for_those_who_are_asked() -> None:
    """Until one of them has taken the action."""
    author, other = Channel(), Channel("xb-csirt")
    acts = (Action(kind="patch", to=("csirt",), text="Now.", due=NOW - HOUR),)
    made = author.say(actions=acts, age_s=6 * 3600.0)
    assert told(found([made])) == [("action-patch", "late")]
    body = Feedback(verdict=FeedbackKind.ACTION_TAKEN, action="patch")
    assert found([made, other.answer(made, FeedbackKind.ACTION_TAKEN, body=body)]) == ()


def test_the_first_due_comes_first() -> None:
    """Whatever the order in which they came."""
    author = Channel()
    late = author.say(body=msgspec.structs.replace(ASKS, respond_by=NOW + 2 * DAY), age_s=600.0)
    soon = author.say(body=ASKS, age_s=500.0)
    assert [each.id for each in found([late, soon])] == [soon.bulletin.id, late.bulletin.id]


def test_a_list_is_bounded() -> None:
    """However many a store holds: those that were late last, and those that are late next."""
    author = Channel()
    ask = msgspec.structs.replace
    late = [
        author.say(body=ask(ASKS, respond_by=NOW - n * HOUR), age_s=9 * 3600.0 - n) for n in range(5, 0, -1)
    ]
    runs = [author.say(body=ask(ASKS, respond_by=NOW + n * HOUR), age_s=600.0 - n) for n in range(1, 6)]
    assert [each.id for each in found([*late, *runs], most=2)] == [
        each.bulletin.id for each in (*late[-2:], *runs[:2])
    ]


def test_who_answers_much_hides_nobodys_answer() -> None:
    """Of each author a few are tried, so the owner's reply is among them."""
    author, other, loud = Channel(), Channel("xb-csirt"), Channel("xb-emb")
    made = author.say(body=ASKS, age_s=600.0)
    noise = [loud.answer(made, FeedbackKind.SIGHTING, age_s=500.0 - n) for n in range(3 * tied.MOST_OF_ONE)]
    assert found([made, *noise, other.answer(made, FeedbackKind.REPLY, age_s=60.0)]) == ()


def test_what_others_file_under_the_incident_meets_nothing() -> None:
    """Each authority owes its own reports."""
    warning = Channel().say(
        body=incident("early-warning", NOW - 20 * HOUR), age_s=10 * 3600.0, incident_id=INCIDENT
    )
    other = Channel("xb-csirt").say(
        body=incident("incident-notification", NOW - 20 * HOUR), incident_id=INCIDENT, age_s=60.0
    )
    clocks = [each for each in found([warning, other]) if each.issuer == "xa-csirt"]
    assert told(clocks) == [("nis2-notification", "running")]


def test_what_a_supervisory_authority_files_under_it_meets_a_breach() -> None:
    """It has been notified, or could not tell of it."""
    aware = NOW - 20 * HOUR
    body = DataBreach(
        nature=(BreachNature.CONFIDENTIALITY,),
        aware=aware,
        controller_kind="emb",
        data_categories=("contact",),
        subject_categories=("voters",),
        risk=BreachRisk.RISK,
    )
    runs = (Deadline(clock="gdpr-33", started=aware, due=aware + 72 * HOUR),)
    own = Channel().say(deadlines=runs, incident_id=INCIDENT, age_s=10 * 3600.0)
    assert told(found([own])) == [("gdpr-33", "running")]
    theirs = Channel("xa-dpa").say(body=body, deadlines=runs, incident_id=INCIDENT, age_s=60.0)
    assert found([own, theirs]) == ()


def test_a_hub_owes_acknowledgements_to_authors_who_may_be_told() -> None:
    """Of what is grave and in force; what it has acknowledged is met."""
    author = Channel()
    made = author.say(age_s=600.0, **GRAVE)
    (each,) = found([made], reader="xb-hub")
    assert (each.rule, each.owner, str(each.standing)) == ("acknowledgement", ("xb-hub",), "due_soon")
    assert found([made]) == ()
    assert found([made], reader="xb-emb") == ()
    assert found([made], reader="xb-hub", read=[made]) == ()
    (met,) = found([made], reader="xb-hub", read=[made], every=True)
    assert str(met.standing) == "met"


def test_an_acknowledgement_that_is_late_for_a_day_is_told_no_more() -> None:
    """Nor that of what has expired."""
    author = Channel()
    made = author.say(age_s=600.0, **GRAVE)
    (each,) = found([made], NOW + 10 * HOUR, "xb-hub")
    assert str(each.standing) == "late"
    assert found([made], NOW + 3 * DAY, "xb-hub") == ()
