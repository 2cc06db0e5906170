"""The table of clocks: what is owed, by when, and what met it; written in the transaction that projects.

A bulletin that starts clocks, or that may meet clocks of others, is noted as due. `advance` makes its rows anew, and those of the
bulletins whose clocks it may meet: triggers note these when what names them comes, ends or goes. So the table follows from the
bulletins and the law alone, in whatever order they came (docs/adr/068).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from bus.hub.clocks import ACKNOWLEDGEMENT, ANSWERING, Clock, clocks_of, followed, is_owner
from bus.hub.elections import zone_of
from bus.hub.picture import answers
from bus.hub.picture.answers import About
from bus.hub.picture.clearance import ask
from bus.hub.picture.counts import rank_of
from bus.hub.rows import TABLE_OF
from bus.policy import Clearance, Deadlines, deadlines
from bus.storage import Layout, insert_rows
from bus.subscribing import Stored, as_json, whole
from bus.trust import HUB, VerifiedRegistry
from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.enforcement import Enforcement
from schemas.bulletin import Bulletin
from schemas.codec import digest
from schemas.vocab import MsgType, RefRel, Status

AT_ONCE = 200
"""So many bulletins are looked at in one transaction."""
MOST_OF_ONE = 8
"""So many bulletins of one authority about a bulletin are tried on its clocks, the earliest ones: many of one hide no other's."""
MOST_FILED = 50
"""So many reports of one authority that are filed under one incident are tried on the clocks of each other."""
MOST_STARTED = 50
"""So many bulletins of one authority under one name have clocks that others meet: what names them costs no more."""

_DPA = "dpa"
_MEETS, _STARTS = 1, 0
_REPORTS = (CyberIncident, DataBreach, PostElectionReport, Enforcement)
_BODIES = (Rfi, Feedback, *_REPORTS)
_ACTUAL = TABLE_OF[Status.ACTUAL]

_INCIDENT = "incident/"
# What is filed under an incident meets the clocks of its own author; of a supervisory authority, those of all.
_OTHERS = (
    f"UPDATE clock_rows SET is_due = 1 WHERE row IN (SELECT row FROM clock_keys WHERE how = {_STARTS} AND key = {{0}}.key AND "
    f"({{0}}.key NOT LIKE '{_INCIDENT}%' OR {{0}}.issuer IN (issuer, '{_DPA}')))"
)
_TABLES = f"""
CREATE TABLE IF NOT EXISTS clocks (
  row INTEGER NOT NULL, rule TEXT NOT NULL, place TEXT NOT NULL, owner TEXT NOT NULL, start REAL NOT NULL, due REAL NOT NULL,
  latest REAL, ends REAL NOT NULL, met REAL, met_by TEXT, is_told INTEGER NOT NULL, is_open INTEGER NOT NULL,
  is_ours INTEGER NOT NULL, tlp_rank INTEGER NOT NULL, audience TEXT NOT NULL, PRIMARY KEY (row, rule, place)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS clocks_open ON clocks (tlp_rank, audience, ends) WHERE is_open;
CREATE INDEX IF NOT EXISTS clocks_ours ON clocks (tlp_rank, audience, ends) WHERE is_open AND is_ours;
CREATE INDEX IF NOT EXISTS clocks_met ON clocks (tlp_rank, audience, met) WHERE met IS NOT NULL AND NOT is_open;
CREATE INDEX IF NOT EXISTS clocks_ending ON clocks (ends) WHERE is_open;
CREATE INDEX IF NOT EXISTS clocks_to_read ON clocks (ends) WHERE rule = '{ACKNOWLEDGEMENT}';
CREATE TABLE IF NOT EXISTS clock_rows (row INTEGER PRIMARY KEY, is_due INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS clock_rows_due ON clock_rows (row) WHERE is_due;
CREATE TABLE IF NOT EXISTS clock_keys (
  how INTEGER NOT NULL, key TEXT NOT NULL, issuer TEXT NOT NULL, issued REAL NOT NULL, id TEXT NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (how, key, issuer, issued, id, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS clock_keys_of_row ON clock_keys (row);
CREATE TABLE IF NOT EXISTS clock_zones (country TEXT PRIMARY KEY, zone TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock_upto (
  n INTEGER PRIMARY KEY, law TEXT NOT NULL, calendars TEXT NOT NULL, row INTEGER NOT NULL, rung REAL
);
CREATE TRIGGER IF NOT EXISTS clock_keys_come AFTER INSERT ON clock_keys WHEN new.how = {_MEETS} BEGIN {_OTHERS.format("new")}; END;
CREATE TRIGGER IF NOT EXISTS clock_keys_go AFTER DELETE ON clock_keys WHEN old.how = {_MEETS} BEGIN {_OTHERS.format("old")}; END;
CREATE TRIGGER IF NOT EXISTS clocks_end AFTER UPDATE OF ended_by ON {_ACTUAL} WHEN (old.ended_by IS NULL) != (new.ended_by IS NULL) \
BEGIN INSERT INTO clock_rows VALUES (new.row, 1) ON CONFLICT DO UPDATE SET is_due = 1; \
DELETE FROM clocks WHERE row = new.row AND rule = '{ACKNOWLEDGEMENT}'; \
UPDATE clock_upto SET row = new.row - 1 WHERE new.ended_by IS NULL AND row >= new.row; END;
CREATE TRIGGER IF NOT EXISTS clocks_read AFTER INSERT ON receipt_queue WHEN new.stage = 'acknowledged' BEGIN \
UPDATE clocks SET met = new.at, is_open = 0 WHERE rule = '{ACKNOWLEDGEMENT}' AND met IS NULL \
AND row IN (SELECT row FROM links WHERE id = new.id AND digest = new.digest); END;
"""
# Of a store of before there was the table: all is looked at once.
_FILL = f"""
INSERT OR IGNORE INTO clock_rows SELECT row, 1 FROM {_ACTUAL} WHERE NOT EXISTS (SELECT 1 FROM clock_upto);
INSERT OR IGNORE INTO clock_upto VALUES (1, '', '', 0, NULL);
"""
LAYOUT = Layout("clocks", _TABLES + _FILL)


class Law(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """By what clocks run, beside the bulletins.

    Attributes:
        registry: the clocks of laws, public holidays, who belongs to what, who may read what.
        me: the authority whose store it is.
        acknowledges: whether a person there must read and acknowledge what comes: whether it is a hub.
        allowed: how long a hub has for that.
    """

    registry: VerifiedRegistry
    me: str
    acknowledges: bool
    allowed: Deadlines = deadlines.DEFAULTS

    @cached_property
    def stamp(self) -> str:
        """Changes with what decides; keys and contacts decide nothing."""
        known = self.registry.document
        who = {name: (each.kind, each.country, each.read) for name, each in known.authorities.items()}
        allowed = sorted((*key, each.received_s, each.read_s) for key, each in self.allowed.items())
        said = (known.clocks, known.holidays, known.audiences, who, self.me, self.acknowledges, allowed)
        return digest(msgspec.json.encode(said, order="sorted"))


def law_of(
    registry: Callable[[], VerifiedRegistry], me: str, allowed: Deadlines = deadlines.DEFAULTS
) -> Callable[[], Law]:
    """A function that gives the law as the registry stands, the same object while that is the same; see `Law`."""
    last: list[Law] = []

    def law() -> Law:
        known = registry()
        if not last or last[0].registry is not known:
            record = known.document.authorities.get(me)
            is_hub = record is not None and record.kind == HUB
            last[:] = [Law(registry=known, me=me, acknowledges=is_hub, allowed=allowed)]
        return last[0]

    return law


# -- noting ---------------------------------------------------------------------------------------------------------------


def note(db: sqlite3.Connection, rows: Iterable[Stored]) -> None:
    """Note the bulletins that may start clocks or meet some, inside a transaction."""
    found = [(row.rowid,) for row in rows if row.bulletin.status is _STATUS and _matters(row.bulletin)]
    if found:
        insert_rows(db, "INSERT OR REPLACE INTO clock_rows (row, is_due)", "(?, 1)", found)


_STATUS = Status.ACTUAL


def _matters(b: Bulletin) -> bool:
    if isinstance(b.body, _BODIES) or b.deadlines:
        return True
    return any(each.due is not None for each in b.actions)


def clear(db: sqlite3.Connection) -> None:
    """Empty the tables; what has rung stays rung."""
    for table in ("clock_rows", "clock_keys", "clocks"):
        db.execute(f"DELETE FROM {table}")
    db.execute("UPDATE clock_upto SET row = 0")


# -- making ---------------------------------------------------------------------------------------------------------------


def is_due(db: sqlite3.Connection) -> bool:
    """Whether bulletins are noted whose clocks are to be made."""
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM clock_rows WHERE is_due)").fetchone()[0])


def advance(db: sqlite3.Connection, law: Law, most: int = AT_ONCE) -> bool:
    """Make the clocks of what is noted, at most so many bulletins, inside a transaction. Returns whether something is left."""
    left = most
    while left > 0:
        due = [row for (row,) in db.execute("SELECT row FROM clock_rows WHERE is_due LIMIT ?", (left,))]
        if not due:
            return False
        left -= len(due)
        _make(db, law, due)
    return is_due(db)


def _make(db: sqlite3.Connection, law: Law, rows: Sequence[int]) -> None:
    given = as_json(rows)
    standing = (
        f"SELECT a.* FROM {_ACTUAL} s JOIN admitted a ON a.row = s.row WHERE s.ended_by IS NULL "
        "AND s.row IN (SELECT value FROM json_each(?))"
    )
    found = {row.rowid: row for row in whole(db.execute(standing, (given,)).fetchall())}
    for row in rows:
        kept = found.get(row)
        _keep_keys(db, row, () if kept is None else frozenset(_keys(kept)))
    db.execute("UPDATE clock_rows SET is_due = 0 WHERE row IN (SELECT value FROM json_each(?))", (given,))
    keyless = "AND NOT EXISTS (SELECT 1 FROM clock_keys k WHERE k.row = clock_rows.row)"
    db.execute(f"DELETE FROM clock_rows WHERE row IN (SELECT value FROM json_each(?)) {keyless}", (given,))
    there = zones(db)
    for row in rows:  # once all keys are there, so that those of one transaction find each other
        kept = found.get(row)
        clocks = () if kept is None else tuple(_clocks(db, law, kept.bulletin, there))
        db.execute(f"DELETE FROM clocks WHERE row = ? AND rule != '{ACKNOWLEDGEMENT}'", (row,))
        write(db, law, () if kept is None else ((kept.rowid, kept.bulletin, *each) for each in clocks))


def write(
    db: sqlite3.Connection, law: Law, clocks: Iterable[tuple[int, Bulletin, Clock, Clock, bool]]
) -> None:
    """Write clocks: row, bulletin, the clock as it began and as it stands, and whether all who see it see what changed it."""
    known = law.registry.document
    values = [
        (
            row,
            last.rule,
            last.place,
            as_json(last.owner),
            last.start.timestamp(),
            last.due.timestamp(),
            None if last.latest is None else last.latest.timestamp(),
            last.limit.timestamp(),
            None if last.met is None else last.met.timestamp(),
            last.met_by,
            is_told,
            last.met is None or not is_told,
            is_owner(law.me, (*first.owner, *last.owner), known),
            rank_of(b.tlp),
            b.audience,
        )
        for row, b, first, last, is_told in clocks
    ]
    if values:
        db.executemany(f"INSERT OR REPLACE INTO clocks VALUES ({', '.join('?' * 15)})", values)


def zones(db: sqlite3.Connection) -> Mapping[str, str]:
    """The zone of each country that has a calendar."""
    return dict(db.execute("SELECT country, zone FROM clock_zones").fetchall())


def started(registry: VerifiedRegistry, b: Bulletin, zones: Mapping[str, str]) -> tuple[Clock, ...]:
    """The clocks of a bulletin, as far as it shows by itself whether they are met."""
    country, known = b.issuer.country, registry.document
    free = frozenset(known.holidays.get(country, ()))
    return clocks_of(b, known.clocks, zone=zone_of(zones.get(country, "UTC")), holidays=free)


def _clocks(
    db: sqlite3.Connection, law: Law, b: Bulletin, there: Mapping[str, str]
) -> Iterator[tuple[Clock, Clock, bool]]:
    clocks = started(law.registry, b, there)
    if not clocks:
        return
    later = tuple(later_of(db, b))
    rank = rank_of(b.tlp)
    is_told = all(each.audience == b.audience and rank_of(each.tlp) <= rank for each in later)
    for clock in clocks:
        yield clock, after(clock, b, later, law.registry), is_told


def after(clock: Clock, b: Bulletin, later: Sequence[Bulletin], registry: VerifiedRegistry) -> Clock:
    """A clock after those later bulletins that may meet one of its sort: answers what is asked, reports what is reported."""
    is_asked = clock.place.startswith("actions/") or isinstance(b.body, Rfi | Feedback)
    thread = _thread(b)
    fit = [each for each in later if isinstance(each.body, Feedback) is is_asked]
    if is_asked:
        about, ids = About.of(b), frozenset((b.id, *thread))
        fit = [each for each in fit if _counts(each, about, ids, registry)]
    return followed(clock, b, fit, registry.document, thread) if fit else clock


def _counts(answer: Bulletin, about: About, ids: frozenset[str], registry: VerifiedRegistry) -> bool:
    """Whether an answer is valid, by one of the names under which it answers."""
    names = {ref.issuer or "" for ref in answer.references if ref.id in ids}
    channel = str(About.of(answer).channel)
    return any(answers.why_not(channel, name, about, registry) is None for name in names)


# -- what may meet what ---------------------------------------------------------------------------------------------------


def _thread(b: Bulletin) -> tuple[str, ...]:
    return tuple(ref.id for ref in b.references if ref.rel is RefRel.SUPERSEDES)


def _filed(b: Bulletin) -> str:
    """The key of the incident under which it is filed; empty of none. An answer counts for what it names alone."""
    return "" if b.incident_id is None or isinstance(b.body, Feedback) else f"{_INCIDENT}{b.incident_id}"


def _keys(row: Stored) -> Iterator[tuple[int, str, str, float, str]]:
    """The keys of a bulletin: under which its clocks are met, and which it may meet."""
    b = row.bulletin
    if b.msg_type is MsgType.CANCEL or not _matters(b):
        return
    author, issued, filed = b.issuer.id, b.issued.timestamp(), _filed(b)
    for key in {b.id, *_thread(b), *([filed] if filed else [])}:
        yield _STARTS, key, author, issued, b.id
    is_answer = isinstance(b.body, Feedback)
    if is_answer or isinstance(b.body, _REPORTS) or any(each.met for each in b.deadlines):
        for key in {ref.id for ref in b.references if not is_answer or ref.rel in ANSWERING}:
            yield _MEETS, key, author, issued, b.id
        # A breach is told of by the authority to which it was notified, too.
        for whose in {author, *([_DPA] if b.issuer.kind == _DPA else [])} if filed else ():
            yield _MEETS, filed, whose, issued, b.id


def _keep_keys(db: sqlite3.Connection, row: int, wanted: Iterable[tuple[Any, ...]]) -> None:
    """Bring the keys of a bulletin up to date; those that stay are not touched, so that they note nothing."""
    held = {
        tuple(each)
        for each in db.execute("SELECT how, key, issuer, issued, id FROM clock_keys WHERE row = ?", (row,))
    }
    place = "how = ? AND key = ? AND issuer = ?"
    for key in sorted(held - set(wanted)):
        db.execute(f"DELETE FROM clock_keys WHERE {place} AND issued = ? AND id = ? AND row = ?", (*key, row))
    for key in sorted(set(wanted) - held):
        if key[0] == _STARTS:
            (many,) = db.execute(f"SELECT count(*) FROM clock_keys WHERE {place}", key[:3]).fetchone()
            if many >= MOST_STARTED:
                continue
        db.execute("INSERT INTO clock_keys VALUES (?, ?, ?, ?, ?, ?)", (*key, row))


def _authors(db: sqlite3.Connection, key: str) -> Iterator[str]:
    """Whose bulletins name a key, each found by one step of the index."""
    sql = f"SELECT issuer FROM clock_keys WHERE how = {_MEETS} AND key = ? AND issuer > ? ORDER BY issuer LIMIT 1"
    issuer = ""
    while (found := db.execute(sql, (key, issuer)).fetchone()) is not None:
        issuer = found[0]
        yield issuer


_FIRST = f"""
SELECT s.row FROM clock_keys k CROSS JOIN {_ACTUAL} s ON s.row = k.row
WHERE k.how = {_MEETS} AND k.key = :key AND k.issuer = :issuer AND LIMITS(s) AND s.ended_by IS NULL
ORDER BY k.issued, k.id LIMIT :most
"""


def later_of(db: sqlite3.Connection, b: Bulletin, clearance: Clearance | None = None) -> Iterator[Bulletin]:
    """The valid bulletins that may meet the clocks of a bulletin; of each author so many.

    Args:
        db: a reader's store.
        b: the bulletin.
        clearance: whose limits; None for all that the store holds.
    """
    rows: set[int] = set()

    def first(key: str, issuer: str, most: int) -> None:
        place = {"key": key, "issuer": issuer, "most": most}
        if clearance is None:
            found = db.execute(_FIRST.replace("LIMITS(s)", "1"), place)
        else:
            found = ask(db, clearance, _FIRST, place)
        rows.update(row for (row,) in found)

    for key in {b.id, *_thread(b)}:
        for issuer in _authors(db, key):
            first(key, issuer, MOST_OF_ONE)
    if filed := _filed(b):
        for issuer in {b.issuer.id, _DPA}:
            first(filed, issuer, MOST_FILED)
    sql = "SELECT * FROM admitted WHERE row IN (SELECT value FROM json_each(?))"
    for row in whole(db.execute(sql, (as_json(sorted(rows)),))):
        if row.bulletin.id != b.id:
            yield row.bulletin
