"""`notify.db`: up to which event people were told, what is told together, and every message until it was taken or given up.

What happened, the place in the log up to which it was read, and the messages that follow from it are written in one transaction: after
a crash nothing is lost, and nothing is decided twice. That an attempt begins is written before it is made. So a message whose
attempt was cut off is sent once more, under the same id.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bus.notify.grouping import Group, without
from bus.notify.shape import Item, Message
from bus.storage import Database, Layout, Store, from_row, lease, single, utc

KEPT_S = 30 * 86_400.0
"""So many seconds the log keeps what was sent or given up."""
MOST_LOGGED = 20_000
"""So many of these are kept, the newest."""
MOST_WAITING = 500
"""So many messages wait for one channel; of more the oldest is given up."""
MOST_HELD = 5000
"""So many bulletins under embargo wait to be told; of more, those that wait longest are told of no more."""
MOST_RELEASED = 200
"""So many of them are told of at once when their embargo is over."""
MOST_GROUPS = 400
"""So many groups one rule has at once, those of the digest apart."""
MOST_OF_ISSUER = 40
"""So many of them are of one issuer."""
MOST_DIGEST = 400
"""So many groups the digest of one rule has at once."""
MOST_NOTED = 5000
"""So many acknowledgements are remembered as told."""
WAITS_S = (30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
"""Between two attempts; the last one again and again."""
MOST_TRIES = 60
END_S = 86_400.0
"""After so many seconds, or `MOST_TRIES` attempts, a message is given up."""
WAITING, SENT, GIVEN_UP = "waiting", "sent", "given-up"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS place (
  n INTEGER PRIMARY KEY CHECK (n = 1), event INTEGER NOT NULL, at REAL NOT NULL, trust TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS groups (
  rule TEXT NOT NULL, key TEXT NOT NULL, is_digest INTEGER NOT NULL, issuer TEXT NOT NULL, state BLOB NOT NULL,
  PRIMARY KEY (rule, is_digest, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digests (rule TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
  row INTEGER NOT NULL, sort TEXT NOT NULL, item BLOB NOT NULL, until REAL NOT NULL, PRIMARY KEY (row, sort)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_by_end ON held (until);
CREATE TABLE IF NOT EXISTS noted (about TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, rule TEXT NOT NULL, channel TEXT NOT NULL, made REAL NOT NULL,
  form TEXT NOT NULL, count INTEGER NOT NULL, message BLOB, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  due REAL NOT NULL, begun REAL, ended REAL, reason TEXT NOT NULL DEFAULT '', said TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (channel, due) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS deliveries_ended ON deliveries (ended) WHERE ended IS NOT NULL;
"""
LAYOUT = Layout("notify", _SCHEMA)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where was read: the number of the last event, when, and how the registry stood."""

    event: int
    at: dt.datetime
    trust: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one channel, or what became of it.

    Attributes:
        n: its number.
        id: under which it is sent in every attempt.
        rule, channel: of which rule, to where.
        made: when.
        form, count: of the message.
        state: `waiting`, `sent` or `given-up`.
        tries: attempts that were begun.
        due: when the next one is.
        begun: when an attempt began of which nothing is known yet.
        ended: when it was sent or given up.
        reason: why the last attempt failed.
        said: what came back, in words of this program.
    """

    n: int
    id: str
    rule: str
    channel: str
    made: dt.datetime
    form: str
    count: int
    state: str
    tries: int
    due: dt.datetime
    begun: dt.datetime | None
    ended: dt.datetime | None
    reason: str
    said: str


class Book(Store):
    """An open `notify.db`; its lease is held by the one program that sends."""

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Book]:
        """Open or make the file.

        Raises:
            StoreError: see `bus.storage.Database.open`.
        """
        async with Database.open(path, (LAYOUT, lease.LAYOUT)) as database:
            yield cls(database)


# -- place ----------------------------------------------------------------------------------------------------------------


def place(db: sqlite3.Connection) -> Place | None:
    """Up to where was read; None before the first time."""
    row = db.execute("SELECT event, at, trust FROM place").fetchone()
    return None if row is None else Place(event=row["event"], at=utc(row["at"]), trust=row["trust"])


def move_on(db: sqlite3.Connection, event: int, now: dt.datetime, trust: str) -> None:
    """Write up to where was read."""
    db.execute("REPLACE INTO place VALUES (1, ?, ?, ?)", (event, now.timestamp(), trust))


# -- groups ---------------------------------------------------------------------------------------------------------------


def group(db: sqlite3.Connection, rule: str, key: str, *, digest: bool) -> Group | None:
    """The group of a key; None where there is none."""
    row = db.execute(
        "SELECT state FROM groups WHERE rule = ? AND is_digest = ? AND key = ?", (rule, digest, key)
    ).fetchone()
    return None if row is None else msgspec.json.decode(row["state"], type=Group)


def groups(db: sqlite3.Connection, rule: str, *, digest: bool) -> dict[str, Group]:
    """All groups of a rule by key."""
    rows = db.execute("SELECT key, state FROM groups WHERE rule = ? AND is_digest = ?", (rule, digest))
    return {row["key"]: msgspec.json.decode(row["state"], type=Group) for row in rows}


def has_room(db: sqlite3.Connection, rule: str, issuer: str, *, digest: bool) -> tuple[bool, bool]:
    """Whether a rule may have one more group of an issuer, and one more at all."""
    mine = "SELECT count(*) FROM groups WHERE rule = ? AND is_digest = ?"
    whole = single(db, mine, rule, digest)
    of_issuer = single(db, f"{mine} AND issuer = ?", rule, digest, issuer)
    return of_issuer < MOST_OF_ISSUER, whole < (MOST_DIGEST if digest else MOST_GROUPS)


def put_group(
    db: sqlite3.Connection, rule: str, key: str, state: Group, *, digest: bool, issuer: str = ""
) -> None:
    """Write a group."""
    db.execute(
        "INSERT INTO groups VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state",
        (rule, key, digest, issuer, msgspec.json.encode(state)),
    )


def drop_group(db: sqlite3.Connection, rule: str, key: str, *, digest: bool) -> None:
    """Forget a group."""
    db.execute("DELETE FROM groups WHERE rule = ? AND is_digest = ? AND key = ?", (rule, digest, key))


def keep_rules(db: sqlite3.Connection, rules: Collection[str]) -> None:
    """Forget the groups of rules that are there no more."""
    for (rule,) in db.execute("SELECT DISTINCT rule FROM groups").fetchall():
        if rule not in rules:
            db.execute("DELETE FROM groups WHERE rule = ?", (rule,))


def last_digest(db: sqlite3.Connection, rule: str) -> dt.datetime | None:
    """When the last digest of a rule was made; None before the first."""
    row = db.execute("SELECT at FROM digests WHERE rule = ?", (rule,)).fetchone()
    return None if row is None else utc(row["at"])


def note_digest(db: sqlite3.Connection, rule: str, now: dt.datetime) -> None:
    """Write when the last digest was made."""
    db.execute("REPLACE INTO digests VALUES (?, ?)", (rule, now.timestamp()))


# -- held, noted, erased --------------------------------------------------------------------------------------------------


def hold(db: sqlite3.Connection, item: Item, until: dt.datetime) -> None:
    """Keep something until its embargo is over."""
    row = (item.row, item.sort, msgspec.json.encode(item), until.timestamp())
    db.execute("REPLACE INTO held VALUES (?, ?, ?, ?)", row)
    db.execute(
        "DELETE FROM held WHERE (row, sort) IN (SELECT row, sort FROM held ORDER BY until LIMIT -1 OFFSET ?)",
        (MOST_HELD,),
    )


def due_held(db: sqlite3.Connection, now: dt.datetime) -> list[Item]:
    """What is held no longer, the first of it."""
    rows = db.execute(
        "SELECT item FROM held WHERE until <= ? ORDER BY until LIMIT ?", (now.timestamp(), MOST_RELEASED)
    )
    return [msgspec.json.decode(row["item"], type=Item) for row in rows]


def let_go(db: sqlite3.Connection, items: Iterable[Item]) -> None:
    """Hold these no longer."""
    db.executemany("DELETE FROM held WHERE row = ? AND sort = ?", [(each.row, each.sort) for each in items])


def note(db: sqlite3.Connection, about: str, now: dt.datetime) -> bool:
    """Remember that something was told. Returns False where it was before."""
    fresh = db.execute("INSERT OR IGNORE INTO noted VALUES (?, ?)", (about, now.timestamp())).rowcount == 1
    if fresh:
        db.execute(
            "DELETE FROM noted WHERE about IN (SELECT about FROM noted ORDER BY at DESC LIMIT -1 OFFSET ?)",
            (MOST_NOTED,),
        )
    return fresh


def erase(db: sqlite3.Connection, about: str) -> None:
    """Take out what is said of a bulletin that was erased; what is waiting loses it, or is given up."""
    db.execute("DELETE FROM held WHERE instr(item, ?)", (about,))
    found = db.execute(
        "SELECT rule, key, is_digest, state FROM groups WHERE instr(state, ?)", (about,)
    ).fetchall()
    for row in found:
        state = without(msgspec.json.decode(row["state"], type=Group), about)
        put_group(db, row["rule"], row["key"], state, digest=bool(row["is_digest"]))
    waiting = db.execute(
        "SELECT n, message FROM deliveries WHERE state = ? AND instr(message, ?)", (WAITING, about)
    ).fetchall()
    for row in waiting:
        message = msgspec.json.decode(row["message"], type=Message)
        kept = msgspec.structs.replace(
            message, items=tuple(each for each in message.items if each.about != about)
        )
        db.execute("UPDATE deliveries SET message = ? WHERE n = ?", (msgspec.json.encode(kept), row["n"]))


# -- deliveries -----------------------------------------------------------------------------------------------------------

_COLUMNS = "n, id, rule, channel, made, form, count, state, tries, due, begun, ended, reason, said"


def enqueue(db: sqlite3.Connection, id_: str, rule: str, channel: str, message: Message) -> None:
    """Have a message sent, as soon as its channel takes it."""
    moment = message.at.timestamp()
    db.execute(
        "INSERT INTO deliveries (id, rule, channel, made, form, count, message, state, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id_,
            rule,
            channel,
            moment,
            message.form,
            message.count,
            msgspec.json.encode(message),
            WAITING,
            moment,
        ),
    )
    crowd = "SELECT n FROM deliveries WHERE state = ? AND channel = ? ORDER BY n DESC LIMIT -1 OFFSET ?"
    for (n,) in db.execute(crowd, (WAITING, channel, MOST_WAITING)).fetchall():
        _end(db, n, GIVEN_UP, message.at, "notify-crowded", "too many wait for this channel")


def begin(db: sqlite3.Connection, channel: str, now: dt.datetime) -> tuple[Delivery, Message] | None:
    """The next message for a channel, with its attempt written as begun; None while none is due.

    One whose due time lies further ahead than the longest wait was put off by a clock that was set back since, and is due.
    """
    moment = now.timestamp()
    row = db.execute(
        "SELECT * FROM deliveries WHERE state = ? AND channel = ? AND (due <= ? OR due > ?) ORDER BY n LIMIT 1",
        (WAITING, channel, moment, moment + WAITS_S[-1] + 1),
    ).fetchone()
    if row is None:
        return None
    db.execute("UPDATE deliveries SET tries = tries + 1, begun = ? WHERE n = ?", (moment, row["n"]))
    return _delivery(db, row["n"]), msgspec.json.decode(row["message"], type=Message)


def sent(db: sqlite3.Connection, n: int, now: dt.datetime, said: str) -> None:
    """A message was taken; its text is kept no longer."""
    _end(db, n, SENT, now, "", said)


def failed(
    db: sqlite3.Connection,
    n: int,
    now: dt.datetime,
    reason: str,
    said: str,
    *,
    final: bool,
    after_s: float | None = None,
) -> None:
    """An attempt failed: the message waits, longer each time, or is given up.

    Args:
        db: the open file, inside a transaction.
        n: of the delivery.
        now: the present, aware.
        reason: a reason code.
        said: what happened.
        final: whether it fails again whatever is done.
        after_s: for how long the other side wants to be left alone.
    """
    row = db.execute("SELECT tries, made FROM deliveries WHERE n = ?", (n,)).fetchone()
    wait = max(WAITS_S[min(row["tries"], len(WAITS_S)) - 1], min(after_s or 0.0, WAITS_S[-1]))
    if final or row["tries"] >= MOST_TRIES or now.timestamp() + wait > row["made"] + END_S:
        _end(db, n, GIVEN_UP, now, reason, said)
        return
    db.execute(
        "UPDATE deliveries SET due = ?, begun = NULL, reason = ?, said = ? WHERE n = ?",
        (now.timestamp() + wait, reason, said, n),
    )


def record(db: sqlite3.Connection, id_: str, channel: str, now: dt.datetime, reason: str, said: str) -> None:
    """Write into the log what came of a test; with a reason it failed."""
    row = (
        id_,
        "",
        channel,
        now.timestamp(),
        "test",
        GIVEN_UP if reason else SENT,
        now.timestamp(),
        reason,
        said,
    )
    db.execute(
        "INSERT INTO deliveries (id, rule, channel, made, form, count, state, tries, due, ended, reason, said) "
        "VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, 1, ?4, ?7, ?8, ?9)",
        row,
    )


def next_due(db: sqlite3.Connection, channel: str) -> dt.datetime | None:
    """When the next attempt for a channel is due; None where nothing waits."""
    row = db.execute(
        "SELECT min(due) AS due FROM deliveries WHERE state = ? AND channel = ?", (WAITING, channel)
    ).fetchone()
    return None if row["due"] is None else utc(row["due"])


def give_up_unknown(db: sqlite3.Connection, channels: Collection[str], now: dt.datetime) -> None:
    """Give up what waits for channels that are there no more."""
    for row in db.execute("SELECT n, channel FROM deliveries WHERE state = ?", (WAITING,)).fetchall():
        if row["channel"] not in channels:
            _end(
                db,
                row["n"],
                GIVEN_UP,
                now,
                "notify-no-channel",
                "the channel is not in the settings any more",
            )


def tidy(db: sqlite3.Connection, now: dt.datetime) -> None:
    """Let go of what the log need not keep."""
    db.execute("DELETE FROM deliveries WHERE ended < ?", (now.timestamp() - KEPT_S,))
    db.execute(
        "DELETE FROM deliveries WHERE n IN (SELECT n FROM deliveries WHERE ended IS NOT NULL ORDER BY n DESC LIMIT -1 OFFSET ?)",
        (MOST_LOGGED,),
    )


def log_of(
    db: sqlite3.Connection, *, limit: int, channel: str | None = None, state: str | None = None
) -> list[Delivery]:
    """Deliveries, the newest first; none of them says what was sent."""
    rows: Iterable[sqlite3.Row] = db.execute(
        f"SELECT {_COLUMNS} FROM deliveries WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR state = ?2) "
        "ORDER BY n DESC LIMIT ?3",
        (channel, state, limit),
    )
    return [from_row(Delivery, row) for row in rows]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How the deliveries stand: how many wait, how many were given up in the last day, and since when the oldest waits."""

    waiting: int
    given_up: int
    oldest: dt.datetime | None


def counts(db: sqlite3.Connection, now: dt.datetime) -> Counts:
    """How the deliveries stand."""
    row = db.execute(
        "SELECT count(*) AS n, min(made) AS made FROM deliveries WHERE state = ?", (WAITING,)
    ).fetchone()
    given_up = single(
        db, "SELECT count(*) FROM deliveries WHERE state = ? AND ended > ?", GIVEN_UP, now.timestamp() - END_S
    )
    return Counts(
        waiting=row["n"], given_up=given_up, oldest=None if row["made"] is None else utc(row["made"])
    )


def _delivery(db: sqlite3.Connection, n: int) -> Delivery:
    return from_row(Delivery, db.execute(f"SELECT {_COLUMNS} FROM deliveries WHERE n = ?", (n,)).fetchone())


def _end(db: sqlite3.Connection, n: int, state: str, now: dt.datetime, reason: str, said: str) -> None:
    db.execute(
        "UPDATE deliveries SET state = ?, ended = ?, begun = NULL, message = NULL, reason = ?, said = ? WHERE n = ?",
        (state, now.timestamp(), reason, said, n),
    )
