"""Watches the channels that a hub reads: records the begin and end of alarms, and the states for uptime.

A hub judges only when it has caught up, and as of the moment up to which it has read everything. An unread sign of life
is later than that moment, so it is never missed. While this hub itself cannot read or is too far behind, the only new
alarm is `blind`: others stay unchanged and no time counts. An alarm is recorded and logged only at its begin and end.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import msgspec

from bus.hub.elections import calendars, of_country
from bus.hub.periodic import Problem, repeat
from bus.hub.watch import alarms, holdings
from bus.hub.watch.ahead import ahead_alarms
from bus.hub.watch.alarms import Condition
from bus.hub.watch.channels import ChannelRow, alarms_of, channel_rows
from bus.hub.watch.liveness import Alarm, Reason, Silence, changes
from bus.logs import logger
from bus.subscribing import Inbox, Reading, Subscriber
from bus.transport import world_stream
from bus.trust import VerifiedRegistry
from schemas.elections import coarse, phase_over
from schemas.errors import TocsinError
from schemas.vocab import Status

LOOK_S = 2.0
REST = 20.0  # the pause after a look, as a multiple of its duration
MOVE_S = 30.0  # seconds between two records of the end of a span
AGAIN_S = (900.0, 86_400.0)  # a stream with lasting gaps is read again less and less often
CALM_S = 7 * 86_400.0  # seconds without a gap after which the doubled wait is forgotten
TIDY_S = 600.0  # seconds between two looks at the claims
BLIND_S = 5.0
OWN = "-"
"""The name in place of a channel, for an alarm about this hub itself."""

Announce = Callable[[Mapping[str, Silence]], Awaitable[bool]]
"""Takes all silent channels; returns whether all were announced, or must be given again."""

log = logger()


Culprit = tuple[str, str]
"""(stream, authority that announced the missing bulletin): only this pair waits."""

ANYBODY = "*"


class Again(NamedTuple):
    """The earliest time to read a stream again, the present wait, and the time of the last gap."""

    at: float
    wait: float
    lacked: float


class Seen(NamedTuple):
    """The findings of one look."""

    rows: tuple[ChannelRow, ...]
    alarms: tuple[Alarm, ...]
    conditions: dict[str, Condition]


class Watch(msgspec.Struct, kw_only=True):
    """One hub's watch over its store; `run` watches.

    Attributes:
        authority_id: the hub's authority.
        store: the hub's store.
        registry: gives the current registry.
        subscriber: the hub's reader: it knows whether it has caught up, and reads streams with gaps again.
        clock: the present, aware.
        look_s: seconds between two looks; more when a look takes long.
        announce: called with the silent channels after each change.
        monotonic: a clock in seconds that is never set back, for the time of blindness and the time to read again.
    """

    authority_id: str
    store: Inbox
    registry: Callable[[], VerifiedRegistry]
    subscriber: Subscriber
    clock: Callable[[], dt.datetime]
    look_s: float = LOOK_S
    announce: Announce | None = None
    monotonic: Callable[[], float] = time.monotonic
    # State that the last look leaves for the next one.
    _announced: frozenset[str] | None = None
    _standing: set[tuple[str, Reason]] | None = None
    _conditions: dict[str, Condition] = {}
    _moved_at: float = 0.0
    _unannounced: Problem = msgspec.field(default_factory=lambda: Problem("not_announced"))
    _blind_since: float | None = None
    _claimed: dict[str, str] = {}  # by channel, who announces more of it than is held
    _again: dict[Culprit, Again] = {}
    _tidied_at: float = float("-inf")

    async def run(self) -> None:
        """Look until cancelled. An error of the watch must not end the reading, so it is logged and the look is repeated.

        Until a look succeeds this hub is `blind`: otherwise a failing watch would look like one without findings.

        Raises:
            StoreError: a final one; the store takes nothing more until it is opened again.
        """
        # Another process may have watched since the last run.
        self._standing = self._announced = self._blind_since = None
        await repeat(
            self._look_or_be_blind,
            failing="no_look",
            authority_id=self.authority_id,
            every_s=self.look_s,
            rest=REST,
            survives=Exception,
            monotonic=self.monotonic,
        )

    async def _look_or_be_blind(self) -> None:
        try:
            await self.look()
        except (TocsinError, MemoryError):
            raise
        except Exception as exc:
            detail = (
                f"this hub cannot judge the channels: its watch has failed ({exc!r}; its log shows where)"
            )
            await self._record_blind(Alarm(channel=OWN, reason=Reason.BLIND, detail=detail))
            raise

    async def _record_blind(self, blind: Alarm) -> None:
        if self._standing is None:
            self._standing = await self.store.read(alarms.standing)
        if (OWN, Reason.BLIND) not in self._standing:
            moment = self.clock().timestamp()
            await self._record([blind], [], {}, moment, moment)
            self._standing.add((OWN, Reason.BLIND))

    async def look(self) -> None:
        """Judge the channels once, and record beginning and ended alarms.

        Raises:
            StoreError: the store cannot be read or written.
        """
        now, registry = self.clock(), self.registry()
        if self._standing is None:
            self._standing = await self.store.read(alarms.standing)
        await self._tidy(now.timestamp())
        conditions: dict[str, Condition] = {}
        reading, judged_at = self.subscriber.reading(), now
        if reading.caught_up and reading.as_of is not None:
            self._blind_since, judged_at = None, reading.as_of
            seen = await self.store.read(lambda db: look_at(db, judged_at, registry, self.authority_id))
            present, conditions = [*seen.alarms], seen.conditions
            self._claimed = {row.name: row.by for row in seen.rows if row.by is not None}
            await self._tell(seen)
        else:
            present = [
                *self._blind(reading),
                *(Alarm(channel=c, reason=r, detail="") for c, r in self._standing),
            ]
        begun, ended = changes(self._standing, present)
        await self._record(begun, ended, conditions, now.timestamp(), judged_at.timestamp())
        self._standing = (self._standing | {(alarm.channel, alarm.reason) for alarm in begun}) - set(ended)
        self._repair(self.monotonic())

    async def _tell(self, seen: Seen) -> None:
        intervals = {row.name: row.interval_s for row in seen.rows}
        silent = {
            alarm.channel: Silence(alarm.detail, intervals[alarm.channel])
            for alarm in seen.alarms
            if alarm.reason is Reason.SILENT
        }
        if self.announce is None or self._announced == silent.keys():
            return
        try:
            is_told = await self.announce(silent)
        except TocsinError as exc:
            self._unannounced.is_there(exc, self.authority_id)
        else:
            self._announced = frozenset(silent) if is_told else None
            self._unannounced.is_over(self.authority_id)

    async def _tidy(self, now: float) -> None:
        """Let unproven claims lapse, at intervals."""
        moment = self.monotonic()
        if moment - self._tidied_at < TIDY_S:
            return
        self._tidied_at = moment
        for holder, count in (await self.store.write(lambda db: holdings.let_lapse(db, now))).items():
            log.warning("claims_lapsed", holder=holder, count=count)

    def _blind(self, reading: Reading) -> Iterator[Alarm]:
        """The alarm that this hub is blind, once that has lasted for a while."""
        moment = self.monotonic()
        if self._blind_since is None:
            self._blind_since = moment
        if moment - self._blind_since >= BLIND_S:
            detail = f"this hub cannot judge the channels: {reading.problem or _behind(reading)}"
            yield Alarm(channel=OWN, reason=Reason.BLIND, detail=detail)

    async def _record(
        self,
        begun: list[Alarm],
        ended: list[tuple[str, Reason]],
        conditions: dict[str, Condition],
        moment: float,
        judged_at: float,
    ) -> None:
        is_moved = conditions != self._conditions or not 0 <= moment - self._moved_at < MOVE_S
        if not (begun or ended or (is_moved and conditions)):
            return

        def work(db: sqlite3.Connection) -> None:
            alarms.record_alarms(db, begun, ended, moment)
            alarms.record_spans(db, conditions, judged_at)

        await self.store.write(work)
        self._conditions, self._moved_at = conditions, moment
        for alarm in begun:
            log.error("channel_alarm", channel=alarm.channel, reason=alarm.reason, detail=alarm.detail)
        for channel, reason in ended:
            log.warning("channel_alarm_ended", channel=channel, reason=reason)

    def _repair(self, moment: float) -> None:
        """Read a stream with missing bulletins again, which is all that a reader's rights allow.

        A hole is charged to the issuer, who has signed the bulletin after it, a missing end to the authority that claims
        it. So a hub that lies about many authorities waits as one and cannot keep this hub reading, and blind, for ever.
        """
        lacking = {
            (
                world_stream(Status(channel.partition("/")[2].partition(".")[0])),
                (self._claimed.get(channel) if reason is Reason.TAIL else None) or channel.partition("/")[0],
            )
            for channel, reason in self._standing or ()
            if reason in (Reason.GAP, Reason.TAIL)
        }
        due, self._again = read_again(lacking, self._again, moment)
        for stream in due:
            self.subscriber.read_again(stream)


def _behind(reading: Reading) -> str:
    """How far the reader is behind, in words."""
    if not reading.behind:
        return "it has not caught up with the streams"
    return f"{reading.behind} bulletins wait to be read, the oldest for {reading.lag_s:.0f} seconds"


def read_again(
    lacking: Collection[Culprit], again: Mapping[Culprit, Again], moment: float
) -> tuple[list[str], dict[Culprit, Again]]:
    """(streams with gaps to read again now, next turn of each). Pure.

    The first turn is at once, later ones after doubling waits: a lasting gap must not keep a hub busy. A filled hole does
    not reset the wait, because an author could make and fill one each minute. `CALM_S` without a hole resets it. A hub
    may claim gaps of many issuers, so no stream is read twice within the shortest wait, for any issuer.
    """

    def rests(each: Culprit) -> bool:
        return each in again and moment < again[each].at

    due = sorted(each for each in lacking if not rests(each) and not rests((each[0], ANYBODY)))
    turns = {
        each: turn._replace(lacked=moment) if each in lacking else turn
        for each, turn in again.items()
        if each in lacking or moment - turn.lacked < CALM_S
    }
    for each in due:
        wait = min(2 * again[each].wait, AGAIN_S[1]) if each in again else AGAIN_S[0]
        turns[each] = Again(moment + wait, wait, moment)
    streams = sorted({stream for stream, _ in due})
    turns |= {(stream, ANYBODY): Again(moment + AGAIN_S[0], AGAIN_S[0], moment) for stream in streams}
    return streams, turns


def look_at(db: sqlite3.Connection, now: dt.datetime, registry: VerifiedRegistry, reader: str) -> Seen:
    """All channels, their problems, and the condition of each actual channel."""
    rows = channel_rows(db, now, registry, reader)
    dated = calendars(db)
    phases = {
        country: coarse(phase_over(of_country(dated, country), now))
        for country in {record.country for record in registry.document.authorities.values()}
    }
    return Seen(
        rows=rows,
        alarms=(*alarms_of(db, rows), *ahead_alarms(db, now)),
        conditions={
            row.name: Condition(phases[record.country], str(row.state))
            for row in rows
            if row.channel.startswith(f"{Status.ACTUAL}.")
            and (record := registry.document.authorities.get(row.authority)) is not None
        },
    )
