"""The clocks that a bulletin starts: those it names, those that run by law, and those of what it asks for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Container, Iterable, Iterator, Mapping

import msgspec

from bus.hub.clocks import law
from bus.hub.clocks.shape import Clock, is_in_time
from bus.policy import Deadlines, stricter
from schemas import registry
from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi
from schemas.bodies.data import DataBreach
from schemas.bodies.enforcement import Enforcement
from schemas.bulletin import Bulletin
from schemas.deadlines import Due, Period, due
from schemas.subject import priority
from schemas.vocab import TALK, EnforcementStage, FeedbackKind, MsgType, RefRel

ACKNOWLEDGEMENT, RFI, QUESTION, LESSON, COMPLY_BY, ACTION = (
    "acknowledgement",
    "rfi",
    "question",
    "lesson",
    "comply-by",
    "action-",
)
DONE_LESSONS = frozenset({"done", "rejected"})
SETTLED = frozenset({EnforcementStage.CLOSED, EnforcementStage.ANNULLED})
_DAY = dt.timedelta(days=1)


def clocks_of(
    bulletin: Bulletin,
    known: Mapping[str, registry.Clock],
    *,
    zone: dt.tzinfo = dt.UTC,
    holidays: Container[dt.date] = (),
) -> tuple[Clock, ...]:
    """Every clock that a bulletin starts, as far as it shows by itself whether that is met.

    What later bulletins say is added by `followed`. A withdrawal and what programs say start none.

    Args:
        bulletin: the bulletin.
        known: the clocks of the registry by name. A law whose clock it does not have makes none run.
        zone: of the authority that is to be told: a day ends there at midnight.
        holidays: its public holidays.
    """
    if bulletin.msg_type is MsgType.CANCEL or bulletin.status in TALK:
        return ()
    reported = (
        *_named(bulletin, known, zone, holidays),
        *_by_law(bulletin, known, zone, holidays),
    )
    return (
        *(each for each in reported if not _is_unsaid(bulletin, each)),
        *_asked(bulletin),
        *_actions(bulletin),
        *_lessons(bulletin, zone),
        *_to_comply(bulletin, zone),
    )


def _is_unsaid(b: Bulletin, clock: Clock) -> bool:
    """Whether a breach was notified before a supervisory authority reported it, and nothing says whether in time."""
    if not isinstance(b.body, DataBreach) or clock.met != b.issued or is_in_time(clock, b.issued):
        return False
    return all(each.met is None for each in b.deadlines if each.clock == clock.rule)


def acknowledgement(
    bulletin: Bulletin, stored: dt.datetime, phases: Iterable[str], allowed: Deadlines, reader: str
) -> Clock | None:
    """The time by which a person at a hub must confirm that a bulletin was read; None if no one must.

    Args:
        bulletin: what is to be read.
        stored: when the hub had it.
        phases: coarse phases that may hold, of which the strictest counts.
        allowed: how long a hub has, by priority and phase (`bus.policy`).
        reader: the hub.
    """
    if bulletin.msg_type is MsgType.CANCEL or bulletin.status in TALK or bulletin.issuer.id == reader:
        return None
    weight = priority(bulletin)
    seconds = allowed[weight, stricter(allowed, weight, phases)].read_s
    if seconds is None:
        return None
    return Clock(
        rule=ACKNOWLEDGEMENT,
        place="body",
        owner=(reader,),
        start=stored,
        due=stored + dt.timedelta(seconds=seconds),
    )


def _named(
    b: Bulletin, known: Mapping[str, registry.Clock], zone: dt.tzinfo, holidays: Container[dt.date]
) -> Iterator[Clock]:
    for n, each in enumerate(b.deadlines):
        met = each.met or law.told(b, each.clock)
        yield Clock(
            rule=each.clock,
            place=f"deadlines/{n}",
            owner=(b.issuer.id,),
            start=each.started,
            due=each.due,
            latest=_latest(each.clock, each.started, each.due, known, zone, holidays),
            met=met,
            met_by=None if met is None else b.id,
        )


def _latest(
    rule: str,
    start: dt.datetime,
    said: dt.datetime,
    known: Mapping[str, registry.Clock],
    zone: dt.tzinfo,
    holidays: Container[dt.date],
) -> dt.datetime | None:
    """Until when the law takes it; not before what the bulletin says, nor where the registry does not know the clock.

    One that is named for a shorter time (`nis2-notification`, due after 24 hours) runs as the clock of that time does.
    """
    runs = (said - start).total_seconds()
    like = [(name, clock) for name, clock in known.items() if name == rule or name.startswith(f"{rule}-")]
    for name, clock in sorted(like, key=lambda each: abs(each[1].due_s - runs)):
        period = law.period_of(name, clock)
        ends = None if period is None else _ends(start, period, zone, holidays)
        if ends is not None:
            return ends.latest
    return None


def _ends(start: dt.datetime, period: Period, zone: dt.tzinfo, holidays: Container[dt.date]) -> Due | None:
    """The end of a period; None where the calendar has none: an author may tell of the year 1 and of the year 9999."""
    try:
        return due(start, period, zone=zone, holidays=holidays)
    except (OverflowError, ValueError):
        return None


def _by_law(
    b: Bulletin, known: Mapping[str, registry.Clock], zone: dt.tzinfo, holidays: Container[dt.date]
) -> Iterator[Clock]:
    named = {each.clock for each in b.deadlines}
    for rule, start in law.begun_by(b):
        period = law.period_of(rule, known[rule]) if rule in known else None
        if period is None or any(name == rule or name.startswith(f"{rule}-") for name in named):
            continue
        ends = _ends(start, period, zone, holidays)
        if ends is None:
            continue
        met = law.told(b, rule)
        yield Clock(
            rule=rule,
            place="body",
            owner=(b.issuer.id,),
            start=start,
            due=ends.plain,
            latest=ends.latest,
            met=met,
            met_by=None if met is None else b.id,
        )


def _asked(b: Bulletin) -> Iterator[Clock]:
    body = b.body
    if isinstance(body, Rfi):
        yield Clock(rule=body.clock or RFI, place="body", owner=body.to, start=b.issued, due=body.respond_by)
    elif isinstance(body, Feedback) and body.verdict is FeedbackKind.QUESTION and body.respond_by is not None:
        yield Clock(rule=QUESTION, place="body", owner=_authors(b), start=b.issued, due=body.respond_by)


def _authors(b: Bulletin) -> tuple[str, ...]:
    """Whose bulletins are asked about."""
    named = [ref.issuer for ref in b.references if ref.rel is RefRel.ANSWERS and ref.issuer is not None]
    return tuple(dict.fromkeys(named))


def _actions(b: Bulletin) -> Iterator[Clock]:
    for n, each in enumerate(b.actions):
        if each.due is not None:
            yield Clock(
                rule=f"{ACTION}{each.kind}",
                place=f"actions/{n}",
                owner=each.to,
                start=b.issued,
                due=each.due,
            )


def _lessons(b: Bulletin, zone: dt.tzinfo) -> Iterator[Clock]:
    for n, each in enumerate(b.body.lessons if isinstance(b.body, PostElectionReport) else ()):
        if each.due is not None:
            is_done = each.status in DONE_LESSONS
            yield Clock(
                rule=LESSON,
                place=f"lessons/{n}",
                owner=each.owner,
                start=b.issued,
                due=end_of(each.due, zone),
                met=b.issued if is_done else None,
                met_by=b.id if is_done else None,
            )


def _to_comply(b: Bulletin, zone: dt.tzinfo) -> Iterator[Clock]:
    """By when an addressee of enforcement complies. Until when it may appeal is its right, and is no debt."""
    body = b.body
    if isinstance(body, Enforcement) and body.comply_by is not None:
        is_settled = body.stage in SETTLED
        yield Clock(
            rule=COMPLY_BY,
            place="body",
            owner=(body.addressee_kind,),
            start=b.issued,
            due=end_of(body.comply_by, zone),
            met=b.issued if is_settled else None,
            met_by=b.id if is_settled else None,
        )


def end_of(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    """The last moment of a day, in UTC; of the last day of the calendar its first, for no day follows it."""
    if day == dt.date.max:
        return dt.datetime.combine(day, dt.time(), dt.UTC)
    following = dt.datetime.combine(day + _DAY, dt.time(), zone)
    return following.astimezone(dt.UTC) - dt.timedelta(microseconds=1)


def with_owner(clock: Clock, owner: Collection[str]) -> Clock:
    """The same clock, owed by others."""
    return msgspec.structs.replace(clock, owner=tuple(owner))
