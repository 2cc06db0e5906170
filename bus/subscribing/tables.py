"""The records of a reader's store: messages as they came, as they were judged, and as they are kept."""

from __future__ import annotations

import datetime as dt
import sqlite3
from functools import cached_property

import msgspec

from bus.admission.verdict import Judged, Message
from bus.storage.layout import Layout
from bus.subscribing import erasure
from schemas.bulletin import Bulletin
from schemas.codec import decode

SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS admitted (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  digest TEXT NOT NULL UNIQUE,
  id TEXT NOT NULL,
  channel TEXT NOT NULL,
  seq INTEGER NOT NULL,
  subject TEXT NOT NULL,
  signature TEXT NOT NULL,
  payload BLOB NOT NULL,
  kid TEXT NOT NULL,
  admitted_at REAL NOT NULL,
  labels TEXT NOT NULL,
  trust TEXT NOT NULL,
  endorsers TEXT NOT NULL,
  stream TEXT,
  stream_seq INTEGER,
  tries INTEGER NOT NULL DEFAULT 0,
  retry_at REAL,
  problem TEXT
);
CREATE INDEX IF NOT EXISTS admitted_by_id ON admitted (id);
CREATE INDEX IF NOT EXISTS admitted_by_time ON admitted (admitted_at);
CREATE INDEX IF NOT EXISTS admitted_failing ON admitted (row) WHERE tries > 0;
CREATE TABLE IF NOT EXISTS links (
  channel TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, prev TEXT, id TEXT NOT NULL, reason TEXT,
  kids TEXT NOT NULL, received_at REAL NOT NULL,
  PRIMARY KEY (channel, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_by_id ON links (id);
CREATE TABLE IF NOT EXISTS held_back (
  digest TEXT PRIMARY KEY, channel TEXT NOT NULL, seq INTEGER NOT NULL, message BLOB NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_back_by_place ON held_back (channel, seq);
CREATE INDEX IF NOT EXISTS held_back_by_time ON held_back (until);
CREATE TABLE IF NOT EXISTS deferred (digest TEXT PRIMARY KEY, message BLOB NOT NULL, retry_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
  n INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, subject TEXT NOT NULL,
  headers TEXT NOT NULL, payload BLOB NOT NULL, digest TEXT NOT NULL, channel TEXT, seq INTEGER, id TEXT, prev TEXT,
  kids TEXT NOT NULL, stream TEXT, stream_seq INTEGER,
  UNIQUE (digest, reason, subject)
);
CREATE INDEX IF NOT EXISTS quarantine_by_channel ON quarantine (channel, seq) WHERE channel IS NOT NULL;
CREATE INDEX IF NOT EXISTS quarantine_unknown_keys ON quarantine (n) WHERE reason = 'unknown-key';
CREATE INDEX IF NOT EXISTS quarantine_forks ON quarantine (channel, n) WHERE reason = 'fork';
CREATE TABLE IF NOT EXISTS fork_decisions (
  n INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, upto INTEGER NOT NULL, at REAL NOT NULL, by TEXT NOT NULL,
  reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS voided (
  channel TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (channel, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended_keys (kid TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS retried (registry TEXT NOT NULL, upto INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS to_reassess (channel TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursors (
  stream TEXT PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL, stored_ns INTEGER NOT NULL, pending INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS read_filters (
  stream TEXT NOT NULL, filter TEXT NOT NULL, PRIMARY KEY (stream, filter)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
    + erasure.SCHEMA
)
_2 = """
DROP INDEX held_by_place;
DROP INDEX held_by_time;
DROP INDEX quarantine_of_strangers;
DROP INDEX admitted_troubled;
ALTER TABLE held RENAME TO held_back;
ALTER TABLE future RENAME TO deferred;
ALTER TABLE decided RENAME TO fork_decisions;
ALTER TABLE fallen RENAME TO voided;
ALTER TABLE judged_by RENAME TO retried;
ALTER TABLE retried RENAME COLUMN after TO upto;
ALTER TABLE to_amend RENAME TO to_reassess;
ALTER TABLE covered RENAME TO read_filters;
ALTER TABLE tombstones RENAME COLUMN why TO reason;
"""
LAYOUT = Layout("subscribing", SCHEMA, (_2,), known_by="admitted")


class Stored(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One admitted bulletin as it is kept."""

    rowid: int
    digest: str
    id: str
    channel: str
    seq: int
    subject: str
    signature: str
    payload: bytes
    kid: str
    admitted_at: dt.datetime
    labels: frozenset[str]
    trust: str
    endorsers: tuple[str, ...]
    tries: int = 0  # how often the picture has failed to take it in

    @cached_property
    def bulletin(self) -> Bulletin:
        """What it says; read from the signed bytes."""
        return decode(self.payload)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin that waits for its predecessor, with what admission found.

    One that is refused but keeps its place waits as well, for the sake of those after it.
    """

    message: Message
    signature: str = ""
    kid: str = ""
    kids: tuple[str, ...] = ()
    received_at: float = 0.0
    labels: tuple[str, ...] = ()
    trust: str = ""
    endorsers: tuple[str, ...] = ()
    refused: str | None = None

    @classmethod
    def of(cls, judged: Judged) -> Waiting:
        """What is needed to keep it later."""
        found = judged.admitted
        return cls(
            message=judged.message,
            signature=found.signature,
            kid=found.signer_kid,
            kids=found.signer_kids,
            received_at=found.admitted_at.timestamp(),
            labels=tuple(sorted(found.labels)),
            trust=str(found.trust),
            endorsers=found.endorsers,
        )


def message_of(row: sqlite3.Row) -> Message:
    """A message in quarantine, as it came."""
    return Message(
        subject=row["subject"],
        headers=msgspec.json.decode(row["headers"], type=tuple[tuple[str, str], ...]),
        payload=row["payload"],
        stream=row["stream"],
        stream_seq=row["stream_seq"],
        digest=row["digest"],
    )


def stored(row: sqlite3.Row) -> Stored:
    """A row of the admitted table."""
    return Stored(
        rowid=row["row"],
        digest=row["digest"],
        id=row["id"],
        channel=row["channel"],
        seq=row["seq"],
        subject=row["subject"],
        signature=row["signature"],
        payload=row["payload"],
        kid=row["kid"],
        admitted_at=dt.datetime.fromtimestamp(row["admitted_at"], dt.UTC),
        labels=msgspec.json.decode(row["labels"], type=frozenset[str]),
        trust=row["trust"],
        endorsers=msgspec.json.decode(row["endorsers"], type=tuple[str, ...]),
        tries=row["tries"],
    )


def as_json(value: object) -> str:
    """Text for a column that holds a list."""
    return msgspec.json.encode(value).decode()
