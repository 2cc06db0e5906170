"""The rate limit of one authority: a burst at once, then a steady number a second. Pure.

nats-server bounds sizes, connections and stores, but has no message rate for a user. So the sender keeps to a budget,
and every reader holds each authority to a slightly larger one. Bulletins beyond it are not refused: they wait for their
turn at the steady rate, and no other authority's bulletins wait with them. A waiting bulletin counts from the start of
its wait, so the next one waits longer. This is the generic cell rate algorithm (ITU-T I.371, annex A), a token bucket
that needs one number.
"""

from __future__ import annotations

import msgspec


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A budget: `burst` bulletins at once, `per_s` each second in the long run."""

    burst: int
    per_s: float


SENDING = RateLimit(burst=20_000, per_s=50.0)
"""The budget of a sender: more than a polling night needs, and too little to fill a stream before an operator can act."""
READING = RateLimit(burst=25_000, per_s=50.0)


ANSWERING = RateLimit(burst=500, per_s=1 / 60)
"""The budget for the answers that one authority publishes without a grant, because it reads: an authority with only read grants cannot
flood anybody."""


class RateMeter:
    """The used part of one authority's allowance."""

    def __init__(self, allowance: RateLimit) -> None:
        self._step = 1 / allowance.per_s
        self._burst = allowance.burst * self._step
        self._due = float("-inf")  # the time when all counted bulletins would be sent at the steady rate

    def within_from(self, moment: float) -> float:
        """The moment from which one more bulletin, received at `moment` (seconds), is within the budget."""
        due = self._due
        later = due if due > moment else moment  # noqa: FURB136 (a call of max for each message costs more)
        return later + self._step - self._burst

    def room(self, now: float) -> int:
        """The number of bulletins that may be sent now; after a clock that was set back nobody waits longer than for an empty bucket."""
        self._due = min(self._due, now + self._burst)
        return max(0, int((self._burst - max(0.0, self._due - now)) / self._step))

    def spend(self, count: int, now: float) -> None:
        """Count bulletins as sent now."""
        self._due = max(self._due, now) + count * self._step
