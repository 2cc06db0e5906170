"""The picture's tables: what is in force, by channel and by bulletin, made from admitted bulletins alone.

Exercise, test and system bulletins have tables of their own and are never in one view with actual ones. Updates and
cancels count only from the original issuer and within one status, and reach the whole thread (`bus.threads`); they may
arrive before the bulletins that they refer to. The tables depend on the received bulletins, never on their order, so a rebuild gives the same tables.
Expiry is a question of now and is asked in `bus.hub.picture.summary`.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from bus import threads
from bus.hub.exchange import missing, receipt_queue
from bus.hub.picture import answers, clocked, counts, events, index, migrations, situation, tallies
from bus.hub.rows import SITUATION, take_out
from bus.hub.watch import alarms, holdings
from bus.storage import Layout, allowances
from bus.subscribing import Inbox, Stored
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.system import ChannelStatus
from schemas.vocab import TALK, Status

_TRUTH = """
CREATE TABLE IF NOT EXISTS {name} (
  id TEXT NOT NULL, row INTEGER PRIMARY KEY, issuer TEXT NOT NULL, country TEXT NOT NULL, kind TEXT NOT NULL,
  domain TEXT NOT NULL, tlp TEXT NOT NULL, audience TEXT NOT NULL, priority TEXT NOT NULL, severity TEXT NOT NULL,
  urgency TEXT NOT NULL, area TEXT NOT NULL, dimensions TEXT NOT NULL, election TEXT, incident TEXT, headline TEXT NOT NULL,
  issued REAL NOT NULL, expires REAL NOT NULL, status TEXT NOT NULL, ended_by TEXT, ended_how TEXT,
  is_over INTEGER NOT NULL DEFAULT 0, {columns}
);
CREATE INDEX IF NOT EXISTS {name}_by_kind ON {name} (kind, row);
CREATE TRIGGER IF NOT EXISTS {name}_withdrawn AFTER UPDATE OF ended_how ON {name} WHEN new.ended_how = 'cancelled' \
BEGIN INSERT OR IGNORE INTO newly_withdrawn VALUES (new.row); END;
"""
_EXPIRY = """
CREATE INDEX IF NOT EXISTS {name}_standing ON {name} (expires) WHERE ended_by IS NULL AND NOT is_over;
CREATE INDEX IF NOT EXISTS {name}_over ON {name} (expires) WHERE ended_by IS NULL AND is_over;
"""

SCHEMA = (
    "".join(_TRUTH.format(name=name, columns=", ".join(counts.COLUMNS)) for name in SITUATION)
    + "".join(_EXPIRY.format(name=name) for name in tallies.COUNTED)
    + tallies.SCHEMA
    + """
CREATE INDEX IF NOT EXISTS tests_in_order ON test_and_system (row) WHERE status = 'test';
CREATE TABLE IF NOT EXISTS channels (
  channel TEXT PRIMARY KEY, authority TEXT NOT NULL, last_seq INTEGER NOT NULL, last_issued REAL NOT NULL,
  last_heard REAL NOT NULL, bulletins INTEGER NOT NULL, released_gaps INTEGER NOT NULL, heartbeat_seq INTEGER NOT NULL,
  state TEXT, interval_s INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outages (channel TEXT PRIMARY KEY, seq INTEGER NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS announced_heads (
  channel TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (channel, seq, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calendars (
  election TEXT NOT NULL, issued REAL NOT NULL, row INTEGER NOT NULL, issuer TEXT NOT NULL,
  PRIMARY KEY (election, issued, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calendars_by_issuer ON calendars (issuer, issued, row);
"""
    + counts.SCHEMA
    + index.SCHEMA
)
LAYOUT = Layout("picture", SCHEMA, migrations=migrations.STEPS)
MAX_OF_ELECTION = 8
"""So many calendars of one authority for one election are kept, the newest: the last may be withdrawn."""
MAX_CALENDARS = 200
"""So many calendars of one authority are kept, the newest."""
_MOST_OF_ELECTION = """
DELETE FROM calendars WHERE issuer = ?1 AND election = ?2 AND row IN (
  SELECT row FROM calendars WHERE issuer = ?1 AND election = ?2 ORDER BY issued DESC, row DESC LIMIT -1 OFFSET ?3
)
"""
_MOST_CALENDARS = """
DELETE FROM calendars WHERE issuer = ?1 AND row IN (
  SELECT row FROM calendars WHERE issuer = ?1 ORDER BY issued DESC, row DESC LIMIT -1 OFFSET ?2
)
"""
MAX_HEADS = 8
"""So many heads of a channel are kept: the last ones, and as many that contradict what is held, the first of them."""
_MOST_HEADS = """
DELETE FROM announced_heads WHERE channel = ?1
AND (seq, digest) NOT IN (SELECT seq, digest FROM announced_heads WHERE channel = ?1 ORDER BY seq DESC, digest LIMIT ?2)
AND (seq, digest) NOT IN (
  SELECT a.seq, a.digest FROM announced_heads a JOIN links l ON l.channel = a.channel AND l.seq = a.seq
  WHERE a.channel = ?1 AND l.digest != a.digest ORDER BY a.row, a.seq, a.digest LIMIT ?2
)
"""
_TABLES_OF_CHANNELS = ("channels", "outages", "announced_heads", "holdings")


class Projection:
    """A projector for `bus.subscribing.inbox`."""

    def __init__(self, law: Callable[[], clocked.Law] | None = None) -> None:
        """Take by what clocks run; without it they are noted, for a program that has it."""
        self.law = law

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Its tables, and those that record what became of the channels, what was answered and what was asked for."""
        return (
            LAYOUT,
            threads.LAYOUT,
            answers.LAYOUT,
            receipt_queue.LAYOUT,
            holdings.LAYOUT,
            alarms.LAYOUT,
            missing.LAYOUT,
            allowances.LAYOUT,
            clocked.LAYOUT,
            events.LAYOUT,  # it watches the tables of others
        )

    def clear(self, db: sqlite3.Connection) -> None:
        """Empty the tables; what was answered stays known, and what was ended by a bulletin that is not kept any more."""
        for table in (*_TABLES_OF_CHANNELS, "calendars"):
            db.execute(f"DELETE FROM {table}")
        with events.muted(db):
            situation.clear(db)
        index.clear(db)
        answers.clear(db)
        clocked.clear(db)

    def forget(self, db: sqlite3.Connection, channel: str, rows: Iterable[Stored]) -> None:
        """Take a channel out; what its bulletins had superseded or cancelled is in force again."""
        with events.muted(db):
            situation.take_back(db, _taken_out(db, rows))
        answers.take_back(db, channel)
        for table in ("channels", "outages"):
            db.execute(f"DELETE FROM {table} WHERE channel = ?", (channel,))

    def show(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take one in that has no effect: it is in the situation, but it dates, ends and announces nothing."""
        with _telling(db, (row,)):
            situation.show(db, (row,))
        index.note(db, (row,))
        clocked.note(db, (row,))

    def apply(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take one admitted bulletin in."""
        self.apply_many(db, (row,))

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """Take admitted bulletins in, each table with one statement; the same as one after the other.

        Heartbeats and calendars are taken in one after the other, each pushing out what is kept no longer. Clocks are made here,
        unless many wait to be made anew.
        """
        is_behind = self.law is None or clocked.is_due(db)
        _channels(db, rows)
        with _telling(db, rows):
            situation.take_in(db, rows)
        index.note(db, rows)
        answers.take_in(db, rows)
        for row in rows:
            body, status = row.bulletin.body, row.bulletin.status
            if isinstance(body, ChannelStatus) and status in TALK:
                _heartbeat(db, row, body)
            elif isinstance(body, ElectionCalendar) and status is Status.ACTUAL:
                _calendar(db, row)
        clocked.note(db, rows)
        if self.law is not None and not is_behind and clocked.is_due(db):
            clocked.advance(db, self.law())


@contextmanager
def _telling(db: sqlite3.Connection, rows: Sequence[Stored]) -> Iterator[None]:
    """Write in the live log what comes with these bulletins; nothing where they have been told of before."""
    if not events.came(db, rows):
        with events.muted(db):
            yield
        return
    events.note(db, rows)  # before what they end, each other too: an end is told after the beginning
    yield


def _taken_out(db: sqlite3.Connection, rows: Iterable[Stored]) -> Iterator[Stored]:
    for row in rows:
        take_out(db, [row.rowid])
        yield row


@asynccontextmanager
async def open_store(path: Path, *, hold_s: float = 30.0) -> AsyncIterator[Inbox]:
    """A hub's store: what it has admitted, with the picture in the same file.

    Args:
        path: the file; made when it is not there.
        hold_s: seconds for which a bulletin waits for the one before it.

    Raises:
        StoreError: on entering; it is damaged or unreadable.
    """
    async with Inbox.open(path, projector=Projection(), hold_s=hold_s) as store:
        if await store.read(threads.is_due):
            await store.write(situation.catch_up)
        yield store


def is_sweep_due(db: sqlite3.Connection, moment: float) -> bool:
    """Whether an expired bulletin is still listed as live, or a count has become zero, or the live log has too old events."""
    return tallies.is_due(db, moment) or counts.is_due(db) or events.is_due(db, moment)


def sweep(db: sqlite3.Connection, moment: float) -> bool:
    """Move a part of what has expired, inside a transaction, and drop rows that are not needed. Returns whether something is left."""
    is_left = tallies.roll(db, moment)
    counts.tidy(db)
    return events.let_go(db, moment) or is_left


class _Channel:
    """The sum of a batch for one channel."""

    def __init__(self, authority: str, heard: dt.datetime) -> None:
        self.authority = authority
        self.seq = self.bulletins = self.released_gaps = self.beat_seq = 0
        self.issued = self.heard = heard
        self.beat: ChannelStatus | None = None


_CHANNEL = """
INSERT INTO channels VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (channel) DO UPDATE SET
last_seq = max(last_seq, ?3), last_issued = max(last_issued, ?4), last_heard = max(last_heard, ?5),
bulletins = bulletins + ?6, released_gaps = released_gaps + ?7, heartbeat_seq = max(heartbeat_seq, ?8),
state = iif(?8 > heartbeat_seq, ?9, state), interval_s = iif(?8 > heartbeat_seq, ?10, interval_s)
"""


def _channels(db: sqlite3.Connection, rows: Iterable[Stored]) -> None:
    """Note what is last of each channel; each is written once."""
    channels: dict[str, _Channel] = {}
    for row in rows:
        b = row.bulletin
        issued = b.issued
        heard = min(issued, row.admitted_at)  # an old bulletin that comes late is no sign of life
        channel = channels.get(row.channel)
        if channel is None:
            channel = channels[row.channel] = _Channel(b.issuer.id, heard)
        channel.seq = max(channel.seq, b.seq)
        channel.issued = max(channel.issued, issued)
        channel.heard = max(channel.heard, heard)
        channel.bulletins += 1
        channel.released_gaps += "gap" in row.labels
        if isinstance(b.body, ChannelStatus) and b.status in TALK and b.seq > channel.beat_seq:
            channel.beat_seq, channel.beat = b.seq, b.body
    db.executemany(
        _CHANNEL,
        [
            (
                name,
                channel.authority,
                channel.seq,
                channel.issued.timestamp(),
                channel.heard.timestamp(),
                channel.bulletins,
                channel.released_gaps,
                channel.beat_seq,
                *((str(beat.state), beat.interval_s) if (beat := channel.beat) else (None, None)),
            )
            for name, channel in channels.items()
        ],
    )


def _calendar(db: sqlite3.Connection, row: Stored) -> None:
    """Keep when it says something of an election, as long as it is among the newest."""
    b = row.bulletin
    if b.election is None:
        return
    issuer = b.issuer.id
    db.execute(
        "INSERT INTO calendars VALUES (?, ?, ?, ?)", (b.election.id, b.issued.timestamp(), row.rowid, issuer)
    )
    db.execute(_MOST_OF_ELECTION, (issuer, b.election.id, MAX_OF_ELECTION))
    db.execute(_MOST_CALENDARS, (issuer, MAX_CALENDARS))


def _heartbeat(db: sqlite3.Connection, row: Stored, beat: ChannelStatus) -> None:
    """The announced bulletins, by the first that names them, the stated holdings of a hub, and the end of planned silence."""
    issuer, _, channel = row.channel.partition("/")
    db.executemany(
        "INSERT INTO announced_heads VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET row = min(row, excluded.row)",
        [
            (f"{issuer}/{head.channel}", head.seq, head.digest, row.rowid)
            for head in beat.heads
            if head.digest is not None
        ],
    )
    for head in beat.heads:
        db.execute(_MOST_HEADS, (f"{issuer}/{head.channel}", MAX_HEADS))
    moment = row.admitted_at.timestamp()
    holdings.note(db, issuer, beat.held, channel.partition(".")[2], row.rowid, moment)
    if beat.until is not None:
        db.execute(
            "INSERT INTO outages VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq, until = excluded.until "
            "WHERE excluded.seq > seq",
            (row.channel, row.seq, beat.until.timestamp()),
        )
