"""Heads of others' channels that hubs hold: those this hub reports in its heartbeats, and those that other hubs report.

Each heartbeat carries what has come to be held since the last one, at its own TLP and audience, so that no reader learns
of channels that it may not read. A reader that holds another bulletin at the same place, or less, has been shown something
else than its peer by what stands between them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import msgspec

from bus.storage import Layout
from bus.subscribing import Inbox
from bus.trust import VerifiedRegistry
from schemas.bodies.system import MAX_HELD, HeldHead
from schemas.errors import SchemaError
from schemas.subject import Channel
from schemas.vocab import Status

SCHEMA = """
CREATE TABLE IF NOT EXISTS holdings (
  channel TEXT NOT NULL, holder TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (channel, holder, seq, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holdings_by_row ON holdings (row);
"""
LAYOUT = Layout("holdings", SCHEMA, known_by="holdings")


class Holdings(msgspec.Struct):
    """What one hub holds and has not said yet; a program that begins anew says it all again.

    Attributes:
        authority_id: who holds.
        store: what.
    """

    authority_id: str
    store: Inbox
    _told: dict[Channel, dict[str, HeldHead]] = {}  # by the system channel on which it was said

    async def news(self, channel: Channel) -> tuple[HeldHead, ...]:
        """The heads to report in a heartbeat on a system channel, at most MAX_HELD; the next heartbeats report the rest."""
        told = self._told.get(channel, {})
        held = await self.store.read(lambda db: tuple(holding(db, self.authority_id, channel)))
        return tuple(head for head in held if told.get(head.channel) != head)[:MAX_HELD]

    def note_reported(self, channel: Channel, said: tuple[HeldHead, ...]) -> None:
        """Note that these heads were reported on the channel."""
        self._told.setdefault(channel, {}).update({head.channel: head for head in said})


def holding(db: sqlite3.Connection, me: str, channel: Channel) -> Iterator[HeldHead]:
    """The head that is held of each channel of others at the TLP and audience of a system channel, by name."""
    last = "SELECT seq, digest FROM links WHERE channel = ? ORDER BY seq DESC LIMIT 1"
    at = channel.name.partition(".")[2]
    for (name,) in db.execute("SELECT channel FROM channels ORDER BY channel").fetchall():
        issuer, _, rest = name.partition("/")
        status, _, place = rest.partition(".")
        if issuer == me or place != at or status == Status.SYSTEM:
            continue
        if (row := db.execute(last, (name,)).fetchone()) is not None:
            yield HeldHead(channel=name, seq=row["seq"], digest=row["digest"])


def note(db: sqlite3.Connection, holder: str, said: tuple[HeldHead, ...], place: str, row: int) -> None:
    """Record what another hub says it holds, inside a transaction.

    Args:
        db: the store.
        holder: the other hub.
        said: the heads it reports.
        place: the `<tlp>.<audience>` of its heartbeat; what it says of channels elsewhere counts for nothing.
        row: of the heartbeat.
    """
    for head in said:
        if head.channel.partition("/")[2].partition(".")[2] != place:
            continue
        # An earlier report that agrees with what is held here needs no second comparison.
        db.execute(_AGREED, (head.channel, holder))
        db.execute(
            "INSERT INTO holdings VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET row = min(row, excluded.row)",
            (head.channel, holder, head.seq, head.digest, row),
        )


_AGREED = """
DELETE FROM holdings WHERE channel = ?1 AND holder = ?2
AND EXISTS (SELECT 1 FROM links l WHERE l.channel = ?1 AND l.seq = holdings.seq AND l.digest = holdings.digest)
"""


class Hole(NamedTuple):
    """A span of missing numbers, both ends included."""

    low: int
    high: int


class Difference(NamedTuple):
    """A bulletin that another holder has and this hub lacks; `other`: this hub holds a different one in its place.

    The holder is another hub that says so, or the issuer itself, which has signed what follows.
    """

    channel: str
    seq: int
    digest: str
    holder: str
    since: float
    other: bool


def differences(db: sqlite3.Connection, registry: VerifiedRegistry, me: str) -> Iterator[Difference]:
    """Where another hub and this one hold different things of a channel that both may read. A hole here is no difference."""
    may_read = cache(lambda reader, name: readable(registry, reader, name) is not None)
    for found in unlike(db, "holdings", "h.holder"):
        if all(may_read(reader, found.channel) for reader in (me, found.holder)):
            yield found
    for name, seq, digest, at in db.execute(f"{_UNLIKE_ITS_SUCCESSOR} UNION {_UNLIKE_ITS_HEARTBEAT}"):
        yield Difference(name, seq, digest, name.partition("/")[0], at, other=True)


def announced(db: sqlite3.Connection) -> Iterator[Difference]:
    """Where the heartbeats of an issuer and this hub hold different things of its channels."""
    return unlike(db, "announced_heads", "substr(h.channel, 1, instr(h.channel, '/') - 1)")


def unlike(db: sqlite3.Connection, table: str, holder: str) -> Iterator[Difference]:
    """The heads in a table that are not held, or held otherwise, but for holes; `holder` is the SQL of who names them."""
    for name, seq, digest, who, since, held, top in db.execute(_UNLIKE.format(table=table, holder=holder)):
        if held is not None or seq > top:
            yield Difference(name, seq, digest, who, since, other=held is not None)


_UNLIKE = """
SELECT h.channel, h.seq, h.digest, {holder}, m.admitted_at, l.digest AS held,
  (SELECT coalesce(max(seq), 0) FROM links t WHERE t.channel = h.channel) AS top
FROM {table} h JOIN admitted m ON m.row = h.row LEFT JOIN links l ON l.channel = h.channel AND l.seq = h.seq
WHERE l.digest IS NOT h.digest AND NOT EXISTS (SELECT 1 FROM held_back w WHERE w.digest = h.digest)
  AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.channel = h.channel AND q.seq = h.seq AND q.digest = h.digest)
"""


# A bulletin that names another predecessor than is held shows that there is another; and so does a heartbeat.
_UNLIKE_ITS_SUCCESSOR = """
SELECT b.channel, b.seq - 1 AS seq, b.prev AS digest, min(b.at) AS at
FROM quarantine b JOIN links l ON l.channel = b.channel AND l.seq = b.seq - 1
WHERE b.reason = 'broken-chain' AND l.digest != b.prev
  AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.channel = b.channel AND q.seq = b.seq - 1 AND q.digest = b.prev)
GROUP BY b.channel, b.seq, b.prev
"""
_UNLIKE_ITS_HEARTBEAT = """
SELECT a.channel, a.seq, a.digest, m.admitted_at AS at
FROM announced_heads a JOIN admitted m ON m.row = a.row JOIN links l ON l.channel = a.channel AND l.seq = a.seq
WHERE l.digest != a.digest
  AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.channel = a.channel AND q.seq = a.seq AND q.digest = a.digest)
"""


def readable(registry: VerifiedRegistry, reader: str, name: str) -> Channel | None:
    """The channel of a name, if the reader may read it; None also for a name that is none: hubs name what they like."""
    try:
        channel = Channel.parse(name)
    except SchemaError:
        return None
    return channel if registry.may_read(reader, channel) else None


def holes(db: sqlite3.Connection, channel: str, limit: int) -> list[Hole]:
    """The first spans of numbers that are missing between those held of a channel."""
    sql = (
        "SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq) OVER (ORDER BY seq) AS before "
        "FROM links WHERE channel = ?) WHERE seq > before + 1 ORDER BY seq LIMIT ?"
    )
    return [Hole(*row) for row in db.execute(sql, (channel, limit))]


def reach(db: sqlite3.Connection, channel: str) -> tuple[tuple[str, int], ...]:
    """The hubs that say they hold some of a channel, each with the highest number of it, the furthest first."""
    sql = "SELECT holder, max(seq) FROM holdings WHERE channel = ? GROUP BY holder ORDER BY max(seq) DESC, holder"
    return tuple((holder, seq) for holder, seq in db.execute(sql, (channel,)))


def holders(reached: Iterable[tuple[str, int]], seq: int) -> tuple[str, ...]:
    """Those of `reach` that say they hold the channel up to a number or further."""
    return tuple(holder for holder, most in reached if most >= seq)
