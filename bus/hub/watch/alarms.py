"""The recorded history of a hub's channels: begin and end of each alarm, and the time of each channel in each state.

The watch (`bus.hub.watch.watch`) writes these tables. They are not part of the picture: a rebuild of the picture keeps
them.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from bus.hub.watch.liveness import Alarm, Reason, uptime
from bus.storage import Layout, from_row

MOST_ALARMS = 200
"""Most ended alarms kept for one channel and reason, the newest."""
MOST_SPANS = 2000
"""Most spans kept for one channel, the newest: eleven weeks of a channel that changes each hour."""
UNSEEN_S = 90.0  # seconds after which an ended span is not continued

SCHEMA = """
CREATE TABLE IF NOT EXISTS alarms (
  n INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
  began REAL NOT NULL, ended REAL
);
CREATE UNIQUE INDEX IF NOT EXISTS alarms_standing ON alarms (channel, reason) WHERE ended IS NULL;
CREATE INDEX IF NOT EXISTS alarms_by_channel ON alarms (channel, reason, n);
CREATE TABLE IF NOT EXISTS spans (
  n INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, phase TEXT NOT NULL, state TEXT NOT NULL,
  began REAL NOT NULL, until REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS spans_by_channel ON spans (channel, n);
"""
LAYOUT = Layout("recorded_alarms", SCHEMA)


class Condition(NamedTuple):
    """The condition that a span records."""

    phase: str
    state: str


class AlarmRow(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded alarm; `ended` is None while it lasts."""

    n: int
    channel: str
    reason: str
    detail: str
    began: dt.datetime
    ended: dt.datetime | None


def record_alarms(
    db: sqlite3.Connection, begun: Iterable[Alarm], ended: Iterable[tuple[str, Reason]], moment: float
) -> None:
    """Record the alarms that began and those that ended, inside a transaction."""
    db.executemany(
        "UPDATE alarms SET ended = ? WHERE channel = ? AND reason = ? AND ended IS NULL",
        [(moment, channel, reason) for channel, reason in ended],
    )
    db.executemany(
        "INSERT INTO alarms (channel, reason, detail, began) VALUES (?, ?, ?, ?)",
        [(alarm.channel, alarm.reason, alarm.detail, moment) for alarm in begun],
    )
    db.executemany(
        "DELETE FROM alarms WHERE n IN (SELECT n FROM alarms WHERE channel = ? AND reason = ? AND ended IS NOT NULL "
        "ORDER BY n DESC LIMIT -1 OFFSET ?)",
        [(alarm.channel, alarm.reason, MOST_ALARMS) for alarm in begun],
    )


def record_spans(db: sqlite3.Connection, conditions: dict[str, Condition], moment: float) -> None:
    """Extend each channel's span; begin another if its condition changed or the last look is too long ago."""
    for channel, condition in conditions.items():
        last = db.execute(
            "SELECT * FROM spans WHERE channel = ? ORDER BY n DESC LIMIT 1", (channel,)
        ).fetchone()
        is_seen = last is not None and 0 <= moment - last["until"] <= UNSEEN_S
        if is_seen:
            # Between two looks the condition of the first one counts.
            db.execute("UPDATE spans SET until = ? WHERE n = ?", (moment, last["n"]))
        if not is_seen or (last["phase"], last["state"]) != condition:
            db.execute(
                "INSERT INTO spans (channel, phase, state, began, until) VALUES (?1, ?2, ?3, ?4, ?4)",
                (channel, *condition, moment),
            )
            db.execute(
                "DELETE FROM spans WHERE n IN (SELECT n FROM spans WHERE channel = ? ORDER BY n DESC LIMIT -1 OFFSET ?)",
                (channel, MOST_SPANS),
            )


def standing(db: sqlite3.Connection) -> set[tuple[str, Reason]]:
    """The alarms that have not ended."""
    return {
        (row["channel"], Reason(row["reason"]))
        for row in db.execute("SELECT channel, reason FROM alarms WHERE ended IS NULL")
    }


def recorded_alarms(db: sqlite3.Connection, *, ended: bool, limit: int = 1000) -> tuple[AlarmRow, ...]:
    """The present alarms, or with `ended` also the past ones; the newest first."""
    sql = "SELECT * FROM alarms WHERE ?1 OR ended IS NULL ORDER BY n DESC LIMIT ?2"
    return tuple(from_row(AlarmRow, row) for row in db.execute(sql, (ended, limit)))


def uptimes(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """By channel and phase, the share of the judged time in which it was live."""
    spent: dict[tuple[str, str], dict[str, float]] = {}
    sql = "SELECT channel, phase, state, sum(until - began) FROM spans GROUP BY channel, phase, state"
    for channel, phase, state, seconds in db.execute(sql):
        spent.setdefault((channel, phase), {})[state] = seconds
    shares: dict[str, dict[str, int]] = {}
    for (channel, phase), states in spent.items():
        if (share := uptime(states)) is not None:
            shares.setdefault(channel, {})[phase] = share
    return shares
