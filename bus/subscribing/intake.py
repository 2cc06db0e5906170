"""Takes a batch into a reader's store: chain, hold back, keep, project, quarantine, inside one transaction.

Everything here runs in the store's thread, on an open transaction, and reads no clock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from bus.admission import ENDED, REFUSED, Judged, Outcome, Refused, holds_place, judge_link
from bus.logs import logger
from bus.storage import Layout, utc
from bus.subscribing import bodies, contested, groups, places, tables
from bus.subscribing.budget import Charges
from bus.subscribing.contested import CONTESTED
from bus.subscribing.tables import Stored, Waiting, stored
from bus.transport import Cursor
from schemas.vocab import Status

OVER_BUDGET = "over_budget"
TRIES = 5
BACKOFF_S = (1.0, 5.0, 30.0, 120.0)
_TO_TRY = "tries > 0 AND (retry_at <= :now OR retry_at > :now + :most)"
_LABELS = {Outcome.GAP: "gap", Outcome.TRIMMED: "trimmed", Outcome.FILLS: "filled"}

log = logger()


class Projector(Protocol):
    """Turns admitted bulletins into a picture, inside the inbox's own transactions."""

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Its tables."""

    def apply(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take one admitted bulletin into the picture, with its effects."""

    def apply_many(self, db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
        """As `apply` for each, none of them a heartbeat or a calendar; after an error the caller undoes all of it."""

    def show(self, db: sqlite3.Connection, row: Stored) -> None:
        """Take in a bulletin without effect (`bus.subscribing.contested.is_mute`); it is at most shown."""

    def clear(self, db: sqlite3.Connection) -> None:
        """Empty the picture before a rebuild."""

    def forget(self, db: sqlite3.Connection, channel: str, rows: Iterable[Stored]) -> None:
        """Take a channel out of the picture, with the effects of its bulletins on others; `rows` are all its bulletins."""


class Intake:
    """The work on one store; `hold_s` is the time in seconds that a bulletin waits for its predecessor."""

    def __init__(self, projector: Projector | None, hold_s: float) -> None:
        self.projector = projector
        self._hold_s = hold_s
        self._holding = True  # whether any bulletin may be held back
        self._ended: frozenset[str] = frozenset()  # keys that were revoked or expired at the last `amend`
        self._stated: frozenset[str] = frozenset()  # those of `_ended` that only a statement revokes

    @property
    def may_release(self) -> bool:
        """Whether a batch may release held bulletins: one bulletin may release all that waited for it.

        The changes of a batch are bounded by its own size; the number of released bulletins is not.
        """
        return self._holding

    def settle(
        self,
        db: sqlite3.Connection,
        judged: Sequence[Judged | Refused],
        stream: str | None,
        cursor: Cursor | None,
        now: dt.datetime,
        charges: Charges | None = None,
    ) -> dict[str, int]:
        """Take in a batch and move the cursor.

        Returns:
            The number of admitted, held, duplicate, early, over-budget and refused messages, by these names.
        """
        if charges is not None:
            charges.begin()
        self._holding = db.execute("SELECT EXISTS (SELECT 1 FROM held_back)").fetchone()[0] == 1
        ended = db.execute("SELECT kid, by_statement FROM ended_keys").fetchall()
        self._ended = frozenset(row["kid"] for row in ended)
        self._stated = frozenset(row["kid"] for row in ended if row["by_statement"])
        if stream is None:  # they waited for their time; from here on their new judgement counts
            tables.drop_deferred(db, (verdict.message for verdict in judged))
        counts: Counter[str] = Counter()
        position, reach, texts = 0, groups.Reach(), bodies.Texts(db)
        while position < len(judged):
            if len(judged) - position >= groups.FEWEST and reach.is_due():
                state = groups.State(now, self._holding, self._ended, self._stated, charges, texts)
                run = groups.take_run(db, judged, position, reach.ahead, state)
                reach.note(len(run.rows))
                if run.rows:
                    self.project_all(db, run.rows, now)
                    counts["admitted"] += len(run.rows)
                    position = run.end
                    continue
            counts[self._take_one(db, judged[position], now, charges, position)] += 1
            position += 1
        if counts["refused"] and (gone := tables.trim_quarantine(db)):
            log.warning("quarantine_full", let_go=gone)
        if stream is not None and cursor is not None:
            tables.set_cursor(db, stream, cursor)
        tables.add_counts(db, counts)
        return counts

    def _take_one(
        self,
        db: sqlite3.Connection,
        verdict: Judged | Refused,
        now: dt.datetime,
        charges: Charges | None,
        position: int,
    ) -> str:
        if charges is not None and (speaker := verdict.speaker):
            return self._take_charged(db, verdict, now, charges, position, speaker)
        return self._take(db, verdict, now)

    def _take_charged(
        self,
        db: sqlite3.Connection,
        verdict: Judged | Refused,
        now: dt.datetime,
        charges: Charges,
        position: int,
        speaker: str,
    ) -> str:
        """As `_take`; a message beyond its authority's budget is put off until its turn, and a known one costs nothing."""
        moment = now.timestamp()
        until = charges.wait(position, speaker, moment)
        if until is not None and not _is_known(db, verdict):
            added = tables.add_deferred(db, verdict.message, utc(until), verdict.proof)
            outcome = OVER_BUDGET if added else "duplicate"
        else:
            outcome = self._take(db, verdict, now)
        if outcome != "duplicate":
            charges.spend(position, speaker, moment)
        return outcome

    def _take(self, db: sqlite3.Connection, verdict: Judged | Refused, now: dt.datetime) -> str:
        """Keep a message, hold it back, put it off, or quarantine it. Returns the name of the outcome."""
        if isinstance(verdict, Judged):
            return self.take_place(db, Waiting.of(verdict), now, patient=True)
        if verdict.retry_at is None:
            return self.quarantine(db, verdict, now)
        added = tables.add_deferred(db, verdict.message, verdict.retry_at, verdict.proof)
        return "early" if added else "duplicate"

    def take_place(self, db: sqlite3.Connection, waiting: Waiting, now: dt.datetime, *, patient: bool) -> str:
        """As `place`; then place held bulletins that now have their predecessor."""
        outcome = self.place(db, waiting, now, patient=patient)
        if outcome == "admitted":
            self._release_successors(db, waiting.channel, waiting.bulletin.seq, now)
        return outcome

    def place(self, db: sqlite3.Connection, waiting: Waiting, now: dt.datetime, *, patient: bool) -> str:
        """Give a bulletin its place, hold it back if `patient`, or quarantine it if it contradicts its chain."""
        bulletin, channel = waiting.bulletin, waiting.channel
        outcome = judge_link(waiting.link, places.around(db, channel, waiting.link))
        if outcome is Outcome.DUPLICATE:
            if waiting.signature:
                tables.add_endorsers(db, waiting)
            return "duplicate"
        if outcome in REFUSED:
            log.error(outcome.replace("-", "_"), channel=channel, seq=bulletin.seq, id=bulletin.id)
            self._note_ended(db, waiting)
            places.reassess_near(db, channel, waiting.link, self._stated)
            if waiting.refused is not None:
                return "refused"  # it is in quarantine already
            return self.quarantine(db, waiting.refusal(outcome, f"{channel} number {bulletin.seq}"), now)
        if outcome is not Outcome.NEXT:
            places.reassess_predecessor(db, channel, bulletin)
            if bulletin.status is Status.BEAT:
                outcome = Outcome.NEXT  # its stream keeps only the newest: there is no waiting and no gap
        if patient and outcome in (Outcome.GAP, Outcome.TRIMMED):
            self._holding = True
            added = tables.add_held_back(db, waiting, now.timestamp() + self._hold_s)
            return "held" if added else "duplicate"
        label = _LABELS.get(outcome)
        if label is not None:
            log.warning("order_broken", channel=channel, seq=bulletin.seq, label=label)
        frozen = CONTESTED if waiting.refused is None and contested.is_frozen(db, channel) else None
        labels = frozenset(filter(None, (*waiting.labels, label, frozen)))
        kept = tables.add_placed(db, waiting, labels, now)
        self._note_ended(db, waiting)
        places.reassess_near(db, channel, waiting.link, self._stated)
        if kept is not None:
            self.project(db, kept, now)
        return "admitted"

    def _note_ended(self, db: sqlite3.Connection, waiting: Waiting) -> None:
        """Mark its channel for another ruling if a key of its signature is revoked or expired."""
        if not self._ended.isdisjoint(waiting.kids):
            places.reassess(db, waiting.channel)

    def _release_successors(self, db: sqlite3.Connection, channel: str, seq: int, now: dt.datetime) -> None:
        while self._holding and (waiting := tables.pop_held_back(db, channel, seq + 1, seq + 1)):
            if self.place(db, waiting, now, patient=False) == "admitted":
                seq += 1

    def is_due(self, db: sqlite3.Connection, now: dt.datetime) -> bool:
        """Whether `release` has work to do."""
        row = db.execute(
            "SELECT EXISTS (SELECT 1 FROM held_back WHERE until <= :now OR until > :now + :hold) "
            f"OR EXISTS (SELECT 1 FROM admitted WHERE {_TO_TRY})",
            {"now": now.timestamp(), "hold": self._hold_s, "most": BACKOFF_S[-1]},
        )
        return bool(row.fetchone()[0])

    def release(self, db: sqlite3.Connection, now: dt.datetime) -> dict[str, int]:
        """Release bulletins that have waited long enough, with all held ones before them, and project failed ones again."""
        moment = now.timestamp()
        self._holding = True
        released = 0
        # If the clock was set back, held bulletins wait from now on, and failed ones are tried at once.
        db.execute("UPDATE held_back SET until = ?1 WHERE until > ?1", (moment + self._hold_s,))
        overdue = "SELECT channel, max(seq) AS seq FROM held_back WHERE until <= ? GROUP BY channel ORDER BY channel"
        for due in db.execute(overdue, (moment,)).fetchall():
            while waiting := tables.pop_held_back(db, due["channel"], 1, due["seq"]):
                released += self.take_place(db, waiting, now, patient=False) == "admitted"
        again = f"SELECT row FROM admitted WHERE {_TO_TRY} ORDER BY row"
        for row in _one_by_one(db, again, {"now": moment, "most": BACKOFF_S[-1]}):
            self.project(db, row, now)
        return {"released": released}

    def project(self, db: sqlite3.Connection, row: Stored, now: dt.datetime) -> None:
        """Take a bulletin into the picture. An error of the picture is noted and tried again; nothing else stops.

        A bulletin with a mute label is only shown; `anew` lets it take effect when the label is removed.
        """
        if self.projector is None:
            return
        db.execute("SAVEPOINT picture")
        try:
            take_in = self.projector.show if contested.is_mute(row.labels) else self.projector.apply
            take_in(db, row)
        except (
            Exception
        ) as exc:  # any error is tried again, then the bulletin is parked, and both are visible
            if not db.in_transaction:
                raise  # SQLite itself has undone all of it, which happens when the disk is full
            db.execute("ROLLBACK TO picture")
            tries = row.tries + 1
            retry_at = now.timestamp() + BACKOFF_S[tries - 1] if tries < TRIES else None
            problem = f"{type(exc).__name__}: {exc}"
            bodies.note_tries(db, row.rowid, tries, retry_at, problem)
            log.error("projection_failed", id=row.id, problem=problem, parked=retry_at is None)
        else:
            if row.tries:
                bodies.note_tries(db, row.rowid, 0, None, None)
        db.execute("RELEASE picture")

    def project_all(self, db: sqlite3.Connection, rows: Sequence[Stored], now: dt.datetime) -> None:
        """As `project`, for bulletins without a mute label; one by one if one fails."""
        if self.projector is None or not rows:
            return
        db.execute("SAVEPOINT pictures")
        try:
            self.projector.apply_many(db, rows)
        except Exception:  # any error comes again with the bulletin that causes it
            if not db.in_transaction:
                raise
            db.execute("ROLLBACK TO pictures")
            for row in rows:
                self.project(db, row, now)
        db.execute("RELEASE pictures")

    def decide(self, db: sqlite3.Connection, channel: str, by: str, reason: str, now: dt.datetime) -> int:
        """Note a person's decision on contradictions, and let bulletins published during the freeze take effect.

        Returns:
            The number of contradictions (`bus.subscribing.contested`).
        """
        count = contested.decide(db, channel, by, reason, now.timestamp())
        if count:
            self.lift(db, channel, now)
        return count

    def lift(self, db: sqlite3.Connection, channel: str, now: dt.datetime) -> None:
        """Let bulletins that the issuer of a channel published during its freeze take effect, unless it is still frozen."""
        if contested.is_frozen(db, channel):
            return
        for name in contested.labelled(db, channel):
            with self.anew(db, name, now):
                contested.lift(db, name)

    @contextlib.contextmanager
    def anew(self, db: sqlite3.Connection, channel: str, now: dt.datetime) -> Iterator[None]:
        """Take a channel out of the picture, with its effects; when the context exits, take in the bulletins admitted then."""
        admitted = "SELECT row FROM links WHERE channel = :channel AND row IS NOT NULL ORDER BY row"
        if self.projector is not None:
            self.projector.forget(db, channel, _one_by_one(db, admitted, {"channel": channel}))
        yield
        for row in _one_by_one(db, admitted, {"channel": channel}):
            self.project(db, row, now)

    def quarantine(self, db: sqlite3.Connection, refused: Refused, now: dt.datetime) -> str:
        """Keep a refused message with its reason, only once for any repeats."""
        message = refused.message
        added = tables.add_quarantined(db, refused, now)
        if added and refused.channel is not None and refused.reason in ENDED:
            places.reassess_successor(db, refused.channel, refused.seq or 0, message.digest)
            if not self._stated.isdisjoint(refused.kids):
                places.reassess(db, refused.channel)  # it may stand by its date alone
        elif added and refused.channel is not None and holds_place(refused.reason):
            # Signed but refused: it still is a link of its channel, so that the next bulletin shows no gap.
            waiting = Waiting(
                message=message,
                kids=refused.kids,
                received_at=now.timestamp(),
                believed=refused.believed,
                refused=refused.reason,
            )
            self.take_place(db, waiting, now, patient=True)
        if added:
            log.warning(
                "bulletin_refused", reason=refused.reason, subject=message.subject, detail=refused.detail
            )
        return "refused" if added else "duplicate"


def _is_known(db: sqlite3.Connection, verdict: Judged | Refused) -> bool:
    """Whether a message with a proven author is already known."""
    if isinstance(verdict, Judged):
        channel, seq = str(verdict.admitted.channel), verdict.admitted.bulletin.seq
    else:
        channel, seq = verdict.channel or "", verdict.seq or 0
    return tables.is_known(db, channel, seq, verdict.message.digest)


def _one_by_one(db: sqlite3.Connection, rows: str, arguments: Mapping[str, object]) -> Iterator[Stored]:
    """The admitted bulletins whose rows a statement selects; only one bulletin's bytes are in memory.

    A place with a corrupt row points to nothing or to another bulletin, which comes once.
    """
    for n in dict.fromkeys(row[0] for row in db.execute(rows, arguments).fetchall()):
        if (row := db.execute("SELECT * FROM admitted WHERE row = ?", (n,)).fetchone()) is not None:
            yield stored(row)
