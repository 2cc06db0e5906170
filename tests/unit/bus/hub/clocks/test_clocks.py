"""Clocks of a bulletin, against cases that were worked by hand with a calendar. May and June 2027: the third of May is a Monday."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pytest

from bus.hub.clocks import SOON, Clock, acknowledgement, clocks_of, followed, is_owner, period_of, standing
from bus.hub.clocks.reading import end_of
from bus.policy import deadlines
from schemas.bodies.coordination import Feedback, Lesson, PostElectionReport, Rfi
from schemas.bodies.cyber import CyberIncident, CyberThreat
from schemas.bodies.data import DataBreach
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.system import Receipt, ReceiptItem
from schemas.bulletin import Bulletin
from schemas.deadlines import Period
from schemas.parts import Action, Deadline, Ref
from schemas.registry import Clock as LegalClock
from schemas.vocab import (
    BreachNature,
    BreachRisk,
    Certainty,
    EnforcementStage,
    FeedbackKind,
    MsgType,
    Nis2Stage,
    ReceiptStage,
    RefRel,
    Severity,
    Status,
    Urgency,
)
from tests.support.world import bulletin, draft, shared_world

WORLD = shared_world()
REGISTRY = WORLD.registry.document
KNOWN = REGISTRY.clocks
EASTER = frozenset({dt.date(2027, 5, 6)})


def at(text: str) -> dt.datetime:
    """`3 10:20` of May 2027, `6-5 09:00` of June, in UTC."""
    day, hour = text.split()
    month, _, number = day.rpartition("-")
    return dt.datetime.fromisoformat(f"2027-{int(month or 5):02}-{int(number):02}T{hour}").replace(
        tzinfo=dt.UTC
    )


def said(body: Any, issued: str, issuer: str = "xa-csirt", **changes: Any) -> Bulletin:
    """A bulletin with this body."""
    return bulletin(WORLD, issuer, issued=at(issued), say=draft(body=body), **changes)


def incident(stage: str, detected: str = "3 10:20", **fields: Any) -> CyberIncident:
    """A significant incident."""
    times = {"early_warning_at", "notified_at"}
    given = {name: at(value) if name in times else value for name, value in fields.items()}
    body: dict[str, Any] = {"classification": "availability:ddos", "significant": True, "impact": "minor"}
    return CyberIncident(**{**body, "stage": Nis2Stage(stage), "detected": at(detected), **given})


def breach(aware: str = "6 10:20", **fields: Any) -> DataBreach:
    """A breach with a risk."""
    body: dict[str, Any] = {
        "nature": (BreachNature.CONFIDENTIALITY,),
        "controller_kind": "party",
        "data_categories": ("contact",),
        "subject_categories": ("voters",),
        "risk": BreachRisk.RISK,
    }
    return DataBreach(**{**body, "aware": at(aware), **fields})


def named(clock: str, started: str, due: str, met: str | None = None) -> tuple[Deadline, ...]:
    """One deadline."""
    return (Deadline(clock=clock, started=at(started), due=at(due), met=None if met is None else at(met)),)


def tied(to: Bulletin, rel: RefRel = RefRel.SAME_INCIDENT) -> tuple[Ref, ...]:
    """A reference."""
    return (Ref(id=to.id, rel=rel, issuer=to.issuer.id),)


def answer(to: Bulletin, verdict: str, issued: str, issuer: str = "xb-csirt", **fields: Any) -> Bulletin:
    """An answer."""
    body = Feedback(verdict=FeedbackKind(verdict), **fields)
    return said(body, issued, issuer, references=tied(to, RefRel.ANSWERS))


class Case(NamedTuple):
    """A bulletin, a moment, and what is expected: rule, due, latest, standing of each clock."""

    what: str
    bulletin: Bulletin
    now: str
    expected: tuple[tuple[str, str, str | None, str], ...]


WARNING = said(incident("early-warning"), "3 12:00")
NOTIFIED = said(incident("incident-notification"), "5 09:00")
CASES: tuple[Case, ...] = (
    Case(
        "a warning on its day",
        WARNING,
        "3 13:00",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
            ("nis2-notification", "6 10:20", "6 11:00", "running"),
        ),
    ),
    Case(
        "six hours before the notification",
        WARNING,
        "6 04:20",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
            ("nis2-notification", "6 10:20", "6 11:00", "due_soon"),
        ),
    ),
    Case(
        "a minute earlier",
        WARNING,
        "6 04:19",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
            ("nis2-notification", "6 10:20", "6 11:00", "running"),
        ),
    ),
    Case(
        "due, and the hour goes on",
        WARNING,
        "6 10:59",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
            ("nis2-notification", "6 10:20", "6 11:00", "due_soon"),
        ),
    ),
    Case(
        "the hour is over",
        WARNING,
        "6 11:00",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
            ("nis2-notification", "6 10:20", "6 11:00", "late"),
        ),
    ),
    Case(
        "a warning within the last hour",
        said(incident("early-warning"), "4 10:50"),
        "4 12:00",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
            ("nis2-notification", "6 10:20", "6 11:00", "running"),
        ),
    ),
    Case(
        "a warning after it",
        said(incident("early-warning"), "4 11:00"),
        "4 12:00",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met_late"),
            ("nis2-notification", "6 10:20", "6 11:00", "running"),
        ),
    ),
    Case(
        "warned before the bulletin",
        said(incident("early-warning", early_warning_at="4 09:00"), "4 16:00"),
        "4 17:00",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
            ("nis2-notification", "6 10:20", "6 11:00", "running"),
        ),
    ),
    Case(
        "from Thursday: one working day is missing",
        said(incident("early-warning", "6 10:20"), "6 12:00"),
        "10 23:59",
        (
            ("nis2-early-warning", "7 10:20", "7 11:00", "met"),
            ("nis2-notification", "9 10:20", "11 00:00", "due_soon"),
        ),
    ),
    Case(
        "and then it is late",
        said(incident("early-warning", "6 10:20"), "6 12:00"),
        "11 00:00",
        (
            ("nis2-early-warning", "7 10:20", "7 11:00", "met"),
            ("nis2-notification", "9 10:20", "11 00:00", "late"),
        ),
    ),
    Case(
        "a notification, and the month after it",
        NOTIFIED,
        "5 10:00",
        (
            ("nis2-notification", "6 10:20", "6 11:00", "met"),
            ("nis2-final", "6-5 09:00", "6-8 00:00", "running"),
        ),
    ),
    Case(
        "the month ends on a Saturday: Monday is in time",
        NOTIFIED,
        "6-7 23:59",
        (
            ("nis2-notification", "6 10:20", "6 11:00", "met"),
            ("nis2-final", "6-5 09:00", "6-8 00:00", "due_soon"),
        ),
    ),
    Case(
        "Tuesday is not",
        NOTIFIED,
        "6-8 00:00",
        (
            ("nis2-notification", "6 10:20", "6 11:00", "met"),
            ("nis2-final", "6-5 09:00", "6-8 00:00", "late"),
        ),
    ),
    Case(
        "a notification four days after",
        said(incident("incident-notification"), "7 09:00"),
        "7 10:00",
        (
            ("nis2-notification", "6 10:20", "6 11:00", "met_late"),
            ("nis2-final", "6-7 09:00", "6-8 00:00", "running"),
        ),
    ),
    Case(
        "a notification that says when was warned",
        said(incident("incident-notification", early_warning_at="4 10:30"), "5 09:00"),
        "5 10:00",
        (
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
            ("nis2-notification", "6 10:20", "6 11:00", "met"),
            ("nis2-final", "6-5 09:00", "6-8 00:00", "running"),
        ),
    ),
    Case(
        "an intermediate report says nothing of before",
        said(incident("intermediate-report"), "12 09:00"),
        "12 10:00",
        (),
    ),
    Case(
        "an intermediate report that says it",
        said(incident("intermediate-report", notified_at="5 12:00"), "12 09:00"),
        "12 10:00",
        (
            ("nis2-notification", "6 10:20", "6 11:00", "met"),
            ("nis2-final", "6-5 12:00", "6-8 00:00", "running"),
        ),
    ),
    Case(
        "a final report",
        said(incident("final-report", notified_at="5 12:00"), "6-4 09:00"),
        "6-4 10:00",
        (("nis2-notification", "6 10:20", "6 11:00", "met"), ("nis2-final", "6-5 12:00", "6-8 00:00", "met")),
    ),
    Case(
        "a final report on the Tuesday",
        said(incident("final-report", notified_at="5 12:00"), "6-8 00:00"),
        "6-9 10:00",
        (
            ("nis2-notification", "6 10:20", "6 11:00", "met"),
            ("nis2-final", "6-5 12:00", "6-8 00:00", "met_late"),
        ),
    ),
    Case(
        "a progress report in its place",
        said(incident("progress-report", notified_at="5 12:00"), "6-4 09:00"),
        "6-9 10:00",
        (("nis2-notification", "6 10:20", "6 11:00", "met"), ("nis2-final", "6-5 12:00", "6-8 00:00", "met")),
    ),
    Case("not significant", said(incident("early-warning", significant=False), "3 12:00"), "9 12:00", ()),
    Case(
        "a near miss",
        said(incident("early-warning", significant=False, near_miss=True), "3 12:00"),
        "9 12:00",
        (),
    ),
    Case("voluntary", said(incident("voluntary-report"), "3 12:00"), "9 12:00", ()),
    Case(
        "of Union bodies",
        said(incident("early-warning", regime="eui"), "3 12:00"),
        "3 13:00",
        (
            ("eui-early-warning", "4 10:20", "4 11:00", "met"),
            ("eui-notification", "6 10:20", "6 11:00", "running"),
        ),
    ),
    Case(
        "of critical entities",
        said(incident("early-warning", regime="cer"), "3 12:00"),
        "5 13:00",
        (("cer-notification", "4 10:20", "4 11:00", "met"),),
    ),
    Case(
        "of a law that has no stages here",
        said(incident("early-warning", regime="dora"), "3 12:00"),
        "5 13:00",
        (),
    ),
    Case(
        "of a trust service, by a named deadline",
        said(
            incident("early-warning"), "3 12:00", deadlines=named("nis2-notification", "3 10:20", "4 10:20")
        ),
        "4 10:59",
        (
            ("nis2-notification", "4 10:20", "4 11:00", "due_soon"),
            ("nis2-early-warning", "4 10:20", "4 11:00", "met"),
        ),
    ),
    Case(
        "a breach that a controller's office tells of",
        said(breach(), "6 12:00", "xa-emb", deadlines=named("gdpr-33", "6 10:20", "9 10:20")),
        "10 12:00",
        (("gdpr-33", "9 10:20", "11 00:00", "due_soon"),),
    ),
    Case(
        "and tells when it was notified",
        said(breach(), "10 12:00", "xa-emb", deadlines=named("gdpr-33", "6 10:20", "9 10:20", "10 11:00")),
        "12 12:00",
        (("gdpr-33", "9 10:20", "11 00:00", "met"),),
    ),
    Case(
        "a breach that a supervisory authority tells of",
        said(breach(), "7 12:00", "xa-dpa", deadlines=named("gdpr-33", "6 10:20", "9 10:20")),
        "20 12:00",
        (("gdpr-33", "9 10:20", "11 00:00", "met"),),
    ),
    Case(
        "and tells of later, without a word whether that was in time",
        said(breach(), "12 12:00", "xa-dpa", deadlines=named("gdpr-33", "6 10:20", "9 10:20")),
        "20 12:00",
        (),
    ),
    Case(
        "and says that it was not",
        said(breach(), "12 12:00", "xa-dpa", deadlines=named("gdpr-33", "6 10:20", "9 10:20", "11 00:00")),
        "20 12:00",
        (("gdpr-33", "9 10:20", "11 00:00", "met_late"),),
    ),
    Case(
        "a breach of a Union body without a deadline",
        said(breach(regime="eudpr"), "6 12:00", "xa-emb"),
        "6 13:00",
        (("eudpr-34", "9 10:20", "11 00:00", "running"),),
    ),
    Case(
        "a breach of the police",
        said(breach("3 10:20", regime="led"), "3 12:00", "xa-emb"),
        "6 11:00",
        (("led-30", "6 10:20", "6 11:00", "late"),),
    ),
    Case(
        "a breach without a risk", said(breach(risk=BreachRisk.UNLIKELY), "6 12:00", "xa-emb"), "20 12:00", ()
    ),
    Case(
        "a clock of another law, named",
        said(CyberThreat(title="t"), "3 12:00", deadlines=named("ttpa-info", "3 10:00", "17 10:00")),
        "17 23:59",
        (("ttpa-info", "17 10:00", "18 00:00", "due_soon"),),
    ),
    Case(
        "a clock that no registry knows",
        said(CyberThreat(title="t"), "3 12:00", deadlines=named("xa-law-7", "3 10:00", "4 10:00")),
        "4 10:01",
        (("xa-law-7", "4 10:00", None, "late"),),
    ),
    Case(
        "due is in time",
        said(CyberThreat(title="t"), "3 12:00", deadlines=named("xa-law-7", "3 10:00", "4 10:00")),
        "4 10:00",
        (("xa-law-7", "4 10:00", None, "due_soon"),),
    ),
    Case(
        "a request",
        said(Rfi(question="Q?", respond_by=at("4 12:00"), to=("csirt",)), "3 12:00"),
        "4 05:59",
        (("rfi", "4 12:00", None, "running"),),
    ),
    Case(
        "a request under a law",
        said(Rfi(question="Q?", respond_by=at("17 12:00"), to=("csirt",), clock="ttpa-info"), "3 12:00"),
        "17 13:00",
        (("ttpa-info", "17 12:00", None, "late"),),
    ),
    Case(
        "a question in an answer",
        said(
            Feedback(verdict=FeedbackKind.QUESTION, text="Q?", respond_by=at("3 14:00")),
            "3 13:00",
            "xb-csirt",
            references=tied(WARNING, RefRel.ANSWERS),
        ),
        "3 13:30",
        (("question", "3 14:00", None, "due_soon"),),
    ),
    Case(
        "a question without a time",
        said(
            Feedback(verdict=FeedbackKind.QUESTION, text="Q?"),
            "3 13:00",
            "xb-csirt",
            references=tied(WARNING, RefRel.ANSWERS),
        ),
        "9 13:30",
        (),
    ),
    Case(
        "actions, one of them without a time",
        said(
            CyberThreat(title="t"),
            "3 12:00",
            actions=(
                Action(kind="patch", to=("csirt",), text="t", due=at("3 20:00")),
                Action(kind="monitor", to=("emb",), text="t"),
                Action(kind="patch", to=("emb",), text="t", due=at("4 20:00")),
            ),
        ),
        "3 21:00",
        (("action-patch", "3 20:00", None, "late"), ("action-patch", "4 20:00", None, "running")),
    ),
    Case(
        "a decision to comply with",
        said(
            Enforcement(
                stage=EnforcementStage.DECISION,
                addressee="A",
                addressee_kind="platform",
                provisions=("celex:32022R2065#34",),
                comply_by=dt.date(2027, 5, 20),
            ),
            "3 12:00",
        ),
        "20 23:59",
        (("comply-by", "20 23:59:59.999999", None, "due_soon"),),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_case_worked_by_hand(case: Case) -> None:
    """Each clock with its rule, when it is due, until when the law takes it, and how it stands."""
    found = [
        (each.rule, each.due, each.latest, str(standing(each, at(case.now))))
        for each in clocks_of(case.bulletin, KNOWN)
    ]
    wanted = [
        (rule, at(due), None if latest is None else at(latest), stands)
        for rule, due, latest, stands in case.expected
    ]
    assert found == wanted


def test_there_are_forty_cases() -> None:
    """The table is not cut by accident."""
    assert len(CASES) >= 40


def test_a_report_is_owed_by_who_tells_of_the_incident() -> None:
    """The entity itself is not named on the bus."""
    assert {each.owner for each in clocks_of(WARNING, KNOWN)} == {("xa-csirt",)}


def test_what_is_asked_is_owed_by_whom_it_is_asked() -> None:
    """The words of the bulletin; of a question the author of what it is about."""
    asks = said(Rfi(question="Q?", respond_by=at("4 12:00"), to=("csirt", "xa-emb")), "3 12:00")
    assert [each.owner for each in clocks_of(asks, KNOWN)] == [("csirt", "xa-emb")]
    body = Feedback(verdict=FeedbackKind.QUESTION, text="Q?", respond_by=at("3 14:00"))
    back = said(body, "3 13:00", "xb-csirt", references=tied(WARNING, RefRel.ANSWERS))
    assert [each.owner for each in clocks_of(back, KNOWN)] == [("xa-csirt",)]


def test_a_holiday_puts_off_what_the_law_takes_and_not_when_to_act() -> None:
    """A Thursday that is free: of 72 hours from Tuesday two working days are missing."""
    made = said(incident("early-warning", "4 10:20"), "4 12:00")
    plain, free = (clocks_of(made, KNOWN, holidays=days)[1] for days in ((), EASTER))
    assert (plain.due, plain.latest) == (at("7 10:20"), at("7 11:00"))
    assert (free.due, free.latest) == (at("7 10:20"), at("8 00:00"))


def test_a_withdrawal_and_what_programs_say_start_no_clock() -> None:
    """Nobody owes for what is not so."""
    assert clocks_of(msgspec.structs.replace(WARNING, msg_type=MsgType.CANCEL), KNOWN) == ()
    assert clocks_of(msgspec.structs.replace(WARNING, status=Status.SYSTEM), KNOWN) == ()


def test_a_law_that_the_registry_does_not_know_makes_no_clock_run() -> None:
    """Each network says which laws it knows."""
    assert clocks_of(WARNING, {}) == ()


def test_a_named_deadline_stands_once() -> None:
    """It takes the place of the one that runs by law."""
    made = said(
        incident("early-warning"), "3 12:00", deadlines=named("nis2-early-warning", "3 10:20", "4 10:20")
    )
    assert [(each.rule, each.place) for each in clocks_of(made, KNOWN)] == [
        ("nis2-early-warning", "deadlines/0"),
        ("nis2-notification", "body"),
    ]


def test_rule_and_place_name_a_clock_within_its_bulletin() -> None:
    """Two actions of one kind differ."""
    for case in CASES:
        found = clocks_of(case.bulletin, KNOWN)
        assert len({(each.rule, each.place) for each in found}) == len(found)


PERIODS = {
    "a day": ("nis2-early-warning", 86_400, Period(hours=24)),
    "three": ("gdpr-33", 259_200, Period(hours=72)),
    "two weeks": ("ttpa-info", 14 * 86_400, Period(days=14)),
    "thirty days": ("ttpa-assist", 30 * 86_400, Period(days=30)),
    "a month": ("nis2-final", 30 * 86_400, Period(months=1)),
    "a month that a registry has made two weeks": ("nis2-final", 14 * 86_400, Period(days=14)),
    "minutes": ("xa-law", 90 * 60, None),
    "a century": ("xa-law", 36_500 * 86_400, None),
}


@pytest.mark.parametrize(("rule", "seconds", "period"), PERIODS.values(), ids=PERIODS)
def test_a_period_is_in_the_unit_of_its_law(rule: str, seconds: int, period: Period | None) -> None:
    """The registry says seconds; hours, days and months end at different times."""
    assert period_of(rule, LegalClock(trigger="aware", due_s=seconds, ref="celex:32022L2555#23")) == period


# -- met by later bulletins -----------------------------------------------------------------------------------------------

ASKS = said(Rfi(question="Q?", respond_by=at("4 12:00"), to=("xb-csirt", "dpa")), "3 12:00")
ACTS = said(
    CyberThreat(title="t"),
    "3 12:00",
    actions=(Action(kind="patch", to=("csirt",), text="t", due=at("4 12:00")),),
)


def learns(status: str, issued: str, **changes: Any) -> Bulletin:
    """A report with one lesson."""
    lesson = Lesson(
        id="l1",
        observation="o",
        recommendation="r",
        owner=("emb",),
        area="detection",
        status=status,
        due=dt.date(2027, 6, 1),
    )
    report = PostElectionReport(
        edition="final",
        period_start=dt.date(2027, 3, 1),
        period_end=dt.date(2027, 5, 1),
        dimensions=(),
        decisive_impact="none-evidenced",
        lessons=(lesson,),
    )
    return said(report, issued, "xa-emb", **changes)


LEARNS = learns("open", "3 12:00")
BREACH = said(breach(), "6 12:00", "xa-emb", deadlines=named("gdpr-33", "6 10:20", "9 10:20"))
FINE = said(
    Enforcement(
        stage=EnforcementStage.DECISION,
        addressee="A",
        addressee_kind="platform",
        provisions=("celex:32022R2065#34",),
        comply_by=dt.date(2027, 5, 20),
    ),
    "3 12:00",
    "xa-dsc",
)
LATER: dict[str, tuple[Bulletin, str, Sequence[Bulletin], str | None]] = {
    "a notification that names the warning": (
        WARNING,
        "nis2-notification",
        [said(incident("incident-notification"), "5 09:00", references=tied(WARNING))],
        "5 09:00",
    ),
    "an update that is one": (
        WARNING,
        "nis2-notification",
        [
            said(
                incident("incident-notification"),
                "5 09:00",
                references=tied(WARNING, RefRel.SUPERSEDES),
                msg_type=MsgType.UPDATE,
            )
        ],
        "5 09:00",
    ),
    "the first of two": (
        WARNING,
        "nis2-notification",
        [
            said(incident("final-report", notified_at="5 12:00"), "7 09:00", references=tied(WARNING)),
            said(incident("incident-notification"), "5 09:00", references=tied(WARNING)),
        ],
        "5 09:00",
    ),
    "a final report that says when": (
        WARNING,
        "nis2-notification",
        [said(incident("final-report", notified_at="5 12:00"), "7 09:00", references=tied(WARNING))],
        "5 12:00",
    ),
    "one that is filed with it": (
        msgspec.structs.replace(WARNING, incident_id=ASKS.id),
        "nis2-notification",
        [said(incident("incident-notification"), "5 09:00", incident_id=ASKS.id)],
        "5 09:00",
    ),
    "one of another incident": (
        WARNING,
        "nis2-notification",
        [said(incident("incident-notification"), "5 09:00")],
        None,
    ),
    "one of another authority": (
        WARNING,
        "nis2-notification",
        [said(incident("incident-notification"), "5 09:00", "xb-csirt", references=tied(WARNING))],
        None,
    ),
    "one under another law": (
        WARNING,
        "nis2-notification",
        [said(incident("incident-notification", regime="eui"), "5 09:00", references=tied(WARNING))],
        None,
    ),
    "one of an exercise": (
        WARNING,
        "nis2-notification",
        [
            said(
                incident("incident-notification"),
                "5 09:00",
                references=tied(WARNING),
                status=Status.EXERCISE,
                exercise_id="x",
            )
        ],
        None,
    ),
    "one that is a withdrawal": (
        WARNING,
        "nis2-notification",
        [
            said(
                incident("incident-notification"),
                "5 09:00",
                references=tied(WARNING),
                msg_type=MsgType.CANCEL,
            )
        ],
        None,
    ),
    "a second warning is no notification": (
        WARNING,
        "nis2-notification",
        [said(incident("early-warning"), "5 09:00", references=tied(WARNING))],
        None,
    ),
    "a final report": (
        NOTIFIED,
        "nis2-final",
        [said(incident("final-report"), "6-1 09:00", references=tied(NOTIFIED))],
        "6-1 09:00",
    ),
    "a progress report": (
        NOTIFIED,
        "nis2-final",
        [said(incident("progress-report"), "6-1 09:00", references=tied(NOTIFIED))],
        "6-1 09:00",
    ),
    "an intermediate report is not final": (
        NOTIFIED,
        "nis2-final",
        [said(incident("intermediate-report"), "6-1 09:00", references=tied(NOTIFIED))],
        None,
    ),
    "what the supervisory authority says": (
        BREACH,
        "gdpr-33",
        [said(breach(), "8 09:00", "xa-dpa", references=tied(BREACH))],
        "8 09:00",
    ),
    "what another says of a breach": (
        BREACH,
        "gdpr-33",
        [said(breach(), "8 09:00", "xb-emb", references=tied(BREACH))],
        None,
    ),
    "a time that the controller's office adds": (
        BREACH,
        "gdpr-33",
        [
            said(
                breach(),
                "8 09:00",
                "xa-emb",
                references=tied(BREACH),
                deadlines=named("gdpr-33", "6 10:20", "9 10:20", "8 08:00"),
            )
        ],
        "8 08:00",
    ),
    "a reply of one who is asked": (ASKS, "rfi", [answer(ASKS, "reply", "3 15:00", text="r")], "3 15:00"),
    "a reply of one of the kind": (
        ASKS,
        "rfi",
        [answer(ASKS, "reply", "3 15:00", "xa-dpa", text="r")],
        "3 15:00",
    ),
    "a reply of another": (ASKS, "rfi", [answer(ASKS, "reply", "3 15:00", "xb-emb", text="r")], None),
    "a question back": (ASKS, "rfi", [answer(ASKS, "question", "3 15:00", text="q")], None),
    "handed on, and answered there": (
        ASKS,
        "rfi",
        [
            answer(ASKS, "handover", "3 13:00", handover_to="xb-emb"),
            answer(ASKS, "reply", "3 15:00", "xb-emb", text="r"),
        ],
        "3 15:00",
    ),
    "answered there before it was handed on": (
        ASKS,
        "rfi",
        [
            answer(ASKS, "handover", "3 16:00", handover_to="xb-emb"),
            answer(ASKS, "reply", "3 15:00", "xb-emb", text="r"),
        ],
        None,
    ),
    "handed on by one who does not owe it": (
        ASKS,
        "rfi",
        [
            answer(ASKS, "handover", "3 13:00", "xb-dsc", handover_to="xb-emb"),
            answer(ASKS, "reply", "3 15:00", "xb-emb", text="r"),
        ],
        None,
    ),
    "what was done": (
        ACTS,
        "action-patch",
        [answer(ACTS, "action-taken", "3 15:00", action="patch")],
        "3 15:00",
    ),
    "done, without a word which": (
        ACTS,
        "action-patch",
        [answer(ACTS, "action-taken", "3 15:00")],
        "3 15:00",
    ),
    "something else was done": (
        ACTS,
        "action-patch",
        [answer(ACTS, "action-taken", "3 15:00", action="monitor")],
        None,
    ),
    "a sighting is no action": (ACTS, "action-patch", [answer(ACTS, "sighting", "3 15:00")], None),
    "a lesson learnt": (
        LEARNS,
        "lesson",
        [learns("done", "20 12:00", references=tied(LEARNS))],
        "20 12:00",
    ),
    "a lesson in progress": (
        LEARNS,
        "lesson",
        [learns("in-progress", "20 12:00", references=tied(LEARNS))],
        None,
    ),
    "a matter that is closed": (
        FINE,
        "comply-by",
        [
            said(
                msgspec.structs.replace(FINE.body, stage=EnforcementStage.CLOSED),
                "19 12:00",
                "xa-dsc",
                references=tied(FINE),
            )
        ],
        "19 12:00",
    ),
}


def clock_in(made: Bulletin, rule: str) -> Clock:
    """Its clock of this rule."""
    (found,) = (each for each in clocks_of(made, KNOWN) if each.rule == rule)
    return found


@pytest.mark.parametrize(("about", "rule", "later", "met"), LATER.values(), ids=LATER)
def test_what_meets_a_clock(about: Bulletin, rule: str, later: Sequence[Bulletin], met: str | None) -> None:
    """The first that does, whatever the order in which they came."""
    for order in (later, [*reversed(later)]):
        found = followed(clock_in(about, rule), about, order, REGISTRY)
        assert found.met == (None if met is None else at(met))
        assert (found.met_by is None) == (met is None)


def test_an_answer_to_an_earlier_version_counts() -> None:
    """Where the caller names the versions."""
    first = said(ASKS.body, "3 11:00")
    said_to_first = answer(first, "reply", "3 15:00", text="r")
    clock = clock_in(ASKS, "rfi")
    assert followed(clock, ASKS, [said_to_first], REGISTRY).met is None
    assert followed(clock, ASKS, [said_to_first], REGISTRY, thread=[first.id]).met == at("3 15:00")


def test_what_was_handed_on_is_owed_by_the_other() -> None:
    """Until that one answers."""
    handed = answer(ASKS, "handover", "3 13:00", handover_to="xb-emb")
    assert followed(clock_in(ASKS, "rfi"), ASKS, [handed], REGISTRY).owner == ("xb-emb",)


def test_a_clock_that_is_met_stays_so() -> None:
    """However often it is followed."""
    reply = answer(ASKS, "reply", "3 15:00", text="r")
    once = followed(clock_in(ASKS, "rfi"), ASKS, [reply], REGISTRY)
    assert followed(once, ASKS, [answer(ASKS, "reply", "3 14:00", text="r")], REGISTRY) == once


def test_owners_are_themselves_their_kind_and_their_audiences() -> None:
    """And nobody else."""
    assert is_owner("xb-csirt", ["xb-csirt"], REGISTRY)
    assert is_owner("xb-csirt", ["csirt"], REGISTRY)
    assert is_owner("xb-csirt", ["eu-csirts"], REGISTRY)
    assert not is_owner("xb-csirt", ["eu-dsc", "xa-csirt", "emb"], REGISTRY)
    assert not is_owner("zz-nobody", ["csirt"], REGISTRY)


# -- acknowledgement ------------------------------------------------------------------------------------------------------

GRAVE = msgspec.structs.replace(
    WARNING, urgency=Urgency.IMMEDIATE, severity=Severity.EXTREME, certainty=Certainty.OBSERVED
)


def ack(made: Bulletin = GRAVE, *phases: str, reader: str = "xb-hub") -> Clock | None:
    """The clock of reading."""
    return acknowledgement(made, at("3 12:00"), phases or ("none",), deadlines.DEFAULTS, reader)


def test_a_grave_bulletin_is_read_by_a_person_in_time() -> None:
    """By priority and phase, of which the strictest counts."""
    quiet, vote, both = ack(), ack(GRAVE, "during"), ack(GRAVE, "none", "during")
    assert quiet is not None
    assert vote is not None
    assert quiet.due == at("3 13:00")
    assert vote.due == at("3 12:05")
    assert both == vote
    assert (vote.rule, vote.owner) == ("acknowledgement", ("xb-hub",))


def test_nobody_has_to_read_what_is_little_or_ones_own() -> None:
    """Nor what is withdrawn."""
    little = msgspec.structs.replace(WARNING, urgency=Urgency.PAST, severity=Severity.MINOR)
    assert ack(little) is None
    assert ack(GRAVE, reader="xa-csirt") is None
    assert ack(msgspec.structs.replace(GRAVE, msg_type=MsgType.CANCEL)) is None


@pytest.mark.parametrize(
    ("stage", "by", "met"),
    [("acknowledged", "xb-hub", True), ("verified", "xb-hub", False), ("acknowledged", "xa-hub", False)],
)
def test_a_receipt_of_the_reader_meets_it(stage: str, by: str, met: bool) -> None:
    """Of that stage, and of nobody else."""
    items = (ReceiptItem(id=GRAVE.id, digest="A" * 43, at=at("3 12:20")),)
    receipt = said(Receipt(stage=ReceiptStage(stage), items=items), "3 12:30", by, status=Status.SYSTEM)
    clock = ack()
    assert clock is not None
    assert followed(clock, GRAVE, [receipt], REGISTRY).met == (at("3 12:20") if met else None)


def test_soon_is_six_hours() -> None:
    """As the page of clocks has it."""
    assert dt.timedelta(hours=6) == SOON


def test_the_last_day_of_the_calendar_has_an_end() -> None:
    """An author may write it by when something is due."""
    assert end_of(dt.date.max, dt.UTC).date() == dt.date.max
