"""Work that a hub repeats: one loop, which logs a problem once when it begins and once when it has ended."""

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
"""What has failed is tried again after this many seconds at the latest."""
_OF_MACHINE = (MemoryError, OSError)
"""What the machine lacks for a while: memory, room on a disk, descriptors."""

log = logger()


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
        elif isinstance(exc, _OF_MACHINE):
            problem = str(exc) or "there is not enough memory"
            log.warning(self.event, authority=authority_id, problem=problem)
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
        survives: errors that are logged; the work is tried again, as it is where the machine lacks something. Any other one is a
            fault of ours, and is raised.
        sleep: waits for some seconds.
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
