"""Judges whether a channel is live, late or silent, and its alarms, from what was received. Pure.

A channel is live for one interval after its last sign of life, late for the next, then silent. The interval is the one
that the last heartbeat promised, or else the registry's. An announced silence is `planned` while it lasts; without an
announced end that is a day. An authority without any bulletin is `unheard`, which raises no alarm.
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
PLANNED_MOST_S = 14 * 86_400.0  # a longer silence counts as silence, even if announced
CLOCK_SKEW_S = 300.0  # most time that a bulletin may be dated ahead of this clock
GRACE_S = 30.0  # announced bulletins are in another stream and may come after the heartbeat


class Liveness(StrEnum):
    """The state of a channel."""

    LIVE = "live"
    LATE = "late"
    SILENT = "silent"
    PLANNED = "planned"
    UNHEARD = "unheard"
    UNKNOWN = "unknown"
    """The store is behind the bus, so no channel is judged."""


COUNTED = (Liveness.LIVE, Liveness.LATE, Liveness.SILENT)
"""The states that uptime counts."""


class Reason(StrEnum):
    """The reason of an alarm; public, as reason codes are."""

    SILENT = "silent"
    GAP = "gap"
    TAIL = "tail"
    FORK = "fork"
    SPLIT = "split"
    BLIND = "blind"
    AHEAD = "from-the-future"


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """The signs of life of a channel; times in seconds since the epoch."""

    last_heard: float | None
    interval_s: int
    said: str | None = None  # the state in the last heartbeat, if nothing came later
    until: float | None = None  # announced end of the outage


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A problem of a channel, in words."""

    channel: str
    reason: Reason
    detail: str


class Silence(NamedTuple):
    """The silence of a channel: its begin, in words, and the heartbeat interval in seconds."""

    detail: str
    interval_s: int


def state_of(signs: Signs, now: dt.datetime) -> Liveness:
    """The state of a channel."""
    if signs.last_heard is None:
        return Liveness.UNHEARD
    moment, since = now.timestamp(), signs.last_heard
    if since - moment > CLOCK_SKEW_S:
        # This clock was set back an unknown time ago, so the channel is not live.
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
    """Whether the bulletins that a heartbeat announced should have come by now; this is before the next heartbeat is due.

    It is also True if the announcement is well after now: the clock was set back an unknown time ago.
    """
    return not -GRACE_S < now.timestamp() - announced_at < min(GRACE_S, interval_s / 2)


def changes(
    standing: Collection[tuple[str, Reason]], present: Iterable[Alarm]
) -> tuple[list[Alarm], list[tuple[str, Reason]]]:
    """(beginning alarms, ended alarms), from the recorded and the present ones. One for each channel and reason."""
    now = {(alarm.channel, alarm.reason): alarm for alarm in reversed(list(present))}
    begun = [now[key] for key in sorted(now.keys() - set(standing))]
    return begun, sorted(set(standing) - now.keys())


def uptime(spent: Mapping[str, float]) -> int | None:
    """The share of the judged time in which a channel was live, in parts per million; None without judged time."""
    whole = sum(spent.get(state, 0.0) for state in COUNTED)
    return round(1_000_000 * spent.get(Liveness.LIVE, 0.0) / whole) if whole > 0 else None
