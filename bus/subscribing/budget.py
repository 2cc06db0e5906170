"""What each authority may make a reader take in at once. An authority is charged when its signature holds, and once.

A name on a subject is anybody's to write, and a bulletin that is known costs nothing: so neither rubbish under an
authority's name nor its own bulletins, sent again by another, use up what it may say.
"""

from __future__ import annotations

from collections.abc import Sequence

from bus.policy import RateLimit, RateMeter


class Budget:
    """The meters of one stream, one for each authority that is proven to have said something."""

    def __init__(self, allowance: RateLimit) -> None:
        """Start with nothing used; `allowance` is each authority's."""
        self._allowance = allowance
        self._meters: dict[str, RateMeter] = {}

    def meter(self, authority: str) -> RateMeter:
        """What an authority has used."""
        if (meter := self._meters.get(authority)) is None:
            meter = self._meters[authority] = RateMeter(self._allowance)
        return meter

    def forget(self, authority: str) -> None:
        """Count what an authority says from nothing."""
        self._meters.pop(authority, None)

    @property
    def burst_s(self) -> float:
        """For how long the steady rate takes to give a whole burst back: no clock that goes on makes anybody wait longer."""
        return self._allowance.burst / self._allowance.per_s


class Charges:
    """The budget of a stream with the moments, in seconds, at which the stream took the messages of one batch.

    It is counted by those moments, so that a reader who was away catches up at full speed.
    """

    def __init__(self, budget: Budget, moments: Sequence[float]) -> None:
        self._budget = budget
        self._moments = moments

    def wait(self, position: int, authority: str, now: float) -> float | None:
        """Until when a bulletin waits because its authority has used its budget up; None when it need not.

        Args:
            position: of the message in the batch.
            authority: who is proven to have said it.
            now: the present, in seconds since the epoch.
        """
        since = self._budget.meter(authority).within_from(min(self._moments[position], now))
        if (
            since > now + self._budget.burst_s
        ):  # this reader's clock was set back; what it had counted says nothing
            self._budget.forget(authority)
            return None
        return since if since > now else None

    def spend(self, position: int, authority: str, now: float) -> None:
        """Charge an authority with a bulletin."""
        self._budget.meter(authority).spend(1, min(self._moments[position], now))
