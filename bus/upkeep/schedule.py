"""When a beacon is renewed: a pure schedule, from what is held and the present.

A beacon is renewed when a third of its life is over, a little later at the keeper's own choice. So of two keepers one is
mostly first, and the other finds that nothing is due; and there are two thirds of a life to try again in. A version that
no beacon has named yet is named at once.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from schemas.registry import BEACON_LIFE_HOURS, Beacon

RENEW_AFTER = 1 / 3
"""Share of a beacon's life after which it is renewed at the earliest."""
JITTER = 1 / 12
"""Share of a beacon's life by which that is put off at the most."""
LEAST_GAP = dt.timedelta(seconds=5)
"""Between two beacons of one keeper, however fast versions follow one another."""
MOST_LIFE = dt.timedelta(hours=BEACON_LIFE_HOURS)


class Due(NamedTuple):
    """When the next beacon is due, and why.

    Attributes:
        at: the moment; in the past when it should have been made by now. None: not before something else has changed.
        why: `missing`, `version`, `age`, or `behind`: a beacon names a later version than is held here, and one that
            names this version would contradict it.
    """

    at: dt.datetime | None
    why: str


def due(*, version: int, last: Beacon | None, now: dt.datetime, jitter: float) -> Due:
    """When the next beacon is due.

    Args:
        version: the version of the registry that is held.
        last: the newest beacon that is known here, whoever made it.
        now: the present.
        jitter: from 0 to below 1, drawn anew for each beacon.
    """
    if last is None or last.expires <= now:
        return Due(now, "missing")
    if last.version > version:
        return Due(None, "behind")
    if last.version < version:
        return Due(max(now, last.issued + LEAST_GAP), "version")
    life = last.expires - last.issued
    return Due(last.issued + life * (RENEW_AFTER + JITTER * jitter), "age")


def life_of(wanted: dt.timedelta, *, now: dt.datetime, key_ends: dt.datetime) -> dt.timedelta:
    """How long the next beacon is good: as wanted, within the bound of the wire, and never for longer than its key."""
    return min(wanted, MOST_LIFE, key_ends - now)
