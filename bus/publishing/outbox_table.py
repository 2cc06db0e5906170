"""The outbox's table: reads and changes of rows, each inside one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from bus.logs import logger
from bus.publishing import versions
from bus.publishing.acknowledged import set_apart
from bus.publishing.drafted import Drawn
from bus.publishing.handover import Handover, size_of
from bus.publishing.outbox_layout import FILE_TABLE, LAYOUT
from bus.publishing.outbox_rows import ChainHead, Row, RowState, Settled, Signed, new_row, whole
from bus.storage import insert_rows

__all__ = ["LAYOUT", "ChainHead", "Row", "RowState", "Settled", "whole"]

log = logger()

_FIRST_UNSENT = """
SELECT b.seq, b.prev FROM unsent u CROSS JOIN bulletins b ON b.n = u.n WHERE u.status = ?1 AND b.channel = ?2
UNION ALL SELECT b.seq, b.prev FROM aside a CROSS JOIN bulletins b ON b.n = a.n WHERE a.state = 'parked' AND b.channel = ?2
ORDER BY 1 LIMIT 1
"""


def distrust(db: sqlite3.Connection) -> None:
    """Mark an outbox restored from a copy as another file, inside a transaction: no file has the inode 0."""
    db.execute(FILE_TABLE)
    db.execute("REPLACE INTO outbox_file VALUES (1, 0)")


def head(db: sqlite3.Connection, channel: str) -> ChainHead | None:
    """The last bulletin of a channel, inside a transaction."""
    row = db.execute("SELECT seq, digest FROM heads WHERE channel = ?", (channel,)).fetchone()
    return ChainHead(seq=row["seq"], digest=row["digest"]) if row else None


def stored_head(db: sqlite3.Connection, channel: str) -> ChainHead | None:
    """The last bulletin of a channel before which all are stored, inside a transaction."""
    row = db.execute(_FIRST_UNSENT, (channel.split(".", 1)[0], channel)).fetchone()
    if row is None:
        return head(db, channel)
    return ChainHead(seq=row["seq"] - 1, digest=row["prev"]) if row["prev"] else None


_KEPT = (
    *("n", "status", "channel", "seq", "id", "digest", "prev", "subject"),
    *("headers", "payload", "kept_at", "sum"),
)


def keep_all(
    db: sqlite3.Connection,
    drawn: Sequence[Drawn],
    signatures: Sequence[Signed],
    handover: Handover | None = None,
) -> None:
    """Keep signed bulletins, in their order, and make the last of each channel its head, inside a transaction.

    If a sender takes them over in memory, their rows are marked as perhaps sent.

    Args:
        db: the outbox.
        drawn: the bulletins.
        signatures: the signature of each.
        handover: to the sender of this process, if there may be one.
    """
    first = last_number(db) + 1
    rows = [
        new_row(n, each, signed)
        for n, (each, signed) in enumerate(zip(drawn, signatures, strict=True), first)
    ]
    takes = handover is not None and handover.takes(len(rows), size_of(rows))
    openings = _open(db, first, signatures)
    columns: dict[str, list[Any]] = {name: list(map(attrgetter(name), rows)) for name in _KEPT}
    columns["payload"] = [bytearray(row.payload) for row in rows]
    columns["attempted_at"] = [row.kept_at if takes else None for row in rows]
    columns |= {"once": [row.once for row in rows], "origin": [row.origin for row in rows]}
    if openings:
        columns["opening"] = [openings.get(signed.opening) for signed in signatures]
        columns["headers"] = [
            signed.rest if signed.opening else row.headers
            for row, signed in zip(rows, signatures, strict=True)
        ]
    # For any type but int, float, str and bytearray, sqlite3 looks for an adapter each time. So there is no None in
    # these rows.
    told = {name: each for name, each in columns.items() if any(value is not None for value in each)}
    into, values = f"INSERT OR FAIL INTO bulletins ({', '.join(told)})", f"({', '.join('?' * len(told))})"
    insert_rows(db, into, values, list(zip(*told.values(), strict=True)))
    waiting = [(row.n, row.status) for row in rows]
    insert_rows(db, "INSERT OR FAIL INTO unsent (n, status)", "(?, ?)", waiting)
    versions.keep(db, drawn, first)
    if handover is not None and takes:
        handover.offer(rows)
    ends = {each.channel: each for each in drawn}
    sql = "REPLACE INTO heads (channel, seq, digest) VALUES (?, ?, ?)"
    db.executemany(sql, [(name, each.bulletin.seq, each.digest) for name, each in ends.items()])


def _open(db: sqlite3.Connection, first: int, signatures: Sequence[Signed]) -> dict[str, int]:
    """Keep the opening of each batch's signatures. Returns its number, by opening.

    Args:
        db: the outbox.
        first: the number of the first row; the others follow.
        signatures: the signatures of the rows.
    """
    found: dict[str, list[int]] = {}
    for n, signed in enumerate(signatures, first):
        if signed.opening:
            found.setdefault(signed.opening, []).append(n)
    told = [(ns[0], ns[-1], text) for text, ns in found.items()]
    db.executemany("INSERT INTO openings (n, last, text) VALUES (?, ?, ?)", told)
    return {text: ns[0] for text, ns in found.items()}


def last_number(db: sqlite3.Connection) -> int:
    """The highest number that a row ever had, inside a transaction; 0 if there was no row."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'bulletins'").fetchone()
    return int(found[0]) if found else 0


def kept_once(db: sqlite3.Connection, once: str) -> Row | None:
    """The row kept under a `once` key, inside a transaction."""
    return first(db, "SELECT * FROM outbox WHERE once = ?", once)


def pruned_once(db: sqlite3.Connection, once: str) -> sqlite3.Row | None:
    """The place of a pruned bulletin that was kept under a `once` key, inside a transaction."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM pruned_once WHERE once = ?", (once,)).fetchone()
    return row


def last_of_origin(db: sqlite3.Connection, origin: str) -> Row | None:
    """The newest row of an origin, inside a transaction."""
    return first(db, "SELECT * FROM outbox WHERE origin = ? ORDER BY n DESC LIMIT 1", origin)


def set_head(db: sqlite3.Connection, channel: str, seq: int, digest: str) -> None:
    """Make a bulletin the head of its channel, inside a transaction."""
    db.execute("REPLACE INTO heads (channel, seq, digest) VALUES (?, ?, ?)", (channel, seq, digest))


def clear_head(db: sqlite3.Connection, channel: str) -> None:
    """Restart a channel from number 1, inside a transaction."""
    db.execute("DELETE FROM heads WHERE channel = ?", (channel,))


def set_aside(db: sqlite3.Connection, given_up: Iterable[Row], problem: str) -> None:
    """Take rows out of the chain, inside a transaction. They are kept for a person to look at; their source may publish them again."""
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
    """Set refused rows aside if they wait to be sent, inside a transaction."""
    waiting = [n for n in ns if db.execute("SELECT 1 FROM unsent WHERE n = ?", (n,)).fetchone()]
    _put_aside(db, waiting, RowState.PARKED, problem)


def release(db: sqlite3.Connection) -> int:
    """Offer all parked rows again, inside a transaction. Returns the number of rows."""
    parked = "SELECT a.n, b.status FROM aside a CROSS JOIN bulletins b ON b.n = a.n WHERE a.state = 'parked'"
    db.execute(f"INSERT INTO unsent (n, status) {parked}")
    return db.execute("DELETE FROM aside WHERE state = 'parked'").rowcount


def remove(db: sqlite3.Connection, ns: Iterable[int]) -> None:
    """Delete rows and their states, inside a transaction; with the last row of a batch also its opening."""
    ns = list(ns)
    for n in ns:
        set_apart(db, n)
    places = [(n,) for n in ns]
    opened = {row[0] for n in ns for row in db.execute("SELECT opening FROM bulletins WHERE n = ?", (n,))}
    for name in ("unsent", "sent", "aside", "bulletins"):
        db.executemany(f"DELETE FROM {name} WHERE n = ?", places)
    db.executemany(_CLOSE, [(n,) for n in opened if n is not None])


_CLOSE = """
DELETE FROM openings WHERE n = ?1 AND NOT EXISTS (
  SELECT 1 FROM bulletins b WHERE b.n BETWEEN openings.n AND openings.last AND b.opening = ?1
)
"""


def after(db: sqlite3.Connection, channel: str, seq: int) -> list[Row]:
    """The rows of a channel's chain after a number, inside a transaction."""
    sql = "SELECT * FROM outbox WHERE channel = ? AND seq > ? AND state != 'superseded' ORDER BY seq"
    return rows(db, sql, channel, seq)


def set_damaged(db: sqlite3.Connection, n: int) -> None:
    """Set a row with changed bytes aside, inside a transaction; its place is logged if it can be read."""
    log.error("row_damaged", n=n, table="outbox", remedy="tocsin outbox status says more")
    _put_aside(db, [n], RowState.DAMAGED, "its bytes are not those that were signed")


def mark_unsent(db: sqlite3.Connection, ns: Iterable[int], why: str = "its stream has lost it") -> None:
    """Send stored rows again, inside a transaction, because their stream or a reader lacks them.

    They go without the message id, which the stream may still remember.
    """
    stored = "SELECT 1 FROM sent WHERE n = ?1 AND stream IS NOT NULL AND NOT EXISTS (SELECT 1 FROM aside WHERE n = ?1)"
    for n in ns:
        set_apart(db, n)
        if db.execute(stored, (n,)).fetchone():
            drop_message_id(db, n)
            db.execute("UPDATE sent SET stream = NULL, stream_seq = NULL WHERE n = ?", (n,))
            sql = "INSERT INTO unsent (n, status, problem) SELECT n, status, ? FROM bulletins WHERE n = ?"
            db.execute(sql, (why, n))


def drop_message_id(db: sqlite3.Connection, n: int) -> None:
    """Send a row without `Nats-Msg-Id` from now on, inside a transaction."""
    told = "SELECT json_remove(o.headers, '$.\"Nats-Msg-Id\"') FROM outbox o WHERE o.n = bulletins.n"
    db.execute(f"UPDATE bulletins SET headers = ({told}), opening = NULL WHERE n = ?", (n,))


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """The number of rows in each state."""
    few = {str(RowState.KEPT): _count(db, "SELECT count(*) FROM unsent"), **counts_aside(db)}
    return {**few, str(RowState.STORED): _count(db, "SELECT count(*) FROM bulletins") - sum(few.values())}


def counts_aside(db: sqlite3.Connection) -> dict[str, int]:
    """The number of parked, superseded and damaged rows, which are always few."""
    found = dict(db.execute("SELECT state, count(*) FROM aside GROUP BY state").fetchall())
    return {str(state): found.get(state, 0) for state in _ASIDE}


_ASIDE = (RowState.PARKED, RowState.SUPERSEDED, RowState.DAMAGED)


def waiting(db: sqlite3.Connection) -> tuple[int, float | None]:
    """(number of rows that wait to be sent, time since which the first waits in seconds since the epoch)."""
    oldest = "SELECT kept_at FROM bulletins WHERE n = (SELECT min(n) FROM unsent)"
    row = db.execute(f"SELECT (SELECT count(*) FROM unsent), ({oldest})").fetchone()
    return int(row[0]), row[1]


def accounts_for(db: sqlite3.Connection, channel: str, seq: int) -> bool:
    """Whether an unknown bulletin at this place is history: it is before the head, and the outbox has no row there."""
    top = head(db, channel)
    ours = "SELECT 1 FROM bulletins WHERE channel = ? AND seq = ? AND superseded = 0"
    return top is not None and top.seq >= seq and db.execute(ours, (channel, seq)).fetchone() is None


def rows(db: sqlite3.Connection, sql: str, *arguments: object) -> list[Row]:
    """The rows that a query selects."""
    return [Row(**dict(row)) for row in db.execute(sql, arguments)]


_NAMING = """
SELECT * FROM (SELECT * FROM outbox WHERE status = ?1 ORDER BY n DESC LIMIT ?3)
WHERE EXISTS (SELECT 1 FROM json_each(?2) WHERE instr(payload, CAST(value AS BLOB)))
"""


def naming(db: sqlite3.Connection, ids: Iterable[str], status: str, newest: int = 10_000) -> list[Row]:
    """The rows of a status whose bulletins name one of some ids, the newest first; only the newest of all are looked at."""
    return [row for row in rows(db, _NAMING, status, json.dumps(list(ids)), newest) if row.is_whole]


def first(db: sqlite3.Connection, sql: str, *arguments: object) -> Row | None:
    """The first row that a query selects."""
    return next(iter(rows(db, sql, *arguments)), None)


def _count(db: sqlite3.Connection, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])
