"""The wait of a sender before it tries a stream again: longer after each failure, up to a bound."""

from __future__ import annotations

import random

import msgspec

BACKOFF_S = (0.1, 5.0)


class Backoff(msgspec.Struct):
    """The backoff of one stream. Moments are seconds of the caller's clock.

    Attributes:
        wait: seconds to wait after the next failure.
        until: the moment before which the stream is not tried.
        most: the longest wait, in seconds.
    """

    wait: float = BACKOFF_S[0]
    until: float = 0.0
    most: float = BACKOFF_S[1]

    def fail(self, now: float, *, least: float = 0.0) -> None:
        """Note a failure; wait at least `least` seconds."""
        self.until = now + max(least, self.wait * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
        self.wait = min(self.wait * 2, self.most)

    def reset(self) -> None:
        """Note a success."""
        self.wait, self.until = BACKOFF_S[0], 0.0
