"""A hub watches the channels it reads: alarms begin and end on record, the states are kept for uptime.

Only what a reader that has caught up can see is judged, and as of the moment up to which it has seen everything, not of now:
a sign of life that waits unread is later than that moment, so it cannot be missed. While this hub itself cannot read, or is
too far behind, that is the one alarm (`blind`), the others stay as they are, and no time is counted. An alarm is written when
it begins and when it ends, and logged then, never in between.
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
REST = 20.0  # the pause after a look, in times of what it took
MOVE_S = 30.0  # so often the end of a span is written down
AGAIN_S = (900.0, 86_400.0)  # a stream in which something stays missing is read again less and less often
CALM_S = 7 * 86_400.0  # the doubled wait is remembered for so long after nothing was missing any more
TIDY_S = 600.0  # so often claims are looked through
BLIND_S = 5.0
OWN = "-"
"""Where a channel stands, for an alarm about this hub itself."""

Announce = Callable[[Mapping[str, Silence]], Awaitable[bool]]
"""Is told the channels that are silent, all of them; says whether all was announced, or is to be told again."""

log = logger()


Culprit = tuple[str, str]
"""A stream, and the authority by whose word something is missing in it: it waits, and nobody waits with it."""

ANYBODY = "*"


class Again(NamedTuple):
    """When a stream is read again at the earliest, how long was waited for that, and when something was last missing."""

    at: float
    wait: float
    lacked: float


class Seen(NamedTuple):
    """What one look has found."""

    rows: tuple[ChannelRow, ...]
    alarms: tuple[Alarm, ...]
    conditions: dict[str, Condition]


class Watch(msgspec.Struct, kw_only=True):
    """One hub's watch over its store; `run` watches.

    Attributes:
        authority_id: the hub's authority.
        store: what it watches.
        registry: the registry as it stands now.
        subscriber: the hub's reading: whether it has caught up; reads again what has gaps.
        clock: the present, aware.
        look_s: seconds between two looks; more when a look takes long.
        announce: told which channels are silent, whenever that has changed.
        monotonic: a clock in seconds that is never set back, for how long the hub is blind and when to read again.
    """

    authority_id: str
    store: Inbox
    registry: Callable[[], VerifiedRegistry]
    subscriber: Subscriber
    clock: Callable[[], dt.datetime]
    look_s: float = LOOK_S
    announce: Announce | None = None
    monotonic: Callable[[], float] = time.monotonic
    # What the last look has left for the next one.
    _announced: frozenset[str] | None = None
    _standing: set[tuple[str, Reason]] | None = None
    _conditions: dict[str, Condition] = {}
    _moved_at: float = 0.0
    _unannounced: Problem = msgspec.field(default_factory=lambda: Problem("not_announced"))
    _blind_since: float | None = None
    _claimed: dict[str, str] = {}  # by channel, who says that more of it follows than is held
    _again: dict[Culprit, Again] = {}
    _tidied_at: float = float("-inf")

    async def run(self) -> None:
        """Look until cancelled; a fault of the watch must not end the reading, so it is logged and looked again.

        Until it has looked without one this hub is `blind`: a watch that fails would look like one that finds nothing.

        Raises:
            StoreError: one that is final; the store takes nothing more until it is opened anew.
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
            detail = f"this hub cannot judge the channels: its watch has failed ({exc!r}; its log says where)"
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
        """Judge the channels once, and record what has begun and what has ended.

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
        """Let claims lapse that nobody has shown, once in a while."""
        moment = self.monotonic()
        if moment - self._tidied_at < TIDY_S:
            return
        self._tidied_at = moment
        for holder, count in (await self.store.write(lambda db: holdings.let_lapse(db, now))).items():
            log.warning("claims_lapsed", holder=holder, count=count)

    def _blind(self, reading: Reading) -> Iterator[Alarm]:
        """That this hub does not see what there is, when it has lasted for a while."""
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
        is_moved = conditions != self._conditions or moment - self._moved_at >= MOVE_S
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
        """Read a stream again from which something is missing: a reader's rights allow that, and nothing more.

        A hole is charged to the issuer, who has signed what follows it; an end that has not come to whoever claims it. A hub
        that lies about one authority after the other is one culprit: it could keep this hub reading, and blind, for ever.
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
    """How far behind a reading is, in words."""
    if not reading.behind:
        return "it has not caught up with the streams"
    return f"{reading.behind} bulletins wait to be read, the oldest for {reading.lag_s:.0f} seconds"


def read_again(
    lacking: Collection[Culprit], again: Mapping[Culprit, Again], moment: float
) -> tuple[list[str], dict[Culprit, Again]]:
    """Which of the streams in which something is missing to read again now, and when each has its next turn. Pure.

    At once, and then after waits that double: who never says what is missing must not keep a hub busy. A hole that is filled
    ends no wait, or who makes and fills one each minute would; after `CALM_S` without any it begins anew. A hub may claim that
    much is missing of many, so no stream is read twice within the shortest wait, for any issuer.
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
    """All channels, what is wrong with them, and, of those that carry what is actual, in which condition each is."""
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
