"""Messages on their way: kept until they were taken or given up, and then told in a log that holds no word of them."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection, Iterable

import msgspec

from bus.notify.shape import Message
from bus.storage import from_row, single, utc

KEPT_S = 30 * 86_400.0
"""So many seconds the log keeps what was sent or given up."""
MOST_LOGGED = 20_000
"""So many of these are kept, the newest."""
MOST_WAITING = 500
"""So many messages wait for one channel; of more the oldest is given up."""
WAITS_S = (30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
"""Between two attempts; the last one again and again."""
MOST_TRIES = 60
END_S = 86_400.0
"""After so many seconds, or `MOST_TRIES` attempts, a message is given up."""
WAITING, SENT, GIVEN_UP = "waiting", "sent", "given-up"

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, rule TEXT NOT NULL, channel TEXT NOT NULL, made REAL NOT NULL,
  form TEXT NOT NULL, count INTEGER NOT NULL, message BLOB, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  due REAL NOT NULL, begun REAL, ended REAL, reason TEXT NOT NULL DEFAULT '', said TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (channel, due) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS deliveries_ended ON deliveries (ended) WHERE ended IS NOT NULL;
"""


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


def erase(db: sqlite3.Connection, about: str) -> None:
    """Take what was erased out of the messages that wait; one in which nothing is left is given up when it is due."""
    waiting = db.execute(
        "SELECT n, message FROM deliveries WHERE state = ? AND instr(message, ?)", (WAITING, about)
    ).fetchall()
    for row in waiting:
        message = msgspec.json.decode(row["message"], type=Message)
        kept = tuple(each for each in message.items if each.about != about)
        db.execute(
            "UPDATE deliveries SET message = ? WHERE n = ?",
            (msgspec.json.encode(msgspec.structs.replace(message, items=kept)), row["n"]),
        )


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
