"""What is done to the table of clocks as time goes by: what is to be acknowledged comes in, and a clock that falls due rings once.

A hub does it every second, a part at a time, and what it costs is what there is to do. It also makes clocks anew when the law
changes: the clocks and public holidays of the registry, who belongs to what, or the zone of a country.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator

import msgspec

from bus import trust
from bus.hub.clocks import ACKNOWLEDGEMENT, Clock, acknowledgement
from bus.hub.elections import Calendar, calendars, of_country
from bus.hub.picture import clocked, events
from bus.hub.picture.clocked import Law
from bus.hub.rows import TABLE_OF
from bus.storage import single, utc
from bus.subscribing import Stored, as_json, whole
from schemas.elections import coarse, phase_over
from schemas.subject import Channel
from schemas.vocab import ReceiptStage, Status

EVERY_S = 1.0
AT_ONCE = 200
"""So many bulletins are looked at, and so many clocks ring, in one transaction."""
AHEAD_S = 60.0
"""By so much a clock of this machine is set back without anything ringing again; by more, it was wrong before."""
LATE_ACKS = dt.timedelta(days=1)
"""An acknowledgement that is late for longer is left to the alarms of its author."""

_ACTUAL = TABLE_OF[Status.ACTUAL]
_COUNTING = (
    f"SELECT group_concat(row) FROM (SELECT c.row FROM calendars c JOIN {_ACTUAL} t ON t.row = c.row WHERE t.ended_by IS NULL "
    "ORDER BY c.row)"
)
_NEW = f"""
SELECT a.* FROM {_ACTUAL} s JOIN admitted a ON a.row = s.row WHERE s.row > :first AND s.row <= :last AND s.ended_by IS NULL
AND s.issuer != :me AND s.priority IN (SELECT value FROM json_each(:priorities)) AND s.expires > :now
"""
_BEFORE = "SELECT row FROM admitted WHERE admitted_at < ? ORDER BY admitted_at DESC, row DESC LIMIT 1"
_READ = "SELECT digest, at FROM receipt_queue WHERE stage = ? AND digest IN (SELECT value FROM json_each(?))"
_OVER = f"FROM clocks WHERE rule = '{ACKNOWLEDGEMENT}' AND ends < ?"
_FALLEN = "FROM clocks c WHERE c.is_open AND c.ends >= :rung AND c.ends < :now"
_RING = f"""
INSERT INTO events (at, what, row, of, about, tlp_rank, audience)
SELECT c.ends, '{events.LATE}', c.row, '{_ACTUAL}', s.id, c.tlp_rank, c.audience FROM clocks c JOIN {_ACTUAL} s ON s.row = c.row
JOIN admitted a ON a.row = c.row WHERE c.is_open AND c.ends >= :rung AND c.ends < :upto AND s.ended_by IS NULL
AND a.admitted_at <= c.ends GROUP BY c.row, c.ends ORDER BY c.ends, c.row
"""


def is_due(db: sqlite3.Connection, law: Law, now: dt.datetime) -> bool:
    """Whether anything is to be done at a moment."""
    stamp, known, upto, rung = db.execute("SELECT law, calendars, row, rung FROM clock_upto").fetchone()
    moment = now.timestamp()
    if stamp != law.stamp or known != _counting(db) or clocked.is_due(db):
        return True
    if rung is None or rung > moment + AHEAD_S:
        return True
    if law.acknowledges and upto < _newest(db):
        return True
    first = f"SELECT EXISTS (SELECT 1 {_FALLEN})"
    if db.execute(first, {"rung": rung, "now": moment}).fetchone()[0]:
        return True
    return bool(single(db, f"SELECT EXISTS (SELECT 1 {_OVER})", (now - LATE_ACKS).timestamp()))


def advance(db: sqlite3.Connection, law: Law, now: dt.datetime) -> bool:
    """Do a part of what is to be done at a moment, inside a transaction. Returns whether something is left."""
    _heed(db, law)
    is_left = clocked.advance(db, law, AT_ONCE)
    is_left = (law.acknowledges and _take_in(db, law, now)) or is_left
    db.execute(f"DELETE {_OVER}", ((now - LATE_ACKS).timestamp(),))
    return _ring(db, now.timestamp()) or is_left


def _counting(db: sqlite3.Connection) -> str:
    """The calendars that count, as one word to be compared."""
    return str(db.execute(_COUNTING).fetchone()[0] or "")


def _heed(db: sqlite3.Connection, law: Law) -> None:
    """Have clocks made anew by a changed law or calendar."""
    stamp, known = db.execute("SELECT law, calendars FROM clock_upto").fetchone()
    counting = _counting(db)
    if stamp == law.stamp and known == counting:
        return
    zones = {each.country: each.body.tz for each in calendars(db)}
    before = dict(db.execute("SELECT country, zone FROM clock_zones").fetchall())
    changed = [name for name in {*zones, *before} if zones.get(name) != before.get(name)]
    db.execute("DELETE FROM clock_zones")
    db.executemany("INSERT INTO clock_zones VALUES (?, ?)", sorted(zones.items()))
    if stamp != law.stamp:
        db.execute("UPDATE clock_rows SET is_due = 1")
    else:
        there = f"SELECT row FROM {_ACTUAL} WHERE country IN (SELECT value FROM json_each(?))"
        db.execute(
            f"UPDATE clock_rows SET is_due = 1 WHERE row IN ({there} AND row IN (SELECT row FROM clock_rows))",
            (as_json(changed),),
        )
    # By when a hub acknowledges depends on phases, and on to whom it may say so.
    db.execute(f"DELETE FROM clocks WHERE rule = '{ACKNOWLEDGEMENT}'")
    db.execute("UPDATE clock_upto SET law = ?, calendars = ?, row = 0", (law.stamp, counting))


# -- acknowledgements -----------------------------------------------------------------------------------------------------


def _take_in(db: sqlite3.Connection, law: Law, now: dt.datetime) -> bool:
    """Take in what is to be acknowledged, a part of what has come since; returns whether more is left."""
    read_s = {priority: each.read_s for (priority, _), each in law.allowed.items() if each.read_s is not None}
    longest = max((each.read_s or 0 for each in law.allowed.values()), default=0)
    oldest = (now - LATE_ACKS - dt.timedelta(seconds=longest)).timestamp()
    before = db.execute(_BEFORE, (oldest,)).fetchone()
    first = max(single(db, "SELECT row FROM clock_upto"), 0 if before is None else before[0])
    newest = _newest(db)
    last = min(newest, first + AT_ONCE)
    wanted = {
        "first": first,
        "last": last,
        "me": law.me,
        "priorities": as_json(sorted(read_s)),
        "now": now.timestamp(),
    }
    rows = list(whole(db.execute(_NEW, wanted)))
    if rows:
        found = ((row.rowid, row.bulletin, clock, clock, True) for row, clock in _to_read(db, law, rows))
        clocked.write(db, law, found)
    db.execute("UPDATE clock_upto SET row = ?", (last,))
    return last < newest


def _newest(db: sqlite3.Connection) -> int:
    return single(db, f"SELECT coalesce(max(row), 0) FROM {_ACTUAL}")


def _to_read(db: sqlite3.Connection, law: Law, rows: list[Stored]) -> Iterator[tuple[Stored, Clock]]:
    """The bulletins that a person at this hub must read and acknowledge, if their authors are told."""
    known = calendars(db)
    ways = {
        name: trust.receipt_grants.may_answer(law.registry, law.me, Channel.parse(name))
        for name in {row.channel for row in rows}
    }
    digests = as_json([row.digest for row in rows])
    read = {digest: utc(at) for digest, at in db.execute(_READ, (ReceiptStage.ACKNOWLEDGED, digests))}
    for row in rows:
        clock = _acknowledgement(law, row, known) if ways[row.channel] else None
        if clock is not None:
            met = read.get(row.digest)
            yield row, msgspec.structs.replace(clock, met=met)


def _acknowledgement(law: Law, row: Stored, known: tuple[Calendar, ...]) -> Clock | None:
    b = row.bulletin
    there = coarse(phase_over(of_country(known, b.issuer.country), row.admitted_at))
    phases = {there, *([coarse(b.election.phase)] if b.election is not None else [])}
    return acknowledgement(b, row.admitted_at, phases, law.allowed, law.me)


# -- ringing --------------------------------------------------------------------------------------------------------------


def _ring(db: sqlite3.Connection, moment: float) -> bool:
    """Tell of clocks that have become late since the last time, each once; returns whether more are left.

    What was late when it came does not ring. A clock of this machine that is set back a little rings nothing again; after one that was
    far ahead, what rang too early rings at its time.
    """
    (rung,) = db.execute("SELECT rung FROM clock_upto").fetchone()
    if rung is None or rung > moment + AHEAD_S:
        db.execute("UPDATE clock_upto SET rung = ?", (moment,))
        return False
    if rung >= moment:
        return False
    some = f"SELECT c.ends {_FALLEN} ORDER BY c.ends LIMIT :most"
    ends = [end for (end,) in db.execute(some, {"rung": rung, "now": moment, "most": AT_ONCE})]
    # All that end at one moment ring together, so no more than what one moment has is added.
    upto = moment if len(ends) < AT_ONCE else max(ends[-1], ends[0] + 1e-6)
    db.execute(_RING, {"rung": rung, "upto": upto})
    db.execute("UPDATE clock_upto SET rung = ?", (upto,))
    return upto < moment
