"""What a network decides: rates, backoff, phases, deadlines, and what somebody may see."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.policy import deadlines
    from bus.policy.backoff import Backoff
    from bus.policy.clearance import MARKINGS, Clearance, narrowest
    from bus.policy.clocks import ClockGap, clock_gap
    from bus.policy.deadlines import Deadlines, changed, steps, stricter
    from bus.policy.phases import PACES, is_unfinished, keep_days, pace
    from bus.policy.rates import ANSWERING, READING, SENDING, RateLimit, RateMeter
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "ANSWERING",
    "MARKINGS",
    "PACES",
    "READING",
    "SENDING",
    "Backoff",
    "Clearance",
    "ClockGap",
    "Deadlines",
    "RateLimit",
    "RateMeter",
    "changed",
    "clock_gap",
    "deadlines",
    "is_unfinished",
    "keep_days",
    "narrowest",
    "pace",
    "steps",
    "stricter",
]
