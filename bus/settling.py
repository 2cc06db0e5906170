"""Taking a batch into a reader's store: chain, hold back, keep, project, quarantine, inside one transaction.

Everything here runs in the store's thread, on an open transaction, and reads no clock.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from bus.chain import REFUSED, Held, Link, Outcome, judge
from bus.records import Cursor, Judged, Message, Refused, Stored, Waiting, stored
from schemas.bulletin import Bulletin
from schemas.codec import decode

TRIES = 5

log = structlog.get_logger()


class Projector(Protocol):
    """What turns admitted bulletins into a picture, inside the inbox's own transactions."""

    @property
    def schema(self) -> str:
        """SQL that makes its tables."""

    def apply(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take one admitted bulletin into the picture."""

    def clear(self, db: sqlite3.Connection) -> None:
        """Empty the picture, to be made anew."""


class Settling:
    """The work on one store: how long to hold back, and what to make of what is kept."""

    def __init__(self, projector: Projector | None, hold_s: float) -> None:
        self.projector = projector
        self._hold_s = hold_s

    def settle(
        self,
        db: sqlite3.Connection,
        judged: Sequence[Judged | Refused],
        stream: str | None,
        cursor: Cursor | None,
        now: dt.datetime,
    ) -> dict[str, int]:
        """Take a batch in and move the cursor; how many were admitted, held, duplicate, early or refused."""
        counts: dict[str, int] = {}
        for each in judged:
            outcome = self._refuse(db, each, now) if isinstance(each, Refused) else self._take(db, each, now)
            counts[outcome] = counts.get(outcome, 0) + 1
        if stream is not None and cursor is not None:
            db.execute("REPLACE INTO cursors VALUES (?, ?, ?)", (stream, cursor.seq, cursor.digest))
        db.executemany(
            "INSERT INTO counters VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2",
            list(counts.items()),
        )
        return counts

    def _take(self, db: sqlite3.Connection, judged: Judged, now: dt.datetime) -> str:
        """Judge an admitted bulletin's place, and keep it, hold it back, or quarantine it."""
        bulletin, digest = judged.admitted.bulletin, judged.admitted.digest
        link = Link(seq=bulletin.seq, digest=digest, prev=bulletin.prev, id=bulletin.id)
        channel = str(judged.admitted.channel)
        outcome = judge(link, held(db, channel, link))
        if (
            outcome is Outcome.DUPLICATE
            or db.execute("SELECT 1 FROM held WHERE digest = ?", (digest,)).fetchone()
        ):
            return "duplicate"
        if outcome in REFUSED:
            log.error(outcome.replace("-", "_"), channel=channel, seq=bulletin.seq, id=bulletin.id)
            refused = _contradiction(judged.message, outcome, channel, bulletin)
            return self._quarantine(db, refused, now)
        if outcome in (Outcome.GAP, Outcome.TRIMMED):
            db.execute(
                "INSERT INTO held VALUES (?, ?, ?, ?, ?)",
                (
                    digest,
                    channel,
                    bulletin.seq,
                    msgspec.msgpack.encode(Waiting.of(judged)),
                    now.timestamp() + self._hold_s,
                ),
            )
            return "held"
        self._keep(db, Waiting.of(judged), bulletin, channel, frozenset(), now)
        self._let_go(db, channel, bulletin.seq, now)
        return "admitted"

    def _let_go(self, db: sqlite3.Connection, channel: str, seq: int, now: dt.datetime) -> None:
        """Keep the held bulletins that now have their predecessor."""
        while row := db.execute(
            "SELECT digest, message FROM held WHERE channel = ? AND seq = ?", (channel, seq + 1)
        ).fetchone():
            db.execute("DELETE FROM held WHERE digest = ?", (row["digest"],))
            waiting = msgspec.msgpack.decode(row["message"], type=Waiting)
            if self._place(db, waiting, channel, frozenset(), now):
                seq += 1

    def release(self, db: sqlite3.Connection, now: dt.datetime) -> dict[str, int]:
        """Let go what has waited long enough, and project again what failed to."""
        released = 0
        while row := db.execute(
            "SELECT digest, channel, seq, message FROM held WHERE until <= ? ORDER BY channel, seq LIMIT 1",
            (now.timestamp(),),
        ).fetchone():
            db.execute("DELETE FROM held WHERE digest = ?", (row["digest"],))
            first = (
                db.execute("SELECT 1 FROM links WHERE channel = ? LIMIT 1", (row["channel"],)).fetchone()
                is None
            )
            label = "trimmed" if first else "gap"
            log.warning("gap_released", channel=row["channel"], seq=row["seq"], label=label)
            waiting = msgspec.msgpack.decode(row["message"], type=Waiting)
            if self._place(db, waiting, row["channel"], frozenset({label}), now):
                released += 1
                self._let_go(db, row["channel"], row["seq"], now)
        for row in db.execute("SELECT * FROM admitted WHERE tries BETWEEN 1 AND ?", (TRIES - 1,)).fetchall():
            self.project(db, stored(row))
        return {"released": released}

    def _place(
        self, db: sqlite3.Connection, waiting: Waiting, channel: str, labels: frozenset[str], now: dt.datetime
    ) -> bool:
        """Judge a held bulletin again, now that what surrounds it is known."""
        bulletin = decode(waiting.message.payload)
        link = Link(seq=bulletin.seq, digest=waiting.message.digest, prev=bulletin.prev, id=bulletin.id)
        outcome = judge(link, held(db, channel, link))
        if outcome in REFUSED:
            refused = _contradiction(waiting.message, outcome, channel, bulletin)
            self._quarantine(db, refused, now)
            return False
        if outcome is not Outcome.DUPLICATE:
            self._keep(db, waiting, bulletin, channel, labels, now)
        return True

    def _keep(
        self,
        db: sqlite3.Connection,
        waiting: Waiting,
        bulletin: Bulletin,
        channel: str,
        labels: frozenset[str],
        now: dt.datetime,
    ) -> None:
        message = waiting.message
        cursor = db.execute(
            "INSERT INTO admitted (digest, id, channel, seq, subject, signature, payload, kid, admitted_at, labels, trust, "
            "endorsers, stream, stream_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.digest,
                bulletin.id,
                channel,
                bulletin.seq,
                message.subject,
                waiting.signature,
                message.payload,
                waiting.kid,
                now.timestamp(),
                json.dumps(sorted({*waiting.labels, *labels})),
                waiting.trust,
                json.dumps(waiting.endorsers),
                message.stream,
                message.stream_seq,
            ),
        )
        db.execute(
            "INSERT INTO links VALUES (?, ?, ?, ?, ?, NULL)",
            (channel, bulletin.seq, message.digest, bulletin.prev, bulletin.id),
        )
        if self.projector is not None:
            row = db.execute("SELECT * FROM admitted WHERE row = ?", (cursor.lastrowid,)).fetchone()
            self.project(db, stored(row, bulletin))

    def project(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take a bulletin into the picture; a fault of the picture loses nothing and stops nothing else."""
        if self.projector is None:
            return
        db.execute("SAVEPOINT picture")
        try:
            self.projector.apply(db, row)
        except Exception as exc:  # noqa: BLE001 (whatever it is, it is tried again, then parked, and is visible)
            db.execute("ROLLBACK TO picture")
            db.execute(
                "UPDATE admitted SET tries = tries + 1, problem = ? WHERE row = ?",
                (f"{type(exc).__name__}: {exc}", row.rowid),
            )
            log.error("projection_failed", id=row.id, problem=str(exc))
        else:
            db.execute(
                "UPDATE admitted SET tries = 0, problem = NULL WHERE row = ? AND tries > 0", (row.rowid,)
            )
        db.execute("RELEASE picture")

    def _refuse(self, db: sqlite3.Connection, refused: Refused, now: dt.datetime) -> str:
        if refused.retry_at is not None:
            db.execute(
                "INSERT OR IGNORE INTO future VALUES (?, ?, ?)",
                (
                    refused.message.digest,
                    msgspec.msgpack.encode(refused.message),
                    refused.retry_at.timestamp(),
                ),
            )
            return "early"
        return self._quarantine(db, refused, now)

    def _quarantine(self, db: sqlite3.Connection, refused: Refused, now: dt.datetime) -> str:
        message = refused.message
        added = db.execute(
            "INSERT OR IGNORE INTO quarantine (at, reason, detail, subject, headers, payload, digest, channel, seq, id, stream, "
            "stream_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                now.timestamp(),
                refused.reason,
                refused.detail,
                message.subject,
                json.dumps(message.headers),
                message.payload,
                message.digest,
                refused.channel,
                refused.seq,
                refused.id,
                message.stream,
                message.stream_seq,
            ),
        ).rowcount
        if refused.channel is not None and refused.reason not in REFUSED:
            # Signed, but refused: it still is its channel's link, so that what follows it is not taken for a gap.
            db.execute(
                "INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?, ?, ?)",
                (refused.channel, refused.seq, message.digest, refused.prev, refused.id, refused.reason),
            )
            if refused.seq is not None:
                self._let_go(db, refused.channel, refused.seq, now)
        if added:
            log.warning(
                "bulletin_refused", reason=refused.reason, subject=message.subject, detail=refused.detail
            )
        return "refused" if added else "duplicate"


def _contradiction(message: Message, outcome: Outcome, channel: str, bulletin: Bulletin) -> Refused:
    return Refused(
        message=message,
        reason=outcome,
        detail=f"{channel} number {bulletin.seq}",
        channel=channel,
        seq=bulletin.seq,
        id=bulletin.id,
    )


def held(db: sqlite3.Connection, channel: str, link: Link) -> Held:
    """What a store holds around a link's place."""
    around = {
        row["seq"]: row
        for row in db.execute(
            "SELECT seq, digest, prev FROM links WHERE channel = ? AND seq BETWEEN ? AND ?",
            (channel, link.seq - 1, link.seq + 1),
        )
    }
    head = db.execute("SELECT max(seq) FROM links WHERE channel = ?", (channel,)).fetchone()[0]
    same_id = db.execute("SELECT digest FROM links WHERE id = ? LIMIT 1", (link.id,)).fetchone()
    at, before, after = (around.get(link.seq + step) for step in (0, -1, 1))
    return Held(
        head_seq=head,
        at_seq=at["digest"] if at else None,
        predecessor=before["digest"] if before else None,
        successor_prev=after["prev"] if after else None,
        digest_of_id=same_id["digest"] if same_id else None,
    )
