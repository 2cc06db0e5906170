"""What the phase of an election asks: how often to beat, how soon a dead link must be noticed, how long to keep.

One row for each coarse phase. The numbers are decisions of the network, not of the wire: whoever has others passes a
table of their own. By when hubs must answer stands in `bus.deadlines`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from schemas.elections import coarse
from schemas.vocab import Phase


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the channels are in one coarse phase.

    Attributes:
        heartbeat_s: between two heartbeats.
        ping_s: between two pings of a client; a dead link is noticed after two.
        keep_days: what an outbox has sent stays so long at least. What was said of an election is asked for until it
            is over and reported on, so nothing of it goes before; a year is longer than any calendar runs.
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
"""The pace of each coarse phase, unless somebody has their own."""


def pace(phase: Phase, paces: Mapping[str, Pace] = PACES) -> Pace:
    """The pace of a phase."""
    return paces[coarse(phase)]
