"""Resending what a stream has stored: a reader has asked for it, or a hub's receipts show that it lacks it.

A broker's acknowledgement says that a bulletin was stored, not that readers were given it. A hub that confirms a later
bulletin of a channel and not an earlier one lacks that one; a hub that confirms nothing is only away, and will read on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import structlog

from bus.publishing import outbox_table as table
from bus.storage import Layout
from bus.trust import VerifiedRegistry
from schemas.bodies.system import Wanted
from schemas.errors import SchemaError
from schemas.subject import Channel

REST_S = 3600.0
"""Seconds between two resends of a bulletin, however often readers ask: each goes to all its readers again."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS resent (n INTEGER PRIMARY KEY, at REAL NOT NULL);
"""
LAYOUT = Layout("send_again", SCHEMA)

log = structlog.get_logger()


def resend_asked(
    db: sqlite3.Connection,
    me: str,
    registry: VerifiedRegistry,
    asker: str,
    items: Iterable[Wanted],
    moment: float,
) -> int:
    """Have sent again what a reader asks for and may read, inside a transaction. Returns the number of bulletins.

    Args:
        db: the outbox.
        me: the author, whose outbox it is.
        registry: who may read what.
        asker: the authority that asks.
        items: the bulletins it asks for.
        moment: the present, in seconds since the epoch.
    """
    ns = []
    for item in items:
        try:
            channel = Channel.parse(item.channel)
        except SchemaError:  # the asker's text is not checked before
            continue
        if channel.issuer != me or not registry.may_read(asker, channel):
            continue
        row = db.execute(
            "SELECT n FROM outbox WHERE channel = ?1 AND seq = ?2 AND state = 'stored' AND ?3 IN (digest, '')",
            (channel.name, item.seq, item.digest or ""),
        ).fetchone()
        if row is not None:
            ns.append(row["n"])
    return send_again(db, ns, f"{asker} lacks it and has asked for it", moment)


def send_again(db: sqlite3.Connection, ns: Sequence[int], why: str, moment: float) -> int:
    """Have rows `ns` of an outbox sent again, but for those resent within `REST_S` seconds. Returns their number."""
    due = [n for n in dict.fromkeys(ns) if not _rests(db, n, moment)]
    db.executemany("REPLACE INTO resent VALUES (?, ?)", [(n, moment) for n in due])
    table.mark_unsent(db, due, why)
    if due:
        log.warning("offered_again", count=len(due), why=why)
    return len(due)


def _rests(db: sqlite3.Connection, n: int, moment: float) -> bool:
    last = db.execute("SELECT at FROM resent WHERE n = ?", (n,)).fetchone()
    return last is not None and 0 <= moment - last["at"] < REST_S
