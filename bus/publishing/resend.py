"""Sends stored bulletins again: a reader has asked for them, or a hub's receipts show that it lacks them.

A broker's acknowledgement proves that a bulletin was stored, not that readers received it. A hub that confirms a later
bulletin of a channel but not an earlier one lacks the earlier one. A hub that confirms nothing is only away and will
read on.

A resend goes to all readers and takes space in the author's own stream. So there are three bounds: a rest for each
bulletin, an allowance in bytes for each reader, and one for all readers together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import takewhile

from bus.logs import logger
from bus.publishing import outbox_table as table
from bus.storage import Allowance, Layout, allowances
from bus.trust import VerifiedRegistry
from schemas.bodies.system import Wanted
from schemas.errors import SchemaError
from schemas.subject import Channel
from schemas.vocab import TALK, Status

REST_S = 3600.0
"""Least seconds between two resends of a bulletin: each goes to all its readers again."""

EACH = Allowance(burst=512 * 1024, per_day=8 * 1024)
"""Bytes sent again for one reader."""
ALL = Allowance(burst=1024 * 1024, per_day=8 * 1024)
"""Bytes sent again for all readers together: 4.2 MB in the 400 days for which a stream keeps them. Of the default store of 8 GiB each of
243 authorities in 27 countries has 8.5 MB for status actual."""
SYSTEM = Allowance(burst=128 * 1024, per_day=16 * 1024)
"""The same for status system, for one reader and for all: in the 7 days for which heartbeats are kept 0.25 MB of 2.8 MB."""
OVERHEAD_BYTES = 1024  # headers, and the stream's overhead

SCHEMA = """
CREATE TABLE IF NOT EXISTS resent (n INTEGER PRIMARY KEY, at REAL NOT NULL);
"""
LAYOUT = Layout("send_again", SCHEMA)

log = logger()


def resend_asked(
    db: sqlite3.Connection,
    me: str,
    registry: VerifiedRegistry,
    asker: str,
    items: Iterable[Wanted],
    moment: float,
) -> int:
    """Send again the bulletins that a reader asks for and may read, within its allowance, inside a transaction. Returns their number.

    Heartbeats are never sent again: their stream keeps the newest of each channel, and an old one would displace one of
    them.

    Args:
        db: the outbox.
        me: the author, whose outbox it is.
        registry: who may read what.
        asker: the authority that asks.
        items: the bulletins that it asks for.
        moment: the present, in seconds since the epoch.
    """
    ns = []
    for item in items:
        try:
            channel = Channel.parse(item.channel)
        except SchemaError:  # the asker's text has not been checked yet
            continue
        if channel.issuer != me or channel.status is Status.BEAT or not registry.may_read(asker, channel):
            continue
        row = db.execute(
            "SELECT n FROM outbox WHERE channel = ?1 AND seq = ?2 AND state = 'stored' AND ?3 IN (digest, '')",
            (channel.name, item.seq, item.digest or ""),
        ).fetchone()
        if row is not None:
            ns.append(row["n"])
    return send_again(db, ns, asker, "it has asked for it", moment)


def send_again(db: sqlite3.Connection, ns: Sequence[int], reader: str, why: str, moment: float) -> int:
    """Send rows `ns` of an outbox again for a reader. Returns their number.

    Rows sent again within the last `REST_S` seconds are skipped. From the first row on that exceeds the allowance of
    the reader or of all, nothing more is sent.
    """
    fresh = [n for n in dict.fromkeys(ns) if not _rests(db, n, moment)]
    due = list(takewhile(lambda n: _is_allowed(db, n, reader, moment), fresh))
    db.executemany("REPLACE INTO resent VALUES (?, ?)", [(n, moment) for n in due])
    table.mark_unsent(db, due, f"{reader} lacks it: {why}")
    if due:
        log.warning("offered_again", count=len(due), reader=reader, why=why)
    if len(due) < len(fresh):
        log.warning(
            "not_offered_again", count=len(fresh) - len(due), reader=reader, why="beyond its allowance"
        )
    return len(due)


def _is_allowed(db: sqlite3.Connection, n: int, reader: str, moment: float) -> bool:
    """Charge the allowances of the reader and of all with a row. Returns whether it may be sent again."""
    row = db.execute("SELECT status, length(payload) AS size FROM bulletins WHERE n = ?", (n,)).fetchone()
    is_system = row["status"] in TALK
    each, everybody = (SYSTEM, SYSTEM) if is_system else (EACH, ALL)
    purpose = "resend-system" if is_system else "resend"
    charged = {reader: each, allowances.ALL: everybody}
    return allowances.spend(db, purpose, charged, row["size"] + OVERHEAD_BYTES, moment)


def _rests(db: sqlite3.Connection, n: int, moment: float) -> bool:
    last = db.execute("SELECT at FROM resent WHERE n = ?", (n,)).fetchone()
    return last is not None and 0 <= moment - last["at"] < REST_S
