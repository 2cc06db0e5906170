"""What the phase of an election asks of the channels: how often to beat, how soon to answer, how long to keep.

One row for each coarse phase. The numbers are decisions of the network, not of the wire: whoever has others passes a
table of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from schemas.elections import coarse
from schemas.subject import PRIORITIES
from schemas.vocab import Phase

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the channels are in one coarse phase.

    Attributes:
        heartbeat_s: between two heartbeats.
        answer_s: until a bulletin should have been acknowledged by a person, for `p1` to `p4`.
        retention_days: how long a hub keeps what is in force no more.
        ping_s: between two pings of a client; a dead link is noticed after two.
    """

    heartbeat_s: int
    answer_s: tuple[int, int, int, int]
    retention_days: int
    ping_s: int


PACES: Mapping[str, Pace] = MappingProxyType(
    {
        "during": Pace(
            heartbeat_s=60,
            answer_s=(15 * _MINUTE, _HOUR, 4 * _HOUR, _DAY),
            retention_days=400,
            ping_s=5,
        ),
        "before": Pace(
            heartbeat_s=300,
            answer_s=(_HOUR, 4 * _HOUR, _DAY, 3 * _DAY),
            retention_days=400,
            ping_s=10,
        ),
        "after": Pace(
            heartbeat_s=300,
            answer_s=(_HOUR, 8 * _HOUR, 2 * _DAY, 7 * _DAY),
            retention_days=400,
            ping_s=10,
        ),
        "none": Pace(
            heartbeat_s=3600,
            answer_s=(4 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY),
            retention_days=365,
            ping_s=10,
        ),
    }
)
"""The pace of each coarse phase, unless somebody has their own."""


def pace(phase: Phase, paces: Mapping[str, Pace] = PACES) -> Pace:
    """The pace of a phase."""
    return paces[coarse(phase)]


def answer_within_s(phase: Phase, priority: str, paces: Mapping[str, Pace] = PACES) -> int:
    """Seconds in which a bulletin of a priority should be acknowledged."""
    return pace(phase, paces).answer_s[PRIORITIES.index(priority)]
