"""Notes the acknowledgements of streams, inside a transaction of the outbox: one row of `sent` for each run of them.

A row of `sent` covers `count` rows with consecutive numbers at consecutive places in one stream. No outbox row is in
two of them. To change one row alone, set it apart first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from bus.publishing.outbox_rows import Settled


def settle(db: sqlite3.Connection, settled: Iterable[Settled], now: float) -> None:
    """Note durable acknowledgements, inside a transaction."""
    settle_at(db, [(ack, now) for ack in settled])


def settle_at(db: sqlite3.Connection, settled: Iterable[tuple[Settled, float]]) -> None:
    """As `settle`, with the time of arrival of each.

    A row that was set aside since then stays aside: another row may have its place, and then every later commit would
    fail.
    """
    for first, at, count in _runs(settled):
        last = first.n + count - 1
        waiting, aside = db.execute(_OPEN_STILL, (first.n, last)).fetchone()
        if not waiting and not aside:
            continue  # already noted, perhaps in this transaction
        if waiting == count and not aside and not _is_any_sent(db, first.n, last):
            db.execute(_SETTLE_ALL, (first.n, at, first.stream, first.stream_seq, count))
            db.execute("DELETE FROM unsent WHERE n BETWEEN ? AND ?", (first.n, last))
            continue
        for n in range(first.n, last + 1):
            set_apart(db, n)
            db.execute(_SETTLE, (n, at, first.stream, first.stream_seq + n - first.n))
            db.execute("DELETE FROM unsent WHERE n = ?", (n,))
            db.execute("DELETE FROM aside WHERE n = ? AND state != 'superseded'", (n,))


_OPEN_STILL = """
SELECT (SELECT count(*) FROM unsent WHERE n BETWEEN ?1 AND ?2), EXISTS (SELECT 1 FROM aside WHERE n BETWEEN ?1 AND ?2)
"""
_SETTLE_ALL = "INSERT INTO sent (n, stored_at, stream, stream_seq, count) VALUES (?, ?, ?, ?, ?)"


MOST_TOGETHER = 1024
"""Most rows in one row of `sent`: a search for one place in a stream reads all of them."""


def _runs(settled: Iterable[tuple[Settled, float]]) -> Iterator[tuple[Settled, float, int]]:
    """Runs of acknowledgements that came at one moment, for consecutive rows at consecutive places: (first, moment, count)."""
    first: Settled | None = None
    then, count = 0.0, 0
    for each, at in settled:
        if (
            first is not None
            and each.n == first.n + count
            and each.stream_seq == first.stream_seq + count
            and each.stream == first.stream
            and at == then
            and count < MOST_TOGETHER
        ):
            count += 1
            continue
        if first is not None:
            yield first, then, count
        first, then, count = each, at, 1
    if first is not None:
        yield first, then, count


def _is_any_sent(db: sqlite3.Connection, first: int, last: int) -> bool:
    """Whether a stream has acknowledged one of these rows before."""
    sql = "SELECT n + count FROM sent WHERE n <= ? ORDER BY n DESC LIMIT 1"
    before = db.execute(sql, (last,)).fetchone()
    return before is not None and before[0] > first


def set_apart(db: sqlite3.Connection, n: int) -> None:
    """Give a row that a stream has acknowledged with others a row of `sent` of its own, inside a transaction."""
    sql = "SELECT n, count FROM sent WHERE n <= ? ORDER BY n DESC LIMIT 1"
    first, count = db.execute(sql, (n,)).fetchone() or (n, 1)
    if count == 1 or n >= first + count:
        return
    part = (
        "INSERT INTO sent (n, stored_at, stream, stream_seq, count) "
        "SELECT ?2, stored_at, stream, stream_seq + ?2 - ?1, ?3 FROM sent WHERE n = ?1"
    )
    if left := first + count - 1 - n:
        db.execute(part, (first, n + 1, left))
    if n > first:
        db.execute(part, (first, n, 1))
    db.execute("UPDATE sent SET count = ? WHERE n = ?", (max(1, n - first), first))


# A row that was stored before and was sent again keeps its first moment.
_SETTLE = """
INSERT INTO sent (n, stored_at, stream, stream_seq) SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM unsent WHERE n = ?1)
  OR EXISTS (SELECT 1 FROM aside WHERE n = ?1 AND state != 'superseded')
ON CONFLICT DO UPDATE SET stream = excluded.stream, stream_seq = excluded.stream_seq
"""


def stored_from(db: sqlite3.Connection, stream: str, cursor: int) -> list[sqlite3.Row]:
    """The rows that a stream acknowledged, from its last place at or before `cursor` on, in stream order.

    Columns: n, digest, channel, stored_at (seconds since the epoch), stream_seq.
    """
    found = db.execute(
        "SELECT b.n, b.digest, b.channel, s.stored_at, s.stream_seq + b.n - s.n AS stream_seq "
        "FROM sent s CROSS JOIN bulletins b ON b.n BETWEEN s.n AND s.n + s.count - 1 "
        "WHERE s.stream = ?1 AND s.stream_seq >= coalesce("
        "(SELECT max(stream_seq) FROM sent WHERE stream = ?1 AND stream_seq <= ?2), 0) ORDER BY s.stream_seq, b.n",
        (stream, cursor),
    ).fetchall()
    before = sum(row["stream_seq"] <= cursor for row in found)
    return found[max(0, before - 1) :]
