"""Compares our clock with another one, whose owner answers between two of our readings. Pure."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple


class ClockGap(NamedTuple):
    """How far our clock is ahead of another's, in seconds (below 0 if behind); `doubt_s` is the possible error in seconds."""

    ahead_s: float
    doubt_s: float

    def is_ahead(self, allowed: dt.timedelta) -> bool:
        """Whether our clock is certainly ahead by more than the allowed time."""
        return self.ahead_s - self.doubt_s > allowed.total_seconds()

    def is_behind(self, allowed: dt.timedelta) -> bool:
        """Whether our clock is certainly behind by more than the allowed time."""
        return -self.ahead_s - self.doubt_s > allowed.total_seconds()


def clock_gap(before: dt.datetime, told: dt.datetime, after: dt.datetime) -> ClockGap:
    """The gap between two clocks.

    Args:
        before: our time at the question; aware, as the others.
        told: the other's time at its answer.
        after: our time at the arrival of the answer. If our clock was set in between, the doubt is as large as the
            step.
    """
    doubt = abs((after - before).total_seconds()) / 2
    return ClockGap(
        ahead_s=(before - told).total_seconds() + (after - before).total_seconds() / 2, doubt_s=doubt
    )
