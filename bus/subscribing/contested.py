"""Freezing: an authority that contradicts itself is contested at a reader until a person decides or its stolen key is revoked.

The evidence is a `fork` in quarantine: two of its bulletins at one place. What the authority publishes is still admitted, kept
and shown, on every channel of that status. It is labelled `contested`, and has no effect on anything: with a
stolen key no warning can be withdrawn once the theft shows, no calendar changed, no receipt given. A contradiction in an
exercise contests nothing actual, and the other way round.

The freeze ends when no fork is open. Bulletins published during it then take effect. A fork is closed by a person's decision,
or when a key is revoked since before one of the two bulletins came, so that one is voided and the other stands
(`bus.subscribing.reassessment`). When both came before that moment, or the key is not revoked, a person decides. A `reanchor`
alone closes nothing, because the thief could sign one.

A `fork` is also a bulletin that stands only by its date beside another such one, or beside one by a valid key that this
reader knows no better (`bus.admission.branches`). Its key is revoked by a statement and not by the registry. So it has
no effect on others either: a thief may have dated it back. It is labelled `by-date` until a valid key continues it.

Queries of a store; functions that change rows run inside a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from bus.storage import insert
from bus.subscribing import bodies

CONTESTED = "contested"
"""The label of bulletins of a frozen authority."""
BY_DATE = "by-date"
"""The label of bulletins that stand only by their date."""
MUTE = frozenset({CONTESTED, BY_DATE})
"""The labels of bulletins that are shown without any effect (`is_mute`)."""

_OPEN = (
    "q.reason = 'fork' AND q.n > coalesce((SELECT max(d.upto) FROM fork_decisions d WHERE d.channel = q.channel), 0) "
    "AND NOT EXISTS (SELECT 1 FROM voided f WHERE f.channel = q.channel AND f.digest = q.digest)"
)

EVIDENCE = (
    "EXISTS (SELECT 1 FROM quarantine q WHERE q.channel = kept.channel AND q.seq = kept.seq "
    f"AND q.reason = 'fork' AND {_OPEN})"
)
"""SQL: whether a row of a table named `kept` is part of an undecided contradiction."""


def muted(row: str) -> str:
    """SQL: whether a row of `admitted`, named by this expression, is such a bulletin (`is_mute`)."""
    names = ", ".join(f"'{label}'" for label in sorted(MUTE))
    return f"EXISTS (SELECT 1 FROM admitted m, json_each(m.labels) l WHERE m.row = {row} AND l.value IN ({names}))"


def is_mute(labels: Collection[str]) -> bool:
    """Whether a bulletin with these labels is shown without any effect.

    It supersedes, withdraws, dates, answers, asks, announces and promises nothing. A program that acts on admitted
    bulletins must check this first.
    """
    return not MUTE.isdisjoint(labels)


def is_frozen(db: sqlite3.Connection, channel: str) -> bool:
    """Whether the issuer of a channel has an undecided contradiction there or on another channel of the same status."""
    sql = f"SELECT EXISTS (SELECT 1 FROM quarantine q WHERE q.channel >= ?1 AND q.channel < ?2 AND {_OPEN})"
    return bool(db.execute(sql, _siblings(channel)).fetchone()[0])


def add(db: sqlite3.Connection, n: int, moment: float) -> None:
    """Turn a bulletin refused only for its key into a contradiction with another at its place, inside a transaction.

    It is undecided, regardless of earlier decisions.
    """
    row = dict(db.execute("SELECT * FROM quarantine WHERE n = ?", (n,)).fetchone())
    db.execute("DELETE FROM quarantine WHERE n = ?", (n,))
    detail = f"{row['channel']} number {row['seq']}: dated before its key ended, beside another one"
    row |= {"n": None, "reason": "fork", "at": moment, "detail": detail}
    insert(db, "quarantine", row, verb="INSERT OR IGNORE")


def undecided(db: sqlite3.Connection) -> dict[str, int]:
    """The number of contradictions without a decision, by channel.

    A heartbeat that names another bulletin than the held one announces a contradiction; it counts here once that
    bulletin arrives.
    """
    return dict(
        db.execute(
            f"SELECT q.channel, count(*) FROM quarantine q WHERE {_OPEN} GROUP BY q.channel"
        ).fetchall()
    )


def decide(db: sqlite3.Connection, channel: str, by: str, reason: str, moment: float) -> int:
    """Note a person's decision on the contradictions of a channel, inside a transaction. Returns their number.

    Later contradictions need a new decision.
    """
    row = db.execute(
        f"SELECT count(*) AS count, max(q.n) AS upto FROM quarantine q WHERE q.channel = ? AND {_OPEN}",
        (channel,),
    ).fetchone()
    if row["count"]:
        db.execute(
            "INSERT INTO fork_decisions (channel, upto, at, by, reason) VALUES (?, ?, ?, ?, ?)",
            (channel, row["upto"], moment, by, reason),
        )
    return int(row["count"])


def void(db: sqlite3.Connection, channel: str, digests: Iterable[str]) -> None:
    """Note the bulletins of a channel that the last ruling voids with their key, inside a transaction. They contradict nothing."""
    db.execute("DELETE FROM voided WHERE channel = ?", (channel,))
    db.executemany("INSERT INTO voided VALUES (?, ?)", [(channel, digest) for digest in digests])


def labelled(db: sqlite3.Connection, channel: str) -> tuple[str, ...]:
    """The channels of the same issuer and status that have a bulletin labelled `contested`."""
    sql = (
        "SELECT DISTINCT l.channel FROM links l JOIN admitted a ON a.row = l.row, json_each(a.labels) e "
        "WHERE l.channel >= ? AND l.channel < ? AND e.value = ? ORDER BY l.channel"
    )
    return tuple(row["channel"] for row in db.execute(sql, (*_siblings(channel), CONTESTED)))


def lift(db: sqlite3.Connection, channel: str) -> None:
    """Remove the label from all bulletins of a channel, inside a transaction."""
    bodies.unlabel(db, channel, CONTESTED)


def _siblings(channel: str) -> tuple[str, str]:
    """The bounds of the names of all channels of the same issuer and status."""
    prefix = channel.partition(".")[0]
    return f"{prefix}.", f"{prefix}/"  # '/' comes right after '.'
