"""Work that a hub repeats: one loop, which logs a problem once when it begins and once when it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from bus.errors import StoreError
from schemas.errors import TocsinError

EVERY_S = 1.0

log = structlog.get_logger()


class Problem(msgspec.Struct):
    """What keeps one piece of work from being done: logged when it begins, when it changes and when it has ended.

    Attributes:
        event: the log event of a problem; `<event>_ended` is that of its end.
        present: the problem that there is; empty when nothing is wrong.
    """

    event: str
    present: str = ""

    def is_there(self, exc: Exception, authority_id: str) -> None:
        """The work of an authority has failed."""
        if repr(exc) == self.present:
            return
        self.present = repr(exc)
        if isinstance(exc, TocsinError):
            log.warning(self.event, authority=authority_id, reason=exc.reason, problem=str(exc))
        elif isinstance(exc, MemoryError):
            log.warning(self.event, authority=authority_id, problem="there is not enough memory")
        else:  # a fault in this program: where it is stands in the traceback
            log.error(self.event, authority=authority_id, problem=repr(exc), exc_info=exc)

    def is_over(self, authority_id: str) -> None:
        """The work was done."""
        if self.present:
            ended = f"{self.event}_ended"
            log.info(ended, authority=authority_id)
        self.present = ""


async def repeat(
    work: Callable[[], Awaitable[object]],
    *,
    failing: str,
    authority_id: str,
    every_s: float = EVERY_S,
    rest: float = 0.0,
    survives: type[Exception] = TocsinError,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Do some work now and every so often, until cancelled.

    Args:
        work: what is done.
        failing: the log event of a problem (`Problem`).
        authority_id: the hub's authority.
        every_s: seconds between the end of one run and the beginning of the next.
        rest: pause at least so many times as long as the run took.
        survives: errors that are logged; the work is tried again, as it is where memory ran out. Any other one is raised.
        sleep: waits for some seconds.
        monotonic: a clock in seconds that is never set back.

    Raises:
        StoreError: `store-failed`, `store-closed`; these do not pass.
    """
    problem = Problem(failing)
    while True:
        began = monotonic()
        try:
            await work()
        except (survives, MemoryError) as exc:
            if isinstance(exc, StoreError) and exc.is_final:
                raise
            problem.is_there(exc, authority_id)
        else:
            problem.is_over(authority_id)
        await sleep(max(every_s, rest * (monotonic() - began)))
