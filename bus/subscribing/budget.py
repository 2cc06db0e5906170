"""The budget of each authority at a reader. An authority is charged once for a bulletin, when its signature verifies.

Anybody can write a name on a subject, and a known bulletin costs nothing. So neither rubbish under an authority's name
nor its own bulletins sent again by others use up its budget. A bulletin beyond the budget is charged when it is put
off: each waits one step of the steady rate longer than the one before it, and is not charged again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bus.policy import ANSWERING, RateLimit, RateMeter

_ANSWERS = " answers"


def answers(authority: str) -> str:
    """The payer for answers of an authority that no grant names; the space keeps it apart from every authority's id."""
    return authority + _ANSWERS


class Budget:
    """The meters of one stream, one for each authority with a proven bulletin."""

    def __init__(self, allowance: RateLimit, answers: RateLimit = ANSWERING) -> None:
        """Start with unused meters.

        Args:
            allowance: each authority's.
            answers: each authority's for what it says by no grant, but because it reads.
        """
        self._allowance = allowance
        self._answers = answers
        self._meters: dict[str, RateMeter] = {}
        self._latest = float("-inf")  # time of the last use

    def meter(self, authority: str) -> RateMeter:
        """The meter of an authority, or of its `answers`."""
        if (meter := self._meters.get(authority)) is None:
            allowance = self._answers if authority.endswith(_ANSWERS) else self._allowance
            meter = self._meters[authority] = RateMeter(allowance)
        return meter

    def keep(self, meters: Mapping[str, RateMeter]) -> None:
        """Take over the meters of authorities."""
        self._meters.update(meters)

    def is_set_back(self, now: float) -> bool:
        """Whether the clock was set back by more than a burst; then the earlier counts are meaningless and are dropped."""
        set_back = now < self._latest - self._allowance.burst / self._allowance.per_s
        if set_back:
            self._meters.clear()
        self._latest = now if set_back else max(now, self._latest)
        return set_back


class Charges:
    """The budget of a stream with the moments, in seconds, at which the stream took the messages of one batch.

    These moments count, so that a reader who was away catches up at full speed. The budget is charged when the batch
    has been settled: a batch that the disk did not take costs nothing, however often it is tried.
    """

    def __init__(
        self, budget: Budget, moments: Sequence[float], payers: Mapping[int, str] = MappingProxyType({})
    ) -> None:
        """Begin with nothing spent.

        Args:
            budget: the budget to charge.
            moments: when the stream took each message.
            payers: by position, the payer if it is not the authority itself.
        """
        self._budget = budget
        self._moments = moments
        self._payers = payers
        self._meters: dict[str, RateMeter] = {}
        self._looked: float | None = None  # the time of the last look at the clock

    def begin(self) -> None:
        """Begin a transaction: the charges of an earlier, undone one are dropped."""
        self._meters.clear()
        self._looked = None

    def commit(self) -> None:
        """Charge the budget with the cost of the batch."""
        self._budget.keep(self._meters)

    def _meter(self, position: int, authority: str) -> RateMeter:
        authority = self._payers.get(position, authority)
        if (meter := self._meters.get(authority)) is None:
            meter = self._meters[authority] = copy.copy(self._budget.meter(authority))
        return meter

    def wait(self, position: int, authority: str, now: float) -> float | None:
        """The time until which a bulletin waits because its authority's budget is used up; None if it need not wait.

        Args:
            position: of the message in the batch.
            authority: its proven author.
            now: the present, in seconds since the epoch.
        """
        self._look(now)
        since = self._meter(position, authority).within_from(min(self._moments[position], now))
        return since if since > now else None

    def spend(self, position: int, authority: str, now: float) -> None:
        """Charge an authority with a bulletin."""
        self._meter(position, authority).spend(1, min(self._moments[position], now))

    def take(self, position: int, authority: str, now: float) -> bool:
        """Charge an authority with a bulletin that need not `wait`. Returns False, without a charge, if it must wait."""
        self._look(now)
        meter, moment = self._meter(position, authority), min(self._moments[position], now)
        if meter.within_from(moment) > now:
            return False
        meter.spend(1, moment)
        return True

    def _look(self, now: float) -> None:
        """Look at the clock, once for each `now`."""
        if now != self._looked:
            self._looked = now
            if self._budget.is_set_back(now):
                self._meters.clear()
