"""The schedule for renewing a beacon: a pure function of the held beacon and the present.

A beacon is renewed after a third of its lifetime plus a random delay of the keeper. So of two keepers one is mostly
first, and the other has nothing due; and two thirds of the lifetime remain for further tries. A version without a
beacon gets one at once.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from schemas.registry import BEACON_LIFE_HOURS, Beacon

RENEW_AFTER = 1 / 3
"""Share of a beacon's lifetime after which it is renewed at the earliest."""
JITTER = 1 / 12
"""Largest delay of a renewal, as a share of the beacon's lifetime."""
LEAST_GAP = dt.timedelta(seconds=5)
"""Least time between two beacons of one keeper, even if versions follow fast."""
MOST_LIFE = dt.timedelta(hours=BEACON_LIFE_HOURS)


class Due(NamedTuple):
    """When the next beacon is due, and why.

    Attributes:
        at: the moment; in the past if it is overdue. None until something else changes.
        why: `missing`, `version`, `age`, or `behind`: a beacon names a later version than the held one, and a beacon
            for this version would contradict it.
    """

    at: dt.datetime | None
    why: str


def due(*, version: int, last: Beacon | None, now: dt.datetime, jitter: float) -> Due:
    """When the next beacon is due.

    Args:
        version: the version of the registry that is held.
        last: the newest known beacon, from any keeper.
        now: the present.
        jitter: from 0 to below 1, drawn again for each beacon.
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
    """The lifetime of the next beacon: as wanted, within the bound of the wire, and never longer than its key's."""
    return min(wanted, MOST_LIFE, key_ends - now)
