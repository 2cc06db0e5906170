"""The outbox's table: what a row is, and what happens to it inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bus.logs import logger
from bus.publishing.drafted import Drawn
from bus.publishing.handover import Handover, size_of
from bus.publishing.outbox_rows import (
    ChainHead,
    Row,
    RowState,
    Settled,
    new_row,
    sum_of,
    whole,
)
from bus.storage import Layout
from schemas.codec import decode
from schemas.codec import digest as digest_of
from schemas.envelope import MESSAGE_ID, SIG_HEADER, hints
from schemas.subject import channel_of, subject_for

__all__ = ["ChainHead", "Row", "RowState", "Settled", "whole"]

log = logger()

FILE_TABLE = (
    "CREATE TABLE IF NOT EXISTS outbox_file (one INTEGER PRIMARY KEY CHECK (one = 1), inode INTEGER NOT NULL)"
)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS outbox (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  status TEXT NOT NULL,
  channel TEXT NOT NULL,
  seq INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL UNIQUE,
  prev TEXT,
  subject TEXT NOT NULL,
  headers TEXT NOT NULL,
  payload BLOB NOT NULL,
  kept_at REAL NOT NULL,
  attempted_at REAL,
  stored_at REAL,
  stream TEXT,
  stream_seq INTEGER,
  state TEXT NOT NULL DEFAULT 'kept',
  problem TEXT,
  once TEXT UNIQUE,
  origin TEXT,
  sum TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS outbox_place ON outbox (channel, seq) WHERE state != 'superseded';
CREATE INDEX IF NOT EXISTS outbox_origin ON outbox (origin, n) WHERE origin IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_parked ON outbox (channel, seq) WHERE state = 'parked';
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (status, n) WHERE state = 'kept';
CREATE INDEX IF NOT EXISTS outbox_stored ON outbox (stream, stream_seq) WHERE stream IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_superseded ON outbox (n) WHERE state = 'superseded';
CREATE INDEX IF NOT EXISTS outbox_damaged ON outbox (n) WHERE state = 'damaged';
CREATE TABLE IF NOT EXISTS heads (channel TEXT PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pruned_once (
  once TEXT PRIMARY KEY, id TEXT NOT NULL, channel TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL,
  subject TEXT NOT NULL
) WITHOUT ROWID;
{FILE_TABLE};
CREATE TABLE IF NOT EXISTS lost_numbers (
  channel TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT, digest TEXT, found_at REAL NOT NULL, PRIMARY KEY (channel, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_cursors (stream TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
"""
LAYOUT = Layout("publishing", SCHEMA, migrations=("ALTER TABLE outbox ADD COLUMN sum TEXT;\n",))


_FIRST_UNSENT = """
SELECT seq, prev FROM outbox WHERE state = 'kept' AND status = ?1 AND channel = ?2
UNION ALL SELECT seq, prev FROM outbox WHERE state = 'parked' AND channel = ?2
ORDER BY seq LIMIT 1
"""


def distrust(db: sqlite3.Connection) -> None:
    """Mark one that was put back from a copy as another file, inside a transaction: no file has the number 0."""
    db.execute(FILE_TABLE)
    db.execute("REPLACE INTO outbox_file VALUES (1, 0)")


def head(db: sqlite3.Connection, channel: str) -> ChainHead | None:
    """The last bulletin of a channel, inside a transaction."""
    row = db.execute("SELECT seq, digest FROM heads WHERE channel = ?", (channel,)).fetchone()
    return ChainHead(seq=row["seq"], digest=row["digest"]) if row else None


def stored_head(db: sqlite3.Connection, channel: str) -> ChainHead | None:
    """The last bulletin of a channel up to which all are stored, inside a transaction."""
    row = db.execute(_FIRST_UNSENT, (channel.split(".", 1)[0], channel)).fetchone()
    if row is None:
        return head(db, channel)
    return ChainHead(seq=row["seq"] - 1, digest=row["prev"]) if row["prev"] else None


_KEPT = "n, status, channel, seq, id, digest, prev, subject, headers, payload, kept_at, sum"
_HANDED_OVER, _NAMED = f"{_KEPT}, attempted_at", f"{_KEPT}, attempted_at, once, origin"


def _insert(columns: str) -> str:
    return f"INSERT INTO outbox ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


def keep_all(
    db: sqlite3.Connection,
    drawn: Sequence[Drawn],
    signatures: Sequence[str],
    handover: Handover | None = None,
) -> None:
    """Keep signed bulletins, in their order, and make the last of each channel its head, inside a transaction.

    Where a sender takes them over in memory, their rows say that they may have been sent.

    Args:
        db: the outbox.
        drawn: the bulletins.
        signatures: the value of the signature header of each.
        handover: to the sender of this process, if there may be one.
    """
    first = last_number(db) + 1
    rows = [new_row(first + place, each, signatures[place]) for place, each in enumerate(drawn)]
    takes = handover is not None and handover.takes(len(rows), size_of(rows))
    # For what is no int, float, str or bytearray, sqlite3 looks for an adapter, each time: so no None where that is the default.
    if any(row.once is not None or row.origin is not None for row in rows):
        named = [(*_columns(row), row.kept_at if takes else None, row.once, row.origin) for row in rows]
        db.executemany(_insert(_NAMED), named)
    elif takes:
        db.executemany(_insert(_HANDED_OVER), [(*_columns(row), row.kept_at) for row in rows])
    else:
        db.executemany(_insert(_KEPT), map(_columns, rows))
    if handover is not None and takes:
        handover.offer(rows)
    ends = {each.channel: each for each in drawn}
    sql = "REPLACE INTO heads (channel, seq, digest) VALUES (?, ?, ?)"
    db.executemany(sql, [(name, each.bulletin.seq, each.digest) for name, each in ends.items()])


def _columns(row: Row) -> tuple[object, ...]:
    """`_KEPT` of a new row."""
    return (
        *(row.n, row.status, row.channel, row.seq, row.id, row.digest, row.prev, row.subject),
        *(row.headers, bytearray(row.payload), row.kept_at, row.sum),
    )


def last_number(db: sqlite3.Connection) -> int:
    """The highest number that a row ever had, inside a transaction; 0 where there was none."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return int(found[0]) if found else 0


def kept_once(db: sqlite3.Connection, once: str) -> Row | None:
    """The row kept under a key that gives one bulletin only, inside a transaction."""
    return first(db, "SELECT * FROM outbox WHERE once = ?", once)


def pruned_once(db: sqlite3.Connection, once: str) -> sqlite3.Row | None:
    """The remains of a bulletin that was kept under a key and pruned, inside a transaction."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM pruned_once WHERE once = ?", (once,)).fetchone()
    return row


def last_of_origin(db: sqlite3.Connection, origin: str) -> Row | None:
    """The newest row about one thing in its own system, inside a transaction."""
    return first(db, "SELECT * FROM outbox WHERE origin = ? ORDER BY n DESC LIMIT 1", origin)


def set_head(db: sqlite3.Connection, channel: str, seq: int, digest: str) -> None:
    """Make a bulletin the head of its channel, inside a transaction."""
    db.execute("REPLACE INTO heads (channel, seq, digest) VALUES (?, ?, ?)", (channel, seq, digest))


def clear_head(db: sqlite3.Connection, channel: str) -> None:
    """Begin a channel anew, inside a transaction."""
    db.execute("DELETE FROM heads WHERE channel = ?", (channel,))


def set_aside(db: sqlite3.Connection, given_up: Iterable[Row], problem: str) -> None:
    """Take rows out of the chain, inside a transaction: kept for a person to look at; their source may say them again."""
    sql = "UPDATE outbox SET state = 'superseded', problem = ?, once = NULL, origin = NULL WHERE n = ?"
    db.executemany(sql, [(problem, row.n) for row in given_up])


def after(db: sqlite3.Connection, channel: str, seq: int) -> list[Row]:
    """What the chain of a channel holds after a number, inside a transaction."""
    sql = "SELECT * FROM outbox WHERE channel = ? AND seq > ? AND state != 'superseded' ORDER BY seq"
    return rows(db, sql, channel, seq)


def damaged(db: sqlite3.Connection, digests: Iterable[str]) -> list[Row]:
    """Those of these bulletins whose rows are not what was signed."""
    found = (first(db, "SELECT * FROM outbox WHERE digest = ?", name) for name in digests)
    return [row for row in found if row is not None and not row.is_whole]


def heal_all(db: sqlite3.Connection, messages: Iterable[tuple[bytes, Mapping[str, str]]]) -> None:
    """Write bulletins into their damaged rows as a stream holds them (payload, headers), inside a transaction."""
    for payload, headers in messages:
        _heal(db, payload, headers)


def _heal(db: sqlite3.Connection, payload: bytes, headers: Mapping[str, str]) -> None:
    bulletin, name = decode(payload), digest_of(payload)
    sent = hints(bulletin, name) | {SIG_HEADER: headers[SIG_HEADER]}
    del sent[MESSAGE_ID]  # the stream may remember it
    row: dict[str, object] = {"channel": channel_of(bulletin).name, "subject": subject_for(bulletin)}
    row |= {field: getattr(bulletin, field) for field in ("status", "seq", "id", "prev")}
    row |= {"sum": sum_of(row, sent), "headers": msgspec.json.encode(sent).decode(), "payload": payload}
    settings = ", ".join(f"{field} = :{field}" for field in row)
    sql = f"UPDATE outbox SET {settings}, problem = NULL, state = iif(state = 'damaged', 'kept', state) WHERE digest = :digest"
    db.execute(sql, {**row, "digest": name})
    log.warning("row_healed", channel=row["channel"], seq=row["seq"], id=row["id"])


def set_damaged(db: sqlite3.Connection, n: int) -> None:
    """Set a row aside that is not what was signed, inside a transaction; its place, so far as it can be read, is logged."""
    log.error("row_damaged", n=n, table="outbox", remedy="tocsin outbox status says more")
    sql = "UPDATE outbox SET state = 'damaged', problem = ? WHERE n = ?"
    db.execute(sql, ("its bytes are not those that were signed", n))


def settle(db: sqlite3.Connection, settled: Iterable[Settled], now: float) -> None:
    """Note durable acknowledgements, inside a transaction."""
    settle_at(db, [(ack, now) for ack in settled])


def settle_at(db: sqlite3.Connection, settled: Iterable[tuple[Settled, float]]) -> None:
    """As `settle`, each with the moment at which it came.

    What was set aside meanwhile stays that: another row may have its place by now, and then no commit would be done any more.
    """
    db.executemany(
        "UPDATE outbox SET state = 'stored', stored_at = coalesce(stored_at, ?), stream = ?, stream_seq = ?, problem = NULL "
        "WHERE n = ? AND state NOT IN ('stored', 'superseded')",
        [(at, ack.stream, ack.stream_seq, ack.n) for ack, at in settled],
    )


def stored_from(db: sqlite3.Connection, stream: str, cursor: int) -> list[sqlite3.Row]:
    """What a stream has acknowledged from the last place at or before `cursor` on, in its order."""
    return db.execute(
        "SELECT n, digest, channel, stored_at, stream_seq FROM outbox WHERE stream = ?1 AND stream_seq >= coalesce("
        "(SELECT max(stream_seq) FROM outbox WHERE stream = ?1 AND stream_seq <= ?2), 0) ORDER BY stream_seq",
        (stream, cursor),
    ).fetchall()


def mark_unsent(db: sqlite3.Connection, ns: Iterable[int], why: str = "its stream has lost it") -> None:
    """Have rows sent again that were stored, inside a transaction: their stream, or a reader, lacks them.

    Without a message id, which the stream may still remember.
    """
    db.executemany(
        "UPDATE outbox SET state = 'kept', stream = NULL, stream_seq = NULL, problem = ?, "
        "headers = json_remove(headers, '$.\"Nats-Msg-Id\"') WHERE n = ? AND state = 'stored'",
        [(why, n) for n in ns],
    )


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many rows are in each state."""
    # Only what is stored is many; the others have an index of their own.
    few = {
        str(state): _count(db, f"SELECT count(*) FROM outbox WHERE state = '{state}'")
        for state in (RowState.KEPT, RowState.PARKED, RowState.SUPERSEDED, RowState.DAMAGED)
    }
    return {**few, str(RowState.STORED): _count(db, "SELECT count(*) FROM outbox") - sum(few.values())}


def accounts_for(db: sqlite3.Connection, channel: str, seq: int) -> bool:
    """Whether an unknown bulletin at this place is history: behind the head, and the outbox has no row there."""
    top = head(db, channel)
    ours = "SELECT 1 FROM outbox WHERE channel = ? AND seq = ? AND state != 'superseded'"
    return top is not None and top.seq >= seq and db.execute(ours, (channel, seq)).fetchone() is None


def rows(db: sqlite3.Connection, sql: str, *arguments: object) -> list[Row]:
    """The rows that a query selects."""
    return [Row(**dict(row)) for row in db.execute(sql, arguments)]


def first(db: sqlite3.Connection, sql: str, *arguments: object) -> Row | None:
    """The first row that a query selects."""
    return next(iter(rows(db, sql, *arguments)), None)


def _count(db: sqlite3.Connection, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])
