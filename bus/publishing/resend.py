"""Resending what a stream has stored: a reader has asked for it, or a hub's receipts show that it lacks it.

A broker's acknowledgement says that a bulletin was stored, not that readers were given it. A hub that confirms a later
bulletin of a channel and not an earlier one lacks that one; a hub that confirms nothing is only away, and will read on.

What is sent again goes to all readers and takes room in the author's own stream, so it is bounded three times: each
bulletin rests, each reader has an allowance in bytes, and so have all readers together.
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
"""Seconds between two resends of a bulletin, however often readers ask: each goes to all its readers again."""

EACH = Allowance(burst=512 * 1024, per_day=8 * 1024)
"""Bytes that are sent again for one reader."""
ALL = Allowance(burst=1024 * 1024, per_day=8 * 1024)
"""Bytes that are sent again for all readers together: in 400 days, for which a stream keeps them, 4.2 MB. Of the default store
of 8 GiB each of 243 authorities in 27 countries has 8.5 MB for status actual."""
SYSTEM = Allowance(burst=128 * 1024, per_day=16 * 1024)
"""The same for status system, for one reader and for all: in the 7 days for which heartbeats are kept 0.25 MB of 2.8 MB."""
OVERHEAD_BYTES = 1024  # headers, and what a stream adds

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
    """Have sent again what a reader asks for and may read, within its allowance, inside a transaction. Returns the number.

    Heartbeats are not: their stream keeps the newest of each channel, and an old one that is sent again would push one of them out.

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
    """Have rows `ns` of an outbox sent again for a reader. Returns their number.

    Passed over is what was sent again within `REST_S` seconds, and all from the first on that is beyond the allowance of the
    reader or of all.
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
    """Charge the reader, and all together, with a row that is to be sent again."""
    row = db.execute("SELECT status, length(payload) AS size FROM bulletins WHERE n = ?", (n,)).fetchone()
    is_system = row["status"] in TALK
    each, everybody = (SYSTEM, SYSTEM) if is_system else (EACH, ALL)
    purpose = "resend-system" if is_system else "resend"
    charged = {reader: each, allowances.ALL: everybody}
    return allowances.spend(db, purpose, charged, row["size"] + OVERHEAD_BYTES, moment)


def _rests(db: sqlite3.Connection, n: int, moment: float) -> bool:
    last = db.execute("SELECT at FROM resent WHERE n = ?", (n,)).fetchone()
    return last is not None and 0 <= moment - last["at"] < REST_S
