"""A reader's progress: the moment up to which it has taken in all messages of its streams. Pure.

A reader that only waits for messages cannot tell a quiet stream from one that it does not hear: the reader was stopped
or starved, or the messages lay in a buffer for an hour. So it asks, and keeps the moment of the question. The answer
has the number up to which the consumer will deliver. When that number has been taken in, so has all that the stream
held at that moment. A late message can never make that moment younger.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import msgspec

from bus.transport import ConsumerInfo, Received

FRESH_S = 15.0
"""Seconds. A reader that had taken in everything at most this long ago has caught up. A look comes every 2 s and its call may take 2 s
more, so this passes only if several looks in a row fail or a backlog takes longer to read."""

STUCK = 5
"""Looks in a row that must find undelivered messages and no delivery before the link is in doubt."""


class Moment(msgspec.Struct, frozen=True):
    """A moment by two clocks: `at` is the present, `tick` are seconds of a clock that is never set.

    Sleep of the machine moves only the first; a clock set back moves only the second. The greater of the two ages
    counts.
    """

    at: dt.datetime
    tick: float

    def age(self, now: Moment) -> float:
        """Its age in seconds."""
        return max(0.0, now.tick - self.tick, (now.at - self.at).total_seconds())


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The state of reading all granted streams.

    Attributes:
        attached: whether all of them are attached now.
        behind: the number of their bulletins not taken in yet, by the broker's last answer.
        lag_s: seconds, by the streams' own time, since the oldest of those was stored; 0.0 if none waits.
        heard_at: when the broker last sent anything; None if it has not.
        as_of: the moment up to which all messages have been taken in; None if it is unknown for a stream.
        caught_up: whether `as_of` is so recent (`FRESH_S`) that bulletins not held count as missing.
        broker_ahead_s: seconds that the broker's clock is ahead of this one, by the last answer.
        problem: why nothing can be read, in words; empty if all is well.
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
    """The reader's progress in one stream."""

    def __init__(self) -> None:
        self.attached = False
        self.as_of: Moment | None = None
        self.broker_ahead_s: float | None = None
        self._asked: Moment | None = None  # of the look whose messages are still awaited
        self._target = 0
        self._held = 0  # the highest number that the broker has named
        self._taken = 0
        self._oldest_s: float | None = None  # when the oldest received and waiting message was stored
        self._newest_taken_s: float | None = None
        self._withheld: list[int] = []  # the pending count at the last looks without a delivery

    def attach(self, taken: int) -> None:
        """Note an attach: the consumer counts from 1 again; `taken` of its messages are already held."""
        self.attached = True
        self.as_of = self._asked = self._oldest_s = self._newest_taken_s = None
        self._target, self._held, self._taken = 0, taken, taken
        self._withheld = []

    def detach(self) -> None:
        """Note that the link is in doubt."""
        self.attached = False

    def look(self, asked: Moment, answered: Moment, info: ConsumerInfo) -> None:
        """Take in the broker's answer about the consumer."""
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
            # One look at a time: a later one would never be fulfilled while more arrives than is taken in.
            self._asked, self._target = asked, target

    def came(self, batch: Collection[Received]) -> None:
        """Note a received batch that waits to be taken in."""
        first, *_, last = (*batch, *batch)
        self._held = max(self._held, last.consumer_seq + last.pending)
        if self._oldest_s is None:
            self._oldest_s = first.stored_ns / 1e9

    def took(self, last: Received) -> None:
        """Note that all messages up to this one have been taken in."""
        self._taken = max(self._taken, last.consumer_seq)
        self._oldest_s, self._newest_taken_s = None, last.stored_ns / 1e9
        if self._asked is not None and self._taken >= self._target:
            self.as_of, self._asked = self._asked, None

    @property
    def is_stuck(self) -> bool:
        """Whether the broker has reported undelivered messages for a while without delivering any. A new attach restarts the count."""
        return len(self._withheld) >= STUCK and len(set(self._withheld[-STUCK:])) == 1

    @property
    def behind(self) -> int:
        """The number of the stream's messages not taken in yet, by the last answer."""
        return max(0, self._held - self._taken)

    def lag_s(self, now: Moment) -> float:
        """Seconds since the oldest waiting message was stored, by the broker's clock; 0.0 if none waits.

        A message that has not arrived yet was stored after all that have, and after the moment up to which all is held.
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
    """The state of reading several streams: that of the stream farthest behind.

    Args:
        streams: the granted streams; None for one that has never been attached.
        now: the present.
        heard: when the broker last sent anything, in ticks.
        problem: (why nothing can be read, its reason code); empty if all is well.
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
