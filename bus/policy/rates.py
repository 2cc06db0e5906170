"""How much one authority may say: a burst at once, and after it so many each second. Pure.

nats-server bounds sizes, connections and stores, but knows no rate of messages for a user. So the sender holds to a
budget, and every reader holds each authority to one, a little larger: what is beyond it is not refused, it waits its turn at
the steady rate, and no other authority's bulletins wait with it. What waits is counted when it begins to wait, so that the next
one waits longer. This is the generic cell rate algorithm (ITU-T I.371, annex A), a token bucket that
needs one number.
"""

from __future__ import annotations

import msgspec


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A budget: `burst` bulletins at once, `per_s` each second in the long run."""

    burst: int
    per_s: float


SENDING = RateLimit(burst=20_000, per_s=50.0)
"""What a sender keeps to: more than a polling night needs, less than fills a stream before an operator can act."""
READING = RateLimit(burst=25_000, per_s=50.0)


ANSWERING = RateLimit(burst=500, per_s=1 / 60)
"""What is read of the answers of one authority that no grant names, which it says because it reads: who has nothing but read
grants cannot flood anybody with them."""


class RateMeter:
    """What one authority has used of its allowance."""

    def __init__(self, allowance: RateLimit) -> None:
        self._step = 1 / allowance.per_s
        self._burst = allowance.burst * self._step
        self._due = float("-inf")  # when all counted so far would have been sent at the steady rate

    def within_from(self, moment: float) -> float:
        """The moment from which on one more bulletin, that came at `moment` (seconds), would be within the budget."""
        due = self._due
        later = due if due > moment else moment  # noqa: FURB136 (a call of max for each message costs more)
        return later + self._step - self._burst

    def room(self, now: float) -> int:
        """How many bulletins may be sent now."""
        return max(0, int((self._burst - max(0.0, self._due - now)) / self._step))

    def spend(self, count: int, now: float) -> None:
        """Count bulletins that are sent now."""
        self._due = max(self._due, now) + count * self._step
