"""The live log: what has happened to what the picture shows, in order; pages stream from it.

An event is written in the transaction in which it happens: for what comes by the code that adds it, for what ends, expires, stands
again or is erased by triggers, and for alarms of channels by triggers on their table. The log is a record of what was told, so
making the picture anew leaves it as it is: it says `remade` once, and a page that shows the picture reads it again.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from bus.hub.picture.clearance import ANYBODY, RANK, ask
from bus.hub.picture.counts import rank_of
from bus.hub.rows import SITUATION, TABLE_OF
from bus.policy import Clearance
from bus.storage import Layout, insert_rows, single, utc
from bus.subscribing import Stored
from schemas.bodies.coordination import Feedback
from schemas.vocab import TALK, MsgType

NEW, UPDATED, ANSWERED = "new", "updated", "answered"
"""A bulletin has come: the first of its thread, a newer version, or an answer to another."""
SUPERSEDED, WITHDRAWN, EXPIRED, RESTORED, ERASED = "superseded", "withdrawn", "expired", "restored", "erased"
"""A bulletin that was live is not any more, for one of four reasons; or it is live again."""
SILENT, HEARD = "channel-alarm", "channel-well"
"""An alarm of a channel has begun, or ended."""
LATE = "clock-late"
"""A clock has become late (`bus.hub.picture.ringing`)."""
REMADE = "remade"
"""The picture was made anew, or a channel of it: what is shown must be read again."""
KEPT_S = 7 * 86_400.0
"""So many seconds an event is kept."""
MOST = 200_000
"""So many events are kept, the newest."""
AT_ONCE = 5000
"""So many events are let go in one transaction."""
LIMIT = 500

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
  n INTEGER PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL, row INTEGER NOT NULL, of TEXT NOT NULL, about TEXT NOT NULL,
  tlp_rank INTEGER NOT NULL, audience TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events_upto (n INTEGER PRIMARY KEY, row INTEGER NOT NULL, is_muted INTEGER NOT NULL);
"""
_INTO = "INSERT INTO events (at, what, row, of, about, tlp_rank, audience)"
_HEARD = "NOT EXISTS (SELECT 1 FROM events_upto WHERE is_muted)"


def _live(row: str) -> str:
    return f"{row}.ended_by IS NULL AND NOT {row}.is_over"


def _of_rows(table: str) -> str:
    """Triggers for the bulletins of a table. What is ended by a bulletin is ended when the newest was admitted."""
    head, rank = f"CREATE TRIGGER IF NOT EXISTS {table}", RANK.format("old.tlp")
    said = f"old.row, '{table}', old.id, {rank}, old.audience"
    ended = (
        f"CASE WHEN new.ended_how = 'cancelled' THEN '{WITHDRAWN}' WHEN new.ended_by IS NOT NULL THEN '{SUPERSEDED}' "
        f"WHEN new.is_over THEN '{EXPIRED}' ELSE '{RESTORED}' END"
    )
    last = "(SELECT admitted_at FROM admitted ORDER BY row DESC LIMIT 1)"
    at = f"iif(new.ended_by IS NULL AND new.is_over, new.expires, coalesce({last}, new.issued))"
    of_people = f"old.status NOT IN ({', '.join(repr(str(each)) for each in sorted(TALK))})"
    changed = f"({_live('old')}) != ({_live('new')})"
    return (
        f"{head}_told AFTER UPDATE OF ended_by, is_over ON {table} WHEN {changed} AND {of_people} AND {_HEARD} "
        f"BEGIN {_INTO} VALUES ({at}, {ended}, {said}); END;\n"
        f"{head}_gone AFTER DELETE ON {table} WHEN {of_people} AND {_HEARD} "
        f"BEGIN {_INTO} VALUES (coalesce({last}, old.issued), '{ERASED}', {said}); END;\n"
    )


def _of_alarms(event: str, when: str, what: str, at: str) -> str:
    """A trigger for alarms; the limits of one are those of its channel, whose name ends in `STATUS.TLP.AUDIENCE`."""
    name = "substr(new.channel, instr(new.channel, '/') + 1)"
    parts = f"SELECT substr(name, instr(name, '.') + 1) AS rest FROM (SELECT {name} AS name)"
    tlp = RANK.format("replace(substr(rest, 1, instr(rest, '.') - 1), '-', '+')")
    whole = "instr(new.channel, '/') > 0"
    return (
        f"CREATE TRIGGER IF NOT EXISTS alarms_{event} AFTER {when} BEGIN {_INTO} "
        f"SELECT {at}, '{what}', 0, new.reason, new.channel, iif({whole}, {tlp}, 0), "
        f"iif({whole}, substr(rest, instr(rest, '.') + 1), '{ANYBODY}') FROM ({parts}); END;\n"
    )


LAYOUT = Layout(
    "events",
    _TABLES
    + "".join(map(_of_rows, SITUATION))
    + _of_alarms("begun", "INSERT ON alarms", SILENT, "new.began")
    + _of_alarms(
        "ended",
        "UPDATE OF ended ON alarms WHEN old.ended IS NULL AND new.ended IS NOT NULL",
        HEARD,
        "new.ended",
    ),
)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened to what the picture shows.

    Attributes:
        n: its number; later ones have larger numbers, with holes.
        at: when.
        what: `new`, `updated`, `answered`, `superseded`, `withdrawn`, `expired`, `restored`, `erased`, `channel-alarm`,
            `channel-well`, `clock-late` or `remade`.
        row: of which bulletin, as the store has it; 0 of what is none.
        of: the table of the bulletin; of an alarm its reason.
        about: the id of the bulletin, or the channel.
    """

    n: int
    at: dt.datetime
    what: str
    row: int
    of: str
    about: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Events after a number.

    Attributes:
        events: those that the person may see, the oldest first.
        upto: the number after which to ask next; larger than that of the last event where others follow that the person may not see.
        is_whole: whether the log reaches back to the number that was asked for; where not, all is to be read again.
    """

    events: tuple[Event, ...]
    upto: int
    is_whole: bool = True


# -- writing --------------------------------------------------------------------------------------------------------------


def came(db: sqlite3.Connection, rows: Sequence[Stored]) -> bool:
    """Whether any of these bulletins has come only now; if none has, the picture is being made anew of what was told before."""
    last = _upto(db)
    return any(row.rowid > last or row.tries for row in rows)


def note(db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
    """Write that bulletins have come, those that came only now, inside a transaction."""
    last = _upto(db)
    found = []
    for row in rows:
        b = row.bulletin
        if (row.rowid > last or row.tries) and b.status not in TALK and b.msg_type is not _CANCEL:
            what = UPDATED if b.msg_type is _UPDATE else ANSWERED if isinstance(b.body, Feedback) else NEW
            moment, rank = row.admitted_at.timestamp(), rank_of(b.tlp)
            found.append((moment, what, row.rowid, TABLE_OF[b.status], b.id, rank, b.audience))
    insert_rows(db, _INTO, "(?, ?, ?, ?, ?, ?, ?)", found)
    if (newest := max((row.rowid for row in rows), default=0)) > last:
        db.execute(
            "INSERT INTO events_upto VALUES (1, ?, 0) ON CONFLICT DO UPDATE SET row = excluded.row", (newest,)
        )


@contextmanager
def muted(db: sqlite3.Connection) -> Iterator[None]:
    """While it is open, nothing is written but one `remade`, however often the picture is rebuilt."""
    db.execute("INSERT INTO events_upto VALUES (1, 0, 1) ON CONFLICT DO UPDATE SET is_muted = 1")
    try:
        yield
    finally:
        db.execute("UPDATE events_upto SET is_muted = 0")
    last = db.execute("SELECT what FROM events ORDER BY n DESC LIMIT 1").fetchone()
    if last is not None and last[0] != REMADE:
        db.execute(
            f"{_INTO} SELECT at, ?, 0, '', '', 0, ? FROM events ORDER BY n DESC LIMIT 1", (REMADE, ANYBODY)
        )


def is_due(db: sqlite3.Connection, moment: float) -> bool:
    """Whether events are too old at a moment, or too many."""
    last = newest(db)
    first = "SELECT 1 FROM events WHERE n = (SELECT min(n) FROM events) AND n < ? AND (at < ? OR n <= ?)"
    return bool(single(db, f"SELECT EXISTS ({first})", last, moment - KEPT_S, last - MOST))


def let_go(db: sqlite3.Connection, moment: float) -> bool:
    """Let events go that are too old at a moment, or too many, inside a transaction. Returns whether more are left to go."""
    last = newest(db)
    some = f"SELECT n FROM events WHERE n < ? ORDER BY n LIMIT {AT_ONCE}"
    gone = db.execute(
        f"DELETE FROM events WHERE n IN ({some}) AND (at < ? OR n <= ?)",
        (last, moment - KEPT_S, last - MOST),
    ).rowcount
    return gone == AT_ONCE


def _upto(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT row FROM events_upto").fetchone()
    return 0 if row is None else int(row[0])


_CANCEL, _UPDATE = MsgType.CANCEL, MsgType.UPDATE


# -- reading --------------------------------------------------------------------------------------------------------------

_AFTER = "SELECT e.n, e.at, e.what, e.row, e.of, e.about FROM events e WHERE e.n > :n AND LIMITS(e) ORDER BY e.n LIMIT :most"

_LATELY = (
    "SELECT e.n, e.at, e.what, e.row, e.of, e.about FROM events e WHERE e.n > :n AND e.at >= :at AND LIMITS(e) "
    "ORDER BY e.n DESC LIMIT :most"
)


def newest(db: sqlite3.Connection) -> int:
    """The number of the last event; 0 while there is none."""
    return single(db, "SELECT coalesce(max(n), 0) FROM events")


def events_after(db: sqlite3.Connection, clearance: Clearance, n: int, limit: int = LIMIT) -> Told:
    """What has happened after an event, as far as a person may see it.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        n: the number of the last event that is known.
        limit: so many at most.
    """
    last = newest(db)
    found = tuple(map(_event, ask(db, clearance, _AFTER, {"n": n, "most": limit})))
    return Told(
        events=found, upto=found[-1].n if len(found) == limit else last, is_whole=_reaches(db, n, last)
    )


def lately(
    db: sqlite3.Connection,
    clearance: Clearance,
    *,
    after: int = 0,
    since: dt.datetime | None = None,
    most: int = LIMIT,
) -> Told:
    """As `events_after`, but of more than `most` events the newest; without `after`, those since a moment."""
    moment = 0.0 if since is None else since.timestamp()
    last = newest(db)
    rows = ask(db, clearance, _LATELY, {"n": after, "at": moment, "most": most}).fetchall()
    found = tuple(map(_event, reversed(rows)))
    return Told(events=found, upto=last, is_whole=len(found) < most and _reaches(db, after, last))


def _reaches(db: sqlite3.Connection, n: int, last: int) -> bool:
    """Whether the log reaches back to an event."""
    return single(db, "SELECT coalesce(min(n), 0) FROM events") <= n + 1 and n <= last


def _event(row: sqlite3.Row) -> Event:
    return Event(
        n=row["n"], at=utc(row["at"]), what=row["what"], row=row["row"], of=row["of"], about=row["about"]
    )
