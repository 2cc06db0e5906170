"""Prunes an outbox: old, stored bulletins that every required hub has received and that no later bulletin needs."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection

import msgspec

from bus.delivery import ledger
from bus.delivery.ladder import DeliveryState
from bus.delivery.ledger import KEEP
from bus.publishing import outbox_table, versions
from bus.subscribing import erasure
from bus.trust import VerifiedRegistry
from schemas.codec import decode
from schemas.vocab import TALK


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """The number of pruned bulletins, of kept old ones by reason, and of erased old receipts and requests."""

    pruned: int
    kept: dict[str, int]
    talk: int = 0  # old receipts and requests of others that were read


# Not the head of a channel, nor the last of its origin, which the next one supersedes.
_OLD = """
SELECT n, id, digest, status, payload, state,
  EXISTS (SELECT 1 FROM heads h WHERE h.digest = o.digest) AS head,
  origin IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.origin = o.origin AND p.n > o.n) AS last
FROM outbox o WHERE coalesce(stored_at, kept_at) < ? ORDER BY n
"""


def prune(
    db: sqlite3.Connection,
    me: str,
    registry: VerifiedRegistry,
    now: dt.datetime,
    *,
    keep: dt.timedelta = KEEP,
    elections: Collection[str] = (),
    rehearse: bool = False,
) -> Pruned:
    """Delete bulletins that need not be kept, inside a transaction.

    A bulletin is kept if it was stored less than `keep` ago or never; if it is in force; if a required hub has not received
    it or not confirmed its withdrawal; if it names one of `elections`; if it is the head of a channel; or if it is the last
    of its origin. `once` keys stay known.

    Args:
        db: the outbox.
        me: its authority.
        registry: who must have what.
        now: the present.
        keep: the time for which everything is kept, by the phase (`bus.policy.phases`).
        elections: ids of unfinished elections: bulletins that name one stay at any age.
        rehearse: count without deleting.
    """
    ledger.enrol(db)
    kept: dict[str, int] = {}
    gone: list[sqlite3.Row] = []
    for row in db.execute(_OLD, ((now - keep).timestamp(),)):
        if why := _stays(db, row, me, registry, now, elections):
            kept[why] = kept.get(why, 0) + 1
        else:
            gone.append(row)
    talk = erasure.old_talk(db, now)
    if not rehearse:
        erasure.erase(db, talk, erasure.OLD, now)
        places = [(row["n"],) for row in gone]
        db.executemany(_REMEMBER, places)
        for table in ("receipts", "reported"):
            db.executemany(f"DELETE FROM {table} WHERE digest = ?", [(row["digest"],) for row in gone])
        for table in ("expected", "resent"):
            db.executemany(f"DELETE FROM {table} WHERE n = ?", places)
        outbox_table.remove(db, [row["n"] for row in gone])
        versions.prune(db, [(row["id"], row["status"]) for row in gone])
    return Pruned(pruned=len(gone), kept=kept, talk=len(talk))


_REMEMBER = """
INSERT OR IGNORE INTO pruned_once (once, id, channel, seq, digest, subject)
SELECT once, id, channel, seq, digest, subject FROM outbox WHERE n = ? AND once IS NOT NULL
"""


def _stays(
    db: sqlite3.Connection,
    row: sqlite3.Row,
    me: str,
    registry: VerifiedRegistry,
    now: dt.datetime,
    elections: Collection[str],
) -> str:
    """Why a bulletin is kept, in one word; empty if it need not be."""
    if row["state"] != "stored":
        return "not-stored"
    if row["head"]:
        return "head"
    if row["last"]:
        return "last-of-its-origin"
    if row["status"] in TALK:
        return ""
    bulletin = decode(row["payload"])
    if bulletin.expires > now:
        return "in-force"
    if bulletin.election is not None and bulletin.election.id in elections:
        return "its-election-is-not-over"
    original = "SELECT 1 FROM expected e JOIN expected c ON c.cancels = e.id WHERE c.n = ?"
    if db.execute(original, (row["n"],)).fetchone():
        return "its-original-is-kept"
    status = ledger.of_one(db, me, registry, row["digest"])
    if status is None or (
        status.readers and status.state not in (DeliveryState.RECEIVED, DeliveryState.READ)
    ):
        return "not-received"
    return "not-withdrawn" if status.unconfirmed else ""
