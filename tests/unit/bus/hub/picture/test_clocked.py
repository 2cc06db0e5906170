"""The table of clocks against a plain look at every bulletin: whatever comes, in whatever order, is ended, goes, or may be seen."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.hub.clocks import Clock, acknowledgement, clocks_of, followed
from bus.hub.exchange import receipt_queue
from bus.hub.picture import answers, clocked, events, owed, ringing, tied
from bus.hub.picture.answers import About
from bus.hub.picture.projection import Projection
from bus.hub.rows import take_out
from bus.policy import Clearance, deadlines
from bus.subscribing import Stored
from bus.trust import VerifiedRegistry, receipt_grants
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.electoral import ElectionCalendar
from schemas.bulletin import Bulletin
from schemas.parts import Action, Deadline, Ref
from schemas.subject import Channel as ChannelName
from schemas.vocab import (
    TLP_RANK,
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
from tests.support.elections import election
from tests.support.hubs import judged
from tests.support.world import NOW, Message, signed_registry
from tests.unit.bus.hub.picture.test_bounds import POLLS
from tests.unit.bus.hub.picture.test_owed import GRAVE
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
            mine = [
                owed.owed_within(db, each, NOW, REGISTRY, ME, ours=ME, by_author=turns)
                for turns in (False, True)
            ]
            assert mine[0] == mine[1]
        assert as_told(owed.owed(db, NOW, REGISTRY, ME, every=True)) == plainly(db, kept, EVERYBODY, NOW)
        if not gone:
            before = tables(db)
            hub.clear(db)
            for row in rows:
                hub.apply(db, row)
            swept(db)
            assert tables(db) == before


# -- what time, the law and calendars do ------------------------------------------------------------------------------------


def held(db: sqlite3.Connection, law: clocked.Law, **of: Any) -> list[owed.Owed]:
    """The clocks of a store, but for acknowledgements."""
    found = owed.owed(db, NOW, law.registry, ME, **of)
    return [each for each in found if each.rule != "acknowledgement"]


def test_a_public_holiday_of_the_registry_counts_where_the_authority_is() -> None:
    """A clock is made anew when the registry names one; that of another state changes nothing."""
    author = Channel()
    made = author.say(body=incident("incident-notification", 20 * HOUR), age_s=60)
    with admitted([judged(made, REGISTRY)]) as (db, rows):
        Projection(LAW).apply_many(db, rows)
        swept(db)
        (before,) = held(db, LAW())
        assert before.latest is not None
        last = (before.latest - HOUR).date()
        later = {}
        for country in ("XB", "XA"):
            registry = widened(holidays={country: (last,)})
            law = clocked.law_of(lambda registry=registry: registry, ME)()  # type: ignore[misc]  # bound now
            assert ringing.is_due(db, law, NOW)
            swept(db, law=law)
            assert not ringing.is_due(db, law, NOW)
            (each,) = held(db, law)
            later[country] = each.latest
            assert each.due == before.due
        assert later["XB"] == before.latest
        assert later["XA"] is not None
        assert later["XA"] >= before.latest + DAY


def test_a_calendar_says_in_which_zone_a_day_ends() -> None:
    """Of its country, from when it comes until it is withdrawn."""
    author, polls = Channel(), Channel("xa-emb", tlp=Tlp.CLEAR, audience="public")
    made = author.say(body=incident("incident-notification", 20 * HOUR), age_s=60)
    calendar = polls.say(
        body=ElectionCalendar(windows=(POLLS,), tz="Europe/Vienna"), election=election("xa-parl-2027")
    )
    gone = polls.revise(MsgType.CANCEL, calendar)
    with admitted([judged(each, REGISTRY) for each in (made, calendar, gone)]) as (db, rows):
        hub = Projection(LAW)
        latest = []
        for row in rows:
            hub.apply(db, row)
            swept(db)
            (each,) = held(db, LAW())
            assert each.latest is not None
            latest.append(each.latest.hour)
        assert latest == [0, 22, 0]


def test_of_what_a_hub_owes_each_author_has_its_part() -> None:
    """However many duties of one author end first, and however much is to be acknowledged; of each author those that end first."""
    flood, other = Channel(), Channel("xb-csirt")
    for n in range(9):
        acts = (Action(kind="patch", to=(ME,), text="Now.", due=NOW - (9 - n) * HOUR),)
        flood.say(f"flood {n}", 10 * 3600.0 - n, actions=acts, **GRAVE)
    for n in (2, 1):
        acts = (Action(kind="patch", to=(ME,), text="Now.", due=NOW - (20 + n) * HOUR),)
        other.say(f"other {n}", 30 * 3600.0 - n, actions=acts)
    with admitted([judged(each, REGISTRY) for each in (*flood.made, *other.made)]) as (db, rows):
        Projection(LAW).apply_many(db, rows)
        swept(db)
        found = owed.owed_within(db, EVERYBODY, NOW, REGISTRY, ME, ours=ME, by_author=True, most=4)
        duties = [each.headline for each in found if each.rule == "action-patch"]
        assert duties == ["other 2", "other 1", "flood 7", "flood 8"]
        assert sum(each.rule == "acknowledgement" for each in found) == 4


def test_a_table_of_before_learns_the_authors() -> None:
    """Each clock says whose bulletin started it, as if it had been made now."""
    with admitted(VERDICTS) as (db, rows):
        Projection(LAW).apply_many(db, rows)
        swept(db)
        before = tables(db)
        assert before["clocks"]
        for statement in (
            "DROP INDEX clocks_by_author",
            "ALTER TABLE clocks DROP COLUMN issuer",
            *filter(str.strip, clocked.LAYOUT.migrations[0].split(";\n")),
        ):
            db.execute(statement)
        assert tables(db) == before


FAR, LONG_AGO = dt.datetime.max.replace(tzinfo=dt.UTC), dt.datetime.min.replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "of",
    [
        {"body": msgspec.structs.replace(incident("early-warning", HOUR), detected=LONG_AGO)},
        {"body": Rfi(question="Since when?", respond_by=FAR, to=("xb-csirt",))},
        {"actions": (Action(kind="patch", to=("csirt",), text="Now.", due=FAR),)},
    ],
    ids=["of the year 1", "asked for 9999", "due in 9999"],
)
@pytest.mark.parametrize("zone", ["Europe/Athens", "America/New_York"])
def test_a_time_at_the_ends_of_the_calendar_stops_no_hub(zone: str, of: dict[str, Any]) -> None:
    """One author would keep a hub from taking anything in, or all its readers from their clocks."""
    made = Channel().say(**of)
    with admitted([judged(made, REGISTRY)]) as (db, rows):
        db.execute("INSERT INTO clock_zones VALUES ('XA', ?)", (zone,))
        Projection(LAW).apply_many(db, rows)
        for each in owed.owed(db, NOW, REGISTRY, ME):
            assert each.due.astimezone(ZoneInfo(zone)) >= each.start.astimezone(ZoneInfo(zone))


def test_what_the_law_of_now_does_not_know_tells_nobody_what_met_it() -> None:
    """Until the table is made anew it has the clock of before, with an answer that this reader may not see."""
    author, narrow = Channel(), Channel(tlp=Tlp.AMBER)
    made = author.say(body=incident("early-warning", 90 * HOUR), incident_id=FIRST, age_s=90)
    told = narrow.say(body=incident("incident-notification", 90 * HOUR), incident_id=FIRST, age_s=60)
    with admitted([judged(each, REGISTRY) for each in (made, told)]) as (db, rows):
        Projection(LAW).apply_many(db, rows)
        who = Clearance(ceiling=Tlp.GREEN, audiences=frozenset({"community"}))
        seen = owed.owed_within(db, who, NOW, REGISTRY, every=True)
        assert [each.met for each in seen if each.rule == "nis2-notification"] == [None]
        assert owed.owed_within(db, who, NOW, widened(clocks={}), every=True) == ()


def rung(db: sqlite3.Connection) -> list[tuple[str, float]]:
    """What has rung: which bulletin's, and when."""
    return [tuple(row) for row in db.execute("SELECT about, at FROM events WHERE what = ?", (events.LATE,))]


def test_a_clock_that_becomes_late_rings_once() -> None:
    """At its time, whatever is done after it: a look again, a picture made anew, a clock of this machine that is set back."""
    author, other = Channel(), Channel("xb-csirt")
    ask = msgspec.structs.replace
    old = author.say(body=ask(ASKS, respond_by=NOW - HOUR), age_s=9000)
    first = author.say(body=ASKS, age_s=8000)
    answered = author.say(body=ask(ASKS, respond_by=NOW + 2 * HOUR), age_s=7000)
    reply = other.answer(answered, FeedbackKind.REPLY, age_s=60)
    last = author.say(body=ask(ASKS, respond_by=NOW + 3 * HOUR), age_s=6000)
    made = [old, first, answered, last, reply]
    with admitted([judged(each, REGISTRY) for each in made]) as (db, rows):
        hub = Projection(LAW)
        hub.apply_many(db, rows)
        swept(db)
        assert rung(db) == []  # what was late when it came is no news
        wanted = [(each.bulletin.id, (NOW + n * HOUR).timestamp()) for each, n in ((first, 1), (last, 3))]
        swept(db, NOW + HOUR)
        assert rung(db) == []  # the last moment is in time
        later = NOW + HOUR + dt.timedelta(seconds=1)
        assert ringing.is_due(db, LAW(), later)
        swept(db, later)
        assert rung(db) == wanted[:1]
        assert not ringing.is_due(db, LAW(), NOW + HOUR)
        swept(db, NOW + HOUR)
        hub.clear(db)
        hub.apply_many(db, rows)
        swept(db, later)
        assert rung(db) == wanted[:1]
        swept(db, NOW + DAY)
        assert rung(db) == wanted
        (row,) = db.execute(
            "SELECT row, tlp_rank, audience FROM events WHERE about = ? AND what = 'clock-late'",
            (last.bulletin.id,),
        )
        assert (row["tlp_rank"], row["audience"]) == (TLP_RANK[Tlp.GREEN], "community")


def test_a_clock_of_this_machine_that_was_wrong_silences_nothing() -> None:
    """It was a year ahead for a moment: what rang then too early rings at its time, and what comes later rings, too."""
    author = Channel()
    first = author.say(body=ASKS, age_s=8000)
    later = author.say(body=msgspec.structs.replace(ASKS, respond_by=NOW + 3 * HOUR), age_s=6000)
    with admitted([judged(each, REGISTRY) for each in (first, later)]) as (db, rows):
        Projection(LAW).apply_many(db, rows)
        swept(db)
        swept(db, NOW + 365 * DAY)
        assert [each for each, _ in rung(db)] == [first.bulletin.id, later.bulletin.id]
        assert ringing.is_due(db, LAW(), NOW)
        swept(db, NOW)
        assert len(rung(db)) == 2
        for n, message in ((2, first), (4, later)):
            swept(db, NOW + n * HOUR)
            assert rung(db)[-1][0] == message.bulletin.id
        assert len(rung(db)) == 4


def test_a_store_of_before_there_was_the_table_has_it_made() -> None:
    """From the bulletins that it holds, as if they came now; nothing rings that was late before."""
    with admitted(VERDICTS) as (db, rows):
        Projection(LAW).apply_many(db, rows)
        swept(db)
        before = tables(db)
        for (name,) in db.execute(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'clock%' AND type = 'table'"
        ).fetchall():
            db.execute(f"DROP TABLE {name}")
        for statement in clocked.LAYOUT.schema.split(";\n"):
            db.execute(statement)
        swept(db)
        after = tables(db)
        assert {name for name in before if before[name] != after[name]} <= {"clock_upto"}
        assert rung(db) == []


def test_who_acknowledges_stops_the_clock_at_once() -> None:
    """In the transaction that notes it."""
    made = Channel().say(
        age_s=600.0, urgency=Urgency.IMMEDIATE, severity=Severity.EXTREME, certainty=Certainty.OBSERVED
    )
    with admitted([judged(made, REGISTRY)]) as (db, rows):
        Projection(LAW).apply_many(db, rows)
        swept(db)
        (clock,) = owed.owed(db, NOW, REGISTRY, ME, ours=ME)
        assert (clock.rule, clock.owner) == ("acknowledgement", (ME,))
        channel = About.of(made.bulletin).channel
        receipt_queue.add(
            db, ReceiptStage.ACKNOWLEDGED, made.digest, made.bulletin.id, channel, NOW.timestamp()
        )
        assert owed.owed(db, NOW, REGISTRY, ME, ours=ME) == ()
        (met,) = owed.owed(db, NOW, REGISTRY, ME, every=True)
        assert met.met == NOW
        before = tables(db)
        Projection(LAW).clear(db)
        Projection(LAW).apply_many(db, rows)
        swept(db)
        assert tables(db) == before


def test_one_author_makes_no_more_work_than_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the bulletins under one name so many have clocks that others meet, and what names them looks at no more."""
    monkeypatch.setattr(tied, "MOST_STARTED", 3)
    author = Channel()
    made = [
        author.say(body=incident("early-warning", 20 * HOUR), incident_id=FIRST, age_s=9000.0 - n)
        for n in range(6)
    ]
    with admitted([judged(each, REGISTRY) for each in made]) as (db, rows):
        Projection(LAW).apply_many(db, rows)
        (many,) = db.execute(
            "SELECT count(*) FROM clock_keys WHERE how = 0 AND key LIKE 'incident/%'"
        ).fetchone()
        assert many == 3
