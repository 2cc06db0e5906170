"""What a hub does by itself every so often: what fails is logged once and tried again, and the hub goes on reading."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bus.errors import StoreError
from schemas.errors import TocsinError

EVERY_S = 1.0

log = structlog.get_logger()


async def keep_at(
    work: Callable[[], Awaitable[object]], *, unless: str, authority_id: str, every_s: float
) -> None:
    """Do some work again and again until cancelled.

    Args:
        work: what is done; what it could not do now it does another time.
        unless: the event that is logged when it cannot, once for each problem.
        authority_id: whose hub it is.
        every_s: seconds between two times.

    Raises:
        StoreError: `store-failed`; store or outbox take nothing more until they are opened anew.
    """
    problem = ""
    while True:
        try:
            await work()
            problem = ""
        except TocsinError as exc:
            if isinstance(exc, StoreError) and exc.is_final:
                raise
            if str(exc) != problem:
                log.warning(unless, authority=authority_id, reason=exc.reason, problem=str(exc))
            problem = str(exc)
        await asyncio.sleep(every_s)
