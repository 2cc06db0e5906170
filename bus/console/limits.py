"""How often one person, and one address, may ask: a bucket each, filled at a steady rate. Pure."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

MOST_KEYS = 10_000
"""So many buckets are kept, those that were used last."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """So many at once, and so many a second in the long run."""

    burst: float
    per_s: float


PAGES = Rate(burst=120, per_s=20)
"""Of a person who reads. Each page is one request of this kind; files of the console itself are not counted."""
CHECKS = Rate(burst=20, per_s=1)
"""Of a person who writes a draft, which is checked while it is typed."""
ADDRESS = Rate(burst=600, per_s=100)
"""Of an address, behind which several people may sit."""
FILES = Rate(burst=30, per_s=0.5)
"""Of a person who takes lists away as files: each is up to twenty pages."""
FEED = Rate(burst=10, per_s=1 / 60)
"""Of one feed address: a program asks it a few times an hour."""
WORDS = Rate(burst=20, per_s=1)
"""Of an address whose forms cannot be taken: their words are read all the same, to be shown."""
SIGN_IN = Rate(burst=30, per_s=0.5)
"""Of an address that signs in; wrong passwords wait longer, by the name (`bus.desk.attempts`)."""


class Meter:
    """Buckets of one rate, by key. Moments are seconds of the caller's clock."""

    def __init__(self, rate: Rate) -> None:
        """Take the rate."""
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Take one; returns 0 when there was one, else the seconds until there is."""
        level, since = self._buckets.pop(key, (self._rate.burst, now))
        level = min(self._rate.burst, level + max(0.0, now - since) * self._rate.per_s)
        wait = 0.0 if level >= 1 else (1 - level) / self._rate.per_s
        self._buckets[key] = (level - 1 if level >= 1 else level, now)
        while len(self._buckets) > MOST_KEYS:
            self._buckets.popitem(last=False)
        return wait
