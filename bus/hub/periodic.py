"""Repeated work of a hub: one loop, which logs a problem once at its begin and once at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from bus.errors import StoreError
from bus.logs import logger
from schemas.errors import TocsinError

EVERY_S = 1.0
AGAIN_S = 30.0
"""Most seconds before failed work is tried again."""
_OF_MACHINE = (MemoryError, OSError)
"""Errors of temporary shortage: memory, disk space, file descriptors."""

log = logger()


class Problem(msgspec.Struct):
    """The problem of one piece of work: logged when it begins, changes and ends.

    Attributes:
        event: the log event of a problem; `<event>_ended` is that of its end.
        present: the present problem; empty if there is none.
    """

    event: str
    present: str = ""

    def is_there(self, exc: Exception, authority_id: str) -> None:
        """Note that the work of an authority has failed."""
        if repr(exc) == self.present:
            return
        self.present = repr(exc)
        if isinstance(exc, TocsinError):
            log.warning(self.event, authority=authority_id, reason=exc.reason, problem=str(exc))
        elif isinstance(exc, _OF_MACHINE):
            problem = str(exc) or "there is not enough memory"
            log.warning(self.event, authority=authority_id, problem=problem)
        else:  # an error in this program: the traceback shows where
            log.error(self.event, authority=authority_id, problem=repr(exc), exc_info=exc)

    def is_over(self, authority_id: str) -> None:
        """Note that the work was done."""
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
    """Do some work now and at intervals, until cancelled.

    Args:
        work: the function to run.
        failing: the log event of a problem (`Problem`).
        authority_id: the hub's authority.
        every_s: seconds between the end of one run and the beginning of the next.
        rest: the pause is at least this many times as long as the run took.
        survives: errors that are logged before the work is tried again, as shortages of the machine are. Any other
            error is internal and is raised.
        sleep: waits for a number of seconds.
        monotonic: a clock in seconds that is never set back.

    Raises:
        StoreError: one that is final.
    """
    problem = Problem(failing)
    while True:
        began, pause = monotonic(), every_s
        try:
            await work()
        except (survives, *_OF_MACHINE) as exc:
            if isinstance(exc, StoreError) and exc.is_final:
                raise
            problem.is_there(exc, authority_id)
            pause = min(every_s, AGAIN_S)
        else:
            problem.is_over(authority_id)
        await sleep(max(pause, rest * (monotonic() - began)))
