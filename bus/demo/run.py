"""The demonstration, running: one broker, eight authorities with their adapters, two hubs, and the tally."""

from __future__ import annotations

import datetime as dt

import msgspec

BEACON_EVERY = dt.timedelta(hours=1)
DRAIN_S = 20.0


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one run; the JSON of the demonstration's last line."""

    authorities: dict[str, dict[str, int]]
    hubs: dict[str, dict[str, int]]
    published: int
    refused: int
    lost: int
    kinds: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether each hub admitted everything published that its grants let it read."""
        stored_all = all(each["stored"] == each["published"] for each in self.authorities.values())
        return self.lost == 0 and self.refused == 0 and self.published > 0 and stored_all
