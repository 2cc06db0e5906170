"""The receipts that a hub owes, as rows of its store: noted, made into batches, sent.

None is lost and none is sent twice: a receipt is a row; rows become a batch in one transaction, and the outbox keeps
only one bulletin for each batch, even if it is offered again.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection, Iterable
from functools import cache
from typing import NamedTuple

import msgspec

from bus.hub.rows import SITUATION
from bus.storage import Layout, single, utc
from bus.subscribing import as_json, contested
from bus.trust import Way
from schemas.bodies.system import MAX_RECEIPT_ITEMS, ReceiptItem, receipt_tlp
from schemas.codec import digest as digest_of
from schemas.subject import Channel
from schemas.vocab import TALK, ReceiptStage, Tlp

AT_ONCE = 2000
DAY_S = 86_400.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS receipt_queue (
  n INTEGER PRIMARY KEY AUTOINCREMENT, stage TEXT NOT NULL, digest TEXT NOT NULL, id TEXT NOT NULL, author TEXT NOT NULL,
  tlp TEXT NOT NULL, at REAL NOT NULL, batch INTEGER, sent INTEGER NOT NULL DEFAULT 0, UNIQUE (digest, stage)
);
CREATE INDEX IF NOT EXISTS receipt_queue_kept ON receipt_queue (author, at) WHERE stage = 'kept';
CREATE INDEX IF NOT EXISTS receipt_queue_open ON receipt_queue (author, tlp, stage, batch, n) WHERE sent = 0;
CREATE TABLE IF NOT EXISTS receipt_queue_upto (one INTEGER PRIMARY KEY CHECK (one = 1), row INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS refused_upto (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL);
"""
LAYOUT = Layout("receipt_queue", SCHEMA, migrations=("",))
REFUSED_A_DAY = 200
"""Most refusals reported to an author in a day: a stolen key can sign endless refused bulletins."""


class Open(NamedTuple):
    """A batch to send, by the common values of its rows."""

    author: str
    tlp: str
    stage: str
    batch: int


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Answers for one receipt; `ns` has the numbers of their rows."""

    stage: ReceiptStage
    author: str
    tlp: Tlp
    items: tuple[ReceiptItem, ...]
    ns: tuple[int, ...]

    @property
    def once(self) -> str:
        """The key under which the outbox keeps it only once."""
        return f"receipt/{digest_of(msgspec.json.encode((self.stage, self.author, self.tlp, self.items)))}"


def is_due(db: sqlite3.Connection) -> bool:
    """Whether any receipt can be queued or sent."""
    asked = (
        f"SELECT EXISTS (SELECT 1 FROM receipt_queue WHERE sent = 0) OR EXISTS (SELECT 1 {_NEW}) "
        f"OR EXISTS (SELECT 1 {_REFUSED}) OR EXISTS (SELECT 1 FROM newly_withdrawn)"
    )
    return bool(single(db, asked))


def note(db: sqlite3.Connection, me: str, now: dt.datetime) -> None:
    """Queue receipts for bulletins admitted, refused or withdrawn since the last time, inside a transaction.

    A refused bulletin with a proven issuer is `kept`: so its author learns that it was not admitted.
    """
    new = f"SELECT digest, id, channel, admitted_at, row {_NEW} ORDER BY row LIMIT ?"
    channel_of = cache(Channel.parse)  # many are of few channels
    while rows := db.execute(new, (AT_ONCE,)).fetchall():
        # A bulletin without its place is damaged and gets no receipt.
        whole = [row for row in rows if row["digest"] is not None]
        owed = [
            _values(ReceiptStage.VERIFIED, digest, id_, channel, at)
            for digest, id_, channel, at in ((row[0], row[1], channel_of(row[2]), row[3]) for row in whole)
            if channel.issuer != me and channel.status not in TALK
        ]
        db.executemany(_ADD, owed)
        db.execute("REPLACE INTO receipt_queue_upto VALUES (1, ?)", (rows[-1]["row"],))
    _note_refused(db, me, now)
    for table in SITUATION:
        for gone in db.execute(_WITHDRAWN.format(table=table)).fetchall():
            if gone["digest"] is None:
                continue
            if (channel := Channel.parse(gone["channel"])).issuer != me:
                add(db, ReceiptStage.WITHDRAWN, gone["digest"], gone["id"], channel, now.timestamp())
    db.execute("DELETE FROM newly_withdrawn")


def _note_refused(db: sqlite3.Connection, me: str, now: dt.datetime) -> None:
    lately = "SELECT count(*) FROM receipt_queue WHERE stage = 'kept' AND author = ? AND at > ?"
    new = f"SELECT n, digest, id, channel {_REFUSED} ORDER BY n LIMIT ?"
    while rows := db.execute(new, (AT_ONCE,)).fetchall():
        for _, digest, id_, name in rows:
            channel = Channel.parse(name)
            if channel.issuer == me or channel.status in TALK:
                continue
            if single(db, lately, channel.issuer, now.timestamp() - DAY_S) < REFUSED_A_DAY:
                add(db, ReceiptStage.KEPT, digest, id_, channel, now.timestamp())
        db.execute("REPLACE INTO refused_upto VALUES (1, ?)", (rows[-1]["n"],))


_REFUSED = (
    "FROM quarantine WHERE n > coalesce((SELECT n FROM refused_upto), 0) AND channel IS NOT NULL AND id IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM links l WHERE l.channel = quarantine.channel AND l.seq = quarantine.seq "
    "AND l.digest = quarantine.digest AND l.row IS NOT NULL)"
)
_NEW = "FROM admitted WHERE row > coalesce((SELECT row FROM receipt_queue_upto), 0)"
_WITHDRAWN = """
SELECT a.digest, a.id, a.channel FROM newly_withdrawn n JOIN {table} t ON t.row = n.row JOIN admitted a ON a.row = n.row
WHERE t.ended_how = 'cancelled' AND NOT EXISTS (SELECT 1 FROM receipt_queue w WHERE w.digest = a.digest AND w.stage = 'withdrawn')
"""


def add(
    db: sqlite3.Connection,
    stage: ReceiptStage,
    digest: str,
    id: str,  # noqa: A002 (the field's own name)
    channel: Channel,
    at: float,
) -> None:
    """Queue one receipt, unless it was queued before; inside a transaction."""
    db.execute(_ADD, _values(stage, digest, id, channel, at))


_ADD = "INSERT OR IGNORE INTO receipt_queue (stage, digest, id, author, tlp, at) VALUES (?, ?, ?, ?, ?, ?)"


def _values(
    stage: ReceiptStage, digest: str, id_: str, channel: Channel, at: float
) -> tuple[str | float, ...]:
    # Values are plain `str`: for any other class sqlite3 looks for an adapter.
    return (str(stage), digest, id_, channel.issuer, str(receipt_tlp(channel.tlp)), at)


def is_noted(db: sqlite3.Connection, stage: ReceiptStage, digest: str) -> bool:
    """Whether a receipt is queued or was sent."""
    sql = "SELECT 1 FROM receipt_queue WHERE digest = ? AND stage = ?"
    return db.execute(sql, (digest, stage)).fetchone() is not None


def is_sent(db: sqlite3.Connection, stage: ReceiptStage, digest: str) -> bool:
    """Whether a receipt was signed and kept to be sent."""
    sql = "SELECT 1 FROM receipt_queue WHERE digest = ? AND stage = ? AND sent = 1"
    return db.execute(sql, (digest, stage)).fetchone() is not None


def take_up(db: sqlite3.Connection, granted: Collection[Way]) -> list[Open]:
    """Make batches of open and granted receipts, inside a transaction. Batches made before and not sent come again."""
    for author, tlp, stage in db.execute(
        "SELECT DISTINCT author, tlp, stage FROM receipt_queue WHERE sent = 0"
    ).fetchall():
        if (tlp, author) not in granted:
            continue
        db.execute(_GONE, (author, tlp, stage))
        # A batch never changes: after a crash the same one is offered again, and the outbox recognises it.
        ns = [row["n"] for row in db.execute(_LOOSE, (author, tlp, stage))]
        for start in range(0, len(ns), MAX_RECEIPT_ITEMS):
            part = ns[start : start + MAX_RECEIPT_ITEMS]
            db.execute(f"UPDATE receipt_queue SET batch = ? WHERE {_THESE}", (part[0], as_json(part)))
    rows = db.execute(
        "SELECT DISTINCT author, tlp, stage, batch FROM receipt_queue WHERE sent = 0 AND batch IS NOT NULL "
        "ORDER BY author, tlp, stage, batch"
    )
    return [Open(*row) for row in rows if (row["tlp"], row["author"]) in granted]


_THESE = "n IN (SELECT value FROM json_each(?))"
# A bulletin withdrawn before its receipt gets none; an erased one gets one.
_GONE = """
DELETE FROM receipt_queue WHERE sent = 0 AND author = ? AND tlp = ? AND stage = ? AND batch IS NULL AND stage != 'kept'
AND NOT EXISTS (SELECT 1 FROM links l WHERE l.id = receipt_queue.id AND l.digest = receipt_queue.digest AND l.row IS NOT NULL)
AND NOT EXISTS (SELECT 1 FROM tombstones e WHERE e.digest = receipt_queue.digest)
"""
# A bulletin without effect gets none either; its receipt waits until it has effect.
_LOOSE = f"""
SELECT q.n FROM receipt_queue q WHERE q.sent = 0 AND q.author = ? AND q.tlp = ? AND q.stage = ? AND q.batch IS NULL
AND NOT EXISTS (SELECT 1 FROM links l WHERE l.id = q.id AND l.digest = q.digest AND {contested.muted("l.row")})
ORDER BY q.n
"""


def batch_of(db: sqlite3.Connection, which: Open) -> Batch:
    """The answers of one batch; only one batch is in memory, because a hub may owe many."""
    sql = "SELECT * FROM receipt_queue WHERE sent = 0 AND author = ? AND tlp = ? AND stage = ? AND batch = ? ORDER BY n"
    rows = db.execute(sql, which).fetchall()
    return Batch(
        stage=ReceiptStage(which.stage),
        author=which.author,
        tlp=Tlp(which.tlp),
        items=tuple(ReceiptItem(id=row["id"], digest=row["digest"], at=utc(row["at"])) for row in rows),
        ns=tuple(row["n"] for row in rows),
    )


def mark(db: sqlite3.Connection, ns: Iterable[int]) -> None:
    """Note that these were sent, inside a transaction."""
    db.execute(f"UPDATE receipt_queue SET sent = 1 WHERE {_THESE}", (as_json(list(ns)),))
