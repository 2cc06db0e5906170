"""The picture of a batch against a plain one that is made bulletin by bulletin: every table is the same, however it is grouped."""

from __future__ import annotations

import datetime as dt
import inspect
import random
import sqlite3
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.admission import Judged, Refused
from bus.filters import said
from bus.hub.picture import counts, index, projection, situation, tallies
from bus.hub.picture.projection import Projection
from bus.hub.rows import SITUATION, TABLE_OF, take_out
from bus.storage.layout import bring_up_to_date
from bus.subscribing.intake import Intake
from bus.subscribing.tables import LAYOUT, Stored, as_json, stored
from schemas.bodies.coordination import Feedback
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.system import ChannelStatus, Head, HeldHead
from schemas.bulletin import Bulletin
from schemas.codec import digest
from schemas.parts import Area, Ref
from schemas.subject import area_token, priority
from schemas.vocab import TLP_RANK, ChannelState, FeedbackKind, MsgType, RefRel, Severity, Status, Tlp
from tests.support.elections import election
from tests.support.hubs import beat, judged
from tests.support.threads import still_withdrawn
from tests.support.world import NOW, Message, bulletin, draft, shared_world, sign
from tests.unit.bus.hub.picture.test_bounds import POLLS

WORLD = shared_world()
Projecting = Callable[[sqlite3.Connection, Sequence[Stored]], None]


class Channel:
    """The bulletins of one channel, each after the one before it."""

    def __init__(self, issuer: str = "xa-csirt", **changes: Any) -> None:
        self.made: list[Message] = []
        self._issuer, self._changes = issuer, changes

    def say(self, text: str = "Flood against results.example", age_s: float = 0.0, **of: Any) -> Message:
        """One more; so many seconds old."""
        prev = self.made[-1].digest if self.made else None
        place = {"seq": len(self.made) + 1, "prev": prev, "issued": NOW - dt.timedelta(seconds=age_s)}
        made = bulletin(WORLD, self._issuer, say=draft(text, **self._changes, **of), **place)  # type: ignore[arg-type]
        self.made.append(sign(WORLD, made))
        return self.made[-1]

    def revise(self, how: MsgType, *targets: Message, **of: Any) -> Message:
        """One that supersedes or withdraws others."""
        rel = RefRel.CANCELS if how is MsgType.CANCEL else RefRel.SUPERSEDES
        refs = tuple(Ref(id=each.bulletin.id, rel=rel) for each in targets)
        return self.say(f"{how} of {len(targets)}", msg_type=how, references=refs, **of)

    def take_back(self, *answers: Message, **of: Any) -> Message:
        """The withdrawal of answers, which names what they answered, too."""
        last = answers[-1].bulletin
        refs = (*(Ref(id=each.bulletin.id, rel=RefRel.CANCELS) for each in answers), *last.references)
        return self.say("withdrawn", msg_type=MsgType.CANCEL, references=refs, body=last.body, **of)

    def answer(self, to: Message, verdict: FeedbackKind, rel: RefRel = RefRel.ANSWERS, **of: Any) -> Message:
        """One that answers another."""
        refs = (Ref(id=to.bulletin.id, rel=rel, issuer=to.bulletin.issuer.id),)
        body = of.pop("body", None) or Feedback(verdict=verdict, text="So we see it.")
        return self.say(str(verdict), references=refs, body=body, **of)


XA, XB, EU = Area(scope="country", country="XA"), Area(scope="country", country="XB"), Area(scope="eu")
PLACES = ((XA,), (XA, XB), (EU, XA), (msgspec.structs.replace(XA, country="INT"),), (EU,))


def _pool() -> list[Message]:
    """Updates, cancels, wrong issuers and statuses, heartbeats, calendars, exercises, tests; all in the order of their channels."""
    actual, other = Channel(), Channel("xb-csirt")
    narrow = Channel(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    drill, trial = Channel(status=Status.EXERCISE, exercise_id="ce-2027"), Channel(status=Status.TEST)
    first = [actual.say(f"number {n}", age_s=3600.0 - n, areas=PLACES[n % len(PLACES)]) for n in range(7)]
    drills = [drill.say(f"inject {n}") for n in range(4)]
    theirs, tests = [other.say(), other.say()], [trial.say(), trial.say()]
    hidden = [narrow.say("for few"), narrow.say("for few too")]
    update = actual.revise(MsgType.UPDATE, first[0])
    actual.revise(MsgType.UPDATE, first[0])
    actual.revise(MsgType.CANCEL, first[1])
    actual.revise(MsgType.UPDATE, first[1], first[2], update)
    cancel = actual.revise(MsgType.CANCEL, first[3])
    actual.revise(MsgType.CANCEL, cancel)
    actual.say("only related", references=(Ref(id=first[4].bulletin.id, rel=RefRel.SAME_INCIDENT),))
    actual.say("of an incident", incident_id=first[4].bulletin.id)
    narrow.revise(MsgType.CANCEL, first[5], hidden[0])
    for target in (first[6], drills[0], tests[0]):
        other.revise(MsgType.CANCEL, target, theirs[0])
    drill.revise(MsgType.UPDATE, drills[0], first[4])
    drill.revise(MsgType.CANCEL, drills[1])
    trial.revise(MsgType.CANCEL, tests[1], first[4])
    said = [actual.say(f"thread {n}", age_s=1800.0 - n) for n in range(4)]
    second = actual.revise(MsgType.UPDATE, said[0], age_s=900)
    third = actual.revise(MsgType.UPDATE, second, age_s=800)
    actual.revise(MsgType.CANCEL, said[0], age_s=700)
    actual.revise(MsgType.UPDATE, third, age_s=600)
    moved = narrow.revise(MsgType.UPDATE, said[1], age_s=900)
    actual.revise(MsgType.UPDATE, said[1], age_s=950)
    narrow.revise(MsgType.UPDATE, moved, said[2], age_s=100)
    actual.revise(MsgType.UPDATE, said[3], age_s=1900)
    answers = Channel("xb-dsc")
    dispute = answers.answer(first[0], FeedbackKind.DISPUTE)
    answers.answer(first[0], FeedbackKind.DISPUTE, age_s=1800.0)
    answers.answer(first[2], FeedbackKind.SIGHTING, age_s=5.0)
    answers.answer(first[2], FeedbackKind.SIGHTING, age_s=6.0)
    answers.take_back(dispute)
    other.answer(first[1], FeedbackKind.QUESTION, RefRel.CONTRADICTS)
    other.answer(first[1], FeedbackKind.ENDORSE, RefRel.SAME_INCIDENT)
    polls = Channel("xa-emb", tlp=Tlp.CLEAR, audience="public")
    for n in range(4):
        where = election(("xa-parl-2027", "xa-sen-2027")[n % 2])
        polls.say(body=ElectionCalendar(windows=(POLLS,), tz="Europe/Vienna"), election=where, age_s=60.0 - n)
    beats: list[Message] = []
    for n in range(1, 5):
        heads = [
            Head(channel=f"{status}.green.community", seq=n, digest=digest(b"%d" % n))
            for status in ("actual", "exercise")
        ]
        held = (HeldHead(channel="xb-csirt/actual.green.community", seq=n, digest=digest(b"held")),)
        until = NOW + dt.timedelta(hours=n) if n % 2 else None
        state = ChannelState.DEGRADED if n == 3 else ChannelState.UP
        made = beat(
            *heads, seq=n, prev=beats[-1].digest if beats else None, state=state, held=held, until=until
        )
        beats.append(made)
    made_by = (actual, other, narrow, drill, trial, answers, polls)
    return [*(each for channel in made_by for each in channel.made), *beats]


POOL = _pool()
VERDICTS = [judged(each) for each in POOL]


class Plain(Projection):
    """One statement after the other for one bulletin after the other, and the threads found by looking at everything: the yardstick."""

    def __init__(self) -> None:
        super().__init__()
        self._out: set[str] = set()  # what is taken out for the moment
        self._said: dict[int, Bulletin] = {}

    def clear(self, db: sqlite3.Connection) -> None:
        """Empty all."""
        for table in (*SITUATION, "channels", "outages", "announced_heads", "holdings", "calendars"):
            db.execute(f"DELETE FROM {table}")
        for table in ("revisions", "answered"):
            db.execute(f"DELETE FROM {table} WHERE row IN (SELECT row FROM admitted)")
        self._out.clear()

    def forget(self, db: sqlite3.Connection, channel: str, rows: Iterable[Stored]) -> None:
        """Take a channel out."""
        for row in rows:
            take_out(db, [row.rowid])
            db.execute("DELETE FROM revisions WHERE row = ?", (row.rowid,))
            db.execute("DELETE FROM answered WHERE row = ?", (row.rowid,))
            self._out.add(row.id)
        for table in ("channels", "outages"):
            db.execute(f"DELETE FROM {table} WHERE channel = ?", (channel,))
        self.mark(db)

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """Take bulletins in."""
        for row in rows:
            self._channel(db, row, row.bulletin)
            self._out.discard(row.id)
            self._truth(db, row, row.bulletin)
            self._answers(db, row, row.bulletin)
            self._say(db, row, row.bulletin)
            body = row.bulletin.body
            if isinstance(body, ChannelStatus):
                projection._heartbeat(db, row, body)
            if isinstance(body, ElectionCalendar):
                projection._calendar(db, row)
            index.note(db, [row])

    def show(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take one in that has no effect."""
        self._truth(db, row, row.bulletin)
        index.note(db, [row])

    def _truth(self, db: sqlite3.Connection, row: Stored, b: Bulletin) -> None:
        self._said[row.rowid] = b
        places = sorted(value for field, value in said(b) if field == "area")
        values = {
            "msg_type": b.msg_type,
            "areas": None if places == [area_token(b).upper()] else as_json(places),
            "id": b.id,
            "row": row.rowid,
            "issuer": b.issuer.id,
            "country": b.issuer.country,
            "kind": b.kind,
            "domain": b.issuer.domain,
            "tlp": b.tlp,
            "audience": b.audience,
            "priority": priority(b),
            "severity": b.severity,
            "urgency": b.urgency,
            "area": area_token(b),
            "dimensions": as_json(b.dimensions),
            "election": b.election.id if b.election else None,
            "incident": b.incident_id,
            "headline": b.info[0].headline,
            "issued": b.issued.timestamp(),
            "expires": b.expires.timestamp(),
            "status": b.status,
        }
        if b.msg_type is MsgType.CANCEL:
            values |= {"ended_by": b.id, "ended_how": "withdrawal"}
        elif b.status in (Status.ACTUAL, Status.EXERCISE):
            named = [values[name] if b.status is Status.ACTUAL else "" for name in tallies.Sort._fields]
            one = "INSERT INTO tallies VALUES (?, 'in-force', ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1"
            db.execute(one, (b.status, *named))
        marks = ", ".join(f":{name}" for name in values)
        db.execute(f"INSERT INTO {TABLE_OF[b.status]} ({', '.join(values)}) VALUES ({marks})", values)

    def _answers(self, db: sqlite3.Connection, row: Stored, b: Bulletin) -> None:
        if not isinstance(b.body, Feedback) or b.msg_type is MsgType.CANCEL:
            return
        for ref in b.references:
            if ref.rel in (RefRel.SAME_INCIDENT, RefRel.SUPERSEDES):
                continue
            key = (ref.id, row.channel, str(b.body.verdict))
            sql = "SELECT at, id FROM answered WHERE target = ? AND channel = ? AND verdict = ?"
            held = db.execute(sql, key).fetchone()
            if held is None or tuple(held) < (b.issued.timestamp(), b.id):
                said = (*key, b.issuer.id, ref.issuer or "", b.issued.timestamp(), b.id, row.rowid)
                db.execute("REPLACE INTO answered VALUES (?, ?, ?, ?, ?, ?, ?, ?)", said)

    def _say(self, db: sqlite3.Connection, row: Stored, b: Bulletin) -> None:
        for ref in b.references:
            how = {
                (RefRel.SUPERSEDES, MsgType.UPDATE): "superseded",
                (RefRel.CANCELS, MsgType.CANCEL): "cancelled",
            }.get((ref.rel, b.msg_type))
            if how is not None:
                said = (ref.id, b.issuer.id, b.status, b.id, how, row.rowid, b.issued.timestamp(), b.seq)
                db.execute("INSERT OR IGNORE INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", said)

    def mark(self, db: sqlite3.Connection) -> None:
        """Mark all rows with their endings, found by looking at everything."""
        said = db.execute("SELECT target, issuer, status, by, how, issued, seq FROM revisions").fetchall()
        thread = {key: {key} for each in said for key in ((each[0], *each[1:3]), (each[3], *each[1:3]))}
        for target, issuer, status, by, *_ in said:
            both = thread[target, issuer, status] | thread[by, issuer, status]
            thread |= dict.fromkeys(both, both)
        moments = {
            (id_, channel.partition("/")[0], channel.partition("/")[2].partition(".")[0]): (issued, seq, id_)
            for channel, id_, issued, seq in db.execute(
                "SELECT channel, id, issued, seq FROM links"
            ).fetchall()
            if id_ not in self._out
        }
        moments |= {(by, issuer, status): (issued, seq, by) for _, issuer, status, by, _, issued, seq in said}
        cancels = {(by, issuer, status) for _, issuer, status, by, how, *_ in said if how == "cancelled"}
        for table in SITUATION:
            for row, id_, issuer, status in db.execute(
                f"SELECT row, id, issuer, status FROM {table}"
            ).fetchall():
                key = (id_, issuer, status)
                together = thread.get(key, {key})
                ends = {
                    how: min((e[3] for e in said if (e[0], e[1], e[2], e[4]) == (*key, how)), default=None)
                    for how in ("cancelled", "superseded")
                }
                newest = max(
                    (moments[each] for each in together - cancels if each in moments), default=(0, 0, id_)
                )
                withdrawn = min((each[0] for each in together & cancels), default=None)
                by = how = None
                if ends["cancelled"]:
                    by, how = ends["cancelled"], "cancelled"
                elif newest[2] != id_:
                    by, how = ends["superseded"] or id_, "superseded"
                elif withdrawn:
                    by, how = withdrawn, "cancelled"
                sql = f"UPDATE {table} SET ended_by = ?1, ended_how = ?2 WHERE row = ?3 AND ended_how IS NOT 'withdrawal'"
                db.execute(f"{sql} AND (ended_by IS NOT ?1 OR ended_how IS NOT ?2)", (by, how, row))
        self._count(db)

    def _count(self, db: sqlite3.Connection) -> None:
        """Count what pages are told, by looking at everything."""
        tally: Counter[tuple[object, ...]] = Counter()
        hourly: Counter[tuple[object, ...]] = Counter()
        for table in tallies.COUNTED:
            for row, is_live in db.execute(
                f"SELECT row, ended_by IS NULL AND NOT is_over FROM {table}"
            ).fetchall():
                b = self._said[row]
                limits = (TLP_RANK[b.tlp], b.audience, priority(b))
                facts = [("all", ""), *(each for each in said(b) if each[0] in counts.FIELDS)]
                tally.update((table, *fact, *limits) for fact in facts if is_live)
                hours = (
                    ("", *(str(each) for each in set(b.dimensions)))
                    if b.msg_type is not MsgType.CANCEL
                    else ()
                )
                hourly.update((table, int(b.issued.timestamp() // 3600), each, *limits) for each in hours)
        for name, found in (("tally", tally), ("hourly", hourly)):
            db.execute(f"DELETE FROM {name}")
            db.executemany(
                f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?, ?, ?)", [(*key, n) for key, n in found.items()]
            )

    def _channel(self, db: sqlite3.Connection, row: Stored, b: Bulletin) -> None:
        body = b.body if isinstance(b.body, ChannelStatus) else None
        was = db.execute("SELECT * FROM channels WHERE channel = ?", (row.channel,)).fetchone()
        new = {
            "channel": row.channel,
            "authority": b.issuer.id,
            "last_seq": b.seq,
            "last_issued": b.issued.timestamp(),
            "last_heard": min(b.issued, row.admitted_at).timestamp(),
            "bulletins": 1,
            "released_gaps": int("gap" in row.labels),
            "heartbeat_seq": b.seq if body else 0,
            "state": body.state if body else None,
            "interval_s": body.interval_s if body else None,
        }
        if was is not None:
            if new["heartbeat_seq"] <= was["heartbeat_seq"]:
                new |= {"state": was["state"], "interval_s": was["interval_s"]}
            for name in ("last_seq", "last_issued", "last_heard", "heartbeat_seq"):
                new[name] = max(new[name], was[name])
            for name in ("bulletins", "released_gaps"):
                new[name] += was[name]
        marks = ", ".join(f":{name}" for name in new)
        db.execute(f"REPLACE INTO channels ({', '.join(new)}) VALUES ({marks})", new)


@contextmanager
def admitted(verdicts: Sequence[Judged | Refused]) -> Iterator[tuple[sqlite3.Connection, list[Stored]]]:
    """A store that has taken these in, each without the one before it if need be, with an empty picture; and its rows."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.row_factory = sqlite3.Row
        bring_up_to_date(db, Path("memory"), (LAYOUT, *Projection().layouts))
        intake = Intake(None, 0.0)
        for each in verdicts:
            intake.settle(db, [each], None, None, NOW)
            intake.release(db, NOW + dt.timedelta(seconds=1))
        rows = [stored(row) for row in db.execute("SELECT * FROM admitted ORDER BY row").fetchall()]
        assert len(rows) == len(verdicts)
        db.execute("BEGIN")
        yield db, rows
    finally:
        db.close()


def dump(db: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every table, row by row; what is counted to nothing counts for nothing."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()]
    db.execute("DELETE FROM tallies WHERE count = 0")
    counts.tidy(db)
    names.remove("threads")  # what follows from `revisions`
    for name in (
        "events",
        "events_upto",
        "clock_rows",
    ):  # what was told is a record, what is noted waits for the law
        names.remove(name)
    found = {
        name: sorted(map(tuple, db.execute(f"SELECT * FROM {name}").fetchall()), key=repr) for name in names
    }
    found["newly_withdrawn"] = still_withdrawn(db)
    return found


def tried(db: sqlite3.Connection, work: Callable[[], None]) -> dict[str, list[tuple[Any, ...]]]:
    """What every table is after some work, which is undone."""
    db.execute("SAVEPOINT tried")
    work()
    found = dump(db)
    db.execute("ROLLBACK TO tried")
    return found


def in_groups(
    picture: Projection, db: sqlite3.Connection, rows: Sequence[Stored], sizes: Sequence[int]
) -> None:
    """Take rows in, in groups of these sizes, again from the first when there are more."""
    start = turn = 0
    while start < len(rows):
        size = sizes[turn % len(sizes)]
        picture.apply_many(db, rows[start : start + size])
        start, turn = start + size, turn + 1
    if isinstance(picture, Plain):
        picture.mark(db)


def played(
    picture: Projection, db: sqlite3.Connection, rows: Sequence[Stored], sizes: Sequence[int]
) -> list[Any]:
    """The tables after they were taken in, after each channel was forgotten and taken in again, and after all was made anew."""
    found: list[Any] = []

    def work() -> None:
        in_groups(picture, db, rows, sizes)
        found.append(dump(db))
        for channel in sorted({row.channel for row in rows}):
            mine = [row for row in rows if row.channel == channel]
            picture.forget(db, channel, mine)
            found.append(dump(db))
            in_groups(picture, db, mine, sizes)
        found.append(dump(db))
        picture.clear(db)
        in_groups(picture, db, rows, sizes)

    found.append(tried(db, work))
    return found


ARRIVALS = st.permutations(range(len(POOL))).flatmap(
    lambda order: st.integers(1, len(order)).map(lambda count: list(order[:count]))
)
SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=4)


FEW: dict[str, Any] = {"MAX_HEADS": 2, "MAX_OF_ELECTION": 1, "MAX_CALENDARS": 2}


@pytest.fixture(autouse=True, scope="module")
def few_are_kept() -> Iterator[None]:
    """Of heads and calendars."""
    with patch.multiple(projection, **FEW):
        yield


@settings(max_examples=40, deadline=None)
@given(ARRIVALS, SIZES)
def test_a_batch_leaves_what_bulletins_one_by_one_leave(arrivals: list[int], sizes: list[int]) -> None:
    """In whatever order they came; also when a channel is taken out and comes back, and when the picture is made anew."""
    with admitted([VERDICTS[n] for n in arrivals]) as (db, rows):
        assert played(Projection(), db, rows, sizes) == played(Plain(), db, rows, [1])


def test_one_that_is_shown_alone_stands_there_as_it_did() -> None:
    """With the ending that came before it, and ending nothing."""
    with admitted(VERDICTS) as (db, rows):

        def shown(picture: Projection) -> None:
            for n, row in enumerate(rows):
                (picture.show if n % 3 else picture.apply)(db, row)
            if isinstance(picture, Plain):
                picture.mark(db)

        assert tried(db, lambda: shown(Projection())) == tried(db, lambda: shown(Plain()))


def test_a_withdrawal_that_stands_again_is_no_situation() -> None:
    """What had withdrawn it, on a channel of its own, is taken out: then all is as if that had never come."""
    green, narrow = Channel(), Channel(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    withdrawal = green.revise(MsgType.CANCEL, green.say("number 1"))
    narrow.revise(MsgType.CANCEL, withdrawal)
    picture = Projection()
    with admitted([judged(each) for each in (*green.made, *narrow.made)]) as (db, rows):

        def taken_out() -> None:
            picture.apply_many(db, rows)
            picture.forget(db, rows[-1].channel, rows[-1:])

        found, expected = tried(db, taken_out), tried(db, lambda: picture.apply_many(db, rows[:-1]))
    assert (found["actual"], found["tallies"]) == (expected["actual"], expected["tallies"])


def test_a_withdrawal_that_was_named_before_it_came_stays_one_when_the_picture_is_made_anew() -> None:
    """In parts: an update that names it is taken in first, and what has a place already is no version for that."""
    green, narrow = Channel(), Channel(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    first = green.say("number 1", age_s=50.0)
    withdrawal = green.revise(MsgType.CANCEL, first, age_s=30.0)
    early = narrow.revise(MsgType.UPDATE, withdrawal, age_s=40.0)
    late = narrow.revise(MsgType.UPDATE, first, age_s=10.0)
    picture = Projection()
    with admitted([judged(each) for each in (first, early, withdrawal, late)]) as (db, rows):
        order = {each.bulletin.id: n for n, each in enumerate((first, early, withdrawal, late))}
        rows.sort(key=lambda row: order[row.id])

        def in_parts() -> None:
            for row in rows:
                picture.apply_many(db, [row])

        in_parts()
        live = dump(db)["actual"]
        assert ("cancelled",) in [tuple(each) for each in db.execute(_ENDED, (late.bulletin.id,)).fetchall()]
        picture.clear(db)
        in_parts()
        assert dump(db)["actual"] == live


_ENDED = "SELECT ended_how FROM actual WHERE id = ?"


def test_a_place_that_leads_to_another_bulletin_ends_none() -> None:
    """After a flipped bit in the number of its row: what withdraws the one leaves the other in force."""
    green = Channel()
    first, _ = green.say("number 1"), green.say("number 2")
    green.revise(MsgType.CANCEL, first)
    with admitted([judged(each) for each in green.made]) as (db, rows):
        db.execute("UPDATE places SET row = 2 WHERE seq = 1")
        Projection().apply_many(db, rows)
        assert db.execute("SELECT ended_how FROM actual WHERE row = 2").fetchone()[0] is None


def test_a_batch_needs_hardly_more_statements_than_one_bulletin() -> None:
    """One more for each 32 and table at the most, as long as nothing ends; of several channels and sorts. Three tables have all."""
    few, many = Channel(), Channel("xb-csirt")
    for n in range(60):
        many.say(f"number {n}", severity=(Severity.MINOR, Severity.SEVERE)[n % 2])
    few.say()
    statements: list[int] = []
    for channels in ([few], [few, many]):
        verdicts = [judged(each) for channel in channels for each in channel.made]
        with admitted(verdicts) as (db, rows):
            seen: list[str] = []
            Projection().apply_many(Counting(db, seen), rows)  # type: ignore[arg-type]
            statements.append(len(seen))
    assert statements[1] - statements[0] <= 3 * (61 // 32)


class Counting:
    """A connection that notes what is asked of it."""

    def __init__(self, db: sqlite3.Connection, seen: list[str]) -> None:
        self._db, self._seen = db, seen

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """One statement."""
        self._seen.append(sql)
        return self._db.execute(sql, *values)

    def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
        """One statement for many rows."""
        self._seen.append(sql)
        return self._db.executemany(sql, values)


# -- batches that overlook something ------------------------------------------------------------------------------------

OVERLOOKED: dict[str, tuple[types.ModuleType, str, str]] = {
    "what was ended before it came": (
        situation,
        "named = threads.named_among(db, [row.id for row in rows])\n    if ties",
        "named: set[str] = set()\n    if ties",
    ),
    "what is ended now": (
        situation,
        "_note_ends(db, threads.take_in(db, here, ties, _known))",
        "threads.take_in(db, here, ties, _known)",
    ),
    "what was said before": (
        situation,
        "key = threads.Key(id_, place",
        "key = threads.Key(channel, place",
    ),
    "what is taken back": (situation, "_note_ends(db, threads.take_back(", "list(threads.take_back("),
    "the status of a revision": (situation, "_ENDING.get(ref.rel) is b.msg_type", "True"),
    "that a withdrawal is no situation": (
        situation,
        "is_ended = b.msg_type is _CANCEL",
        "is_ended = False",
    ),
    "that a withdrawal has its end": (situation, "if b.msg_type is not _ALERT or election", "if election"),
    "an election": (situation, "or election is not None ", ""),
    "an incident": (situation, " or incident is not None", ""),
    "several places": (situation, " or areas is not None", ""),
    "how many are live": (counts, "cells[cell] += n", "cells[cell] = n"),
    "how many came in an hour": (counts, "hours[hour, dimension", "hours[0, dimension"),
    "the audience of what is counted": (
        counts,
        "(field, value, rank, cell.audience",
        "(field, value, rank, cell.kind",
    ),
    "who may end": (situation, "AND issuer = ?4", "AND ?4 IS NOT NULL"),
    "sorts": (
        situation,
        "not is_ended, cell] += 1",
        "not is_ended, cell] = 1",
    ),
    "that there are several of a channel": (projection, "channel.bulletins += 1", "channel.bulletins = 1"),
    "gaps": (projection, 'channel.released_gaps += "gap" in row.labels', "pass"),
    "when a channel was heard": (
        projection,
        "channel.heard = max(channel.heard, heard)",
        "channel.heard = heard",
    ),
    "the dates": (projection, "channel.issued = max(channel.issued, issued)", "channel.issued = issued"),
    "the last number": (projection, "channel.seq = max(channel.seq, b.seq)", "channel.seq = b.seq"),
    "the last heartbeat": (projection, " and b.seq > channel.beat_seq", ""),
    "a heartbeat": (projection, "_heartbeat(db, row, body)\n            elif", "pass\n            elif"),
    "a calendar": (projection, "                _calendar(db, row)\n", "                pass\n"),
}


@pytest.mark.parametrize("check", OVERLOOKED)
def test_a_batch_that_overlooks_something_is_caught(check: str) -> None:
    """Some order and grouping leaves other tables."""
    module, found, instead = OVERLOOKED[check]
    source = inspect.getsource(module)
    assert source.count(found) == 1, "the check stands elsewhere by now"
    made = types.ModuleType(module.__name__)
    exec(compile(source.replace(found, instead), "wrong picture", "exec"), made.__dict__)  # noqa: S102 (our own source)
    if module is situation:
        wrong, patched = Projection, patch.object(projection, "situation", made)
    elif module is counts:
        wrong, patched = Projection, patch.object(situation, "counts", made)
    else:
        wrong, patched = made.__dict__["Projection"], patch.multiple(made, **FEW)
    with patched:
        for seed in range(40):
            dice = random.Random(seed)
            order = dice.sample(range(len(POOL)), len(POOL)) if seed else list(range(len(POOL)))
            with admitted([VERDICTS[n] for n in order]) as (db, rows):
                if played(wrong(), db, rows, [dice.randint(2, 30)]) != played(Plain(), db, rows, [1]):
                    return
    pytest.fail("no history tells it apart")
