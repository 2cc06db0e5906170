"""Deadlines for the answers of hubs, by priority and phase, as data. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from types import MappingProxyType

import msgspec

from bus.errors import ConfigError
from schemas.subject import PRIORITIES

PHASES = ("none", "before", "during", "after")
_MIN, _HOUR, _DAY = 60, 3600, 86_400


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds after a bulletin is stored. `read_s` is None if no person has to read it."""

    received_s: int
    read_s: int | None = None


# A machine answers within seconds if all is well, so its deadline tests the link. A person's deadline tests whether
# somebody is on duty.
_DEFAULTS: Mapping[str, tuple[tuple[int, int | None], ...]] = {
    # priority: none, before, during, after
    "p1": ((15 * _MIN, _HOUR), (5 * _MIN, 15 * _MIN), (_MIN, 5 * _MIN), (5 * _MIN, 30 * _MIN)),
    "p2": ((_HOUR, 4 * _HOUR), (15 * _MIN, _HOUR), (5 * _MIN, 15 * _MIN), (15 * _MIN, 2 * _HOUR)),
    "p3": ((4 * _HOUR, _DAY), (_HOUR, 8 * _HOUR), (15 * _MIN, _HOUR), (_HOUR, 8 * _HOUR)),
    "p4": ((_DAY, None), (4 * _HOUR, None), (_HOUR, None), (4 * _HOUR, None)),
}

Deadlines = Mapping[tuple[str, str], Deadline]
"""The deadline by priority and coarse phase."""

DEFAULTS: Deadlines = MappingProxyType(
    {
        (priority, phase): Deadline(received_s=received, read_s=read)
        for priority, row in _DEFAULTS.items()
        for phase, (received, read) in zip(PHASES, row, strict=True)
    }
)


def changed(settings: Mapping[str, Sequence[int]]) -> Deadlines:
    """The defaults with an authority's own values, as `{"p1.during": [60, 300]}`: seconds to be received and to be read.

    Raises:
        ConfigError: `config-malformed`.
    """
    known = {f"{priority}.{phase}": (priority, phase) for priority, phase in product(PRIORITIES, PHASES)}
    deadlines = dict(DEFAULTS)
    for name, seconds in settings.items():
        if name not in known or not 1 <= len(seconds) <= 2 or min(seconds) < 1:
            raise ConfigError(
                f'deadlines: {name!r} = {list(seconds)} is not like "p1.during" = [60, 300], seconds to be received and '
                f"to be read; priorities are {', '.join(PRIORITIES)}, phases {', '.join(PHASES)}",
                reason="config-malformed",
            )
        deadlines[known[name]] = Deadline(
            received_s=seconds[0], read_s=seconds[1] if len(seconds) > 1 else None
        )
    return MappingProxyType(deadlines)


def stricter(deadlines: Deadlines, priority: str, phases: Iterable[str]) -> str:
    """The phase with the shortest time for this priority to be received, then to be read."""

    def allowed(phase: str) -> tuple[float, float]:
        deadline = deadlines[priority, phase]
        return deadline.received_s, math.inf if deadline.read_s is None else deadline.read_s

    return min(phases, key=allowed)


def steps(since: dt.datetime, now: dt.datetime, seconds: int) -> int:
    """How many whole deadlines have passed; 0 before the first."""
    return max(0, int((now - since).total_seconds() // seconds))
