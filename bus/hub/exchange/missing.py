"""Queries of a hub's store: missing bulletins, its requests, and the copies that it has sent.

These tables are not part of the picture: a rebuild of the picture keeps them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from itertools import chain, islice, zip_longest
from types import MappingProxyType
from typing import NamedTuple

from bus.hub.exchange.requests import Asked, Lack, Place, place
from bus.hub.exchange.signed_files import signed_file
from bus.hub.watch import Reason, holdings
from bus.storage import Allowance, Layout, allowances, single
from bus.subscribing import Stored, is_mute, whole
from bus.trust import VerifiedRegistry
from schemas.bodies.system import MAX_WANTED
from schemas.errors import SchemaError
from schemas.subject import Channel

SCHEMA = """
CREATE TABLE IF NOT EXISTS requested (
  channel TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, tries INTEGER NOT NULL, at REAL NOT NULL, peer TEXT NOT NULL,
  PRIMARY KEY (channel, seq, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requested_by_peer ON requested (peer, at);
CREATE INDEX IF NOT EXISTS requested_by_time ON requested (at);
CREATE TABLE IF NOT EXISTS copies_sent (
  digest TEXT NOT NULL, reader TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (digest, reader)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS processed (one INTEGER PRIMARY KEY CHECK (one = 1), row INTEGER NOT NULL);
"""
LAYOUT = Layout("missing", SCHEMA)
REST_S = 600.0
"""Seconds between two copies of a bulletin for one reader."""
ASK_ONE = Allowance(burst=400, per_day=200)
"""The allowance of requested places from one peer."""
ASK_ALL = Allowance(burst=1000, per_day=500)
"""The allowance of requested places from all peers: 0.5 MB at 110 bytes each in the 7 days for which requests are kept."""
ASK_COST = 10  # places: the cost of a request besides its items
UNANSWERED = 100
"""A peer with this many unanswered requested places is asked only once in `BACKOFF_S`."""
BACKOFF_S = 6 * 3600.0
MAX_REQUESTED = 5000
"""Most requested places that are remembered, the newest."""
FORGET_S = 30 * 86_400.0
COPIES_ONE = Allowance(burst=384 * 1024, per_day=32 * 1024)
"""The allowance of copies for one reader in bytes: the largest copy fits."""
COPIES_ALL = Allowance(burst=512 * 1024, per_day=64 * 1024)
"""The allowance of copies for all readers in bytes: 1 MB in the 7 days for which copies are kept. With the requests that is half of the 2.8
MB that each of 243 authorities in 27 countries has for status system in the default store of 8 GiB."""
MAX_LACKS = 1000
"""Most places in one look; of each channel at least `FEWEST`."""
FEWEST = 5
ANY = ""  # the digest of a bulletin requested only by its place


def lacks(db: sqlite3.Connection, registry: VerifiedRegistry, me: str, until: float) -> list[Lack]:
    """The missing bulletins of alarms that began before `until` (seconds since the epoch), at most MAX_WANTED each.

    The last bulletin of a tail comes first: it makes the picture current, and the ones before it become a gap. One
    place of each channel comes before the second of any, so that a large loss on one channel does not delay the others.
    """
    marks = ", ".join("?" * len(_ASKED_FOR))
    sql = f"SELECT channel, reason FROM alarms WHERE ended IS NULL AND began <= ? AND reason IN ({marks}) ORDER BY channel, reason"
    standing = db.execute(sql, (until, *_ASKED_FOR)).fetchall()
    differences: dict[str, list[holdings.Difference]] = {}
    for difference in holdings.differences(db, registry, me) if standing else ():
        differences.setdefault(difference.channel, []).append(difference)
    most = min(MAX_WANTED, max(FEWEST, MAX_LACKS // max(1, len(standing))))
    lacking: list[list[Lack]] = []
    for name, reason in standing:
        try:
            channel = Channel.parse(name)
        except SchemaError:  # an alarm about this hub itself
            continue
        lacking.append(_lacks_of(db, channel, reason, differences.get(name, []), most))
    return [lack for turn in zip_longest(*lacking) for lack in turn if lack is not None]


_ASKED_FOR = (Reason.GAP, Reason.TAIL, Reason.SPLIT)


def _lacks_of(
    db: sqlite3.Connection, channel: Channel, reason: str, here: list[holdings.Difference], most: int
) -> list[Lack]:
    """The missing bulletins of one channel by one alarm."""
    name = str(channel)
    reach = holdings.reach(db, name)
    if reason == Reason.SPLIT:
        others: dict[tuple[int, str], list[str]] = {}
        for difference in here:
            if difference.other:
                others.setdefault((difference.seq, difference.digest), []).append(difference.holder)
        return [
            Lack(channel, seq, digest, tuple(dict.fromkeys((*holdings.holders(reach, seq), *have_it))))
            for (seq, digest), have_it in sorted(others.items())[:most]
        ]
    numbers: Iterable[int]
    numbers = (
        _between(db, name, most)
        if reason == Reason.GAP
        else _beyond(db, name, (each.seq for each in here), most)
    )
    return [Lack(channel, seq, None, holdings.holders(reach, seq)) for seq in numbers]


def _between(db: sqlite3.Connection, channel: str, most: int) -> list[int]:
    """The first missing numbers between the held ones, at most `most`."""
    spans = holdings.holes(db, channel, most)
    return list(islice(chain.from_iterable(range(low, high + 1) for low, high in spans), most))


def _beyond(db: sqlite3.Connection, channel: str, held_elsewhere: Iterable[int], most: int) -> Iterable[int]:
    top = "SELECT coalesce((SELECT seq FROM {} WHERE channel = ? ORDER BY seq DESC LIMIT 1), 0)"
    mine, said = (single(db, top.format(table), channel) for table in ("links", "announced_heads"))
    last = max(said, *held_elsewhere, 0)
    return range(last, max(mine, last - most), -1)


def asked(db: sqlite3.Connection) -> Mapping[Place, Asked]:
    """The requested bulletins, with the number and the time of the requests."""
    return {
        (row["channel"], row["seq"], row["digest"] or None): Asked(row["tries"], row["at"], row["peer"])
        for row in db.execute("SELECT * FROM requested")
    }


def note_asked(db: sqlite3.Connection, lacking: Iterable[Lack], whom: str, moment: float) -> None:
    """Note the peer that these were requested from, inside a transaction."""
    db.executemany(
        "INSERT INTO requested VALUES (?1, ?2, ?3, 1, ?4, ?5) ON CONFLICT DO UPDATE SET tries = tries + 1, at = ?4, peer = ?5",
        [(channel, seq, digest or ANY, moment, whom) for channel, seq, digest in map(place, lacking)],
    )
    db.execute("DELETE FROM requested WHERE at < ?", (moment - FORGET_S,))
    db.execute(
        "DELETE FROM requested WHERE (channel, seq, digest) IN "
        "(SELECT channel, seq, digest FROM requested ORDER BY at DESC LIMIT -1 OFFSET ?)",
        (MAX_REQUESTED,),
    )


def may_ask(db: sqlite3.Connection, whom: str, count: int, moment: float) -> bool:
    """Whether this many places may be requested from a peer now; if so, charge them. Inside a transaction."""
    row = db.execute(
        "SELECT count(*) AS open, max(at) AS last FROM requested WHERE peer = ?", (whom,)
    ).fetchone()
    if row["open"] >= UNANSWERED and 0 <= moment - row["last"] < BACKOFF_S:
        return False
    charged = MappingProxyType({whom: ASK_ONE, allowances.ALL: ASK_ALL})
    return allowances.spend(db, "request", charged, count + ASK_COST, moment)


def may_hand_on(db: sqlite3.Connection, reader: str, size: int, moment: float) -> bool:
    """Whether a copy of this many bytes may be sent to a reader now; if so, charge it. Inside a transaction."""
    charged = MappingProxyType({reader: COPIES_ONE, allowances.ALL: COPIES_ALL})
    return allowances.spend(db, "copy", charged, size, moment)


_COME = (
    "(EXISTS (SELECT 1 FROM links l WHERE l.channel = requested.channel AND l.seq = requested.seq AND requested.digest = '') "
    "OR EXISTS (SELECT 1 FROM quarantine q WHERE q.digest = requested.digest))"
)


def has_asked(db: sqlite3.Connection) -> bool:
    """Whether any request is open."""
    return bool(single(db, "SELECT EXISTS (SELECT 1 FROM requested)"))


def has_come(db: sqlite3.Connection) -> bool:
    """Whether any requested bulletin has come."""
    return bool(single(db, f"SELECT EXISTS (SELECT 1 FROM requested WHERE {_COME})"))


def forget_asked(db: sqlite3.Connection) -> None:
    """Delete requests whose bulletins have come, inside a transaction."""
    db.execute(f"DELETE FROM requested WHERE {_COME}")


def was_asked(db: sqlite3.Connection, channel: str, seq: int, digest: str) -> bool:
    """Whether this hub requested a bulletin."""
    sql = "SELECT 1 FROM requested WHERE channel = ? AND seq = ? AND digest IN ('', ?)"
    return db.execute(sql, (channel, seq, digest)).fetchone() is not None


def is_rested(db: sqlite3.Connection, digest: str, reader: str, moment: float) -> bool:
    """Whether a reader got no copy of this bulletin for `REST_S` seconds."""
    sql = "SELECT at FROM copies_sent WHERE digest = ? AND reader = ?"
    last = db.execute(sql, (digest, reader)).fetchone()
    return last is None or not 0 <= moment - last["at"] < REST_S


def note_handed_on(db: sqlite3.Connection, digest: str, reader: str, moment: float) -> None:
    """Note a copy for a reader, inside a transaction. Older notes than the rest are deleted."""
    db.execute("DELETE FROM copies_sent WHERE at < ?", (moment - 10 * REST_S,))
    db.execute("REPLACE INTO copies_sent VALUES (?, ?, ?)", (digest, reader, moment))


class StoredFile(NamedTuple):
    """A held bulletin as a signed file."""

    digest: str
    file: bytes


def held_at(db: sqlite3.Connection, channel: str, seq: int, digest: str | None) -> StoredFile | None:
    """The bulletin at a place, or the one with this digest there, even if refused."""
    row = db.execute(
        "SELECT digest, row FROM links WHERE channel = ?1 AND seq = ?2 AND ?3 IN (digest, '') UNION ALL "
        "SELECT digest, NULL FROM quarantine WHERE channel = ?1 AND seq = ?2 AND digest = ?3 LIMIT 1",
        (channel, seq, digest or ANY),
    ).fetchone()
    file = None if row is None else signed_file(db, row["digest"], row["row"])
    return None if file is None else StoredFile(row["digest"], file)


def processed_upto(db: sqlite3.Connection) -> int:
    """The last row whose request or copy was processed."""
    return single(db, "SELECT coalesce(max(row), 0) FROM processed")


def note_processed(db: sqlite3.Connection, row: int) -> None:
    """Note that all rows up to this one were processed, inside a transaction."""
    db.execute("REPLACE INTO processed VALUES (1, ?)", (row,))


def said_to(db: sqlite3.Connection, me: str, after: int, upto: int) -> list[Stored]:
    """The bulletins with effect that are addressed to a hub, after one row up to another."""
    sql = "SELECT * FROM admitted WHERE row > ? AND row <= ? AND subject GLOB ? ORDER BY row"
    found = whole(db.execute(sql, (after, upto, f"tocsin.v1.system.*.{me}.*")).fetchall())
    return [row for row in found if not is_mute(row.labels)]


def newest(db: sqlite3.Connection) -> int:
    """The last row that was admitted."""
    return single(db, "SELECT coalesce((SELECT row FROM admitted ORDER BY row DESC LIMIT 1), 0)")
