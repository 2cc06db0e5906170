"""The tables of a reader's store, and the structs of their rows.

Functions that change rows run in the store's thread, on an open transaction.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from bus.admission import BY_VERSION, Judged, Link, Message, Refused
from bus.errors import Proof, StoreError
from bus.logs import logger
from bus.storage import Layout, insert, utc
from bus.subscribing import bodies, erasure, migrations, totals
from bus.subscribing.bodies import Body, Place, Texts
from bus.transport import Cursor
from schemas.bulletin import Bulletin
from schemas.codec import decode, digest
from schemas.envelope import SIG_HEADER, merge_headers
from schemas.subject import channel_of
from schemas.vocab import TALK

_BY_VERSION = ", ".join(f"'{reason}'" for reason in sorted(BY_VERSION))
UNCONFIRMED = "co-issuers-unconfirmed"
BY_VERSION_LET_GO = "by_version_let_go"
"""The counter of dropped messages that the next version of the registry might admit, such as those by an unknown key."""
UNPROVEN_LET_GO = "unproven_let_go"
_KINDS = {
    BY_VERSION_LET_GO: f"channel IS NULL AND reason IN ({_BY_VERSION})",
    UNPROVEN_LET_GO: f"channel IS NULL AND reason NOT IN ({_BY_VERSION})",
}
"""The bounded kinds of quarantine rows, by the counter of dropped ones."""
NOT_PERMITTED = "not-permitted"
_TALK = tuple(TALK)  # hashing a member of an enumeration costs more than two comparisons
log = logger()
RETRIED = f"reason IN ({_BY_VERSION}, '{NOT_PERMITTED}')"
"""The rows that each version of the registry judges once: it may list the key, or permit what the last one did not."""


def _adds_up(event: str, row: str, sign: str) -> str:
    """A trigger, on one line, that updates the totals when a row is added or deleted."""
    kind = (
        f"CASE WHEN {row}.reason IN ({_BY_VERSION}) THEN '{BY_VERSION_LET_GO}' ELSE '{UNPROVEN_LET_GO}' END"
    )
    return (
        f"CREATE TRIGGER IF NOT EXISTS quarantine_{event.lower()} AFTER {event} ON quarantine "
        f"WHEN {row}.channel IS NULL BEGIN UPDATE quarantine_totals "
        f"SET messages = messages {sign} 1, bytes = bytes {sign} {row}.size WHERE kind = {kind}; END;"
    )


# The bounded rows are never summed up: their totals change with each row that is added or deleted in any way.
_TOTALS = f"""
CREATE TABLE IF NOT EXISTS quarantine_totals (kind TEXT PRIMARY KEY, messages INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO quarantine_totals VALUES ('{BY_VERSION_LET_GO}', 0, 0), ('{UNPROVEN_LET_GO}', 0, 0);
{_adds_up("INSERT", "new", "+")}
{_adds_up("DELETE", "old", "-")}
""".strip()
SCHEMA = (
    bodies.SCHEMA
    + f"""
CREATE TABLE IF NOT EXISTS held_back (
  digest TEXT PRIMARY KEY, channel TEXT NOT NULL, seq INTEGER NOT NULL, message BLOB NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_back_by_place ON held_back (channel, seq);
CREATE INDEX IF NOT EXISTS held_back_by_time ON held_back (until);
CREATE TABLE IF NOT EXISTS deferred (
  digest TEXT PRIMARY KEY, message BLOB NOT NULL, retry_at REAL NOT NULL, stream_seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deferred_by_time ON deferred (retry_at, stream_seq);
CREATE TABLE IF NOT EXISTS quarantine (
  n INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, subject TEXT NOT NULL,
  headers TEXT NOT NULL, payload BLOB NOT NULL, digest TEXT NOT NULL, channel TEXT, seq INTEGER, id TEXT, prev TEXT,
  kids TEXT NOT NULL, stream TEXT, stream_seq INTEGER, variant TEXT NOT NULL, size INTEGER NOT NULL,
  received_at REAL NOT NULL DEFAULT 0, issued REAL, believed INTEGER NOT NULL DEFAULT 0,
  UNIQUE (digest, reason, variant)
);
CREATE INDEX IF NOT EXISTS quarantine_by_channel ON quarantine (channel, seq, digest) WHERE channel IS NOT NULL;
CREATE INDEX IF NOT EXISTS quarantine_by_time ON quarantine (channel, at);
CREATE INDEX IF NOT EXISTS quarantine_unproven ON quarantine (n) WHERE {_KINDS[UNPROVEN_LET_GO]};
CREATE INDEX IF NOT EXISTS quarantine_unjudged ON quarantine (n) WHERE {_KINDS[BY_VERSION_LET_GO]};
CREATE INDEX IF NOT EXISTS quarantine_by_version ON quarantine (n) WHERE {RETRIED};
{_TOTALS}
CREATE INDEX IF NOT EXISTS quarantine_broken ON quarantine (channel, seq) WHERE reason = 'broken-chain';
CREATE INDEX IF NOT EXISTS quarantine_by_id ON quarantine (id) WHERE id IS NOT NULL;
CREATE INDEX IF NOT EXISTS quarantine_forks ON quarantine (channel, n) WHERE reason = 'fork';
CREATE TABLE IF NOT EXISTS fork_decisions (
  n INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, upto INTEGER NOT NULL, at REAL NOT NULL, by TEXT NOT NULL,
  reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS voided (
  channel TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (channel, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended_keys (
  kid TEXT PRIMARY KEY, since REAL NOT NULL, by_statement INTEGER NOT NULL DEFAULT 0, over REAL
) WITHOUT ROWID;
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
    + totals.SCHEMA
)
MOST_UNPROVEN = 2000
MOST_UNPROVEN_BYTES = 32 * 1024**2
"""Most rows and bytes kept without a proven author, for each of two kinds: signed by unknown keys, and the rest."""
ROW_BYTES = 512
"""Bytes that a row costs beside its texts."""
LAYOUT = Layout(
    "subscribing", SCHEMA, migrations=(totals.COUNT_ALL, migrations.TO_BODIES, migrations.TO_LAST_DAYS, "")
)


class Stored(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One admitted bulletin as stored."""

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
    tries: int = 0  # number of failed tries of the picture

    @property
    def is_whole(self) -> bool:
        """Whether its bytes are unchanged since admission."""
        return digest(self.payload) == self.digest

    @cached_property
    def bulletin(self) -> Bulletin:
        """The bulletin, decoded from the signed bytes.

        Raises:
            StoreError: `row-damaged`, the bytes have changed, or name another place than the row's.
        """
        if not self.is_whole:
            raise self._damaged("its bytes have changed in this store")
        found = decode(self.payload)
        if (str(channel_of(found)), found.seq) != (self.channel, self.seq):
            raise self._damaged("its bytes name another place")
        return found

    def _damaged(self, why: str) -> StoreError:
        return StoreError(
            f"number {self.seq} on {self.channel} ({self.id}) is not what was admitted: {why}",
            remedy="tocsin hub scrub lists what is damaged",
            reason="row-damaged",
        )


_ADMITTED = tuple(name for name in Stored.__struct_fields__ if name != "rowid")
"""The fields of `Stored` with a column of the same name."""
_MESSAGE = tuple(name for name in Message.__struct_fields__ if name != "headers")
"""The fields of `Message` with a column of the same name."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A bulletin before it has its place in the chain, with the result of admission; it may wait for its predecessor.

    A refused bulletin that keeps its place waits as well, because of those after it.
    """

    message: Message
    signature: str = ""
    kid: str = ""
    kids: tuple[str, ...] = ()
    received_at: float = 0.0
    believed: bool = False
    labels: tuple[str, ...] = ()
    trust: str = ""
    endorsers: tuple[str, ...] = ()
    refused: str | None = None
    voices: tuple[str, ...] = ()

    @classmethod
    def of(cls, judged: Judged) -> Waiting:
        """The data needed to keep a bulletin later."""
        admitted = judged.admitted
        waiting = cls(
            message=judged.message,
            signature=admitted.signature,
            kid=admitted.signer_kid,
            kids=admitted.signer_kids,
            received_at=admitted.admitted_at.timestamp(),
            believed=True,
            labels=tuple(sorted(admitted.labels)),
            trust=str(admitted.trust),
            endorsers=admitted.endorsers,
            voices=admitted.proof.voices,
        )
        waiting.__dict__["bulletin"] = admitted.bulletin  # already decoded, so it need not be read again
        return waiting

    @cached_property
    def bulletin(self) -> Bulletin:
        """The bulletin, decoded from the signed bytes."""
        return decode(self.message.payload)

    @cached_property
    def channel(self) -> str:
        """The full name of its channel."""
        return str(channel_of(self.bulletin))

    @property
    def link(self) -> Link:
        """Its place in the chain of its channel."""
        bulletin = self.bulletin
        return Link(seq=bulletin.seq, digest=self.message.digest, prev=bulletin.prev, id=bulletin.id)

    def link_row(self) -> dict[str, object]:
        """Its row of the links."""
        return {
            "channel": self.channel,
            **msgspec.structs.asdict(self.link),
            "reason": self.refused,
            "kids": " ".join(self.kids),
            "received_at": self.received_at,
            "issued": self.bulletin.issued.timestamp(),
            "believed": int(self.believed),
        }

    def refusal(self, reason: str, detail: str) -> Refused:
        """The same bulletin as one with a valid signature that is refused at its place."""
        return Refused(
            message=self.message,
            reason=reason,
            detail=detail,
            channel=self.channel,
            seq=self.bulletin.seq,
            prev=self.bulletin.prev,
            id=self.bulletin.id,
            kids=self.kids,
            issued=self.bulletin.issued,
            received_at=utc(self.received_at),
            believed=self.believed,
        )


def message_of(row: sqlite3.Row) -> Message:
    """The message of a quarantined or admitted row; an admitted row keeps only the signature header."""
    headers: tuple[tuple[str, str], ...]
    if "signature" in row.keys():  # noqa: SIM118 (`in row` looks among the values)
        headers = ((SIG_HEADER, row["signature"]),)
    else:
        headers = msgspec.json.decode(row["headers"], type=tuple[tuple[str, str], ...])
    return Message(headers=headers, **{name: row[name] for name in _MESSAGE})


def _columns(message: Message) -> dict[str, object]:
    return {name: getattr(message, name) for name in _MESSAGE}


def stored(row: sqlite3.Row | Mapping[str, Any]) -> Stored:
    """A `Stored` from a row of the admitted table."""
    read = {name: row[name] for name in _ADMITTED}
    read |= {
        "rowid": row["row"],
        "admitted_at": utc(row["admitted_at"]),
        "labels": msgspec.json.decode(row["labels"], type=frozenset[str]),
        "endorsers": msgspec.json.decode(row["endorsers"], type=tuple[str, ...]),
    }
    return Stored(**read)


def whole(rows: Iterable[sqlite3.Row | Mapping[str, Any]]) -> Iterator[Stored]:
    """The rows of the admitted table with unchanged bytes; the others are logged and left out."""
    for row in map(stored, rows):
        if row.is_whole:
            yield row
        else:
            log.error("row_damaged", table="admitted", channel=row.channel, seq=row.seq, id=row.id)


def held_back(db: sqlite3.Connection, channel: str) -> list[Waiting]:
    """The bulletins of a channel that wait for their predecessors."""
    rows = db.execute("SELECT message FROM held_back WHERE channel = ?", (channel,)).fetchall()
    return [msgspec.msgpack.decode(row["message"], type=Waiting) for row in rows]


def pop_held_back(db: sqlite3.Connection, channel: str, first: int, last: int) -> Waiting | None:
    """Take out the held bulletin of a channel with the lowest number from `first` to `last`."""
    sql = (
        "SELECT digest, message FROM held_back WHERE channel = ? AND seq BETWEEN ? AND ? ORDER BY seq LIMIT 1"
    )
    row = db.execute(sql, (channel, first, last)).fetchone()
    if row is None:
        return None
    db.execute("DELETE FROM held_back WHERE digest = ?", (row["digest"],))
    return msgspec.msgpack.decode(row["message"], type=Waiting)


def as_json(value: Collection[object]) -> str:
    """JSON text for a column with a list."""
    return msgspec.json.encode(value).decode() if value else "[]"


# -- rows -----------------------------------------------------------------------------------------------------------------


def add_placed(
    db: sqlite3.Connection, waiting: Waiting, labels: frozenset[str], now: dt.datetime
) -> Stored | None:
    """Give a bulletin its place, and keep its bytes; those of a refused bulletin are in quarantine instead."""
    texts, is_kept = Texts(db), waiting.refused is None
    row = bodies.last_row(db) + 1 if is_kept else None
    bulletin = waiting.bulletin
    place = Place(
        channel=texts[waiting.channel],
        row=row,
        reason=waiting.refused,
        kids=texts[" ".join(waiting.kids)],
        received_at=waiting.received_at,
        issued=bulletin.issued.timestamp(),
        believed=int(waiting.believed),
        **msgspec.structs.asdict(waiting.link),
    )
    if row is None:
        bodies.add_anywhere(db, place, None)
        return None
    kept = Stored(
        rowid=row,
        digest=waiting.message.digest,
        id=bulletin.id,
        channel=waiting.channel,
        seq=bulletin.seq,
        subject=waiting.message.subject,
        signature=waiting.signature,
        payload=waiting.message.payload,
        kid=waiting.kid,
        admitted_at=utc(now.timestamp()),
        labels=labels,
        trust=waiting.trust,
        endorsers=waiting.endorsers,
    )
    kept.__dict__["bulletin"] = bulletin
    bodies.add_anywhere(db, place, body_of(kept, place.channel, waiting.message, texts))
    return kept


def body_of(kept: Stored, channel: int, message: Message, texts: Texts) -> Body:
    """The row of the bytes of an admitted bulletin; `channel` is the number of its channel."""
    row = lasting(kept, channel, message, texts, kept.admitted_at.timestamp())
    return Body._make((*row, bodies.last_day(kept.bulletin)))


def lasting(
    kept: Stored, channel: int, message: Message, texts: Texts, admitted_at: float
) -> tuple[Any, ...]:
    """As `body_of`, without the last column (its last day); `admitted_at` is in seconds since the epoch."""
    opening, rest = bodies.parted(kept.signature)
    return (
        kept.rowid,
        channel,
        kept.seq,
        admitted_at,
        1 if kept.bulletin.status in _TALK else 0,
        texts[kept.subject],
        texts[kept.kid],
        as_json(sorted(kept.labels)) if kept.labels else "[]",
        kept.trust,
        as_json(kept.endorsers),
        texts[message.stream],
        message.stream_seq,
        texts[opening],
        rest,
        bytearray(kept.payload),
    )


def add_endorsers(db: sqlite3.Connection, waiting: Waiting) -> None:
    """Add the signatures of another copy to those of a kept bulletin; none is removed."""
    sql = (
        "SELECT a.row, a.signature, a.labels, a.endorsers, l.kids FROM links l JOIN admitted a ON a.row = l.row "
        "WHERE l.channel = ? AND l.seq = ? AND l.digest = ? AND a.digest = l.digest"
    )
    place = (waiting.channel, waiting.bulletin.seq, waiting.message.digest)
    row = db.execute(sql, place).fetchone()
    if row is None or row["signature"] == waiting.signature:
        return
    had = msgspec.json.decode(row["endorsers"], type=tuple[str, ...])
    labels = msgspec.json.decode(row["labels"], type=frozenset[str])
    signature, endorsers, confirmed = _joined(row["signature"], had, row["kids"].split(), waiting)
    if confirmed:
        labels -= {UNCONFIRMED}
    if (signature, endorsers) == (row["signature"], had):
        return
    bodies.sign_again(db, row["row"], signature, as_json(endorsers), as_json(sorted(labels)))


def _joined(
    signature: str, endorsers: Iterable[str], kids: Iterable[str], waiting: Waiting
) -> tuple[str, tuple[str, ...], bool]:
    """(signatures of two copies, endorsers of both, whether all named co-issuers endorse it).

    Args:
        signature: the signature header of the kept copy.
        endorsers: its endorsers.
        kids: the keys of its issuer in it.
        waiting: the other copy.
    """
    together = tuple(sorted({*endorsers, *waiting.endorsers}))
    merged = merge_headers(signature, waiting.signature, {*kids, *waiting.kids}, waiting.voices)
    return merged, together, {each.id for each in waiting.bulletin.co_issuers} <= {*together}


def add_held_back(db: sqlite3.Connection, waiting: Waiting, until: float) -> bool:
    """Hold a bulletin back until its predecessor comes or `until` (seconds since the epoch) is over.

    Returns False if it is already held back; the held one then takes over the signatures of this copy.
    """
    row = {
        "digest": waiting.message.digest,
        "channel": waiting.channel,
        "seq": waiting.bulletin.seq,
        "message": msgspec.msgpack.encode(waiting),
        "until": until,
    }
    if insert(db, "held_back", row, verb="INSERT OR IGNORE").rowcount > 0:
        return True
    kept = db.execute("SELECT message FROM held_back WHERE digest = ?", (row["digest"],)).fetchone()
    had = msgspec.msgpack.decode(kept["message"], type=Waiting)
    if had.signature and waiting.signature:  # neither is a refused one that holds a place
        signature, endorsers, confirmed = _joined(had.signature, had.endorsers, had.kids, waiting)
        labels = tuple(each for each in had.labels if not (confirmed and each == UNCONFIRMED))
        had = msgspec.structs.replace(had, signature=signature, endorsers=endorsers, labels=labels)
        db.execute(
            "UPDATE held_back SET message = ? WHERE digest = ?", (msgspec.msgpack.encode(had), row["digest"])
        )
    return False


def is_known(db: sqlite3.Connection, channel: str, seq: int, digest: str) -> bool:
    """Whether the bulletin with this digest, at the place that it names, is already known.

    It may be admitted, erased, refused with a proven author, or waiting for its predecessor.
    """
    sql = (
        "SELECT EXISTS (SELECT 1 FROM links WHERE channel = ?2 AND seq = ?3 AND digest = ?1 AND row IS NOT NULL) "
        "OR EXISTS (SELECT 1 FROM held_back WHERE digest = ?1) "
        "OR EXISTS (SELECT 1 FROM tombstones WHERE digest = ?1) "
        "OR EXISTS (SELECT 1 FROM quarantine WHERE digest = ?1 AND channel IS NOT NULL)"
    )
    return bool(db.execute(sql, (digest, channel, seq)).fetchone()[0])


def add_deferred(
    db: sqlite3.Connection, message: Message, retry_at: dt.datetime, proof: Proof | None = None
) -> bool:
    """Put a message off until it can be judged, with the headers of its proof.

    Returns False if it already waits; the waiting one then takes over the signatures of this copy.
    """
    if proof is not None:
        message = msgspec.structs.replace(message, headers=proof.headers)
    row = {
        "digest": message.digest,
        "message": msgspec.msgpack.encode(message),
        "retry_at": retry_at.timestamp(),
        "stream_seq": message.stream_seq,
    }
    if insert(db, "deferred", row, verb="INSERT OR IGNORE").rowcount > 0:
        return True
    kept = db.execute("SELECT message FROM deferred WHERE digest = ?", (message.digest,)).fetchone()
    had = msgspec.msgpack.decode(kept["message"], type=Message)
    if proof is not None and (signature := dict(had.headers).get(SIG_HEADER)) is not None:
        merged = merge_headers(signature, dict(proof.headers)[SIG_HEADER], proof.kids, proof.voices)
        headers = tuple({**dict(had.headers), SIG_HEADER: merged}.items())
        had = msgspec.structs.replace(had, headers=headers)
        db.execute(
            "UPDATE deferred SET message = ? WHERE digest = ?",
            (msgspec.msgpack.encode(had), message.digest),
        )
    return False


def add_quarantined(db: sqlite3.Connection, refused: Refused, now: dt.datetime) -> bool:
    """Keep a refused message with its reason. Returns False if it is already kept for this reason.

    A message with a proven author is kept once for each reason, regardless of other headers, which anybody may add.
    Without a proven author each variant is kept, up to a bound, since any of them may be the true one. A kept message keeps
    the time of its first receipt.
    """
    message, headers = refused.message, as_json(refused.message.headers)
    variant = "" if refused.channel is not None else digest(f"{message.subject} {headers}".encode())
    texts = (message.subject, headers, refused.detail)
    received = now if refused.received_at is None else refused.received_at
    row = {
        **{name: getattr(refused, name) for name in ("reason", "detail", "channel", "seq", "id", "prev")},
        **_columns(message),
        "at": now.timestamp(),
        "headers": headers,
        "kids": " ".join(refused.kids),
        "variant": variant,
        "size": len(message.payload) + sum(len(text.encode()) for text in texts) + ROW_BYTES,
        "received_at": received.timestamp(),
        "issued": None if refused.issued is None else refused.issued.timestamp(),
        "believed": int(refused.believed),
    }
    if insert(db, "quarantine", row, verb="INSERT OR IGNORE").rowcount > 0:
        return True
    db.execute(
        "UPDATE quarantine SET received_at = min(received_at, :received_at), believed = max(believed, :believed) "
        "WHERE digest = :digest AND reason = :reason AND variant = :variant",
        row,
    )
    return False


def trim_quarantine(db: sqlite3.Connection) -> int:
    """Drop the oldest messages without a proven author, beyond their bound. Returns the number dropped.

    Proven refusals are not touched: they are evidence, and their authors' budgets bound them. The cost depends only on
    the number dropped.
    """
    gone = 0
    for name, messages, size in db.execute("SELECT kind, messages, bytes FROM quarantine_totals").fetchall():
        too_many, too_large, last = messages - MOST_UNPROVEN, size - MOST_UNPROVEN_BYTES, 0
        if too_many <= 0 and too_large <= 0:
            continue
        for row in db.execute(f"SELECT n, size FROM quarantine WHERE {_KINDS[name]} ORDER BY n"):
            too_many, too_large, last = too_many - 1, too_large - row["size"], row["n"]
            if too_many <= 0 and too_large <= 0:
                break
        let_go = db.execute(f"DELETE FROM quarantine WHERE {_KINDS[name]} AND n <= ?", (last,)).rowcount
        add_counts(db, {name: let_go})
        gone += let_go
    return gone


def drop_deferred(db: sqlite3.Connection, messages: Iterable[Message]) -> None:
    """Stop deferring exactly these messages, not others with the same payload."""
    rows = [(message.digest, msgspec.msgpack.encode(message)) for message in messages]
    db.executemany("DELETE FROM deferred WHERE digest = ? AND message = ?", rows)


def set_cursor(db: sqlite3.Connection, stream: str, cursor: Cursor) -> None:
    """Note the cursor of a stream."""
    insert(db, "cursors", {"stream": stream, **msgspec.structs.asdict(cursor)}, verb="REPLACE")


def add_counts(db: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    """Add to the counters."""
    sql = "INSERT INTO counters VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2"
    db.executemany(sql, list(counts.items()))
