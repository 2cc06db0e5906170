"""Clocks and how they stand against another way of working them out, on bulletins that are made by chance."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from bus.hub.clocks import SOON, Clock, clocks_of, followed, standing
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bodies.cyber import CyberIncident
from schemas.bulletin import Bulletin
from schemas.deadlines import Period
from schemas.parts import Action, Ref
from schemas.vocab import FeedbackKind, MsgType, Nis2Stage, RefRel, Status
from tests.support.world import bulletin, draft, shared_world
from tests.unit.schemas.test_deadlines import counted

WORLD = shared_world()
REGISTRY = WORLD.registry.document
BEGIN = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
ZONES: tuple[dt.tzinfo, ...] = (dt.UTC, ZoneInfo("Europe/Brussels"), ZoneInfo("Asia/Kolkata"))
OFFICES = tuple(REGISTRY.authorities)
TEMPLATE = bulletin(WORLD)
RUNS = {"early-warning": Period(hours=24), "notification": Period(hours=72), "final": Period(months=1)}
# Of each stage: whether a report of it is, by itself, the step; `said` where the body must say when the step was taken.
TABLE = {
    "early-warning": {"early-warning": "is", "notification": "runs", "final": "said"},
    "incident-notification": {"early-warning": "said", "notification": "is", "final": "runs"},
    "intermediate-report": {"early-warning": "said", "notification": "said", "final": "said"},
    "progress-report": {"early-warning": "said", "notification": "said", "final": "said"},
    "final-report": {"early-warning": "said", "notification": "said", "final": "said"},
}


def made(chance: random.Random, n: int, **changes: Any) -> Bulletin:
    """A bulletin with an id of its own."""
    identity = f"{n:08x}-0000-7000-8000-{chance.getrandbits(48):012x}"
    return msgspec.structs.replace(TEMPLATE, id=identity, **changes)


def by_table(b: Bulletin, zone: dt.tzinfo, holidays: frozenset[dt.date]) -> dict[str, tuple[Any, ...]]:
    """The clocks of an incident, read off a table: rule to start, due, latest, met."""
    body = b.body
    assert isinstance(body, CyberIncident)
    law = "nis2" if body.regime is None else body.regime
    stage = str(body.stage)
    if law not in ("nis2", "eui") or stage not in TABLE or not body.significant or body.near_miss:
        return {}
    known = {"early-warning": body.early_warning_at, "notification": body.notified_at}
    out: dict[str, tuple[Any, ...]] = {}
    for step, period in RUNS.items():
        how, start, met = TABLE[stage][step], body.detected, known.get(step)
        if step == "final":
            sent = body.notified_at or (b.issued if how == "runs" else None)
            if sent is None:
                continue
            start = sent
            met = b.issued if stage in ("progress-report", "final-report") else None
        elif how == "said" and met is None:
            continue
        elif how == "is" and met is None:
            met = body.notified_at if step == "early-warning" and body.notified_at else b.issued
        ends = counted(start, period, zone, holidays)
        out[f"{law}-{step}"] = (start, ends.plain, ends.latest, met)
    return out


def in_words(clock: Clock, now: dt.datetime) -> str:
    """How a clock stands, on a line of times."""
    marks = sorted({clock.due, clock.latest or clock.due})
    moment = now if clock.met is None else clock.met
    over = moment > marks[-1] or (moment == marks[-1] and moment != clock.due)
    if clock.met is not None:
        return "met_late" if over else "met"
    return "late" if over else "due_soon" if clock.due - now <= SOON else "running"


def test_incidents_by_chance_have_the_clocks_of_the_table() -> None:
    """4 000 reports of all stages, laws and times, in three zones, with up to eight holidays: start, due, latest and met are the same."""
    chance = random.Random(20270503)
    stages = list(Nis2Stage)
    seen: set[str] = set()
    for n in range(4_000):
        detected = BEGIN + dt.timedelta(minutes=chance.randrange(525_600))
        warned = detected + dt.timedelta(minutes=chance.randrange(3_000))
        notified = warned + dt.timedelta(minutes=chance.randrange(6_000))
        body = CyberIncident(
            stage=chance.choice(stages),
            classification="availability:ddos",
            detected=detected,
            significant=chance.random() < 0.9,
            near_miss=chance.random() < 0.1,
            regime=chance.choice([None, "nis2", "eui", "dora", "national"]),
            early_warning_at=warned if chance.random() < 0.4 else None,
            notified_at=notified if chance.random() < 0.4 else None,
        )
        zone = chance.choice(ZONES)
        issued = detected + dt.timedelta(minutes=chance.randrange(60_000))
        b = made(chance, n, body=body, issued=issued)
        free = frozenset(detected.date() + dt.timedelta(days=chance.randrange(45)) for _ in range(n % 9))
        found = clocks_of(b, REGISTRY.clocks, zone=zone, holidays=free)
        stand = {each.rule: (each.start, each.due, each.latest, each.met) for each in found}
        assert stand == by_table(b, zone, free), n
        seen |= {each.rule for each in found}
    assert len(seen) == 6


def test_clocks_by_chance_stand_as_on_a_line_of_times() -> None:
    """10 000 clocks, with moments on and around each mark."""
    chance = random.Random(20270504)
    seen: set[str] = set()
    for _ in range(10_000):
        start = BEGIN + dt.timedelta(minutes=chance.randrange(525_600))
        due = start + dt.timedelta(minutes=chance.randrange(1, 50_000))
        latest = (
            due + dt.timedelta(minutes=chance.choice([0, 1, 40, 3_000])) if chance.random() < 0.6 else None
        )
        marks = [due, due - SOON, latest or due, start]

        def near(marks: list[dt.datetime] = marks) -> dt.datetime:
            return chance.choice(marks) + dt.timedelta(seconds=chance.choice([0, 0, 1, -1, 5_000, -5_000]))

        clock = Clock(
            rule="gdpr-33",
            place="body",
            owner=("xa-emb",),
            start=start,
            due=due,
            latest=latest,
            met=near() if chance.random() < 0.5 else None,
        )
        now = near()
        found = str(standing(clock, now))
        assert found == in_words(clock, now), clock
        seen.add(found)
    assert seen == {"running", "due_soon", "late", "met", "met_late"}


def replayed(about: Bulletin, later: list[Bulletin], place: str) -> tuple[set[str], dt.datetime | None]:
    """Who owes and when it was met, by going through the answers one after the other."""
    owes = {
        who
        for who, record in REGISTRY.authorities.items()
        for word in (about.body.to if isinstance(about.body, Rfi) else about.actions[0].to)
        if word in (who, record.kind)
        or (word in REGISTRY.audiences and who in REGISTRY.audiences[word].members)
    }
    says = {"reply", "sighting", "endorse", "dispute", "false-positive", "action-taken"}
    for b in sorted(later, key=lambda each: (each.issued, each.id)):
        body = b.body
        assert isinstance(body, Feedback)
        counts = b.status == about.status and b.msg_type != "cancel" and b.issuer.id in owes
        if not counts or about.id not in [ref.id for ref in b.references if ref.rel != "same-incident"]:
            continue
        verdict = str(body.verdict)
        if place == "body" and verdict in says:
            return owes, b.issued
        if place != "body" and verdict == "action-taken" and body.action in (None, "patch"):
            return owes, b.issued
        if verdict == "handover":
            owes = {str(body.handover_to)}
    return owes, None


def test_answers_by_chance_meet_what_was_asked() -> None:
    """2 000 requests and actions with up to eight answers of anybody: who owes and when it was met are the same."""
    chance = random.Random(20270505)
    was_met = handed = 0
    for n in range(2_000):
        to = tuple(chance.sample([*OFFICES, "csirt", "dpa", "eu-emb", "eu-csirts"], chance.randrange(1, 4)))
        issued = BEGIN + dt.timedelta(minutes=n)
        due = issued + dt.timedelta(hours=5)
        is_request = chance.random() < 0.5
        changes: dict[str, Any] = {"body": Rfi(question="Q?", respond_by=due, to=to)}
        if not is_request:
            changes = {"actions": (Action(kind="patch", to=to, text="t", due=due),)}
        about = made(chance, 100_000 + n, issued=issued, **changes)
        later = []
        for k in range(chance.randrange(9)):
            verdict = chance.choice(list(FeedbackKind))
            body = Feedback(
                verdict=verdict,
                text="t",
                handover_to=chance.choice(OFFICES) if verdict is FeedbackKind.HANDOVER else None,
                action=chance.choice([None, "patch", "monitor"])
                if verdict is FeedbackKind.ACTION_TAKEN
                else None,
            )
            target = about.id if chance.random() < 0.9 else TEMPLATE.id
            rel = chance.choice([RefRel.ANSWERS, RefRel.ANSWERS, RefRel.CORROBORATES, RefRel.SAME_INCIDENT])
            later.append(
                made(
                    chance,
                    200_000 + 10 * n + k,
                    body=body,
                    issuer=WORLD.registry.issuer(chance.choice(OFFICES)),
                    issued=issued + dt.timedelta(minutes=chance.randrange(600)),
                    references=(Ref(id=target, rel=rel),),
                    status=Status.EXERCISE if chance.random() < 0.1 else Status.ACTUAL,
                    msg_type=MsgType.CANCEL if chance.random() < 0.1 else MsgType.ALERT,
                )
            )
        (clock,) = clocks_of(about, REGISTRY.clocks)
        found = followed(clock, about, later, REGISTRY)
        owes, met = replayed(about, later, clock.place)
        assert found.met == met, n
        if found.owner != clock.owner:
            handed += 1
            assert set(found.owner) == owes, n
        was_met += met is not None
    assert was_met > 300
    assert handed > 30


def test_the_template_is_a_bulletin_without_clocks() -> None:
    """So what is found is what was put there."""
    assert clocks_of(bulletin(WORLD, say=draft()), REGISTRY.clocks) == ()
