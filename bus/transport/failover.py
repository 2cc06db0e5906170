"""Chooses the node of a cluster to connect to, and when to leave it for another. Pure.

A node that is cut off from the others answers every ping but serves no request. A client that stays with it is silent
until the cut ends, although the other nodes work.
"""

from __future__ import annotations

import random

IDLE_S = 6.0
"""Seconds in which a node may serve no request before another is tried."""


class Nodes:
    """The nodes as one connection knows them."""

    def __init__(self, url: str) -> None:
        """`url` has their addresses, separated by commas."""
        self._urls = url.split(",")
        self._idle_since: float | None = None
        self._left = ""

    def order(self, rng: random.Random) -> list[str]:
        """The order of nodes to try; the node that was left last comes at the end."""
        drawn = rng.sample(self._urls, len(self._urls))
        return sorted(drawn, key=lambda url: bool(self._left) and url.endswith(self._left))

    def note_success(self) -> None:
        """Note that the node has served a request."""
        self._idle_since = None

    def note_failure(self, node: str, now: float) -> bool:
        """Note that the node has not served a request. Returns whether to leave it now.

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
