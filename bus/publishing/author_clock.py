"""The author's clock beside the broker's: what is dated ahead is withheld by readers, and all that follows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from bus.policy import clock_gap
from bus.transport import Connection, consumer_info
from bus.trust import CLOCK_SKEW


async def clock_ahead_s(
    connection: Connection, stream: str, consumer: str, clock: Callable[[], dt.datetime]
) -> float:
    """By how many seconds a clock is ahead of the broker's; 0 when readers allow that much, or the broker tells no time.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    before = clock()
    told = (await consumer_info(connection, stream, consumer)).ts
    if told is None:
        return 0.0
    gap = clock_gap(before, told, clock())
    return gap.ahead_s if gap.is_ahead(CLOCK_SKEW) else 0.0


def clock_ahead(seconds: float) -> str:
    """The sentence about a clock that is so many seconds ahead of the broker's."""
    return (
        f"this computer's clock is {seconds:.0f} s ahead of the broker's: readers would withhold what is dated so until its time "
        "has come, and all that follows it. Set the clock right (if it is right, the broker's is not: tell its operator)"
    )
