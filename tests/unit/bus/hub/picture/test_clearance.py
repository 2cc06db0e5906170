"""Nobody is told of what is marked above his ceiling or said to others: no row, figure, event, observable or word."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import sqlite3
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.filters import Selection, observed, of_text, said
from bus.hub.picture import clearance as limits
from bus.hub.picture import (
    clocked,
    counts,
    dossier,
    events,
    figures,
    index,
    lines,
    lists,
    narrowing,
    noise,
    owed,
    projection,
    ringing,
    searching,
)
from bus.hub.picture.clearance import above, ask
from bus.hub.picture.projection import Projection
from bus.policy import Clearance
from bus.subscribing.tables import Stored
from schemas.bulletin import Bulletin
from schemas.parts import Observable
from schemas.subject import priority
from schemas.vocab import TALK, TLP_RANK, MsgType, PersonalFlag, Status, Tlp
from tests.support.hubs import judged
from tests.support.world import NOW
from tests.unit.bus.hub.picture.test_situation import POOL, WORLD, Channel, admitted

ASKED = (
    "",
    "text:few",
    "text:number",
    "issuer:xa-csirt",
    "country:xb",
    "results.example",
    "text:shared*",
    "since:30m",
)
LISTED = (Status.ACTUAL, Status.EXERCISE)
SHARED = "203.0.113.7"


def _more() -> list[Any]:
    """Bulletins that share an observable, on channels of each marking."""
    made = []
    for tlp, audience in ((Tlp.AMBER_STRICT, "eu-csirts"), (Tlp.GREEN, "community"), (Tlp.CLEAR, "public")):
        channel = Channel("xb-emb" if tlp is Tlp.CLEAR else "xb-csirt", tlp=tlp, audience=audience)
        seen = Observable(type="ipv4-addr", personal=PersonalFlag.NONE, value=SHARED)
        for n in range(3):
            until = NOW + dt.timedelta(hours=n + 1)
            channel.say(f"shared {n}", observables=(seen,), age_s=60.0 * n, expires=until)
        made += channel.made
    return made


# The channels of xb-csirt that the pool has go on there; these are others' or are taken in without the pool.
ALL = [judged(each) for each in (*(each for each in POOL if each.bulletin.issuer.id != "xb-csirt"), *_more())]
CLEARANCES = st.builds(
    Clearance,
    ceiling=st.sampled_from(list(Tlp)),
    audiences=st.frozensets(st.sampled_from(("community", "eu-csirts", "public", "nobody"))),
)
STORES = st.tuples(
    st.permutations(range(len(ALL))),
    st.integers(0, len(ALL)),
    st.integers(0, 80),
    st.sampled_from((-2, 0, 1, 2, 3, 24, 719, 720)),
    st.sampled_from((-2, 0, 1, 2, 3, 24, 720)),
)


def may(who: Clearance, b: Bulletin) -> bool:
    """The rule, written again."""
    return TLP_RANK[b.tlp] <= TLP_RANK[who.ceiling] and b.audience in who.audiences


class Seen:
    """A store, and what a look at all its bulletins says that a person may see of it."""

    def __init__(self, db: sqlite3.Connection, rows: list[Stored], who: Clearance, now: dt.datetime) -> None:
        self.db, self.who, self.now = db, who, now
        self.rows = {row.rowid: row.bulletin for row in rows}

    def visible(self, status: Status, *, live: bool = True) -> dict[int, Bulletin]:
        """The bulletins of a status that are live, or all but withdrawals, and may be seen."""
        table = {"actual": "actual", "exercise": "exercise"}[status]
        standing = "ended_by IS NULL AND expires > ?" if live else "msg_type != 'cancel' AND ?"
        found = self.db.execute(
            f"SELECT row FROM {table} WHERE {standing} ORDER BY row", (self.now.timestamp(),)
        )
        return {row: self.rows[row] for (row,) in found if may(self.who, self.rows[row])}


def all_pages(page: Any, **of: Any) -> list[lines.Line]:
    """Every line of a list, page by page, each of them once."""
    found: list[lines.Line] = []
    after = None
    for _ in range(200):
        one = page(after=after, size=3, **of)
        assert len(one.lines) <= 3
        found += one.lines
        if (after := one.next) is None:
            assert len({line.row for line in found}) == len(found)
            return found
    raise AssertionError("the pages have no end")


@settings(max_examples=28, deadline=None)
@given(STORES, CLEARANCES)
def test_no_more_is_told_than_may_be_seen_and_no_less(store: Any, who: Clearance) -> None:
    """Of random stores, swept at another time than they are asked at, and indexed up to some point: lists, figures, searches, events and dossiers."""
    order, count, indexed, hours, swept = store
    now = NOW + dt.timedelta(hours=hours)
    with admitted([ALL[n] for n in order]) as (db, rows):
        Projection().apply_many(db, rows[:count])
        seen = Seen(db, rows, who, now)
        _events(seen, rows[:count])
        if swept >= 0:
            projection.sweep(db, NOW.timestamp() + swept * 3600.0)
        index.advance(db, indexed) if indexed else None
        for status in LISTED:
            _lists(seen, status)
            _figures(seen, status)
        told = events.events_after(db, who, 0, 1000).events
        assert all(may(who, seen.rows[each.row]) for each in told if each.row)
        _dossiers(seen, rows)
        _clocks(seen)


def _lists(seen: Seen, status: Status) -> None:
    db, who, now = seen.db, seen.who, seen.now
    live, kept = seen.visible(status), seen.visible(status, live=False)
    ranked = sorted(live, key=lambda row: (priority(live[row]), -live[row].issued.timestamp(), -row))
    for line in ASKED:
        asked = of_text(line)
        wanted = {row for row, b in kept.items() if asked.matches(b, now)}
        of: dict[str, Any] = {"status": status, "selection": asked}

        def page(name: str, of: dict[str, Any] = of, **more: Any) -> Any:
            return lambda **at: getattr(lists, name)(db, who, now, **of, **more, **at)

        assert [each.row for each in all_pages(page("gravest"))] == [row for row in ranked if row in wanted]
        newest = [row for row in sorted(live, reverse=True) if row in wanted]
        assert [each.row for each in all_pages(page("newest"))] == newest
        assert [each.row for each in all_pages(page("newest", with_ended=True))] == sorted(
            wanted, reverse=True
        )
        bars = figures.histogram(db, who, now, status=status, selection=asked)
        assert sum(bar.n for bar in bars) == len(newest)
        told = figures.facets_and_histogram(db, who, now, status=status, selection=asked)
        assert told == (figures.facets(db, who, now, status=status, selection=asked), bars)
        _facets(seen, status, asked)
        if asked.text:
            found = searching.search(db, who, now, asked.text, status=status)
            assert (found.looked_at, found.has_more) == (len(wanted), False)
            assert {each.row for each in found.lines} == wanted
    some = sorted(kept)[len(kept) // 2] if kept else 0
    after = lists.since(db, who, now, some, status=status, size=100)
    assert [each.row for each in after.lines] == [row for row in sorted(live) if row > some]
    for norm in (SHARED, "results.example"):
        also = lists.also_in(db, who, now, norm, status=status, but=some, size=100)
        having = [row for row, b in kept.items() if row != some and norm in {each[0] for each in observed(b)}]
        assert [each.row for each in also.lines] == sorted(having, reverse=True)


def _facets(seen: Seen, status: Status, asked: Selection) -> None:
    expected: dict[str, Counter[str]] = {}
    for b in seen.visible(status).values():
        if asked.matches(b, seen.now):
            for field, value in {*said(b), ("tlp", str(b.tlp)), ("priority", priority(b))}:
                if field in (*counts.FIELDS, "tlp", "priority", "audience"):
                    expected.setdefault(field, Counter())[value] += 1
    found = figures.facets(seen.db, seen.who, seen.now, status=status, selection=asked)
    assert {each.field: {value.value: value.n for value in each.values} for each in found} == expected
    assert all(sum(value.by_priority.values()) == value.n for each in found for value in each.values)


def _figures(seen: Seen, status: Status) -> None:
    db, who, now = seen.db, seen.who, seen.now
    live = seen.visible(status)
    totals = figures.totals(db, who, now, status=status)
    assert totals.n == len(live)
    assert totals.by_priority == Counter(map(priority, live.values()))
    assert totals.by_tlp == Counter(str(b.tlp) for b in live.values())
    all_of_it = seen.visible(status)
    seen.who = Clearance(ceiling=Tlp.RED, audiences=who.audiences)
    assert totals.above == len(seen.visible(status)) - len(all_of_it)
    seen.who = who
    areas = Counter(value for b in live.values() for field, value in said(b) if field == "area")
    assert {name: tile.n for name, tile in figures.tiles(db, who, now, status=status).items()} == areas
    came = [
        b
        for b in seen.visible(status, live=False).values()
        if (now - b.issued).total_seconds() < 23 * 3600 and b.issued <= now
    ]
    arrived = figures.arrivals(db, who, now, status=status)
    assert len(arrived.bars) == 24
    assert sum(bar.n for bar in arrived.bars) >= len(came)
    assert sum(bar.n for bar in arrived.bars) <= len(seen.visible(status, live=False))


def _events(seen: Seen, rows: list[Stored]) -> None:
    told: list[events.Event] = []
    n = 0
    while True:
        some = events.events_after(seen.db, seen.who, n, 4)
        assert some.is_whole
        told += some.events
        if some.upto == n:
            break
        n = some.upto
    assert n == events.newest(seen.db)
    assert all(may(seen.who, seen.rows[each.row]) for each in told if each.row)
    came = {
        row.rowid
        for row in rows
        if row.bulletin.status not in TALK and row.bulletin.msg_type is not MsgType.CANCEL
    }
    wanted = {row for row in came if may(seen.who, seen.rows[row])}
    assert {each.row for each in told if each.what in (events.NEW, events.UPDATED, events.ANSWERED)} == wanted


def _dossiers(seen: Seen, rows: list[Stored]) -> None:
    hidden = {b.id for b in seen.rows.values() if not may(seen.who, b)}
    for row in rows:
        b = row.bulletin
        if b.status not in LISTED:
            continue
        found = dossier.one_bulletin(seen.db, seen.who, seen.now, WORLD.registry, b.id, status=b.status)
        table = "actual" if b.status is Status.ACTUAL else "exercise"
        is_there = seen.db.execute(f"SELECT 1 FROM {table} WHERE row = ?", (row.rowid,)).fetchone()
        assert (found is not None) == (is_there is not None and may(seen.who, b))
        if found is not None:
            told = msgspec.json.encode(msgspec.structs.replace(found, stored=None)).decode()
            assert not [id_ for id_ in hidden if id_ in told]
            assert found.stored is not None
            assert found.admission is not None
            assert found.admission.kid == row.kid
            assert row.rowid in {each.row for each in found.lineage.versions}


def _clocks(seen: Seen) -> None:
    """A clock is told of what may be seen alone."""
    law = clocked.law_of(lambda: WORLD.registry, "xb-hub")()
    while ringing.advance(seen.db, law, seen.now):
        pass
    found = owed.owed_within(seen.db, seen.who, seen.now, WORLD.registry, "xb-hub", every=True)
    by_id = {b.id: b for b in seen.rows.values()}
    assert all(may(seen.who, by_id[each.id]) for each in found)
    assert all(may(seen.who, by_id[each.met_by]) for each in found if each.met_by in by_id)


def test_an_alarm_of_a_channel_is_told_to_those_who_may_read_it() -> None:
    """By the marking and the audience in its name; one of the hub itself to everybody."""
    with admitted([]) as (db, _):
        for channel in ("xa-csirt/actual.amber-strict.eu-csirts", "xa-csirt/actual.green.community", "-"):
            db.execute(
                "INSERT INTO alarms (channel, reason, detail, began) VALUES (?, 'silent', '', 1.0)",
                (channel,),
            )
        db.execute("UPDATE alarms SET ended = 2.0 WHERE channel LIKE '%green%'")
        few = Clearance(ceiling=Tlp.GREEN, audiences=frozenset({"community"}))
        told = events.events_after(db, few, 0).events
        assert [(each.what, each.about, each.of) for each in told] == [
            ("channel-alarm", "xa-csirt/actual.green.community", "silent"),
            ("channel-alarm", "-", "silent"),
            ("channel-well", "xa-csirt/actual.green.community", "silent"),
        ]
        many = Clearance(ceiling=Tlp.AMBER_STRICT, audiences=frozenset({"eu-csirts"}))
        assert [each.about for each in events.events_after(db, many, 0).events] == [
            "xa-csirt/actual.amber-strict.eu-csirts",
            "-",
        ]


# -- every read goes through the one function -------------------------------------------------------------------------------

FOR_PAGES: tuple[ModuleType, ...] = (lines, lists, figures, searching, dossier)
"""Modules that read for pages alone."""
HELPERS = {
    "waiting",
    "last_row",
    "first_since",
    "thread_of",
    "in_thread",
    "why",
    "reach",
    "narrow",
    "ask",
    "above",
}
"""What of other modules may be given the connection: of a bulletin that was seen, with limits, or only numbers of rows to walk."""


@pytest.mark.parametrize("module", FOR_PAGES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_pages_read_by_one_function(module: ModuleType) -> None:
    """None of their modules runs a statement, and each gives the connection to what has limits, or to its own functions."""
    tree = ast.parse(inspect.getsource(module))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    doors = {name for each in FOR_PAGES for name, _ in inspect.getmembers(each, inspect.isfunction)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("execute", "executemany", "executescript", "cursor")
        if isinstance(node, ast.Call) and any(
            isinstance(each, ast.Name) and each.id == "db" for each in node.args
        ):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name in own | doors | HELPERS, f"{name} is given the store"
            if name in own | doors | {"waiting", "narrow", "ask", "above"}:
                given = [each.id for each in node.args if isinstance(each, ast.Name)]
                assert given[:2] == ["db", "clearance"], f"{name} is called without the limits of who asks"


def test_clocks_are_read_by_it() -> None:
    """What a person asks goes through `ask`; without it is read what belongs to no person, and a bulletin that `ask` has found."""
    source = ast.parse(inspect.getsource(owed))
    executing = [
        each.name
        for each in ast.walk(source)
        if isinstance(each, ast.FunctionDef) and "attr='execute'" in ast.dump(each)
    ]
    assert executing == ["owed_as_of", "_as_seen", "ask", "_pairs"]
    with pytest.raises(ValueError, match="no LIMITS"), admitted([]) as (db, _):
        ask(db, Clearance(ceiling=Tlp.RED, audiences=frozenset()), "SELECT c.rule FROM clocks c")


def test_what_the_log_tells_goes_through_it_too() -> None:
    """Of the functions that read events, the one for pages."""
    source = ast.parse(inspect.getsource(events.events_after)).body[0]
    called = [
        node.func.id
        for node in ast.walk(source)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert "ask" in called
    assert "execute" not in ast.dump(source)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT row FROM actual s",
        "SELECT s.row FROM actual s JOIN exercise x ON x.row = s.row WHERE LIMITS(s)",
        "SELECT row FROM observables o WHERE norm = 'x'",
        "SELECT n FROM tally WHERE LIMITS(t)",
        "SELECT s.row FROM actual s WHERE LIMITS(s) AND s.row IN (SELECT s.row FROM events s)",
    ],
)
def test_a_statement_without_limits_is_refused(sql: str) -> None:
    """Whichever table it forgets."""
    with admitted([]) as (db, _), pytest.raises(ValueError, match=r"LIMITS|alias"):
        ask(db, Clearance(ceiling=Tlp.RED, audiences=frozenset()), sql)


@pytest.mark.parametrize(
    "sql",
    [
        "s.row FROM actual s WHERE LIMITS(s)",
        "count(*) FROM actual s",
        "count(*) FROM actual s WHERE LIMITS(s) GROUP BY s.id",
    ],
)
def test_of_what_is_above_a_number_alone_is_told(sql: str) -> None:
    """And that of one's own audiences."""
    with admitted([]) as (db, _), pytest.raises(ValueError, match=r"number|LIMITS"):
        above(db, Clearance(ceiling=Tlp.CLEAR, audiences=frozenset()), sql, {})


def test_a_marking_that_is_none_is_above_everybody() -> None:
    """After a flipped bit nobody sees it."""
    channel = Channel()
    channel.say()
    with admitted([judged(each) for each in channel.made]) as (db, rows):
        Projection().apply_many(db, rows)
        everybody = Clearance(ceiling=Tlp.RED, audiences=frozenset({"community"}))
        assert lists.gravest(db, everybody, NOW).lines
        db.execute("UPDATE actual SET tlp = 'grean'")
        assert not lists.gravest(db, everybody, NOW).lines


def test_every_table_with_a_marking_is_limited() -> None:
    """What has the columns is in the list of those that no statement reads without limits."""
    with admitted([]) as (db, _):
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        marked = {
            name
            for name in names
            if any(row[1] == "tlp_rank" for row in db.execute(f"PRAGMA table_xinfo({name})"))
        }
    assert marked == limits.LIMITED


def test_what_is_known_to_say_nothing_has_its_source() -> None:
    """Each kind; and hosts, addresses and digests are found by it, pages and mail boxes are not."""
    lists_ = noise._LISTS.read_text("utf-8")
    assert lists_.count("source = ") == lists_.count("\n[")
    assert noise.why_known("8.8.8.8") == "resolver"
    assert noise.why_known("10.1.2.3") == "private-range"
    assert noise.why_known("a.b.cloudfront.net") == "content-network"
    assert noise.why_known("bit.ly") == "shortener"
    assert noise.why_known("https://bit.ly/x") == ""
    assert noise.why_known("somebody@gmail.com") == ""
    assert noise.why_known("notgmail.com") == ""
    assert narrowing.FEW > noise.COMMON
    assert Path(noise._LISTS).name == "noise.toml"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT s.id FROM tally t, actual s WHERE LIMITS(t)",
        'SELECT s.id FROM tally t JOIN "actual" s WHERE LIMITS(t)',
        "SELECT s.id FROM tally t JOIN `actual` s WHERE LIMITS(t)",
        "SELECT s.id FROM tally t JOIN [actual] s WHERE LIMITS(t)",
        "SELECT s.id FROM tally t JOIN main.actual s WHERE LIMITS(t)",
        "SELECT s.id FROM tally t JOIN (actual) s WHERE LIMITS(t)",
        "SELECT 1 IN actual FROM tally t WHERE LIMITS(t)",
        "SELECT t.n FROM tally t WHERE LIMITS(t) OR 1",
        "SELECT t.n FROM tally t WHERE 1 OR LIMITS(t)",
        "SELECT t.n FROM tally t WHERE NOT LIMITS(t)",
        "SELECT t.n FROM tally t -- WHERE LIMITS(t)",
        "SELECT t.n FROM tally t /* WHERE LIMITS(t) */",
        "SELECT t.n, 'AND LIMITS(t)' FROM tally t",
        "SELECT t.n, LIMITS(t) FROM tally t",
        "SELECT t.n FROM actual s LEFT JOIN tally t ON LIMITS(t) WHERE LIMITS(s)",
    ],
)
def test_a_statement_that_hides_what_it_reads_is_refused(sql: str) -> None:
    """Limits that do not hold for the whole statement, and tables that they are not asked of."""
    with pytest.raises(ValueError, match=r"statement for pages|LIMITS comes after"):
        limits._limited(sql, "{0}.tlp_rank <= 1")
