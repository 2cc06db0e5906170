"""An authority that contradicts itself is frozen at a reader until a person has decided, or its stolen key has ended. Questions to a store.

The evidence is a `fork` in quarantine: two of its bulletins at one place. Nobody is made deaf by it: what the authority says
goes on being admitted, kept and shown, on every channel of that status. But it is labelled `contested`, and it ends nothing:
whoever has stolen a key can withdraw no warning once he is found out. An exercise that contradicts itself contests nothing
actual, and the other way round.

It is over, and what was said meanwhile counts, when no evidence is left that is open: because a person has decided, or
because a key has ended since before one of the two came, so that the thief's falls and the honest one stands
(`bus.subscribing.reassessment`). Both may have come before that moment, or the key is not revoked: then a person decides. A `reanchor` alone
ends nothing, as whoever holds the key could say one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

CONTESTED = "contested"
"""The label of what a frozen authority says."""

_OPEN = (
    "q.reason = 'fork' AND q.n > coalesce((SELECT max(d.upto) FROM fork_decisions d WHERE d.channel = q.channel), 0) "
    "AND NOT EXISTS (SELECT 1 FROM voided f WHERE f.channel = q.channel AND f.digest = q.digest)"
)


def is_frozen(db: sqlite3.Connection, channel: str) -> bool:
    """Whether the issuer of a channel has contradicted itself, there or on another of the same status, undecided."""
    sql = f"SELECT EXISTS (SELECT 1 FROM quarantine q WHERE q.channel >= ?1 AND q.channel < ?2 AND {_OPEN})"
    return bool(db.execute(sql, _siblings(channel)).fetchone()[0])


def undecided(db: sqlite3.Connection) -> dict[str, int]:
    """How many contradictions nobody has decided on, by channel.

    A heartbeat that names another bulletin than is held shows that there is one; it counts here when that has come.
    """
    return dict(
        db.execute(
            f"SELECT q.channel, count(*) FROM quarantine q WHERE {_OPEN} GROUP BY q.channel"
        ).fetchall()
    )


def decide(db: sqlite3.Connection, channel: str, by: str, reason: str, moment: float) -> int:
    """Note that a person has looked at what a channel's issuer contradicts itself in, inside a transaction; in how much.

    What comes to light later is to be decided anew.
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


def fall(db: sqlite3.Connection, channel: str, digests: Iterable[str]) -> None:
    """Note which bulletins of a channel fall with their key, as ruled last, inside a transaction: they contradict nobody."""
    db.execute("DELETE FROM voided WHERE channel = ?", (channel,))
    db.executemany("INSERT INTO voided VALUES (?, ?)", [(channel, digest) for digest in digests])


def contested(db: sqlite3.Connection, channel: str) -> tuple[str, ...]:
    """The channels, of the issuer and status of this one, on which something is labelled so."""
    sql = (
        "SELECT DISTINCT channel FROM admitted, json_each(labels) WHERE channel >= ? AND channel < ? AND value = ? "
        "ORDER BY channel"
    )
    return tuple(row["channel"] for row in db.execute(sql, (*_siblings(channel), CONTESTED)))


def settle(db: sqlite3.Connection, channel: str) -> None:
    """Take the label from everything on a channel, inside a transaction."""
    db.execute(
        "UPDATE admitted SET labels = (SELECT json_group_array(value) FROM json_each(labels) WHERE value != ?2) "
        "WHERE channel = ?1",
        (channel, CONTESTED),
    )


def _siblings(channel: str) -> tuple[str, str]:
    """The bounds of the names of all channels of the same issuer and status."""
    prefix = channel.partition(".")[0]
    return f"{prefix}.", f"{prefix}/"  # '/' comes right after '.'
