"""How far this clock is from the broker's, by the time that JetStream writes into its answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec

from bus.policy import clock_gap
from bus.transport.interface import Connection
from bus.transport.jetstream import REQUEST_TIMEOUT_S, consumer_info


class ClockOffset(msgspec.Struct, frozen=True, kw_only=True):
    """How far a clock is ahead of the broker's, in seconds (behind where negative), to within `within_s`."""

    ahead_s: float
    within_s: float
    measured_at: dt.datetime


async def clock_offset(
    connection: Connection,
    stream: str,
    consumer: str,
    clock: Callable[[], dt.datetime],
    timeout: float = REQUEST_TIMEOUT_S,
) -> ClockOffset | None:
    """Compare a clock with the broker's by one call, about a consumer that this identity may ask about.

    A server since 2.10 writes its time as `ts` into the state of a consumer; None for one that does not. The broker may say
    anything: the answer is fit for a warning, and for refusing to speak, not for believing anything.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    before = clock()
    info = await consumer_info(connection, stream, consumer, timeout)
    return offset_of(info.ts, before, clock())


def offset_of(told: dt.datetime | None, before: dt.datetime, after: dt.datetime) -> ClockOffset | None:
    """What the broker's time says of a clock that read `before` when it was asked and `after` when the answer came.

    None where the answer holds no time, and where the clock was set back meanwhile.
    """
    if told is None or told.tzinfo is None or after < before:
        return None
    gap = clock_gap(before, told, after)
    return ClockOffset(ahead_s=gap.ahead_s, within_s=gap.doubt_s, measured_at=after)
