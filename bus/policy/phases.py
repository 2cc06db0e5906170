"""The settings of each phase of an election: heartbeat interval, time to notice a dead link, retention.

One row for each coarse phase. The numbers are decisions of the network, not of the wire: a network with other numbers
passes its own table. `bus.policy.deadlines` has the deadlines for answers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from schemas.bodies.electoral import ElectionCalendar
from schemas.elections import coarse
from schemas.vocab import Phase


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The pace of the channels in one coarse phase.

    Attributes:
        heartbeat_s: seconds between two heartbeats.
        ping_s: seconds between two pings of a client; a dead link is noticed after two.
        keep_days: the least days for which an outbox keeps what it has sent. Bulletins around an election are requested
            until its final report, so a year of them is kept until then; in no phase, also the days after its end.
    """

    heartbeat_s: int
    ping_s: int
    keep_days: int


PACES: Mapping[str, Pace] = MappingProxyType(
    {
        "during": Pace(heartbeat_s=60, ping_s=5, keep_days=365),
        "before": Pace(heartbeat_s=300, ping_s=10, keep_days=365),
        "after": Pace(heartbeat_s=300, ping_s=10, keep_days=365),
        "none": Pace(heartbeat_s=3600, ping_s=10, keep_days=30),
    }
)
"""The pace of each coarse phase, unless a network sets its own."""


def pace(phase: Phase, paces: Mapping[str, Pace] = PACES) -> Pace:
    """The pace of a phase."""
    return paces[coarse(phase)]


def is_unfinished(calendar: ElectionCalendar, now: dt.datetime, paces: Mapping[str, Pace] = PACES) -> bool:
    """Whether an election has begun and did not end before the days for which everything is kept."""
    windows = [window for window in calendar.windows if coarse(window.phase) != "none"]
    since = now - dt.timedelta(days=paces["none"].keep_days)
    return any(window.start <= now for window in windows) and any(window.end > since for window in windows)


def keep_days(
    calendars: Iterable[ElectionCalendar], now: dt.datetime, paces: Mapping[str, Pace] = PACES
) -> int:
    """The days for which an outbox keeps sent bulletins, by the calendars of its country."""
    unfinished = (calendar for calendar in calendars if is_unfinished(calendar, now, paces))
    days = (pace(window.phase, paces).keep_days for calendar in unfinished for window in calendar.windows)
    return max(days, default=paces["none"].keep_days)
