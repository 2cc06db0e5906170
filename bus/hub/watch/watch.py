"""A hub watches the channels it reads: alarms begin and end on record, the states are kept for uptime.

Only what a reader that has caught up can see is judged: while this hub itself cannot read, that is the one alarm
(`blind`), the others stay as they are, and no time is counted. An alarm is written when it begins and when it ends, and
logged then, never in between.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import structlog

from bus.errors import StoreError
from bus.hub.elections import present_phase
from bus.hub.watch import alarms
from bus.hub.watch.alarms import Condition
from bus.hub.watch.channels import ChannelRow, alarms_of, channels
from bus.hub.watch.liveness import Alarm, Reason, changes
from bus.subscribing.inbox import Inbox
from bus.subscribing.subscriber import Subscriber
from bus.transport.streams import world_stream
from bus.trust.registry import VerifiedRegistry
from schemas.elections import coarse
from schemas.errors import TocsinError
from schemas.vocab import Status

LOOK_S = 2.0
LOAD = 20  # a look may take so small a part of the time
MOVE_S = 30.0  # so often the end of a span is written down
AGAIN_S = (900.0, 86_400.0)  # a stream in which something stays missing is read again less and less often
BLIND_S = 5.0
OWN = "-"
"""Where a channel stands, for an alarm about this hub itself."""

Announce = Callable[[Mapping[str, tuple[str, int]]], Awaitable[None]]

log = structlog.get_logger()


class Again(NamedTuple):
    """When a stream is read again at the earliest, and how long was waited for that."""

    at: float
    wait: float


class Seen(NamedTuple):
    """What one look has found."""

    rows: tuple[ChannelRow, ...]
    alarms: tuple[Alarm, ...]
    conditions: dict[str, Condition]


class Watch:
    """One hub's watch over its store."""

    def __init__(
        self,
        *,
        authority_id: str,
        store: Inbox,
        registry: Callable[[], VerifiedRegistry],
        subscriber: Subscriber,
        clock: Callable[[], dt.datetime],
        look_s: float = LOOK_S,
        announce: Announce | None = None,
    ) -> None:
        """Prepare; `run` watches, every `look_s` seconds or less often when a look takes long.

        Which channels are silent is told to `announce`, whenever that has changed.
        """
        self._authority_id = authority_id
        self._store = store
        self._registry = registry
        self._subscriber = subscriber
        self._clock = clock
        self._look_s = look_s
        self._announce = announce
        self._announced: frozenset[str] | None = None
        self._standing: set[tuple[str, Reason]] | None = None
        self._conditions: dict[str, Condition] = {}
        self._moved_at = 0.0
        self._problem = ""
        self._failure = ""
        self._blind_since: float | None = None
        self._again: dict[str, Again] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self.look()
            except StoreError as exc:  # the reading itself says so, and waits it out
                log.debug("no_look", problem=str(exc))
            except Exception as exc:  # a fault of ours must not make the hub deaf
                if repr(exc) != self._failure:
                    log.exception("watch_failed")
                self._failure = repr(exc)
            await asyncio.sleep(max(self._look_s, LOAD * (loop.time() - began)))

    async def look(self) -> None:
        """Judge the channels once, and record what has begun and what has ended.

        Raises:
            StoreError: the store cannot be read or written.
        """
        now, registry = self._clock(), self._registry()
        if self._standing is None:
            self._standing = await self._store.read(alarms.standing)
        conditions: dict[str, Condition] = {}
        if self._subscriber.caught_up():
            self._blind_since = None
            seen = await self._store.read(lambda db: look_at(db, now, registry, self._authority_id))
            found, conditions = [*seen.alarms], seen.conditions
            await self._tell(seen)
        else:
            found = [*self._blind(), *(Alarm(channel=c, reason=r, detail="") for c, r in self._standing)]
        begun, ended = changes(self._standing, found)
        await self._record(begun, ended, conditions, now.timestamp())
        self._standing = (self._standing | {(each.channel, each.reason) for each in begun}) - set(ended)
        self._repair(asyncio.get_running_loop().time())

    async def _tell(self, seen: Seen) -> None:
        intervals = {row.name: row.interval_s for row in seen.rows}
        silent = {
            each.channel: (each.detail, intervals[each.channel])
            for each in seen.alarms
            if each.reason is Reason.SILENT
        }
        if self._announce is None or self._announced == silent.keys():
            return
        try:
            await self._announce(silent)
        except TocsinError as exc:
            if str(exc) != self._problem:
                log.warning("not_announced", reason=exc.reason, problem=str(exc))
            self._problem = str(exc)
        else:
            self._announced, self._problem = frozenset(silent), ""

    def _blind(self) -> Iterator[Alarm]:
        """That this hub sees nothing, when it has lasted for a while."""
        time = asyncio.get_running_loop().time()
        if self._blind_since is None:
            self._blind_since = time
        if time - self._blind_since >= BLIND_S:
            problem = self._subscriber.problem or "it has not caught up with the streams"
            yield Alarm(
                channel=OWN, reason=Reason.BLIND, detail=f"this hub cannot judge the channels: {problem}"
            )

    async def _record(
        self,
        begun: list[Alarm],
        ended: list[tuple[str, Reason]],
        conditions: dict[str, Condition],
        moment: float,
    ) -> None:
        is_moved = conditions != self._conditions or moment - self._moved_at >= MOVE_S
        if not (begun or ended or (is_moved and conditions)):
            return

        def work(db: sqlite3.Connection) -> None:
            alarms.record_alarms(db, begun, ended, moment)
            alarms.record_spans(db, conditions, moment)

        await self._store.write(work)
        self._conditions, self._moved_at = conditions, moment
        for each in begun:
            log.error("channel_alarm", channel=each.channel, reason=each.reason, detail=each.detail)
        for channel, reason in ended:
            log.warning("channel_alarm_ended", channel=channel, reason=reason)

    def _repair(self, moment: float) -> None:
        """Read a stream again from which something is missing: a reader's rights allow that, and nothing more."""
        lacking = {
            world_stream(Status(channel.partition("/")[2].partition(".")[0]))
            for channel, reason in self._standing or ()
            if reason in (Reason.GAP, Reason.TAIL)
        }
        due, self._again = read_again(lacking, self._again, moment)
        for stream in due:
            self._subscriber.read_again(stream)


def read_again(
    lacking: Collection[str], again: Mapping[str, Again], moment: float
) -> tuple[list[str], dict[str, Again]]:
    """Which of the streams in which something is missing to read again now, and when each has its next turn. Pure.

    At once, and then after waits that double: who never says what is missing must not keep a hub busy.
    """
    due = sorted(stream for stream in lacking if stream not in again or moment >= again[stream].at)
    turns = {stream: turn for stream, turn in again.items() if stream in lacking}
    for stream in due:
        wait = min(2 * again[stream].wait, AGAIN_S[1]) if stream in again else AGAIN_S[0]
        turns[stream] = Again(moment + wait, wait)
    return due, turns


def look_at(db: sqlite3.Connection, now: dt.datetime, registry: VerifiedRegistry, reader: str) -> Seen:
    """All channels, what is wrong with them, and, of those that carry what is actual, in which condition each is."""
    rows = channels(db, now, registry, reader)
    phases = {
        country: coarse(present_phase(db, country, now))
        for country in {record.country for record in registry.document.authorities.values()}
    }
    return Seen(
        rows=rows,
        alarms=alarms_of(db, rows),
        conditions={
            row.name: Condition(phases[record.country], str(row.state))
            for row in rows
            if row.channel.startswith(f"{Status.ACTUAL}.")
            and (record := registry.document.authorities.get(row.authority)) is not None
        },
    )
