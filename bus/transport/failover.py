"""The nodes of a broker that is a cluster: to which a connection goes, and when it gives one up for another. Pure.

A node that is cut off from the others answers every ping and does nothing that it is asked. Who stays with it is silent for
as long as the cut lasts, although the others are there.
"""

from __future__ import annotations

import random

IDLE_S = 6.0
"""So long a node may do nothing of what it is asked before another is tried."""


class Nodes:
    """What one connection knows of them."""

    def __init__(self, url: str) -> None:
        """`url` has their addresses, separated by commas."""
        self._urls = url.split(",")
        self._idle_since: float | None = None
        self._left = ""

    def order(self, rng: random.Random) -> list[str]:
        """Where to connect: anywhere, but to the node that was given up last only when no other is there."""
        drawn = rng.sample(self._urls, len(self._urls))
        return sorted(drawn, key=lambda url: bool(self._left) and url.endswith(self._left))

    def note_success(self) -> None:
        """The node has done something."""
        self._idle_since = None

    def note_failure(self, node: str, now: float) -> bool:
        """It has not done what it was asked; whether to leave it now.

        Args:
            node: its `host:port`.
            now: seconds on a clock that only goes forward.
        """
        if self._idle_since is None:
            self._idle_since = now
        if len(self._urls) == 1 or now - self._idle_since <= IDLE_S:
            return False
        self._idle_since, self._left = None, node
        return True
