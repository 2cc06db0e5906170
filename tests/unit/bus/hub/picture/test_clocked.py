"""The table of clocks against a plain look at every bulletin: whatever comes, in whatever order, is ended, goes, or may be seen."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.hub.clocks import Clock, acknowledgement, clocks_of, followed, standing
from bus.hub.exchange import receipt_queue
from bus.hub.picture import answers, clocked, events, owed, ringing
from bus.hub.picture.answers import About
from bus.hub.picture.projection import Projection
from bus.hub.rows import take_out
from bus.policy import Clearance, deadlines
from bus.subscribing import Stored
from bus.trust import VerifiedRegistry, receipt_grants
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bodies.cyber import CyberIncident
from schemas.bulletin import Bulletin
from schemas.parts import Action, Deadline, Ref
from schemas.subject import Channel as ChannelName
from schemas.vocab import TLP_RANK, FeedbackKind, MsgType, Nis2Stage, ReceiptStage, RefRel, Tlp
from tests.support.hubs import judged
from tests.support.world import NOW, Message, signed_registry
from tests.unit.bus.hub.picture.test_questions import reading
from tests.unit.bus.hub.picture.test_situation import WORLD, Channel, admitted

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
FIRST, SECOND = "0197a1b0-0000-7000-8000-000000000001", "0197a1b0-0000-7000-8000-000000000002"
ASKS = Rfi(question="Which servers are hit?", respond_by=NOW + HOUR, to=("xb-csirt", "dpa"))
ME = "xb-hub"
MARKED = (Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT)


def widened(**changes: Any) -> VerifiedRegistry:
    """The tests' world, where offices say and read to the community what is marked more narrowly, too."""
    document = reading().document

    def wider(grants: Any) -> Any:
        return tuple(
            msgspec.structs.replace(each, tlps=MARKED) if "community" in each.audiences else each
            for each in grants
        )

    authorities = {
        name: record
        if record.kind == "hub"
        else msgspec.structs.replace(record, publish=wider(record.publish), read=wider(record.read))
        for name, record in document.authorities.items()
    }
    changed = msgspec.structs.replace(document, authorities=authorities, **changes)
    return VerifiedRegistry.open(signed_registry(changed, WORLD.roots[:2]))


REGISTRY = widened()
LAW = clocked.law_of(lambda: REGISTRY, ME)


def incident(stage: str, age: dt.timedelta) -> CyberIncident:
    """A significant one."""
    return CyberIncident(
        stage=Nis2Stage(stage),
        classification="availability:ddos",
        detected=NOW - age,
        significant=True,
        impact="minor",
    )


def _pool() -> list[Message]:
    """Requests and their answers, some narrower; handovers; reports of one incident; updates; withdrawals."""
    author, other, third = Channel(), Channel("xb-csirt"), Channel("xb-emb")
    narrow, narrower = Channel("xb-csirt", tlp=Tlp.AMBER), Channel("xb-emb", tlp=Tlp.AMBER_STRICT)
    asks = [author.say(body=ASKS, age_s=9000.0 - n) for n in range(4)]
    other.answer(asks[0], FeedbackKind.REPLY, age_s=300)
    narrow.answer(asks[1], FeedbackKind.REPLY, age_s=290)
    narrow.answer(asks[2], FeedbackKind.REPLY, age_s=280)
    hand = Feedback(verdict=FeedbackKind.HANDOVER, handover_to="xb-emb", text="Theirs.")
    other.answer(asks[3], FeedbackKind.HANDOVER, body=hand, age_s=270)
    narrow.answer(asks[2], FeedbackKind.HANDOVER, body=hand, age_s=600)
    narrower.answer(asks[3], FeedbackKind.REPLY, age_s=260)
    third.answer(asks[2], FeedbackKind.REPLY, age_s=250)
    taken = other.answer(asks[1], FeedbackKind.REPLY, age_s=240)
    other.take_back(taken, age_s=230)
    newer = author.revise(MsgType.UPDATE, asks[0], body=ASKS, age_s=220)
    other.answer(newer, FeedbackKind.QUESTION, age_s=210)
    acts = (
        Action(kind="patch", to=("csirt",), text="Now.", due=NOW - HOUR),
        Action(kind="monitor", to=("csirt",), text="On.", due=NOW + HOUR),
    )
    to_do = author.say(actions=acts, age_s=6 * 3600.0)
    other.answer(
        to_do,
        FeedbackKind.ACTION_TAKEN,
        body=Feedback(verdict=FeedbackKind.ACTION_TAKEN, action="patch"),
        age_s=200,
    )
    for n, (says, filed) in enumerate(((author, FIRST), (other, FIRST), (author, SECOND))):
        says.say(body=incident("early-warning", 20 * HOUR), incident_id=filed, age_s=8000.0 - n)
    author.say(body=incident("incident-notification", 20 * HOUR), incident_id=FIRST, age_s=190)
    narrow.say(body=incident("incident-notification", 20 * HOUR), incident_id=FIRST, age_s=180)
    warning = author.say(body=incident("early-warning", 9 * HOUR), age_s=7000)
    tie = (Ref(id=warning.bulletin.id, rel=RefRel.SAME_INCIDENT),)
    author.say(body=incident("incident-notification", 9 * HOUR), references=tie, age_s=170)
    author.revise(MsgType.CANCEL, to_do, age_s=160)
    again = author.say(actions=acts, age_s=5 * 3600.0)
    narrow.answer(
        again,
        FeedbackKind.ACTION_TAKEN,
        body=Feedback(verdict=FeedbackKind.ACTION_TAKEN, action="monitor"),
        age_s=150,
    )
    runs = (Deadline(clock="nis2-notification", started=NOW - 70 * HOUR, due=NOW + 2 * HOUR, met=None),)
    author.say(body=incident("early-warning", 70 * HOUR), deadlines=runs, age_s=6500)
    return [*author.made, *other.made, *third.made, *narrow.made, *narrower.made]


VERDICTS = [judged(each, REGISTRY) for each in _pool()]
EVERYBODY = Clearance(ceiling=Tlp.RED, audiences=frozenset({"community"}))
CEILINGS = st.sampled_from([Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT])


def standing_rows(db: sqlite3.Connection, rows: Sequence[Stored], who: Clearance) -> list[Stored]:
    """Those that are valid and that somebody may see."""
    there = {row for (row,) in db.execute("SELECT row FROM actual WHERE ended_by IS NULL")}
    return [
        row
        for row in rows
        if row.rowid in there
        and TLP_RANK[row.bulletin.tlp] <= TLP_RANK[who.ceiling]
        and row.bulletin.audience in who.audiences
    ]


def plainly(db: sqlite3.Connection, rows: Sequence[Stored], who: Clearance, now: dt.datetime) -> set[Any]:
    """The clocks that somebody sees, from nothing but the bulletins: id, and the clock as it stands."""
    seen = standing_rows(db, rows, who)
    found = set()
    for row in seen:
        b = row.bulletin
        thread = tuple(ref.id for ref in b.references if ref.rel is RefRel.SUPERSEDES)
        later = [
            each.bulletin for each in seen if each is not row and _is_tied(b, {b.id, *thread}, each.bulletin)
        ]
        for clock in clocks_of(b, REGISTRY.document.clocks):
            is_asked = clock.place.startswith("actions/") or isinstance(b.body, Rfi | Feedback)
            fit = [each for each in later if isinstance(each.body, Feedback) is is_asked]
            found.add((b.id, followed(clock, b, fit, REGISTRY.document, thread)))
        clock_ = _to_read(row, now)
        if clock_ is not None:
            found.add((b.id, clock_))
    return found


def _is_tied(b: Bulletin, ids: set[str], later: Bulletin) -> bool:
    if isinstance(later.body, Feedback):
        names = {ref.issuer or "" for ref in later.references if ref.id in ids}
        channel = str(About.of(later).channel)
        return any(answers.why_not(channel, name, About.of(b), REGISTRY) is None for name in names)
    is_filed = (
        b.incident_id is not None and b.incident_id == later.incident_id and b.issuer.id == later.issuer.id
    )
    return is_filed or any(ref.id in ids for ref in later.references)


def _to_read(row: Stored, now: dt.datetime) -> Clock | None:
    b = row.bulletin
    if not receipt_grants.may_answer(REGISTRY, ME, ChannelName.parse(row.channel)) or b.expires <= now:
        return None
    return acknowledgement(b, row.admitted_at, ["none"], deadlines.DEFAULTS, ME)


def as_told(found: Sequence[owed.Owed]) -> set[Any]:
    """The same of what was asked of the table."""
    return {
        (each.id, Clock(**{name: getattr(each, name) for name in Clock.__struct_fields__})) for each in found
    }


def swept(db: sqlite3.Connection, now: dt.datetime = NOW, law: clocked.Law | None = None) -> None:
    """All is done that a hub does as time goes by."""
    while ringing.advance(db, law or LAW(), now):
        pass


def tables(db: sqlite3.Connection) -> dict[str, list[Any]]:
    """The rows of every table of clocks."""
    names = ("clocks", "clock_keys", "clock_rows", "clock_zones", "clock_upto")
    return {name: sorted(map(repr, map(tuple, db.execute(f"SELECT * FROM {name}")))) for name in names}


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(range(len(VERDICTS))),
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.integers(0, len(VERDICTS)),
    st.sets(st.integers(0, len(VERDICTS) - 1), max_size=3),
    CEILINGS,
)
def test_the_table_says_what_the_bulletins_say(
    order: Sequence[int], sizes: Sequence[int], unmade: int, gone: set[int], ceiling: Tlp
) -> None:
    """In any order and batches, some taken in by a program without a law, some erased; to everybody, and anew."""
    with admitted([VERDICTS[n] for n in order]) as (db, rows):
        plain, hub, start = Projection(), Projection(LAW), 0
        while start < len(rows):
            size = sizes[start % len(sizes)]
            (plain if start < unmade else hub).apply_many(db, rows[start : start + size])
            start += size
        take_out(db, [rows[n].rowid for n in gone])
        swept(db)
        kept = [row for n, row in enumerate(rows) if n not in gone]
        who = Clearance(ceiling=ceiling, audiences=frozenset({"community"}))
        for each in (who, EVERYBODY):
            found = owed.owed_within(db, each, NOW, REGISTRY, ME, every=True)
            assert as_told(found) == plainly(db, kept, each, NOW)
        assert as_told(owed.owed(db, NOW, REGISTRY, ME, every=True)) == plainly(db, kept, EVERYBODY, NOW)
        if not gone:
            before = tables(db)
            hub.clear(db)
            for row in rows:
                hub.apply(db, row)
            swept(db)
            assert tables(db) == before
