"""How long a stream is left alone that did not take anything: longer each time, until it does."""

from __future__ import annotations

import random

import msgspec

BACKOFF_S = (0.1, 5.0)


class Backoff(msgspec.Struct):
    """With one stream. Moments are seconds of the caller's clock.

    Attributes:
        wait: how long it is left alone next time.
        until: until when it is left alone now.
    """

    wait: float = BACKOFF_S[0]
    until: float = 0.0

    def fail(self, now: float, *, least: float = 0.0) -> None:
        """It did not take anything; leave it alone, for `least` seconds at least."""
        self.until = now + max(least, self.wait * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
        self.wait = min(self.wait * 2, BACKOFF_S[1])

    def reset(self) -> None:
        """It takes again."""
        self.wait, self.until = BACKOFF_S[0], 0.0
