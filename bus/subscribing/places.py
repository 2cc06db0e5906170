"""Reads the surroundings of a place in a chain, and marks channels for another ruling.

Functions that change rows run in the store's thread, on an open transaction.
"""

from __future__ import annotations

import sqlite3

from bus.admission import ENDED, Link, Neighbours, Outcome
from bus.storage import insert
from schemas.bulletin import Bulletin

_AROUND = """
SELECT
  (SELECT seq FROM links WHERE channel = ?1 ORDER BY seq DESC LIMIT 1) AS head_seq,
  (SELECT digest FROM links WHERE channel = ?1 AND seq = ?2) AS at_seq,
  (SELECT digest FROM links WHERE channel = ?1 AND seq = ?2 - 1) AS predecessor,
  (SELECT prev FROM links WHERE channel = ?1 AND seq = ?2 + 1) AS successor_prev,
  (SELECT digest FROM links WHERE id = ?3 AND channel >= ?4 AND channel < ?5 LIMIT 1) AS digest_of_id
"""

_MAY_STAND = (*sorted(ENDED), str(Outcome.FORK), str(Outcome.BROKEN_CHAIN))
_LINK = "n, reason, seq, digest, prev, id, kids, received_at, issued, believed"


def around(db: sqlite3.Connection, channel: str, link: Link) -> Neighbours:
    """The neighbours of a link's place in a store."""
    issuer = channel.partition("/")[0]
    # Every channel of the issuer: '0' comes right after '/'.
    row = db.execute(_AROUND, (channel, link.seq, link.id, f"{issuer}/", f"{issuer}0")).fetchone()
    return Neighbours(**{name: row[name] for name in Neighbours.__struct_fields__})


def quarantined(db: sqlite3.Connection, channel: str) -> list[sqlite3.Row]:
    """The bulletins in quarantine only for their key or place, lowest number first, without their bytes."""
    marks = ", ".join("?" * len(_MAY_STAND))
    sql = f"SELECT {_LINK} FROM quarantine WHERE channel = ? AND reason IN ({marks}) ORDER BY seq, n"
    return db.execute(sql, (channel, *_MAY_STAND)).fetchall()


def reassess(db: sqlite3.Connection, channel: str) -> None:
    """Mark a channel for another ruling (`bus.subscribing.reassessment`)."""
    insert(db, "to_reassess", {"channel": channel}, verb="INSERT OR IGNORE")


# A bulletin that continues one in quarantine may raise it, if that one was refused only for its key or place; either
# may come first.


def reassess_near(db: sqlite3.Connection, channel: str, link: Link, kids: frozenset[str]) -> None:
    """Mark a channel for another ruling if a bulletin at a link's place, or just before or after it, has one of these keys.

    A bulletin after it may wait in quarantine for its predecessor.
    """
    if kids:
        sql = (
            "SELECT kids FROM links WHERE channel = ?1 AND seq BETWEEN ?2 - 1 AND ?2 + 1 UNION ALL "
            "SELECT kids FROM quarantine WHERE channel = ?1 AND seq = ?2 + 1 AND prev = ?3"
        )
        rows = db.execute(sql, (channel, link.seq, link.digest))
        if not kids.isdisjoint(kid for row in rows for kid in row["kids"].split()):
            reassess(db, channel)


def reassess_predecessor(db: sqlite3.Connection, channel: str, bulletin: Bulletin) -> None:
    """Mark a channel for another ruling if its bulletin continues one in quarantine."""
    sql = (
        "INSERT OR IGNORE INTO to_reassess SELECT channel FROM quarantine WHERE channel = ?1 AND seq = ?2 AND digest = ?3 "
        "AND reason IN ('key-revoked', 'key-ended', 'fork', 'broken-chain')"
    )
    db.execute(sql, (channel, bulletin.seq - 1, bulletin.prev))


def reassess_successor(db: sqlite3.Connection, channel: str, seq: int, digest: str) -> None:
    """Mark a channel for another ruling if a bulletin continues the one with this number and digest."""
    sql = (
        "INSERT OR IGNORE INTO to_reassess SELECT ?1 WHERE EXISTS (SELECT 1 FROM held_back WHERE channel = ?1 AND seq = ?2) "
        "OR EXISTS (SELECT 1 FROM links WHERE channel = ?1 AND seq = ?2 AND prev = ?3) "
        "OR EXISTS (SELECT 1 FROM quarantine WHERE channel = ?1 AND seq = ?2 AND prev = ?3)"
    )
    db.execute(sql, (channel, seq + 1, digest))
