"""How far a reader is with its streams: up to which moment it has seen all that they held. Pure.

A reader that only waits for messages cannot tell a quiet stream from one that it does not hear: it was stopped, starved,
or what it reads lay in a buffer for an hour. So it asks, and keeps the moment at which it asked. The answer says to which
number the consumer will deliver; when that number has been taken in, all that the stream held at that moment has been.
Nothing that comes late can make that moment younger than it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import msgspec

from bus.transport import ConsumerInfo, Received

FRESH_S = 15.0
"""A reader that saw all there was no longer ago than this has caught up: a look every 2 s, and its call may take 2 s more, so
that this is passed only when several looks in a row have failed or a backlog takes longer than it to be read."""

STUCK = 5
"""So many looks in a row must find that the broker has more and gives nothing of it, before the link is in doubt."""


class Moment(msgspec.Struct, frozen=True):
    """A moment by two clocks: `at` is the present, `tick` are seconds of a clock that nobody sets.

    A machine that slept moves the first alone, one whose time was set back the second alone; of the two ages the greater
    counts.
    """

    at: dt.datetime
    tick: float

    def age(self, now: Moment) -> float:
        """How long ago it was, in seconds."""
        return max(0.0, now.tick - self.tick, (now.at - self.at).total_seconds())


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the reading of all granted streams stands.

    Attributes:
        attached: whether all of them are attached to now.
        behind: how many bulletins they hold that have not been taken in, as last heard of the broker.
        lag_s: seconds, by the streams' own time, since the oldest of those was stored; 0.0 when nothing waits.
        heard_at: when the broker last said anything at all; None when it has not.
        as_of: all that the streams held at this moment has been taken in; None when that is not known of each.
        caught_up: whether that was so lately (`FRESH_S`) that what is not held can be said to be missing.
        broker_ahead_s: by how many seconds the broker's clock is ahead of this one, as last told.
        problem: why nothing can be read, in words; empty when all is well.
        problem_reason: its reason code.
    """

    attached: bool
    behind: int
    lag_s: float
    heard_at: dt.datetime | None
    as_of: dt.datetime | None
    caught_up: bool
    broker_ahead_s: float | None
    problem: str
    problem_reason: str


class Progress:
    """How far the reader is with one stream."""

    def __init__(self) -> None:
        self.attached = False
        self.as_of: Moment | None = None
        self.broker_ahead_s: float | None = None
        self._asked: Moment | None = None  # for the look that waits to come true
        self._target = 0
        self._held = 0  # the highest number that the broker has spoken of
        self._taken = 0
        self._oldest_s: float | None = None  # when the oldest that has come and waits was stored
        self._newest_taken_s: float | None = None
        self._withheld: list[int] = []  # how much was at the last looks, while nothing was given

    def attach(self, taken: int) -> None:
        """The consumer counts from 1 again; `taken` of what it has given are known to be held already."""
        self.attached = True
        self.as_of = self._asked = self._oldest_s = self._newest_taken_s = None
        self._target, self._held, self._taken = 0, taken, taken
        self._withheld = []

    def detach(self) -> None:
        """The link is in doubt."""
        self.attached = False

    def look(self, asked: Moment, answered: Moment, info: ConsumerInfo) -> None:
        """Take in what the broker said of the consumer when it was asked."""
        target = info.delivered.consumer_seq + info.num_pending
        self._held = max(target, self._taken)
        is_withheld = info.num_pending > 0 and info.delivered.consumer_seq <= self._taken
        self._withheld = [*self._withheld, info.delivered.consumer_seq] if is_withheld else []
        if info.ts is not None:
            middle = asked.at + (answered.at - asked.at) / 2
            self.broker_ahead_s = (info.ts - middle).total_seconds()
        if self._taken >= target:
            self.as_of, self._asked = asked, None
        elif self._asked is None:
            # One look at a time: a later one would never come true while more comes than is taken in.
            self._asked, self._target = asked, target

    def came(self, batch: Collection[Received]) -> None:
        """A batch was received; it waits to be taken in."""
        first, *_, last = (*batch, *batch)
        self._held = max(self._held, last.consumer_seq + last.pending)
        if self._oldest_s is None:
            self._oldest_s = first.stored_ns / 1e9

    def took(self, last: Received) -> None:
        """All up to a message has been taken in."""
        self._taken = max(self._taken, last.consumer_seq)
        self._oldest_s, self._newest_taken_s = None, last.stored_ns / 1e9
        if self._asked is not None and self._taken >= self._target:
            self.as_of, self._asked = self._asked, None

    @property
    def is_stuck(self) -> bool:
        """Whether the broker has said for a while that it has more, and has given none of it. Attaching anew has it count anew."""
        return len(self._withheld) >= STUCK and len(set(self._withheld[-STUCK:])) == 1

    @property
    def behind(self) -> int:
        """How many the stream holds that have not been taken in, as last heard."""
        return max(0, self._held - self._taken)

    def lag_s(self, now: Moment) -> float:
        """Seconds since the oldest that waits was stored, by the broker's clock; 0.0 when nothing waits.

        One that has not come yet was stored after all that has, and after the last moment of which all is held.
        """
        if not self.behind:
            return 0.0
        ahead = self.broker_ahead_s or 0.0
        known = [self._newest_taken_s or 0.0]
        if self.as_of is not None:
            known.append(self.as_of.at.timestamp() + ahead)
        since = self._oldest_s if self._oldest_s is not None else max(known)
        return max(0.0, now.at.timestamp() + ahead - since) if since else 0.0


def reading(
    streams: Collection[Progress | None], now: Moment, heard: float | None, problem: tuple[str, str]
) -> Reading:
    """How the reading of several streams stands: as the one that is farthest behind.

    Args:
        streams: the granted ones; None is one that has never been attached to.
        now: the present.
        heard: when the broker last said anything, in ticks.
        problem: why nothing can be read, and its reason code; empty when all is well.
    """
    known = [each for each in streams if each is not None]
    moments = [each.as_of for each in known if each.as_of is not None]
    attached = len(known) == len(streams) and all(each.attached for each in known)
    is_known = len(moments) == len(streams)
    ahead = [each.broker_ahead_s for each in known if each.broker_ahead_s is not None]
    return Reading(
        attached=attached,
        behind=sum(each.behind for each in known),
        lag_s=max((each.lag_s(now) for each in known), default=0.0),
        heard_at=None if heard is None else now.at - dt.timedelta(seconds=max(0.0, now.tick - heard)),
        as_of=min(moment.at for moment in (*moments, now)) if is_known else None,
        caught_up=attached and is_known and all(moment.age(now) <= FRESH_S for moment in moments),
        broker_ahead_s=max(ahead, key=abs, default=None),
        problem=problem[0],
        problem_reason=problem[1] if problem[0] else "",
    )
