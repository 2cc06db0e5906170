"""Applies a new state of the registry to a reader's store: revoked and expired keys, and new keys.

When a key is revoked or expires, `bus.admission.branches` rules on the chains and `rule` carries that out. Bulletins
that this reader had received before, or that a standing bulletin continues, stay. The thief's branch is withdrawn from
the picture into quarantine, and its places are free again. A bulletin in quarantine that now stands is admitted: an
honest one that came second, or history by a key out of use. It is labelled `continued` if its own key is revoked or
expired, or `by-date` if only its date vouches for it. If two stand at one place, one is a `fork`. A contradiction with
one fallen side freezes nobody any more (`bus.subscribing.contested`).

A bulletin may come before the version of the registry that lists its key or permits it: a reader that was cut off reads
both at the same time, from two streams. `retry` judges once with each version, in parts, the bulletins in quarantine
for a reason that a version may end. If quarantine was full and some of them were dropped, the streams are read once
more.

Runs in the store's thread, on an open transaction.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

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
    ending_of,
    judge_link,
    keys_met,
    standing,
)
from bus.errors import AdmissionError
from bus.logs import logger
from bus.storage import up_to, utc
from bus.subscribing import bodies, contested, tables
from bus.subscribing.intake import Intake
from bus.subscribing.places import around, quarantined, reassess
from bus.subscribing.tables import BY_VERSION_LET_GO, NOT_PERMITTED, Waiting, message_of
from bus.trust import Ending, VerifiedRegistry

CONTINUED = "continued"
READ_AGAIN = "read_again"
AT_ONCE, AT_ONCE_BYTES = 500, 2 * 1024**2

# The reason is literal in the query, so that its partial index is used: the query runs twice a second.
_PART = f"SELECT * FROM quarantine WHERE {tables.RETRIED} AND n > ? ORDER BY n LIMIT ?"

_NOBODY = "-"  # in place of keys that the registry no longer lists
_UNLISTED = {_NOBODY: Ending(since=dt.datetime.min.replace(tzinfo=dt.UTC))}

log = logger()

Row = sqlite3.Row | Mapping[str, Any]
_End = tuple[float, int, float | None]
"""Of a revoked or expired key: (since when, whether only by a statement, end of its window)."""


class Reassessment:
    """The work on one store for one state of the registry."""

    def __init__(self, intake: Intake, registry: VerifiedRegistry, now: dt.datetime) -> None:
        self._intake = intake
        self._registry = registry
        self._now = now
        self._ended = registry.ended(now)

    # -- revoked and expired keys -------------------------------------------------------------------------------------

    def must_rule(self, db: sqlite3.Connection) -> bool:
        """Whether any channel needs a ruling."""
        return bool(self._newly_ended(db)) or (
            db.execute("SELECT EXISTS (SELECT 1 FROM to_reassess)").fetchone()[0] == 1
        )

    def rule(self, db: sqlite3.Connection) -> dict[str, int]:
        """Rule on channels where a key was revoked or expired since the last time, or where a new bulletin may raise others.

        Returns:
            (number withdrawn, number admitted after all).
        """
        self._mark(db)
        counts = {"withdrawn": 0, CONTINUED: 0}
        channels = [row["channel"] for row in db.execute("SELECT channel FROM to_reassess ORDER BY channel")]
        for channel in channels:
            ruling = self._ruling(db, channel)
            contested.void(db, channel, ruling.falls)
            counts["withdrawn"] += self._withdraw(db, channel, ruling)
            counts[CONTINUED] += self._raise(db, channel, ruling)
            self._relabel(db, channel, ruling)
        for channel in channels:
            self._intake.lift(db, channel, self._now)
        db.execute("DELETE FROM to_reassess")
        return {name: count for name, count in counts.items() if count}

    def _newly_ended(self, db: sqlite3.Connection) -> dict[str, _End]:
        """The keys revoked or expired since the last time, or now with another moment or cause."""
        rows = db.execute("SELECT kid, since, by_statement, over FROM ended_keys").fetchall()
        known = {row["kid"]: (row["since"], row["by_statement"], row["over"]) for row in rows}
        ended = {
            kid: (end.since.timestamp(), int(end.by_statement), end.over.timestamp() if end.over else None)
            for kid, end in self._ended.items()
        }
        return {kid: end for kid, end in ended.items() if known.get(kid) != end}

    def _mark(self, db: sqlite3.Connection) -> None:
        """Mark every channel on which a newly revoked or expired key was used."""
        newly = self._newly_ended(db)
        if not newly:
            return
        db.executemany(
            "REPLACE INTO ended_keys (kid, since, by_statement, over) VALUES (?, ?, ?, ?)",
            [(kid, *end) for kid, end in newly.items()],
        )
        used = db.execute(
            "SELECT channel, kids FROM links UNION SELECT channel, kids FROM quarantine WHERE channel IS NOT NULL"
        )
        channels = {row["channel"] for row in used if not newly.keys().isdisjoint(row["kids"].split())}
        channels |= {row["channel"] for row in db.execute("SELECT DISTINCT channel FROM held_back")}
        for channel in sorted(channels):
            reassess(db, channel)

    def _ruling(self, db: sqlite3.Connection, channel: str) -> Ruling:
        links = db.execute("SELECT * FROM links WHERE channel = ?", (channel,)).fetchall()
        rows: list[Row] = [*links, *(self._known(row) for row in quarantined(db, channel))]
        rows += [waiting.link_row() for waiting in tables.held_back(db, channel)]
        return standing([self._link(channel, row) for row in rows], {**self._ended, **_UNLISTED})

    def _known(self, row: sqlite3.Row) -> Row:
        """A link from a row of the quarantine; one by a key that the registry no longer lists never stands and vouches for nothing."""
        return row if all(map(self._registry.key, row["kids"].split())) else {**row, "kids": _NOBODY}

    def _link(self, channel: str, row: Row) -> ReceivedLink:
        kids = row["kids"].split()
        return ReceivedLink(
            channel=channel,
            seq=row["seq"],
            digest=row["digest"],
            prev=row["prev"],
            kid=kids[0] if kids else "",
            received_at=utc(row["received_at"]),
            issued=utc(row["received_at"] if row["issued"] is None else row["issued"]),
            believed=bool(row["believed"]),
            meets=self._met(channel, kids),
        )

    def _met(self, channel: str, kids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """The keys that decide about a bulletin; the registry is asked only if one is revoked or expired."""
        if self._ended.keys().isdisjoint(kids):
            return ()
        return keys_met(kids, channel.partition("/")[0], self._registry)

    def _withdraw(self, db: sqlite3.Connection, channel: str, ruling: Ruling) -> int:
        """Withdraw the bulletins that fall. Returns their number."""
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
        """Remove bulletins from the chain, the admitted table and the picture, which is rebuilt for this channel."""
        with self._intake.anew(db, channel, self._now):
            for link in falling:
                mine = (link["row"], link["digest"])
                row = db.execute("SELECT * FROM admitted WHERE row = ? AND digest = ?", mine).fetchone()
                bodies.remove(db, channel, link["seq"], link["digest"])
                if row is None:
                    continue  # refused before, and in quarantine; or damaged
                kept = Waiting(
                    message=message_of(row),
                    kids=tuple(link["kids"].split()),
                    received_at=link["received_at"],
                    believed=bool(link["believed"]),
                )
                self._put_aside(db, kept)
                log.error("bulletin_withdrawn", id=row["id"], channel=channel, seq=link["seq"])

    def _put_aside(self, db: sqlite3.Connection, withdrawn: Waiting) -> None:
        detail = "its key was revoked before it came, and no valid bulletin continues it"
        self._intake.quarantine(db, withdrawn.refusal("key-revoked", detail), self._now)

    def _raise(self, db: sqlite3.Connection, channel: str, ruling: Ruling) -> int:
        """Admit the bulletins that now stand. Returns their number."""
        raised = 0
        rows = quarantined(db, channel)
        first: dict[str, tuple[float, bool]] = {}  # the first of several copies counts
        for row in rows:
            at, believed = first.get(row["digest"], (row["received_at"], False))
            first[row["digest"]] = min(at, row["received_at"]), believed or bool(row["believed"])
        for row in rows:
            if row["digest"] not in ruling.stands:
                continue
            link = Link(seq=row["seq"], digest=row["digest"], prev=row["prev"], id=row["id"])
            outcome = judge_link(link, around(db, channel, link))
            if outcome is Outcome.FORK and row["reason"] in ENDED:
                contested.add(db, row["n"], self._now.timestamp())
                log.error("fork", channel=channel, seq=row["seq"], id=row["id"])
            if outcome in REFUSED:
                continue  # another bulletin stands at its place too: its signer contradicted itself
            if (judged := self._again(db, row["n"])) is None:
                continue
            db.execute("DELETE FROM quarantine WHERE n = ?", (row["n"],))
            waiting, (at, believed) = Waiting.of(judged), first[row["digest"]]
            labels = tuple(sorted({*waiting.labels, *self._label(waiting, ruling)}))
            waiting = msgspec.structs.replace(waiting, received_at=at, believed=believed, labels=labels)
            raised += self._intake.take_place(db, waiting, self._now, patient=False) == "admitted"
        return raised

    def _label(self, waiting: Waiting, ruling: Ruling) -> tuple[str, ...]:
        """The label of a bulletin that stands although a key of its issuer is revoked or expired."""
        if waiting.message.digest in ruling.by_date:
            return (contested.BY_DATE,)
        met = self._met(waiting.channel, waiting.kids)
        return () if ending_of(met, self._ended) is None else (CONTINUED,)

    def _relabel(self, db: sqlite3.Connection, channel: str, ruling: Ruling) -> None:
        """Let bulletins take effect that stood only by their date and now stand by more."""
        rows = db.execute(
            "SELECT l.row, l.digest, a.labels FROM links l JOIN admitted a ON a.row = l.row WHERE l.channel = ? "
            "AND EXISTS (SELECT 1 FROM json_each(a.labels) WHERE value = ?)",
            (channel, contested.BY_DATE),
        ).fetchall()
        freed = [row for row in rows if row["digest"] not in ruling.by_date]
        if not freed:
            return
        with self._intake.anew(db, channel, self._now):
            for row in freed:
                labels = set(msgspec.json.decode(row["labels"], type=tuple[str, ...])) - {contested.BY_DATE}
                bodies.label(db, row["row"], tables.as_json(sorted({*labels, CONTINUED})))

    def _again(self, db: sqlite3.Connection, n: int) -> Judged | None:
        """Judge a quarantined message without regard to its key; None if it is still refused."""
        message = message_of(db.execute("SELECT * FROM quarantine WHERE n = ?", (n,)).fetchone())
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

    # -- new keys -----------------------------------------------------------------------------------------------------

    def must_retry(self, db: sqlite3.Connection) -> bool:
        """Whether a row waits to be judged with this version."""
        return self._lacks(db) or bool(db.execute(_PART, (self._after(db), 1)).fetchone())

    def retry(self, db: sqlite3.Connection) -> dict[str, int]:
        """Judge the next part again; nothing is left of it where another reader of the same store has done so since `must_retry`.

        Returns:
            The number of admitted, held, duplicate, early or refused messages by these names; or `READ_AGAIN`, if the
            streams must be read once more for dropped messages.
        """
        if self._lacks(db):
            db.execute("DELETE FROM counters WHERE name = ?", (BY_VERSION_LET_GO,))
            self._note_tried(db, 0)
            return {READ_AGAIN: 1}
        rows = up_to(db.execute(_PART, (self._after(db), AT_ONCE)), "payload", AT_ONCE_BYTES)
        if not rows:
            return {}
        self._note_tried(db, rows[-1]["n"])
        judged = []
        for row in rows:
            if not row["payload"]:
                continue  # erased
            verdict = decide(message_of(row), self._registry, self._now)
            refused = isinstance(verdict, Refused)
            if row["reason"] == NOT_PERMITTED:
                if refused:
                    continue
                # It held its place as a refused bulletin and takes it now as an admitted one.
                bodies.remove(db, row["channel"], row["seq"], row["digest"])
                db.execute("DELETE FROM held_back WHERE digest = ?", (row["digest"],))
            elif isinstance(verdict, Refused) and verdict.reason == row["reason"]:
                continue
            db.execute("DELETE FROM quarantine WHERE n = ?", (row["n"],))
            judged.append(verdict)
        return self._intake.settle(db, judged, None, None, self._now)

    def _lacks(self, db: sqlite3.Connection) -> bool:
        """Whether this version may list a key of messages that were dropped before it."""
        sql = (
            "SELECT EXISTS (SELECT 1 FROM counters WHERE name = ?) "
            "AND NOT EXISTS (SELECT 1 FROM retried WHERE registry = ?)"
        )
        return bool(db.execute(sql, (BY_VERSION_LET_GO, self._registry.digest)).fetchone()[0])

    def _note_tried(self, db: sqlite3.Connection, upto: int) -> None:
        db.execute("DELETE FROM retried")
        db.execute("INSERT INTO retried VALUES (?, ?)", (self._registry.digest, upto))

    def _after(self, db: sqlite3.Connection) -> int:
        """The row up to which this version was applied; the next version is applied to later rows."""
        row = db.execute("SELECT upto FROM retried WHERE registry = ?", (self._registry.digest,)).fetchone()
        return row["upto"] if row else 0
