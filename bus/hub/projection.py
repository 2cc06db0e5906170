"""The picture's tables: what is in force, by channel and by bulletin, made from admitted bulletins alone.

Exercise, test and system bulletins stand in tables of their own and never in one view with actual ones. Updates and
cancels count only from the original issuer; they may arrive before what they refer to. Expiry is a question of now
and is asked in `bus.hub.views`. Made anew from the signed bytes, the tables come out the same.
"""

from __future__ import annotations

import json
import sqlite3

from bus.records import Stored
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.system import ChannelStatus
from schemas.bulletin import Bulletin
from schemas.subject import area_token, priority
from schemas.vocab import MsgType, RefRel, Status

_TABLES = {Status.ACTUAL: "actual", Status.EXERCISE: "exercise", Status.TEST: "aside", Status.SYSTEM: "aside"}
_ENDING = {RefRel.SUPERSEDES: MsgType.UPDATE, RefRel.CANCELS: MsgType.CANCEL}

_TRUTH = """
CREATE TABLE IF NOT EXISTS {name} (
  id TEXT NOT NULL, row INTEGER PRIMARY KEY, issuer TEXT NOT NULL, country TEXT NOT NULL, kind TEXT NOT NULL,
  domain TEXT NOT NULL, tlp TEXT NOT NULL, audience TEXT NOT NULL, priority TEXT NOT NULL, severity TEXT NOT NULL,
  urgency TEXT NOT NULL, area TEXT NOT NULL, dimensions TEXT NOT NULL, election TEXT, incident TEXT, headline TEXT NOT NULL,
  issued REAL NOT NULL, expires REAL NOT NULL, status TEXT NOT NULL, ended_by TEXT, ended_how TEXT
);
CREATE INDEX IF NOT EXISTS {name}_by_id ON {name} (id);
CREATE INDEX IF NOT EXISTS {name}_in_force ON {name} (expires) WHERE ended_by IS NULL;
"""

SCHEMA = (
    "".join(_TRUTH.format(name=name) for name in ("actual", "exercise", "aside"))
    + """
CREATE TABLE IF NOT EXISTS endings (
  target TEXT NOT NULL, issuer TEXT NOT NULL, by TEXT NOT NULL, how TEXT NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (target, by)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS channels (
  channel TEXT PRIMARY KEY, authority TEXT NOT NULL, last_seq INTEGER NOT NULL, last_issued REAL NOT NULL,
  last_heard REAL NOT NULL, bulletins INTEGER NOT NULL, released_gaps INTEGER NOT NULL, state TEXT, interval_s INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calendars (
  election TEXT PRIMARY KEY, issuer TEXT NOT NULL, row INTEGER NOT NULL, issued REAL NOT NULL
) WITHOUT ROWID;
"""
)


class Projection:
    """A projector for `bus.inbox`."""

    @property
    def schema(self) -> str:
        """SQL that makes the tables."""
        return SCHEMA

    def clear(self, db: sqlite3.Connection) -> None:
        """Empty the tables."""
        for table in (*set(_TABLES.values()), "endings", "channels", "calendars"):
            db.execute(f"DELETE FROM {table}")

    def apply(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take one admitted bulletin in."""
        bulletin = row.bulletin
        _channel(db, row, bulletin)
        _truth(db, row, bulletin)
        _endings(db, row, bulletin)
        if (
            isinstance(bulletin.body, ElectionCalendar)
            and bulletin.status is Status.ACTUAL
            and bulletin.election
        ):
            db.execute(
                "INSERT INTO calendars VALUES (?1, ?2, ?3, ?4) ON CONFLICT (election) DO UPDATE SET row = ?3, issued = ?4, "
                "issuer = ?2 WHERE excluded.issued > issued",
                (bulletin.election.id, bulletin.issuer.id, row.rowid, bulletin.issued.timestamp()),
            )


def _truth(db: sqlite3.Connection, row: Stored, b: Bulletin) -> None:
    ended = db.execute(
        "SELECT by, how FROM endings WHERE target = ? AND issuer = ? ORDER BY row LIMIT 1",
        (b.id, b.issuer.id),
    ).fetchone()
    db.execute(
        f"INSERT INTO {_TABLES[b.status]} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            b.id,
            row.rowid,
            b.issuer.id,
            b.issuer.country,
            b.kind,
            b.issuer.domain,
            b.tlp,
            b.audience,
            priority(b),
            b.severity,
            b.urgency,
            area_token(b),
            json.dumps(b.dimensions),
            b.election.id if b.election else None,
            b.incident_id,
            b.info[0].headline,
            b.issued.timestamp(),
            b.expires.timestamp(),
            b.status,
            ended["by"] if ended else None,
            ended["how"] if ended else None,
        ),
    )


def _endings(db: sqlite3.Connection, row: Stored, b: Bulletin) -> None:
    """Updates supersede and cancels withdraw, by the original issuer alone and within one status."""
    for ref in b.references:
        if _ENDING.get(ref.rel) is not b.msg_type:
            continue
        how = "superseded" if ref.rel is RefRel.SUPERSEDES else "cancelled"
        db.execute(
            "INSERT OR IGNORE INTO endings VALUES (?, ?, ?, ?, ?)",
            (ref.id, b.issuer.id, b.id, how, row.rowid),
        )
        db.execute(
            f"UPDATE {_TABLES[b.status]} SET ended_by = ?, ended_how = ? WHERE id = ? AND issuer = ? AND ended_by IS NULL",
            (b.id, how, ref.id, b.issuer.id),
        )


def _channel(db: sqlite3.Connection, row: Stored, b: Bulletin) -> None:
    beat = b.body if isinstance(b.body, ChannelStatus) else None
    released = int("gap" in row.labels)
    db.execute(
        "INSERT INTO channels VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8) ON CONFLICT (channel) DO UPDATE SET "
        "last_seq = max(last_seq, ?3), last_issued = max(last_issued, ?4), last_heard = max(last_heard, ?5), "
        "bulletins = bulletins + 1, released_gaps = released_gaps + ?6, state = coalesce(?7, state), "
        "interval_s = coalesce(?8, interval_s)",
        (
            row.channel,
            b.issuer.id,
            b.seq,
            b.issued.timestamp(),
            row.admitted_at.timestamp(),
            released,
            beat.state if beat else None,
            beat.interval_s if beat else None,
        ),
    )
