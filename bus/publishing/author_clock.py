"""Compares the author's clock with the broker's: readers withhold bulletins dated ahead, and all that follow them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from bus.policy import clock_gap
from bus.transport import Connection, consumer_info
from bus.trust import CLOCK_SKEW


async def clock_ahead_s(
    connection: Connection, stream: str, consumer: str, clock: Callable[[], dt.datetime]
) -> float:
    """Seconds that a clock is ahead of the broker's; 0 if readers allow that much, or if the broker gives no time.

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
    """The error sentence for a clock that is this many seconds ahead of the broker's."""
    return (
        f"this computer's clock is {seconds:.0f} s ahead of the broker's: readers would withhold what is dated so until its time "
        "has come, and all that follows it. Set the clock right (if it is right, the broker's is not: tell its operator)"
    )
