"""What each authority may make a reader take in at once. An authority is charged when its signature holds, and once.

A name on a subject is anybody's to write, and a bulletin that is known costs nothing: so neither rubbish under an
authority's name nor its own bulletins, sent again by another, use up what it may say. What is beyond the budget is charged
when it is put off: each waits one step of the steady rate longer than the one before it, and is not charged again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bus.policy import ANSWERING, RateLimit, RateMeter

_ANSWERS = " answers"


def answers(authority: str) -> str:
    """Who pays for the answers of an authority that no grant names; no authority's id has a space."""
    return authority + _ANSWERS


class Budget:
    """The meters of one stream, one for each authority that is proven to have said something."""

    def __init__(self, allowance: RateLimit, answers: RateLimit = ANSWERING) -> None:
        """Start with nothing used.

        Args:
            allowance: each authority's.
            answers: each authority's for what it says by no grant, but because it reads.
        """
        self._allowance = allowance
        self._answers = answers
        self._meters: dict[str, RateMeter] = {}
        self._latest = float("-inf")  # when it was last asked

    def meter(self, authority: str) -> RateMeter:
        """What an authority has used, or what its `answers` have."""
        if (meter := self._meters.get(authority)) is None:
            allowance = self._answers if authority.endswith(_ANSWERS) else self._allowance
            meter = self._meters[authority] = RateMeter(allowance)
        return meter

    def keep(self, meters: Mapping[str, RateMeter]) -> None:
        """Take over what authorities have used since."""
        self._meters.update(meters)

    def is_set_back(self, now: float) -> bool:
        """Whether the clock was set back by more than a burst; what was counted until then is forgotten, for it says nothing."""
        set_back = now < self._latest - self._allowance.burst / self._allowance.per_s
        if set_back:
            self._meters.clear()
        self._latest = now if set_back else max(now, self._latest)
        return set_back


class Charges:
    """The budget of a stream with the moments, in seconds, at which the stream took the messages of one batch.

    It is counted by those moments, so that a reader who was away catches up at full speed. The budget is charged when the batch
    has been settled: a batch that the disk did not take costs nothing, however often it is tried.
    """

    def __init__(
        self, budget: Budget, moments: Sequence[float], payers: Mapping[int, str] = MappingProxyType({})
    ) -> None:
        """Begin with nothing spent.

        Args:
            budget: what is charged.
            moments: when the stream took each message.
            payers: by position, who pays where that is not the authority itself.
        """
        self._budget = budget
        self._moments = moments
        self._payers = payers
        self._meters: dict[str, RateMeter] = {}
        self._looked: float | None = None  # the present of the last look at the clock

    def begin(self) -> None:
        """Begin a transaction: what an earlier one has spent was undone with it."""
        self._meters.clear()
        self._looked = None

    def commit(self) -> None:
        """Charge the budget with what the batch has cost."""
        self._budget.keep(self._meters)

    def _meter(self, position: int, authority: str) -> RateMeter:
        authority = self._payers.get(position, authority)
        if (meter := self._meters.get(authority)) is None:
            meter = self._meters[authority] = copy.copy(self._budget.meter(authority))
        return meter

    def wait(self, position: int, authority: str, now: float) -> float | None:
        """Until when a bulletin waits because its authority has used its budget up; None when it need not.

        Args:
            position: of the message in the batch.
            authority: who is proven to have said it.
            now: the present, in seconds since the epoch.
        """
        self._look(now)
        since = self._meter(position, authority).within_from(min(self._moments[position], now))
        return since if since > now else None

    def spend(self, position: int, authority: str, now: float) -> None:
        """Charge an authority with a bulletin."""
        self._meter(position, authority).spend(1, min(self._moments[position], now))

    def take(self, position: int, authority: str, now: float) -> bool:
        """Charge an authority with a bulletin that need not `wait`; False, and it is not charged, when it must."""
        self._look(now)
        meter, moment = self._meter(position, authority), min(self._moments[position], now)
        if meter.within_from(moment) > now:
            return False
        meter.spend(1, moment)
        return True

    def _look(self, now: float) -> None:
        """Look at the clock, once for each present."""
        if now != self._looked:
            self._looked = now
            if self._budget.is_set_back(now):
                self._meters.clear()
