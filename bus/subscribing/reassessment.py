"""What a new state of the registry changes in a reader's store: keys that have ended, and keys that have come.

When a key ends, by revocation or because its window is over, `bus.admission.branches` rules about the chains and `rule`
carries that out. What this reader had received before, or what a standing bulletin continues, stays. The thief's branch is
withdrawn: out of the picture, into quarantine, and its places are free again. What was in quarantine and now stands, an
honest bulletin that had come second, or history by a key that is no longer in use, is admitted after all, labelled
`continued` where its own key has ended. A contradiction of which one side falls freezes nobody any more
(`bus.subscribing.contested`).

A bulletin may come before the version of the registry that lists its key: a reader that was cut off reads both at the same
time, from two streams. `retry` tries each version once on what is in quarantine for an unknown key, a part at a time.

Runs in the store's thread, on an open transaction.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from bus.admission import (
    ENDED,
    REFUSED,
    Judged,
    Link,
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
from bus.subscribing import contested, tables
from bus.subscribing.intake import Intake
from bus.subscribing.places import around
from bus.subscribing.tables import Waiting, message_of
from bus.trust import VerifiedRegistry

CONTINUED = "continued"
UNKNOWN = "unknown-key"
AT_ONCE = 500
_MAY_STAND = (*sorted(ENDED), str(Outcome.FORK), str(Outcome.BROKEN_CHAIN))

# The reason stands in the words of the query, so that its partial index serves: this is asked twice a second.
_PART = f"SELECT * FROM quarantine WHERE reason = '{UNKNOWN}' AND n > ? ORDER BY n LIMIT ?"

log = structlog.get_logger()

Row = sqlite3.Row | Mapping[str, Any]


class Reassessment:
    """The work on one store for one state of the registry."""

    def __init__(self, intake: Intake, registry: VerifiedRegistry, now: dt.datetime) -> None:
        self._intake = intake
        self._registry = registry
        self._now = now
        self._ended = registry.ended(now)

    # -- keys that have ended -----------------------------------------------------------------------------------------

    def must_rule(self, db: sqlite3.Connection) -> bool:
        """Whether there is anything to rule about."""
        return bool(self._newly_ended(db)) or (
            db.execute("SELECT EXISTS (SELECT 1 FROM to_reassess)").fetchone()[0] == 1
        )

    def rule(self, db: sqlite3.Connection) -> dict[str, int]:
        """Rule anew where a key has ended since the last time, or a bulletin came that may raise others.

        Returns:
            How many were withdrawn, and how many admitted after all.
        """
        self._mark(db)
        counts = {"withdrawn": 0, CONTINUED: 0}
        channels = [row["channel"] for row in db.execute("SELECT channel FROM to_reassess ORDER BY channel")]
        for channel in channels:
            ruling = self._ruling(db, channel)
            contested.void(db, channel, ruling.falls)
            counts["withdrawn"] += self._withdraw(db, channel, ruling)
            counts[CONTINUED] += self._raise(db, channel, ruling)
        for channel in channels:
            self._intake.lift(db, channel, self._now)
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
        links = db.execute("SELECT * FROM links WHERE channel = ?", (channel,)).fetchall()
        rows: list[Row] = [*links, *_quarantined(db, channel)]
        rows += [waiting.link_row() for waiting in tables.held_back(db, channel)]
        return standing([self._link(channel, row) for row in rows], self._ended)

    def _link(self, channel: str, row: Row) -> ReceivedLink:
        # Of several keys of its issuer, the one that ended first decides.
        kid = min(row["kids"].split(), key=lambda kid: self._ended.get(kid, self._now), default="")
        return ReceivedLink(
            channel=channel,
            seq=row["seq"],
            digest=row["digest"],
            prev=row["prev"],
            kid=kid,
            received_at=utc(row["received_at"]),
        )

    def _withdraw(self, db: sqlite3.Connection, channel: str, ruling: Ruling) -> int:
        """Put aside what falls. Returns the number of bulletins."""
        links = db.execute("SELECT * FROM links WHERE channel = ? ORDER BY seq", (channel,)).fetchall()
        falling = [link for link in links if link["digest"] in ruling.falls]
        waiting = [one for one in tables.held_back(db, channel) if one.message.digest in ruling.falls]
        for one in waiting:
            db.execute("DELETE FROM held_back WHERE digest = ?", (one.message.digest,))
            if one.refused is None:
                self._put_aside(db, one)
        if falling:
            self._take_out(db, channel, falling)
        return len(falling) + len(waiting)

    def _take_out(self, db: sqlite3.Connection, channel: str, falling: list[sqlite3.Row]) -> None:
        """Out of the chain, the admitted and the picture, which is made anew for this channel."""
        with self._intake.anew(db, channel, self._now):
            for link in falling:
                db.execute("DELETE FROM links WHERE channel = ? AND seq = ?", (channel, link["seq"]))
                row = db.execute("SELECT * FROM admitted WHERE digest = ?", (link["digest"],)).fetchone()
                if row is None:
                    continue  # refused before, and in quarantine
                db.execute("DELETE FROM admitted WHERE row = ?", (row["row"],))
                self._put_aside(db, Waiting(message=message_of(row), kids=tuple(link["kids"].split())))
                log.error("bulletin_withdrawn", id=row["id"], channel=channel, seq=link["seq"])

    def _put_aside(self, db: sqlite3.Connection, withdrawn: Waiting) -> None:
        detail = "its key is revoked since before it came, and nothing that stands continues it"
        self._intake.quarantine(db, withdrawn.refusal("key-revoked", detail), self._now)

    def _raise(self, db: sqlite3.Connection, channel: str, ruling: Ruling) -> int:
        """Admit what stands after all. Returns the number of bulletins."""
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
            label = () if self._ended.keys().isdisjoint(waiting.kids) else (CONTINUED,)
            labels = tuple(sorted({*waiting.labels, *label}))
            waiting = msgspec.structs.replace(waiting, received_at=row["at"], labels=labels)
            outcome = self._intake.take_place(db, waiting, self._now, patient=False)
            raised += outcome == "admitted"
        return raised

    def _again(self, row: sqlite3.Row) -> Judged | None:
        """A quarantined message as admission judges it without regard to its key; None when it is refused all the same."""
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

    # -- keys that have come ------------------------------------------------------------------------------------------

    def must_retry(self, db: sqlite3.Connection) -> bool:
        """Whether this version has yet to be tried on a row."""
        return bool(db.execute(_PART, (self._after(db), 1)).fetchone())

    def retry(self, db: sqlite3.Connection) -> dict[str, int]:
        """Judge the next part again. Returns how many became admitted, held, duplicate, early or refused."""
        rows = db.execute(_PART, (self._after(db), AT_ONCE)).fetchall()
        db.execute("DELETE FROM retried")
        db.execute("INSERT INTO retried VALUES (?, ?)", (self._registry.digest, rows[-1]["n"]))
        judged = []
        for row in rows:
            verdict = decide(message_of(row), self._registry, self._now)
            if not (isinstance(verdict, Refused) and verdict.reason == UNKNOWN):
                db.execute("DELETE FROM quarantine WHERE n = ?", (row["n"],))
                judged.append(verdict)
        return self._intake.settle(db, judged, None, None, self._now)

    def _after(self, db: sqlite3.Connection) -> int:
        """The row up to which this version has been tried; later rows are tried by the next one."""
        row = db.execute("SELECT upto FROM retried WHERE registry = ?", (self._registry.digest,)).fetchone()
        return row["upto"] if row else 0


def _quarantined(db: sqlite3.Connection, channel: str) -> list[sqlite3.Row]:
    """What is in quarantine only for its key or its place, lowest number first."""
    marks = ", ".join("?" * len(_MAY_STAND))
    sql = f"SELECT *, at AS received_at FROM quarantine WHERE channel = ? AND reason IN ({marks}) ORDER BY seq, n"
    return db.execute(sql, (channel, *_MAY_STAND)).fetchall()
