"""Heads of others' channels that hubs hold: those this hub reports in its heartbeats, and those that other hubs report.

Each heartbeat names newly held heads at its own TLP and audience, so that no reader learns of channels that it may not
read. A missing heartbeat raises no alarm, so each head is in several of them. If a reader holds another bulletin at the
same place, or fewer, the brokers between them showed it something else than its peer.

A hub may claim anything. So only the last claim of each hub for each channel is kept, and a claim that nobody else
makes and nobody proves lapses.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import msgspec

from bus.storage import Layout
from bus.subscribing import Inbox
from bus.trust import VerifiedRegistry
from schemas.bodies.system import HeldHead
from schemas.errors import SchemaError
from schemas.subject import Channel
from schemas.vocab import TALK

AT_ONCE = 64
"""Most heads in one heartbeat, which then stays below `bus.transport.MAX_BEAT_BYTES`."""
TIMES = 3
"""Heartbeats in a row that report a head. Withholding all of them makes a silence, which raises an alarm."""
AGAIN_EVERY = 256
"""Heartbeats after which a hub reports all its holdings again: a reader that was away has only the newest heartbeats."""
CLAIM_S = 3 * 86_400.0
"""Seconds for which an unproven claim of a single holder counts; requests for it have ended long before."""
MAX_CLAIMS = 2000
"""Most claims kept of one holder, the newest: more channels than a hub of 27 countries reads."""

_AGREES = "EXISTS (SELECT 1 FROM links l WHERE l.channel = {0}.channel AND l.seq = {0}.seq AND l.digest = {0}.digest)"
_TOP = "coalesce((SELECT seq FROM links t WHERE t.channel = h.channel ORDER BY seq DESC LIMIT 1), 0)"

SCHEMA = """
CREATE TABLE IF NOT EXISTS holdings (
  channel TEXT NOT NULL, holder TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, row INTEGER NOT NULL,
  since REAL NOT NULL, lapsed REAL, PRIMARY KEY (channel, holder)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holdings_by_row ON holdings (row);
CREATE INDEX IF NOT EXISTS holdings_by_holder ON holdings (holder, row);
"""
LAYOUT = Layout("holdings", SCHEMA)


class _Told(NamedTuple):
    """A reported head: the number of reports, and the last heartbeat of its channel that had it."""

    head: HeldHead
    times: int
    last: int


class Holdings(msgspec.Struct):
    """The holdings that one hub has not reported often enough; a restarted program reports all again.

    Attributes:
        authority_id: the hub.
        store: its store.
    """

    authority_id: str
    store: Inbox
    _count: dict[Channel, int] = {}
    _told: dict[Channel, dict[str, _Told]] = {}  # by the channel of the report

    async def news(self, channel: Channel) -> tuple[HeldHead, ...]:
        """The heads to report in a heartbeat on a channel, at most `AT_ONCE`; the next heartbeats report the rest.

        First come heads that were not reported often enough, so that consecutive heartbeats have them. Then come
        channels reported longest ago, so that busy channels do not displace others.
        """
        told = self._told.get(channel, {})
        held = await self.store.read(lambda db: tuple(holding(db, self.authority_id, channel)))
        turns: list[tuple[bool, int, HeldHead]] = []
        for head in held:
            known = told.get(head.channel)
            is_same = known is not None and known.head == head
            if known is None or not is_same or known.times < TIMES:
                turns.append((not is_same, known.last if known else 0, head))
        turns.sort(key=lambda turn: turn[:2])
        return tuple(head for _, _, head in turns[:AT_ONCE])

    def note_reported(self, channel: Channel, said: tuple[HeldHead, ...]) -> None:
        """Note that these heads were reported on the channel."""
        count = self._count[channel] = self._count.get(channel, 0) + 1
        if count % AGAIN_EVERY == 0:
            self._told.pop(channel, None)
        told = self._told.setdefault(channel, {})
        for head in said:
            known = told.get(head.channel)
            times = known.times if known is not None and known.head == head else 0
            told[head.channel] = _Told(head, times + 1, count)


def holding(db: sqlite3.Connection, me: str, channel: Channel) -> Iterator[HeldHead]:
    """The held head of each foreign channel at the TLP and audience of a channel, by name."""
    last = "SELECT seq, digest FROM links WHERE channel = ? ORDER BY seq DESC LIMIT 1"
    at = channel.name.partition(".")[2]
    for (name,) in db.execute("SELECT channel FROM channels ORDER BY channel").fetchall():
        issuer, _, rest = name.partition("/")
        status, _, place = rest.partition(".")
        if issuer == me or place != at or status in TALK:
            continue
        if (row := db.execute(last, (name,)).fetchone()) is not None:
            yield HeldHead(channel=name, seq=row["seq"], digest=row["digest"])


def note(
    db: sqlite3.Connection, holder: str, said: tuple[HeldHead, ...], place: str, row: int, moment: float
) -> None:
    """Record the claims of another hub, inside a transaction: the last for each channel, at most `MAX_CLAIMS`.

    Args:
        db: the store.
        holder: the other hub.
        said: the heads it reports.
        place: the `<tlp>.<audience>` of its heartbeat; claims about channels elsewhere are ignored.
        row: the row of the heartbeat.
        moment: when it was admitted, in seconds since the epoch.
    """
    here = [head for head in said if head.channel.partition("/")[2].partition(".")[2] == place]
    db.executemany(_NEWEST, [(head.channel, holder, head.seq, head.digest, row, moment) for head in here])
    if here:
        db.execute(_BEYOND, (holder, MAX_CLAIMS))


# A claim that replaces an unproven one keeps its age: a reader without a growing channel sees a newer head in each
# heartbeat.
_NEWEST = f"""
INSERT INTO holdings VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL) ON CONFLICT DO UPDATE SET
since = iif({_AGREES.format("holdings")}, excluded.since, since),
lapsed = iif({_AGREES.format("excluded")}, NULL, lapsed),
seq = excluded.seq, digest = excluded.digest, row = excluded.row WHERE excluded.row >= row
"""
_BEYOND = """
DELETE FROM holdings WHERE holder = ?1
AND channel IN (SELECT channel FROM holdings WHERE holder = ?1 ORDER BY row DESC, channel LIMIT -1 OFFSET ?2)
"""


def let_lapse(db: sqlite3.Connection, moment: float) -> dict[str, int]:
    """Let unproven claims of a single holder lapse after `CLAIM_S` seconds, inside a transaction.

    From then on that holder's claims about the channel are ignored until they match the held bulletins.

    Returns:
        The number of lapsed claims, by holder.
    """
    db.execute(f"UPDATE holdings SET lapsed = NULL WHERE lapsed IS NOT NULL AND {_AGREES.format('holdings')}")
    gone = db.execute(_UNSHOWN, (moment - CLAIM_S,)).fetchall()
    db.executemany(
        "UPDATE holdings SET lapsed = ? WHERE channel = ? AND holder = ?",
        [(moment, row["channel"], row["holder"]) for row in gone],
    )
    return dict(Counter(row["holder"] for row in gone))


_MORE = f"({{0}}.seq = h.seq AND {{0}}.digest = h.digest OR min({{0}}.seq, h.seq) > {_TOP}) AND NOT {{1}}"
# A claim has more than one holder if another hub or the issuer claims the same, or more.
_UNSHOWN = f"""
SELECT channel, holder FROM holdings h WHERE since < ? AND lapsed IS NULL AND NOT {_AGREES.format("h")}
AND NOT EXISTS (
  SELECT 1 FROM holdings o WHERE o.channel = h.channel AND o.holder != h.holder AND o.lapsed IS NULL
  AND {_MORE.format("o", _AGREES.format("o"))}
) AND NOT EXISTS (
  SELECT 1 FROM announced_heads a WHERE a.channel = h.channel AND {_MORE.format("a", _AGREES.format("a"))}
)
"""


class Hole(NamedTuple):
    """A span of missing numbers, both ends included."""

    low: int
    high: int


class Difference(NamedTuple):
    """A bulletin that another holder has and this hub lacks; `other`: this hub holds a different one in its place.

    The holder is another hub by its claim, or the issuer itself, which has signed a later bulletin.
    """

    channel: str
    seq: int
    digest: str
    holder: str
    since: float
    other: bool


def differences(db: sqlite3.Connection, registry: VerifiedRegistry, me: str) -> Iterator[Difference]:
    """The differences between another hub's holdings and this one's on channels that both may read. A hole here is no difference."""
    channels = cache(lambda name: granted(registry, me, name))
    for found in _unlike(db.execute(_UNLIKE_A_HOLDER)):
        channel = channels(found.channel)
        if channel is not None and registry.may_read(found.holder, channel):
            yield found
    for name, seq, digest, at in db.execute(f"{_UNLIKE_ITS_SUCCESSOR} UNION {_UNLIKE_ITS_HEARTBEAT}"):
        yield Difference(name, seq, digest, name.partition("/")[0], at, other=True)


def announced(db: sqlite3.Connection) -> Iterator[Difference]:
    """The differences between an issuer's heartbeats and this hub's holdings of its channels."""
    return _unlike(db.execute(_UNLIKE_ITS_ISSUER))


def _unlike(rows: Iterable[tuple[str, int, str, str, float, str | None, int]]) -> Iterator[Difference]:
    """The heads that are not held, or for which another bulletin is held, without holes."""
    for name, seq, digest, who, since, held, top in rows:
        if held is not None or seq > top:
            yield Difference(name, seq, digest, who, since, other=held is not None)


_HELD = f"(SELECT digest FROM links l WHERE l.channel = h.channel AND l.seq = h.seq) AS held, {_TOP} AS top"
_IS_UNLIKE = f"""WHERE NOT {_AGREES.format("h")} AND NOT EXISTS (SELECT 1 FROM held_back w WHERE w.digest = h.digest)
  AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.channel = h.channel AND q.seq = h.seq AND q.digest = h.digest)"""
_UNLIKE_A_HOLDER = f"""
SELECT h.channel, h.seq, h.digest, h.holder, h.since, {_HELD} FROM holdings h {_IS_UNLIKE} AND h.lapsed IS NULL
"""
_UNLIKE_ITS_ISSUER = f"""
SELECT h.channel, h.seq, h.digest, substr(h.channel, 1, instr(h.channel, '/') - 1), m.admitted_at, {_HELD}
FROM announced_heads h JOIN admitted m ON m.row = h.row {_IS_UNLIKE}
"""


# A bulletin that names another predecessor than the held one proves that another exists; so does a heartbeat.
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
    """The channel of a name, if the reader may read it; None also for an invalid name, since hubs may send any name."""
    try:
        channel = Channel.parse(name)
    except SchemaError:
        return None
    return channel if registry.may_read(reader, channel) else None


def granted(registry: VerifiedRegistry, reader: str, name: str) -> Channel | None:
    """The channel of a name, if the reader may read it and its issuer may publish on it; None also for an invalid name."""
    channel = readable(registry, reader, name)
    return channel if channel is not None and registry.may_publish(channel.issuer, channel) else None


def holes(db: sqlite3.Connection, channel: str, limit: int) -> list[Hole]:
    """The first spans of missing numbers between the held ones of a channel."""
    sql = "SELECT low, high FROM holes WHERE channel = ? ORDER BY low LIMIT ?"
    return [Hole(*row) for row in db.execute(sql, (channel, limit))]


def reach(db: sqlite3.Connection, channel: str) -> tuple[tuple[str, int], ...]:
    """(hub, number up to which it claims the channel), the furthest first."""
    sql = "SELECT holder, seq FROM holdings WHERE channel = ? AND lapsed IS NULL ORDER BY seq DESC, holder"
    return tuple((holder, seq) for holder, seq in db.execute(sql, (channel,)))


def holders(reached: Iterable[tuple[str, int]], seq: int) -> tuple[str, ...]:
    """The hubs of `reach` that claim the channel at least up to a number."""
    return tuple(holder for holder, most in reached if most >= seq)
