"""The outbox's table: what a row is, and what happens to it inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from bus.logs import logger
from bus.publishing import versions
from bus.publishing.drafted import Drawn
from bus.publishing.handover import Handover, size_of
from bus.publishing.outbox_layout import FILE_TABLE, LAYOUT
from bus.publishing.outbox_rows import (
    ChainHead,
    Row,
    RowState,
    Settled,
    new_row,
    whole,
)

__all__ = ["LAYOUT", "ChainHead", "Row", "RowState", "Settled", "whole"]

log = logger()

_FIRST_UNSENT = """
SELECT b.seq, b.prev FROM unsent u CROSS JOIN bulletins b ON b.n = u.n WHERE u.status = ?1 AND b.channel = ?2
UNION ALL SELECT b.seq, b.prev FROM aside a CROSS JOIN bulletins b ON b.n = a.n WHERE a.state = 'parked' AND b.channel = ?2
ORDER BY 1 LIMIT 1
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
    return f"INSERT INTO bulletins ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


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
    db.executemany("INSERT INTO unsent (n, status) VALUES (?, ?)", [(row.n, row.status) for row in rows])
    versions.keep(db, drawn, first)
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
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'bulletins'").fetchone()
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
    given_up = list(given_up)
    versions.take_back(db, given_up)
    ns = [row.n for row in given_up]
    sql = "UPDATE bulletins SET superseded = n, once = NULL, origin = NULL WHERE n = ?"
    db.executemany(sql, [(n,) for n in ns])
    _put_aside(db, ns, RowState.SUPERSEDED, problem)


def _put_aside(db: sqlite3.Connection, ns: Iterable[int], state: RowState, problem: str) -> None:
    for n in ns:
        db.execute("DELETE FROM unsent WHERE n = ?", (n,))
        db.execute("REPLACE INTO aside (n, state, problem) VALUES (?, ?, ?)", (n, state, problem))


def park(db: sqlite3.Connection, ns: Iterable[int], problem: str) -> None:
    """Set rows aside that the broker refuses, as far as they wait to be sent, inside a transaction."""
    waiting = [n for n in ns if db.execute("SELECT 1 FROM unsent WHERE n = ?", (n,)).fetchone()]
    _put_aside(db, waiting, RowState.PARKED, problem)


def release(db: sqlite3.Connection) -> int:
    """Offer everything that is parked again, inside a transaction. Returns the number of rows."""
    parked = "SELECT a.n, b.status FROM aside a CROSS JOIN bulletins b ON b.n = a.n WHERE a.state = 'parked'"
    db.execute(f"INSERT INTO unsent (n, status) {parked}")
    return db.execute("DELETE FROM aside WHERE state = 'parked'").rowcount


def remove(db: sqlite3.Connection, ns: Iterable[int]) -> None:
    """Delete rows and what became of them, inside a transaction."""
    places = [(n,) for n in ns]
    for name in ("unsent", "sent", "aside", "bulletins"):
        db.executemany(f"DELETE FROM {name} WHERE n = ?", places)


def after(db: sqlite3.Connection, channel: str, seq: int) -> list[Row]:
    """What the chain of a channel holds after a number, inside a transaction."""
    sql = "SELECT * FROM outbox WHERE channel = ? AND seq > ? AND state != 'superseded' ORDER BY seq"
    return rows(db, sql, channel, seq)


def set_damaged(db: sqlite3.Connection, n: int) -> None:
    """Set a row aside that is not what was signed, inside a transaction; its place, so far as it can be read, is logged."""
    log.error("row_damaged", n=n, table="outbox", remedy="tocsin outbox status says more")
    _put_aside(db, [n], RowState.DAMAGED, "its bytes are not those that were signed")


def settle(db: sqlite3.Connection, settled: Iterable[Settled], now: float) -> None:
    """Note durable acknowledgements, inside a transaction."""
    settle_at(db, [(ack, now) for ack in settled])


def settle_at(db: sqlite3.Connection, settled: Iterable[tuple[Settled, float]]) -> None:
    """As `settle`, each with the moment at which it came.

    What was set aside meanwhile stays that: another row may have its place by now, and then no commit would be done any more.
    """
    settled = list(settled)
    found = [(ack.n, at, ack.stream, ack.stream_seq) for ack, at in settled]
    places = [(ack.n,) for ack, _ in settled]
    db.executemany(_SETTLE, found)
    db.executemany("DELETE FROM unsent WHERE n = ?", places)
    if db.execute("SELECT 1 FROM aside LIMIT 1").fetchone():
        db.executemany("DELETE FROM aside WHERE n = ? AND state != 'superseded'", places)


# What was stored before, and was sent again, keeps the moment of the first time.
_SETTLE = """
INSERT INTO sent (n, stored_at, stream, stream_seq) SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM unsent WHERE n = ?1)
  OR EXISTS (SELECT 1 FROM aside WHERE n = ?1 AND state != 'superseded')
ON CONFLICT DO UPDATE SET stream = excluded.stream, stream_seq = excluded.stream_seq
"""


def stored_from(db: sqlite3.Connection, stream: str, cursor: int) -> list[sqlite3.Row]:
    """What a stream has acknowledged from the last place at or before `cursor` on, in its order."""
    return db.execute(
        "SELECT s.n, b.digest, b.channel, s.stored_at, s.stream_seq FROM sent s CROSS JOIN bulletins b ON b.n = s.n "
        "WHERE s.stream = ?1 AND s.stream_seq >= coalesce("
        "(SELECT max(stream_seq) FROM sent WHERE stream = ?1 AND stream_seq <= ?2), 0) ORDER BY s.stream_seq",
        (stream, cursor),
    ).fetchall()


def mark_unsent(db: sqlite3.Connection, ns: Iterable[int], why: str = "its stream has lost it") -> None:
    """Have rows sent again that were stored, inside a transaction: their stream, or a reader, lacks them.

    Without a message id, which the stream may still remember.
    """
    stored = "SELECT 1 FROM sent WHERE n = ?1 AND stream IS NOT NULL AND NOT EXISTS (SELECT 1 FROM aside WHERE n = ?1)"
    for n in ns:
        if db.execute(stored, (n,)).fetchone():
            drop_message_id(db, n)
            db.execute("UPDATE sent SET stream = NULL, stream_seq = NULL WHERE n = ?", (n,))
            sql = "INSERT INTO unsent (n, status, problem) SELECT n, status, ? FROM bulletins WHERE n = ?"
            db.execute(sql, (why, n))


def drop_message_id(db: sqlite3.Connection, n: int) -> None:
    """Have a row sent without `Nats-Msg-Id` from now on, inside a transaction."""
    sql = "UPDATE bulletins SET headers = json_remove(headers, '$.\"Nats-Msg-Id\"') WHERE n = ?"
    db.execute(sql, (n,))


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many rows are in each state."""
    few = {str(RowState.KEPT): _count(db, "SELECT count(*) FROM unsent"), **counts_aside(db)}
    return {**few, str(RowState.STORED): _count(db, "SELECT count(*) FROM bulletins") - sum(few.values())}


def counts_aside(db: sqlite3.Connection) -> dict[str, int]:
    """How many rows are parked, superseded and damaged: few, however many there are in all."""
    found = dict(db.execute("SELECT state, count(*) FROM aside GROUP BY state").fetchall())
    return {str(state): found.get(state, 0) for state in _ASIDE}


_ASIDE = (RowState.PARKED, RowState.SUPERSEDED, RowState.DAMAGED)


def waiting(db: sqlite3.Connection) -> tuple[int, float | None]:
    """How many rows wait to be sent, and since when the first of them does (seconds since the epoch)."""
    oldest = "SELECT kept_at FROM bulletins WHERE n = (SELECT min(n) FROM unsent)"
    row = db.execute(f"SELECT (SELECT count(*) FROM unsent), ({oldest})").fetchone()
    return int(row[0]), row[1]


def accounts_for(db: sqlite3.Connection, channel: str, seq: int) -> bool:
    """Whether an unknown bulletin at this place is history: behind the head, and the outbox has no row there."""
    top = head(db, channel)
    ours = "SELECT 1 FROM bulletins WHERE channel = ? AND seq = ? AND superseded = 0"
    return top is not None and top.seq >= seq and db.execute(ours, (channel, seq)).fetchone() is None


def rows(db: sqlite3.Connection, sql: str, *arguments: object) -> list[Row]:
    """The rows that a query selects."""
    return [Row(**dict(row)) for row in db.execute(sql, arguments)]


def first(db: sqlite3.Connection, sql: str, *arguments: object) -> Row | None:
    """The first row that a query selects."""
    return next(iter(rows(db, sql, *arguments)), None)


def _count(db: sqlite3.Connection, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])
