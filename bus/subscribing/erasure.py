"""Erasure: the bytes of a bulletin are deleted; its place in the chain, its digest and the reason stay.

A bulletin is erased after its last day: the earlier of `personal_data.retention_until` (GDPR Article 5(1)(e)) and
`handling.retention_days`, but never before it expires, so that no author can make a bulletin in force vanish. It is
kept longer only as proof of a contradiction, until a person has decided or a revoked key explains it. A bulletin with
neither field has no last day. Messages between programs (heartbeats, receipts, requests and copies) are erased when
they are old and their channel has a newer one. Links stay with their digests: chains stay checkable, and a repeated
bulletin is recognised.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable

import msgspec

from bus.storage import utc
from bus.subscribing import bodies, contested
from bus.subscribing.bodies import UNTIL

KEEP = dt.timedelta(days=30)
RETENTION, OLD = "retention-over", "old-talk"

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS tombstones (
  digest TEXT PRIMARY KEY, channel TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tombstones_by_id ON tombstones (id);
CREATE INDEX IF NOT EXISTS quarantine_personal ON quarantine ({UNTIL}) WHERE {UNTIL} IS NOT NULL;
"""

_PLACE = "row, digest, channel, seq, id"
_OVER = f"WHERE {{0}} IS NOT NULL AND {{0}} < ? AND NOT ({contested.EVIDENCE})"
# All bulletins of a channel with a contradiction are kept, as evidence.
_TALK = f"""
SELECT {_PLACE} FROM admitted a WHERE admitted_at < ? AND is_talk
AND EXISTS (SELECT 1 FROM links l WHERE l.channel = a.channel AND l.seq > a.seq)
AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.channel = a.channel AND q.reason = 'fork')
"""


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """An erased bulletin, with the time of erasure and the reason: `retention-over` or `old-talk`."""

    channel: str
    seq: int
    id: str
    digest: str
    at: dt.datetime
    why: str


def personal(db: sqlite3.Connection, now: dt.datetime, unless: str = "0") -> list[sqlite3.Row]:
    """The admitted bulletins whose last day, in UTC, is over.

    Proof of an undecided contradiction is not among them.

    Args:
        db: the store.
        now: the present.
        unless: an SQL condition on `kept.channel`, `kept.seq` and `kept.digest` under which a bulletin is still needed.
    """
    sql = f"SELECT {_PLACE} FROM admitted AS kept {_OVER.format('until')}"
    return db.execute(f"{sql} AND NOT ({unless})", (_day(now),)).fetchall()


def personal_in_quarantine(db: sqlite3.Connection, now: dt.datetime, unless: str = "0") -> list[sqlite3.Row]:
    """The bulletins in quarantine whose last day is over; `unless` as in `personal`."""
    sql = f"SELECT n FROM quarantine AS kept {_OVER.format(UNTIL)}"
    return db.execute(f"{sql} AND NOT ({unless})", (_day(now),)).fetchall()


def old_talk(db: sqlite3.Connection, now: dt.datetime, unless: str = "0") -> list[sqlite3.Row]:
    """Bulletins of statuses system and beat that are 30 days old and not the last of their channel.

    Args:
        db: the store.
        now: the present.
        unless: an SQL condition on `a.row` under which a bulletin is still needed.
    """
    return db.execute(f"{_TALK} AND NOT ({unless})", ((now - KEEP).timestamp(),)).fetchall()


def erase(db: sqlite3.Connection, rows: Iterable[sqlite3.Row], why: str, now: dt.datetime) -> None:
    """Erase admitted bulletins, inside a transaction; freed pages are overwritten."""
    db.execute("PRAGMA secure_delete = ON")
    for row in rows:
        db.execute(
            "INSERT OR IGNORE INTO tombstones VALUES (?, ?, ?, ?, ?, ?)",
            (row["digest"], row["channel"], row["seq"], row["id"], now.timestamp(), why),
        )
        bodies.erase(db, row["row"])


def redact(db: sqlite3.Connection, rows: Iterable[sqlite3.Row]) -> None:
    """Erase a row of the quarantine, except its digest, its place and its reason.

    These identify the row if the bulletin comes again.
    """
    db.execute("PRAGMA secure_delete = ON")
    db.executemany(
        "UPDATE quarantine SET payload = X'', headers = '[]', detail = 'erased: the time is over for which it may be kept' "
        "WHERE n = ?",
        [(row["n"],) for row in rows],
    )


def of(db: sqlite3.Connection, wanted: str) -> Tombstone | None:
    """The tombstone of an erased bulletin, by id or digest."""
    row = db.execute("SELECT * FROM tombstones WHERE id = ?1 OR digest = ?1", (wanted,)).fetchone()
    if row is None:
        return None
    return Tombstone(
        channel=row["channel"],
        seq=row["seq"],
        id=row["id"],
        digest=row["digest"],
        at=utc(row["at"]),
        why=row["reason"],
    )


def _day(now: dt.datetime) -> str:
    return now.astimezone(dt.UTC).date().isoformat()
