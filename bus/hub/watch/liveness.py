"""Is a channel alive, and what is wrong with it: live, late, silent, and the alarms, judged from what was seen. Pure.

A channel is live for one interval after its last sign of life, late for the next, then silent. The interval is what the
last heartbeat promised, else what the registry says. Silence that was announced is `planned` while it lasts, a day where
no end was said. An authority that has never spoken is `unheard`: nothing has changed, so nothing is wrong.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from schemas.vocab import ChannelState

LATE_BEATS = 1
SILENT_BEATS = 2
PLANNED_S = 86_400.0
PLANNED_MOST_S = 14 * 86_400.0  # a longer silence is one, whatever was announced
CLOCK_SKEW_S = 300.0  # so far ahead of this clock a bulletin may be issued
GRACE_S = 30.0  # what a heartbeat announces travels in another stream, and may come after it


class Liveness(StrEnum):
    """How a channel is."""

    LIVE = "live"
    LATE = "late"
    SILENT = "silent"
    PLANNED = "planned"
    UNHEARD = "unheard"
    UNKNOWN = "unknown"
    """The store is not up with the bus, so nothing is said of anybody."""


COUNTED = (Liveness.LIVE, Liveness.LATE, Liveness.SILENT)
"""The states of which uptime is a share."""


class Reason(StrEnum):
    """Why there is an alarm; public, as reason codes are."""

    SILENT = "silent"
    GAP = "gap"
    TAIL = "tail"
    FORK = "fork"
    SPLIT = "split"
    BLIND = "blind"
    AHEAD = "from-the-future"


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What tells whether a channel is alive; times in seconds since the epoch."""

    last_heard: float | None
    interval_s: int
    said: str | None = None  # what the last heartbeat said, if nothing was heard since
    until: float | None = None  # when the outage it announced is to end


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with a channel, in words."""

    channel: str
    reason: Reason
    detail: str


class Silence(NamedTuple):
    """What is said of a channel that is silent: since when, in words, and its interval in seconds."""

    detail: str
    interval_s: int


def state_of(signs: Signs, now: dt.datetime) -> Liveness:
    """How a channel is."""
    if signs.last_heard is None:
        return Liveness.UNHEARD
    moment, since = now.timestamp(), signs.last_heard
    if since - moment > CLOCK_SKEW_S:
        # This clock was set back. How long ago that was is not known, so the channel is not green.
        return Liveness.LATE
    if signs.said == ChannelState.PLANNED_OUTAGE:
        since = (
            signs.last_heard + PLANNED_S
            if signs.until is None
            else max(since, min(signs.until, since + PLANNED_MOST_S))
        )
        if moment < since:
            return Liveness.PLANNED
    missed = (moment - since) / signs.interval_s
    if missed <= LATE_BEATS:
        return Liveness.LIVE
    return Liveness.LATE if missed <= SILENT_BEATS else Liveness.SILENT


def is_overdue(announced_at: float, interval_s: int, now: dt.datetime) -> bool:
    """Whether what a heartbeat announced should have come by now; always before the interval has passed again.

    It is, too, where it was announced well after now: the clock was set back, and how long ago that was is not known.
    """
    return not -GRACE_S < now.timestamp() - announced_at < min(GRACE_S, interval_s / 2)


def changes(
    standing: Collection[tuple[str, Reason]], present: Iterable[Alarm]
) -> tuple[list[Alarm], list[tuple[str, Reason]]]:
    """The alarms that begin and those that end, from those that stand and those present. One a channel and reason."""
    now = {(alarm.channel, alarm.reason): alarm for alarm in reversed(list(present))}
    begun = [now[key] for key in sorted(now.keys() - set(standing))]
    return begun, sorted(set(standing) - now.keys())


def uptime(spent: Mapping[str, float]) -> int | None:
    """Parts per million in which a channel was live, of the time for which it was judged; None without any."""
    whole = sum(spent.get(state, 0.0) for state in COUNTED)
    return round(1_000_000 * spent.get(Liveness.LIVE, 0.0) / whole) if whole > 0 else None
