"""Measures the offset of this clock from the broker's, by the time in JetStream's answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec

from bus.policy import clock_gap
from bus.transport.interface import Connection
from bus.transport.jetstream import REQUEST_TIMEOUT_S, consumer_info


class ClockOffset(msgspec.Struct, frozen=True, kw_only=True):
    """How far a clock is ahead of the broker's, in seconds (negative if behind), to within `within_s` seconds."""

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
    """Compare a clock with the broker's by one call for the state of a consumer that this identity may ask about.

    A server since 2.10 writes its time as `ts` into the state of a consumer; None for an older one. The broker may lie:
    the answer is good for a warning and for refusing to publish, never for trusting anything.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    before = clock()
    info = await consumer_info(connection, stream, consumer, timeout)
    return offset_of(info.ts, before, clock())


def offset_of(told: dt.datetime | None, before: dt.datetime, after: dt.datetime) -> ClockOffset | None:
    """The offset of a clock that read `before` at the request and `after` at the answer.

    None if the answer has no time, or if the clock was set back in between.
    """
    if told is None or told.tzinfo is None or after < before:
        return None
    gap = clock_gap(before, told, after)
    return ClockOffset(ahead_s=gap.ahead_s, within_s=gap.doubt_s, measured_at=after)
