"""The budget of one authority."""

from __future__ import annotations

from bus.policy import RateLimit, RateMeter


def test_a_clock_that_is_set_back_closes_no_budget() -> None:
    """What was counted an hour ahead is counted as an empty bucket: one a second goes on, and all of it after a burst."""
    meter = RateMeter(RateLimit(burst=10, per_s=1.0))
    meter.spend(4, 3600.0)
    assert [meter.room(moment) for moment in (0.0, 1.0, 10.0)] == [0, 1, 10]
