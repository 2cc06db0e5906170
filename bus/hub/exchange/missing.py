"""What a hub lacks, what it has requested, and which copies it has sent, as questions to its store.

These tables are no part of the picture: making that anew leaves them.
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
"""Places that one peer is asked for."""
ASK_ALL = Allowance(burst=1000, per_day=500)
"""Places that all are asked for: with 110 bytes each, in the 7 days for which requests are kept, 0.5 MB."""
ASK_COST = 10  # places: what a request weighs besides its items
UNANSWERED = 100
"""A peer of whom so many places are asked for, and nothing of it has come, is asked once in `BACKOFF_S`."""
BACKOFF_S = 6 * 3600.0
MAX_REQUESTED = 5000
"""So many places are remembered as asked for, those asked for last."""
FORGET_S = 30 * 86_400.0
COPIES_ONE = Allowance(burst=384 * 1024, per_day=32 * 1024)
"""Bytes of copies for one reader: the largest copy fits."""
COPIES_ALL = Allowance(burst=512 * 1024, per_day=64 * 1024)
"""Bytes of copies for all readers: in the 7 days for which copies are kept, 1 MB. With what is asked for that is half of the
2.8 MB that each of 243 authorities in 27 countries has for status system in the default store of 8 GiB."""
MAX_LACKS = 1000
"""So many places are looked at together; of each channel at least `FEWEST`."""
FEWEST = 5
ANY = ""  # the digest of what is asked for by its place alone


def lacks(db: sqlite3.Connection, registry: VerifiedRegistry, me: str, until: float) -> list[Lack]:
    """What is missing by the alarms that began by `until` (seconds since the epoch), at most MAX_WANTED each.

    The last of a tail comes first: with it the picture is current, and what lies before it is then a gap. One place of each
    channel comes before the second of any, so that who lacks much of one channel asks for the others too.
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
    """What is missing of one channel by one alarm."""
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
    """The first numbers that are missing between those held, at most so many."""
    spans = holdings.holes(db, channel, most)
    return list(islice(chain.from_iterable(range(low, high + 1) for low, high in spans), most))


def _beyond(db: sqlite3.Connection, channel: str, held_elsewhere: Iterable[int], most: int) -> Iterable[int]:
    top = "SELECT coalesce((SELECT seq FROM {} WHERE channel = ? ORDER BY seq DESC LIMIT 1), 0)"
    mine, said = (single(db, top.format(table), channel) for table in ("links", "announced_heads"))
    last = max(said, *held_elsewhere, 0)
    return range(last, max(mine, last - most), -1)


def asked(db: sqlite3.Connection) -> Mapping[Place, Asked]:
    """What was asked for, how often and when last."""
    return {
        (row["channel"], row["seq"], row["digest"] or None): Asked(row["tries"], row["at"], row["peer"])
        for row in db.execute("SELECT * FROM requested")
    }


def note_asked(db: sqlite3.Connection, lacking: Iterable[Lack], whom: str, moment: float) -> None:
    """Note of whom these have been asked for, inside a transaction."""
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
    """Whether a peer may be asked for so many places now; it is charged then. Inside a transaction."""
    row = db.execute(
        "SELECT count(*) AS open, max(at) AS last FROM requested WHERE peer = ?", (whom,)
    ).fetchone()
    if row["open"] >= UNANSWERED and 0 <= moment - row["last"] < BACKOFF_S:
        return False
    charged = MappingProxyType({whom: ASK_ONE, allowances.ALL: ASK_ALL})
    return allowances.spend(db, "request", charged, count + ASK_COST, moment)


def may_hand_on(db: sqlite3.Connection, reader: str, size: int, moment: float) -> bool:
    """Whether a reader may be handed a copy of so many bytes now; it is charged then. Inside a transaction."""
    charged = MappingProxyType({reader: COPIES_ONE, allowances.ALL: COPIES_ALL})
    return allowances.spend(db, "copy", charged, size, moment)


_COME = (
    "(EXISTS (SELECT 1 FROM links l WHERE l.channel = requested.channel AND l.seq = requested.seq AND requested.digest = '') "
    "OR EXISTS (SELECT 1 FROM quarantine q WHERE q.digest = requested.digest))"
)


def has_asked(db: sqlite3.Connection) -> bool:
    """Whether anything is asked for of anybody."""
    return bool(single(db, "SELECT EXISTS (SELECT 1 FROM requested)"))


def has_come(db: sqlite3.Connection) -> bool:
    """Whether anything has come that was asked for."""
    return bool(single(db, f"SELECT EXISTS (SELECT 1 FROM requested WHERE {_COME})"))


def forget_asked(db: sqlite3.Connection) -> None:
    """Forget what was asked for and has come, inside a transaction."""
    db.execute(f"DELETE FROM requested WHERE {_COME}")


def was_asked(db: sqlite3.Connection, channel: str, seq: int, digest: str) -> bool:
    """Whether this hub asked for a bulletin."""
    sql = "SELECT 1 FROM requested WHERE channel = ? AND seq = ? AND digest IN ('', ?)"
    return db.execute(sql, (channel, seq, digest)).fetchone() is not None


def is_rested(db: sqlite3.Connection, digest: str, reader: str, moment: float) -> bool:
    """Whether a reader was given no copy of this for `REST_S` seconds."""
    sql = "SELECT at FROM copies_sent WHERE digest = ? AND reader = ?"
    last = db.execute(sql, (digest, reader)).fetchone()
    return last is None or not 0 <= moment - last["at"] < REST_S


def note_handed_on(db: sqlite3.Connection, digest: str, reader: str, moment: float) -> None:
    """Note that a reader was given a copy, inside a transaction. What rests no more is forgotten."""
    db.execute("DELETE FROM copies_sent WHERE at < ?", (moment - 10 * REST_S,))
    db.execute("REPLACE INTO copies_sent VALUES (?, ?, ?)", (digest, reader, moment))


class StoredFile(NamedTuple):
    """A bulletin that is held, as a signed file."""

    digest: str
    file: bytes


def held_at(db: sqlite3.Connection, channel: str, seq: int, digest: str | None) -> StoredFile | None:
    """The bulletin at a place, or the one of this digest there, refused or not."""
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
    """Note that all up to this row was processed, inside a transaction."""
    db.execute("REPLACE INTO processed VALUES (1, ?)", (row,))


def said_to(db: sqlite3.Connection, me: str, after: int, upto: int) -> list[Stored]:
    """The bulletins addressed to a hub after one row, up to another, that have effect."""
    sql = "SELECT * FROM admitted WHERE row > ? AND row <= ? AND subject GLOB ? ORDER BY row"
    found = whole(db.execute(sql, (after, upto, f"tocsin.v1.system.*.{me}.*")).fetchall())
    return [row for row in found if not is_mute(row.labels)]


def newest(db: sqlite3.Connection) -> int:
    """The last row that was admitted."""
    return single(db, "SELECT coalesce((SELECT row FROM admitted ORDER BY row DESC LIMIT 1), 0)")
