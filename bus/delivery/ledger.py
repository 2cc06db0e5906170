"""An author's record of its readers: receipts in its outbox's file, beside the bulletins.

Receipts are bulletins: they are admitted, chained and, if a hub's key is revoked, withdrawn as at a reader
(`bus.subscribing.inbox`, on the outbox's file). Their content becomes rows here. Open the outbox with the tables for
them: `Outbox.open(path, tables=TABLES)`.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from bus.delivery.ladder import Answer, DeliveryState, DeliveryStatus, Overdue, Sent, delivery_status, overdue
from bus.logs import logger
from bus.policy import Deadlines, stricter
from bus.publishing import Outbox, resend
from bus.storage import Layout, from_row, single
from bus.subscribing import Stored, tables
from bus.trust import VerifiedRegistry, receipt_grants
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.system import Receipt, Request
from schemas.codec import decode, digest
from schemas.elections import coarse, phase_over
from schemas.subject import Channel, parse
from schemas.vocab import TALK, MsgType, ReceiptStage, RefRel, Status

T = TypeVar("T")
KEEP = dt.timedelta(days=30)
AT_ONCE = 500
SAME = 4
"""Most receipts kept of one reader for one stage of one bulletin, the first: a key of one may be revoked later."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS receipts (
  digest TEXT NOT NULL, reader TEXT NOT NULL, stage TEXT NOT NULL, row INTEGER NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (digest, reader, stage, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipts_by_row ON receipts (row);
CREATE TABLE IF NOT EXISTS expected (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL, digest TEXT NOT NULL, priority TEXT NOT NULL, phase TEXT NOT NULL, cancels TEXT,
  closed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS expected_open ON expected (n) WHERE closed = 0;
CREATE INDEX IF NOT EXISTS expected_by_id ON expected (id);
CREATE INDEX IF NOT EXISTS expected_cancels ON expected (cancels) WHERE cancels IS NOT NULL;
CREATE TABLE IF NOT EXISTS enrolled_upto (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reported (
  digest TEXT NOT NULL, reader TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (digest, reader, state)
) WITHOUT ROWID;
"""
LAYOUT = Layout("delivery", SCHEMA)

TABLES = (tables.LAYOUT, LAYOUT)
"""The tables that an outbox's file needs for receipts."""

log = logger()


class ReceiptLedger(msgspec.Struct, frozen=True):
    """A projector for `bus.subscribing.inbox`: takes only receipts and requests for the author's own bulletins.

    Attributes:
        authority_id: the author.
        registry: gives the current registry, which decides who may have read what.
    """

    authority_id: str
    registry: Callable[[], VerifiedRegistry]

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Its tables."""
        return (LAYOUT,)

    def apply(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take in one receipt or request. It is ignored for a bulletin of another outbox, or one that the reader may not read."""
        bulletin, reader = row.bulletin, row.bulletin.issuer.id
        if bulletin.status is not Status.SYSTEM or bulletin.audience != self.authority_id:
            return
        if isinstance(bulletin.body, Request):
            registry, items, moment = self.registry(), bulletin.body.items, row.admitted_at.timestamp()
            resend.resend_asked(db, self.authority_id, registry, reader, items, moment)
        if not isinstance(bulletin.body, Receipt):
            return
        stage, ours = bulletin.body.stage, "SELECT channel FROM outbox WHERE digest = ? AND id = ?"
        disregarded, held = 0, []
        for item in bulletin.body.items:
            sent = db.execute(ours, (item.digest, item.id)).fetchone()
            if sent is None or not self.registry().may_read(
                reader, Channel.parse(f"{self.authority_id}/{sent['channel']}")
            ):
                disregarded += 1
                continue
            receipt = (item.digest, reader, stage, row.rowid, item.at.timestamp(), SAME)
            if db.execute(_KEEP_RECEIPT, receipt).rowcount and stage is ReceiptStage.KEPT:
                held.append((item.id, sent["channel"]))
        if held:  # likewise, and ignored if it said so before
            log.error(
                "held_and_not_admitted", reader=reader, id=held[0][0], channel=held[0][1], count=len(held)
            )
        if disregarded:  # one line for all that it names
            log.warning("receipts_disregarded", reader=reader, count=disregarded, stage=stage)

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """Take in receipts and requests, one by one."""
        for row in rows:
            self.apply(db, row)

    def show(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take in one without effect: it is neither a receipt nor a request."""

    def clear(self, db: sqlite3.Connection) -> None:
        """Delete the content of all receipts."""
        db.execute("DELETE FROM receipts")

    def forget(self, db: sqlite3.Connection, channel: str, rows: Iterable[Stored]) -> None:
        """Take back the content of a channel's receipts."""
        del channel
        db.executemany("DELETE FROM receipts WHERE row = ?", [(row.rowid,) for row in rows])


_KEEP_RECEIPT = """
INSERT OR IGNORE INTO receipts SELECT ?1, ?2, ?3, ?4, ?5
WHERE (SELECT count(*) FROM receipts WHERE digest = ?1 AND reader = ?2 AND stage = ?3) < ?6
"""


def refused(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Bulletins that readers report as held and not admitted, the newest first: (id, channel, seq, reader, at)."""
    return db.execute(_REFUSED).fetchall()


_REFUSED = """
SELECT o.id, o.channel, o.seq, r.reader, min(r.at) AS at FROM receipts r JOIN outbox o ON o.digest = r.digest
WHERE r.stage = 'kept' AND NOT EXISTS (
  SELECT 1 FROM receipts other WHERE other.digest = r.digest AND other.reader = r.reader AND other.stage != 'kept'
) GROUP BY r.digest, r.reader ORDER BY at DESC LIMIT 1000
"""


async def read(outbox: Outbox, question: Callable[[sqlite3.Connection], T]) -> T:
    """Enrol kept bulletins, then run a query about them."""
    if await outbox.read(_is_behind):
        await outbox.write(enrol)
    return await outbox.read(question)


_NEW = "FROM outbox WHERE n > coalesce((SELECT n FROM enrolled_upto), 0)"


def _is_behind(db: sqlite3.Connection) -> bool:
    return bool(single(db, f"SELECT EXISTS (SELECT 1 {_NEW})"))


def enrol(db: sqlite3.Connection) -> None:
    """Expect receipts for bulletins kept since the last time, inside a transaction; for a withdrawal also from the original's readers."""
    new = f"SELECT n, id, digest, status, subject, payload {_NEW} ORDER BY n LIMIT ?"
    while rows := db.execute(new, (AT_ONCE,)).fetchall():
        for row in rows:
            if row["status"] in TALK or digest(row["payload"]) != row["digest"]:
                continue  # no receipts come for the first; of damaged rows nothing is known
            bulletin = decode(row["payload"])
            phase = coarse(bulletin.election.phase) if bulletin.election else "none"
            cancels = [ref.id for ref in bulletin.references if ref.rel is RefRel.CANCELS]
            target = cancels[0] if bulletin.msg_type is MsgType.CANCEL and cancels else None
            db.execute(
                "INSERT OR IGNORE INTO expected (n, id, digest, priority, phase, cancels) VALUES (?, ?, ?, ?, ?, ?)",
                (row["n"], row["id"], row["digest"], parse(row["subject"]).priority, phase, target),
            )
            db.execute("UPDATE expected SET closed = 0 WHERE id = ?", (target,))
        db.execute("REPLACE INTO enrolled_upto VALUES (1, ?)", (rows[-1]["n"],))


_SAID = """
SELECT e.n, e.id, e.digest, e.priority, e.phase, o.channel, o.seq, o.kept_at AS accepted,
  iif(o.state = 'stored', o.stored_at, NULL) AS stored,
  EXISTS (SELECT 1 FROM expected c WHERE c.cancels = e.id) AS is_cancelled,
  (SELECT min(p.stored_at) FROM expected c JOIN outbox p ON p.n = c.n WHERE c.cancels = e.id) AS withdrawn
FROM expected e JOIN outbox o ON o.n = e.n WHERE o.state != 'superseded'
"""


def _select(
    db: sqlite3.Connection, me: str, registry: VerifiedRegistry, where: str, arguments: Sequence[object]
) -> list[tuple[int, DeliveryStatus]]:
    """The delivery states of bulletins that match an SQL condition (`e`: expected, `o`: outbox), with their rows."""
    sql = "SELECT reader, stage, min(at) AS at FROM receipts WHERE digest = ? GROUP BY reader, stage"
    statuses = []
    for row in db.execute(f"{_SAID} AND {where}", tuple(arguments)).fetchall():
        channel = Channel.parse(f"{me}/{row['channel']}")
        needed = receipt_grants.required(registry, channel)
        said = from_row(Sent, row, channel=str(channel))
        answers = [from_row(Answer, receipt) for receipt in db.execute(sql, (row["digest"],))]
        mute = [name for name in needed if not receipt_grants.may_answer(registry, name, channel)]
        statuses.append((row["n"], delivery_status(said, answers, needed, mute)))
    return statuses


def of_one(db: sqlite3.Connection, me: str, registry: VerifiedRegistry, wanted: str) -> DeliveryStatus | None:
    """The delivery state of one bulletin, by id or digest."""
    statuses = _select(db, me, registry, "(e.id = ?1 OR e.digest = ?1)", (wanted,))
    return statuses[0][1] if statuses else None


def lately(
    db: sqlite3.Connection, me: str, registry: VerifiedRegistry, now: dt.datetime
) -> list[DeliveryStatus]:
    """The delivery states of the last 30 days, the newest first."""
    since = (now - KEEP).timestamp()
    return [status for _, status in _select(db, me, registry, "o.kept_at >= ? ORDER BY e.n DESC", (since,))]


def late(
    statuses: Iterable[DeliveryStatus],
    now: dt.datetime,
    deadlines: Deadlines,
    registry: VerifiedRegistry,
    calendars: Sequence[ElectionCalendar] = (),
) -> list[Overdue]:
    """The hubs that have not answered in time, with their contacts in the registry; `calendars` are those of the author's country."""
    contacts = {name: record.contacts for name, record in registry.document.authorities.items()}
    timed = (_timed(status, deadlines, calendars) for status in statuses)
    return [item for status in timed for item in overdue(status, now, deadlines, contacts)]


def _timed(
    status: DeliveryStatus, deadlines: Deadlines, calendars: Sequence[ElectionCalendar]
) -> DeliveryStatus:
    """The status in the stricter phase: the bulletin's own, or its country's when it was stored, never a later one."""
    said = status.said
    there = coarse(phase_over(calendars, said.stored or said.accepted))
    phase = stricter(deadlines, said.priority, (said.phase, there))
    return msgspec.structs.replace(status, said=msgspec.structs.replace(said, phase=phase))


def tell(
    db: sqlite3.Connection,
    me: str,
    registry: VerifiedRegistry,
    now: dt.datetime,
    deadlines: Deadlines,
    calendars: Sequence[ElectionCalendar] = (),
) -> list[Overdue]:
    """The newly overdue bulletins, inside a transaction. Bulletins that need no more receipts are closed.

    Bulletins that a hub lacks by its receipts are sent again.
    """
    enrol(db)
    first = "INSERT OR IGNORE INTO reported VALUES (?, ?, ?)"
    new: list[Overdue] = []
    for n, untimed in _select(db, me, registry, "e.closed = 0", ()):
        status = _timed(untimed, deadlines, calendars)
        new += [
            item
            for item in late([status], now, deadlines, registry)
            if db.execute(first, (item.digest, item.reader, item.what)).rowcount
        ]
        if _is_done(status, deadlines) or status.said.accepted < now - KEEP:
            db.execute("UPDATE expected SET closed = 1 WHERE n = ?", (n,))
    resend_unconfirmed(db, new, now.timestamp())
    return new


def _is_done(status: DeliveryStatus, deadlines: Deadlines) -> bool:
    said = status.said
    if said.is_cancelled:
        return not status.unconfirmed
    need_not_be_read = deadlines[said.priority, said.phase].read_s is None
    return status.state is DeliveryState.READ or (status.state is DeliveryState.RECEIVED and need_not_be_read)


def resend_unconfirmed(db: sqlite3.Connection, late: Sequence[Overdue], moment: float) -> int:
    """Send again bulletins that a hub has not confirmed in time although it has confirmed a later one of the channel.

    Inside a transaction; each hub within its allowance. Returns the number of bulletins.
    """
    lacked: dict[str, list[int]] = {}
    for item in late:
        if item.what == DeliveryState.RECEIVED and (
            row := db.execute(_LACKED, (item.digest, item.reader)).fetchone()
        ):
            lacked.setdefault(item.reader, []).append(row["n"])
    why = "it has confirmed a later bulletin and not this one"
    return sum(resend.send_again(db, ns, reader, why, moment) for reader, ns in lacked.items())


_LACKED = """
SELECT o.n FROM outbox o WHERE o.digest = ?1 AND o.state = 'stored' AND EXISTS (
  SELECT 1 FROM outbox later JOIN receipts r ON r.digest = later.digest
  WHERE later.channel = o.channel AND later.seq > o.seq AND r.reader = ?2
)
"""
