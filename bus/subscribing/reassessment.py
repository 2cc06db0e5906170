"""What a new state of the registry changes in a reader's store: keys that have ended, and keys that have come.

When a key ends, by revocation or because its window is over, `bus.admission.branches` rules about the chains and `Amending`
carries that out. What this reader had received before, or what a standing bulletin continues, stays. The thief's branch is
withdrawn: out of the picture, into quarantine, and its places are free again. What was in quarantine and now stands, an
honest bulletin that had come second, or history by a key that is no longer in use, is admitted after all, labelled
`continued` where its own key has ended. A contradiction of which one side falls freezes nobody any more
(`bus.subscribing.contested`).

A bulletin may come before the version of the registry that lists its key: a reader that was cut off reads both at the same
time, from two streams. `Rejudging` tries each version once on what is in quarantine for an unknown key, a part at a time.

Runs in the store's thread, on an open transaction.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping

import msgspec
import structlog

from bus.admission import (
    ENDED,
    REFUSED,
    Judged,
    Link,
    Message,
    Outcome,
    ReceivedLink,
    Refused,
    Ruling,
    admit,
    decide,
    judge_link,
    standing,
)
from bus.errors import AdmissionError
from bus.storage import utc
from bus.subscribing import contested
from bus.subscribing.intake import Intake
from bus.subscribing.tables import Waiting, around, message_of
from bus.trust import VerifiedRegistry
from schemas.codec import decode

CONTINUED = "continued"
UNKNOWN = "unknown-key"
AT_ONCE = 500
_MAY_STAND = (*sorted(ENDED), str(Outcome.FORK), str(Outcome.BROKEN_CHAIN))

# The reason stands in the words of the query, so that its partial index serves: this is asked twice a second.
_PART = f"SELECT * FROM quarantine WHERE reason = '{UNKNOWN}' AND n > ? ORDER BY n LIMIT ?"

log = structlog.get_logger()


class Amending:
    """Keys that have ended: the work on one store for one registry."""

    def __init__(self, settling: Intake, registry: VerifiedRegistry, now: dt.datetime) -> None:
        self._settling = settling
        self._registry = registry
        self._now = now
        self._ended = registry.ended(now)

    def is_due(self, db: sqlite3.Connection) -> bool:
        """Whether there is anything to rule about."""
        return bool(self._newly_ended(db)) or (
            db.execute("SELECT EXISTS (SELECT 1 FROM to_reassess)").fetchone()[0] == 1
        )

    def amend(self, db: sqlite3.Connection) -> dict[str, int]:
        """Rule anew where a key has ended since the last time, or a bulletin came that may raise others.

        Returns:
            How many were withdrawn, and how many admitted after all.
        """
        self._mark(db)
        counts = {"withdrawn": 0, CONTINUED: 0}
        channels = [
            row[0] for row in db.execute("SELECT channel FROM to_reassess ORDER BY channel").fetchall()
        ]
        for channel in channels:
            ruling = self._ruling(db, channel)
            contested.void(db, channel, ruling.falls)
            counts["withdrawn"] += self._withdraw(db, channel, ruling)
            counts[CONTINUED] += self._raise(db, channel, ruling)
        for channel in channels:
            self._settling.lift(db, channel, self._now)
        db.execute("DELETE FROM to_reassess")
        return {name: count for name, count in counts.items() if count}

    def _newly_ended(self, db: sqlite3.Connection) -> dict[str, float]:
        """The keys that have ended since the last time, or are now said to have ended at another moment."""
        known = {row["kid"]: row["since"] for row in db.execute("SELECT * FROM ended_keys")}
        ended = {kid: since.timestamp() for kid, since in self._ended.items()}
        return {kid: since for kid, since in ended.items() if known.get(kid) != since}

    def _mark(self, db: sqlite3.Connection) -> None:
        """Note every channel on which a key was used that has newly ended."""
        for kid, since in self._newly_ended(db).items():
            db.execute("REPLACE INTO ended_keys VALUES (?, ?)", (kid, since))
            db.execute(
                "INSERT OR IGNORE INTO to_reassess SELECT DISTINCT channel FROM links WHERE instr(kids, ?1) UNION "
                "SELECT DISTINCT channel FROM quarantine WHERE channel IS NOT NULL AND instr(kids, ?1) UNION "
                "SELECT DISTINCT channel FROM held_back",
                (kid,),
            )

    def _ruling(self, db: sqlite3.Connection, channel: str) -> Ruling:
        links = [
            self._link(channel, row)
            for row in db.execute("SELECT * FROM links WHERE channel = ?", (channel,))
        ]
        links += [self._link(channel, row, row["at"]) for row in _quarantined(db, channel)]
        for row in db.execute("SELECT message FROM held_back WHERE channel = ?", (channel,)):
            waiting = msgspec.msgpack.decode(row["message"], type=Waiting)
            bulletin = decode(waiting.message.payload)
            place = {"seq": bulletin.seq, "digest": waiting.message.digest, "prev": bulletin.prev}
            links.append(self._link(channel, {**place, "kids": " ".join(waiting.kids)}, waiting.received_at))
        return standing(links, self._ended)

    def _link(
        self, channel: str, row: Mapping[str, object] | sqlite3.Row, received_at: float | None = None
    ) -> ReceivedLink:
        at = row["received_at"] if received_at is None else received_at
        kids = str(row["kids"]).split()
        # Of several keys of its issuer, the one that ended first decides.
        kid = min(kids, key=lambda each: self._ended.get(each, self._now), default="")
        return ReceivedLink(
            channel=channel,
            seq=int(str(row["seq"])),
            digest=str(row["digest"]),
            prev=None if row["prev"] is None else str(row["prev"]),
            kid=kid,
            received_at=utc(float(str(at))),
        )

    # -- what falls ---------------------------------------------------------------------------------------------------

    def _withdraw(self, db: sqlite3.Connection, channel: str, ruling: Ruling) -> int:
        falling = [
            row
            for row in db.execute("SELECT * FROM links WHERE channel = ? ORDER BY seq", (channel,)).fetchall()
            if row["digest"] in ruling.falls
        ]
        waiting = [
            row
            for row in db.execute(
                "SELECT digest, message FROM held_back WHERE channel = ?", (channel,)
            ).fetchall()
            if row["digest"] in ruling.falls
        ]
        for row in waiting:
            db.execute("DELETE FROM held_back WHERE digest = ?", (row["digest"],))
            each = msgspec.msgpack.decode(row["message"], type=Waiting)
            if each.refused is None:
                bulletin = decode(each.message.payload)
                self._put_aside(
                    db, each.message, channel, bulletin.seq, bulletin.prev, bulletin.id, " ".join(each.kids)
                )
        if falling:
            self._take_out(db, channel, falling)
        return len(falling) + len(waiting)

    def _take_out(self, db: sqlite3.Connection, channel: str, falling: list[sqlite3.Row]) -> None:
        """Out of the chain, the admitted and the picture, which is made anew for this channel."""
        with self._settling.anew(db, channel, self._now):
            for link in falling:
                db.execute("DELETE FROM links WHERE channel = ? AND seq = ?", (channel, link["seq"]))
                row = db.execute("SELECT * FROM admitted WHERE digest = ?", (link["digest"],)).fetchone()
                if row is None:
                    continue  # refused before, and in quarantine
                db.execute("DELETE FROM admitted WHERE row = ?", (row["row"],))
                message = Message(
                    subject=row["subject"],
                    headers=(("Tocsin-Sig", row["signature"]),),
                    payload=row["payload"],
                    stream=row["stream"],
                    stream_seq=row["stream_seq"],
                    digest=row["digest"],
                )
                self._put_aside(db, message, channel, link["seq"], link["prev"], link["id"], link["kids"])
                log.error("bulletin_withdrawn", id=row["id"], channel=channel, seq=link["seq"])

    def _put_aside(
        self,
        db: sqlite3.Connection,
        message: Message,
        channel: str,
        seq: int,
        prev: str | None,
        id_: str,
        kids: str,
    ) -> None:
        refused = Refused(
            message=message,
            reason="key-revoked",
            detail="its key is revoked since before it came, and nothing that stands continues it",
            channel=channel,
            seq=seq,
            prev=prev,
            id=id_,
            kids=tuple(kids.split()),
        )
        self._settling.quarantine(db, refused, self._now)

    # -- what stands after all ----------------------------------------------------------------------------------------

    def _raise(self, db: sqlite3.Connection, channel: str, ruling: Ruling) -> int:
        raised = 0
        for row in _quarantined(db, channel):
            if row["digest"] not in ruling.stands:
                continue
            link = Link(seq=row["seq"], digest=row["digest"], prev=row["prev"], id=row["id"])
            if judge_link(link, around(db, channel, link)) in REFUSED:
                continue  # it contradicts one that stands as well: its signer contradicted itself
            if (judged := self._again(row)) is None:
                continue
            db.execute("DELETE FROM quarantine WHERE n = ?", (row["n"],))
            waiting = Waiting.of(judged)
            if not self._ended.keys().isdisjoint(waiting.kids):
                waiting = msgspec.structs.replace(waiting, labels=tuple(sorted({*waiting.labels, CONTINUED})))
            waiting = msgspec.structs.replace(waiting, received_at=row["at"])
            bulletin = judged.admitted.bulletin
            if self._settling.place(db, waiting, bulletin, channel, self._now, patient=False) == "admitted":
                raised += 1
                self._settling.release_successors(db, channel, bulletin.seq, self._now)
        return raised

    def _again(self, row: sqlite3.Row) -> Judged | None:
        """A quarantined message with what admission says when its key does not matter; None when it is refused for more."""
        message = message_of(row)
        try:
            admitted = admit(
                message.subject,
                message.headers,
                message.payload,
                registry=self._registry,
                now=self._now,
                continued=True,
            )
        except AdmissionError:
            return None
        return Judged(message=message, admitted=admitted)


class Rejudging:
    """Keys that have come: the work on one store for one registry."""

    def __init__(self, settling: Intake, registry: VerifiedRegistry, now: dt.datetime) -> None:
        self._settling = settling
        self._registry = registry
        self._now = now

    def is_due(self, db: sqlite3.Connection) -> bool:
        """Whether this version has not been tried yet on all that could stand by it."""
        return bool(db.execute(_PART, (self._after(db), 1)).fetchone())

    def amend(self, db: sqlite3.Connection) -> dict[str, int]:
        """Judge the next part again; what became of those whose key is known now."""
        rows = db.execute(_PART, (self._after(db), AT_ONCE)).fetchall()
        db.execute("DELETE FROM retried")
        db.execute("INSERT INTO retried VALUES (?, ?)", (self._registry.digest, rows[-1]["n"]))
        found = []
        for row in rows:
            each = decide(message_of(row), self._registry, self._now)
            if not (isinstance(each, Refused) and each.reason == UNKNOWN):
                db.execute("DELETE FROM quarantine WHERE n = ?", (row["n"],))
                found.append(each)
        return self._settling.settle(db, found, None, None, self._now)

    def _after(self, db: sqlite3.Connection) -> int:
        """Up to which row this version has been tried; what comes later is tried by the next one."""
        row = db.execute("SELECT upto FROM retried WHERE registry = ?", (self._registry.digest,)).fetchone()
        return row["upto"] if row else 0


def _quarantined(db: sqlite3.Connection, channel: str) -> list[sqlite3.Row]:
    """What is in quarantine for no fault of its own words, lowest number first."""
    marks = ", ".join("?" * len(_MAY_STAND))
    sql = f"SELECT * FROM quarantine WHERE channel = ? AND reason IN ({marks}) ORDER BY seq, n"
    return db.execute(sql, (channel, *_MAY_STAND)).fetchall()
