"""The table of clocks: what is owed, by when, and what met it; written in the transaction that projects.

A bulletin that starts clocks, or that may meet clocks of others, is noted as due. `advance` makes its rows anew, and those of the
bulletins whose clocks it may meet: triggers note these when what names them comes, ends or goes. So the table follows from the
bulletins and the law alone, in whatever order they came (docs/adr/068).
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from bus.hub.clocks import ACKNOWLEDGEMENT, Clock, clocks_of, followed, is_owner
from bus.hub.elections import zone_of
from bus.hub.picture import answers, tied
from bus.hub.picture.answers import About
from bus.hub.picture.counts import rank_of
from bus.hub.picture.tied import matters
from bus.hub.rows import TABLE_OF
from bus.policy import Deadlines, deadlines
from bus.storage import Layout, insert_rows
from bus.subscribing import Stored, as_json, whole
from bus.trust import HUB, VerifiedRegistry
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bulletin import Bulletin
from schemas.codec import digest
from schemas.vocab import Status

AT_ONCE = 200
"""So many bulletins are looked at in one transaction."""

_ENDS = tuple(dt.datetime(*day, tzinfo=dt.UTC).timestamp() for day in ((1, 1, 2), (9999, 12, 31)))
"""What is earlier or later is kept as one of these: a day from the ends of the calendar every zone and the table can say a moment."""
_STATUS = Status.ACTUAL
_ACTUAL = TABLE_OF[_STATUS]

# What is filed under an incident meets the clocks of its own author; of a supervisory authority, those of all.
_OTHERS = (
    f"UPDATE clock_rows SET is_due = 1 WHERE row IN (SELECT row FROM clock_keys WHERE how = {tied.STARTS} AND key = {{0}}.key AND "
    f"({{0}}.key NOT LIKE '{tied.INCIDENT}%' OR {{0}}.issuer IN (issuer, '{tied.DPA}')))"
)
IS_ACK = f"({{}} = '{ACKNOWLEDGEMENT}')"
"""SQL: whether a rule is that of acknowledgements, as the index has it."""
_TABLES = f"""
CREATE TABLE IF NOT EXISTS clocks (
  row INTEGER NOT NULL, rule TEXT NOT NULL, place TEXT NOT NULL, owner TEXT NOT NULL, start REAL NOT NULL, due REAL NOT NULL,
  latest REAL, ends REAL NOT NULL, met REAL, met_by TEXT, is_told INTEGER NOT NULL, is_open INTEGER NOT NULL,
  is_ours INTEGER NOT NULL, tlp_rank INTEGER NOT NULL, audience TEXT NOT NULL, issuer TEXT NOT NULL, PRIMARY KEY (row, rule, place)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS clocks_open ON clocks (tlp_rank, audience, ends) WHERE is_open;
CREATE INDEX IF NOT EXISTS clocks_ours ON clocks (tlp_rank, audience, ends) WHERE is_open AND is_ours;
CREATE INDEX IF NOT EXISTS clocks_by_author ON clocks (tlp_rank, audience, {IS_ACK.format("rule")}, issuer, ends) WHERE is_open AND is_ours;
CREATE INDEX IF NOT EXISTS clocks_of_rule ON clocks (rule, tlp_rank, audience, ends) WHERE is_open;
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
CREATE TRIGGER IF NOT EXISTS clock_keys_come AFTER INSERT ON clock_keys WHEN new.how = {tied.MEETS} BEGIN {_OTHERS.format("new")}; END;
CREATE TRIGGER IF NOT EXISTS clock_keys_go AFTER DELETE ON clock_keys WHEN old.how = {tied.MEETS} BEGIN {_OTHERS.format("old")}; END;
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
_TO_AUTHORS = f"""
ALTER TABLE clocks ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
UPDATE clocks SET issuer = coalesce((SELECT s.issuer FROM {_ACTUAL} s WHERE s.row = clocks.row), '');
"""
LAYOUT = Layout("clocks", _TABLES + _FILL, (_TO_AUTHORS,))


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
    found = [(row.rowid,) for row in rows if (b := row.bulletin).status is _STATUS and matters(b)]
    if found:
        insert_rows(db, "INSERT OR REPLACE INTO clock_rows (row, is_due)", "(?, 1)", found)


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
        tied.keep_keys(db, row, () if kept is None else frozenset(tied.keys(kept)))
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
            _seconds(last.start),
            _seconds(last.due),
            None if last.latest is None else _seconds(last.latest),
            _seconds(last.limit),
            None if last.met is None else _seconds(last.met),
            last.met_by,
            is_told,
            last.met is None or not is_told,
            is_owner(law.me, (*first.owner, *last.owner), known),
            rank_of(b.tlp),
            b.audience,
            b.issuer.id,
        )
        for row, b, first, last, is_told in clocks
    ]
    if values:
        db.executemany(f"INSERT OR REPLACE INTO clocks VALUES ({', '.join('?' * 16)})", values)


def _seconds(moment: dt.datetime) -> float:
    return min(max(moment.timestamp(), _ENDS[0]), _ENDS[1])


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
    later = tuple(tied.later_of(db, b))
    rank = rank_of(b.tlp)
    is_told = all(each.audience == b.audience and rank_of(each.tlp) <= rank for each in later)
    for clock in clocks:
        yield clock, after(clock, b, later, law.registry), is_told


def after(clock: Clock, b: Bulletin, later: Sequence[Bulletin], registry: VerifiedRegistry) -> Clock:
    """A clock after those later bulletins that may meet one of its sort: answers what is asked, reports what is reported."""
    is_asked = clock.place.startswith("actions/") or isinstance(b.body, Rfi | Feedback)
    thread = tied.thread(b)
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
