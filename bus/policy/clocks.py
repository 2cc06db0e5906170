"""Two clocks beside each other: ours, and the one of whoever answered a question between two of our readings. Pure."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple


class ClockGap(NamedTuple):
    """How far our clock is ahead of another's, in seconds, below 0 when it is behind; `doubt_s` is how far off that may be."""

    ahead_s: float
    doubt_s: float

    def is_ahead(self, allowed: dt.timedelta) -> bool:
        """Whether it is certainly ahead by more than is allowed."""
        return self.ahead_s - self.doubt_s > allowed.total_seconds()

    def is_behind(self, allowed: dt.timedelta) -> bool:
        """Whether it is certainly behind by more than is allowed."""
        return -self.ahead_s - self.doubt_s > allowed.total_seconds()


def clock_gap(before: dt.datetime, told: dt.datetime, after: dt.datetime) -> ClockGap:
    """How two clocks stand to each other.

    Args:
        before: our time when we asked; aware, as the others.
        told: the other's time, as it answered.
        after: our time when the answer came. Where ours was set meanwhile the doubt is as large as the step.
    """
    doubt = abs((after - before).total_seconds()) / 2
    return ClockGap(
        ahead_s=(before - told).total_seconds() + (after - before).total_seconds() / 2, doubt_s=doubt
    )
