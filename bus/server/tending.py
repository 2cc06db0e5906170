"""Whether a server that runs still answers and still stores: said, and what cannot mend itself is begun anew."""

from __future__ import annotations

import asyncio
import shutil
from typing import NamedTuple

from bus.logs import logger
from bus.server.binary import ServerError
from bus.server.findings import SOUND, Trouble
from bus.server.process import NatsServer

EVERY_S = 5.0
SAID_AFTER = 3  # questions without an answer: a busy machine answers late now and then
LASTS = (
    12  # looks at what a broker complains of, before it is said: a cluster brings a node up to date by itself
)
HUNG_AFTER, HUNG_S = 10, 120.0
"""Without an answer to so many questions, and for so long, a server is ended: it serves nobody."""
_FAILED = ("write error", "JetStream not enabled")
"""What nats-server says once a file of a stream could not be written: of that stream, or of itself when it has shut its whole
store for want of room. It stores nothing more until it is begun anew."""

log = logger()


class Look(NamedTuple):
    """What was found at one look: whether the server answers, what it says is wrong, how many bytes its disk has free."""

    answers: bool
    problem: str
    free: int


class Tending:
    """What follows from the looks at one server; pure.

    Attributes:
        trouble: what is wrong with it now.
    """

    def __init__(self, *, room: int, rest_s: float, began: float) -> None:
        """Nothing was seen yet.

        Args:
            room: bytes that must be free before a server that could not write is begun anew.
            rest_s: seconds after its beginning before which it is not begun anew for what it cannot write.
            began: when it began, in seconds of the clock that `judge` is given.
        """
        self._room = room
        self._may_from = began + rest_s
        self._heard = began
        self._unanswered = self._unhealthy = 0
        self.trouble = SOUND

    def judge(self, look: Look, now: float) -> str:
        """Take in a look.

        Returns:
            What is to be said now, and was not said before; empty for nothing.

        Raises:
            ServerError: `no-answer` or `cannot-store`, when the server is to be begun anew.
        """
        if not look.answers:
            self._unanswered += 1
            silent = now - self._heard
            if self._unanswered >= HUNG_AFTER and silent >= HUNG_S:
                raise ServerError(f"the broker has not answered for {silent:.0f} s", reason="no-answer")
            return (
                self._once(
                    Trouble(
                        "no-answer",
                        f"the broker does not answer; after {HUNG_S:.0f} s it is ended and begun anew",
                    )
                )
                if self._unanswered >= SAID_AFTER
                else ""
            )
        self._heard, self._unanswered = now, 0
        if not any(words in look.problem for words in _FAILED):
            self._unhealthy = self._unhealthy + 1 if look.problem else 0
            if not look.problem:
                return self._once(SOUND)
            if self._unhealthy < LASTS:
                return ""
            return self._once(Trouble("unhealthy", f"the broker says of itself: {look.problem}"))
        self._unhealthy = 0
        if look.free >= self._room and now >= self._may_from:
            raise ServerError(
                f"the broker stores nothing more, and its disk has room: {look.problem}",
                reason="cannot-store",
            )
        sentence = (
            f"the broker could not write and stores nothing more: {look.problem}; "
            f"it is begun anew when {self._room} bytes are free on its disk"
        )
        return self._once(Trouble("cannot-store", sentence))

    def _once(self, trouble: Trouble) -> str:
        if trouble == self.trouble:
            return ""
        self.trouble = trouble
        return trouble.sentence or "the broker answers and stores again"


async def tend(broker: NatsServer, *, room: int, rest_s: float = 0.0, every: float = EVERY_S) -> None:
    """Look after a server until it is to be begun anew, or until cancelled; leaves a sign of being awake at each look.

    Args:
        broker: runs.
        room: as for `Tending`.
        rest_s: likewise.
        every: seconds between two looks.

    Raises:
        ServerError: `not-running`, it has ended by itself; `no-answer` or `cannot-store`, it should be begun anew.
    """
    loop = asyncio.get_running_loop()
    tending = Tending(room=room, rest_s=rest_s, began=loop.time())
    while True:
        broker.look()
        look = await asyncio.to_thread(_look, broker)
        broker.must_run()
        if said := tending.judge(look, loop.time()):
            log.error("broker_tended", problem=said)
        broker.trouble = tending.trouble
        await asyncio.sleep(every)


def _look(broker: NatsServer) -> Look:
    try:
        told = broker.monitor("healthz")
        problem = "" if told.get("status") == "ok" else str(told.get("error") or told)
        answers = True
    except ServerError:
        answers, problem = False, ""
    try:
        free = shutil.disk_usage(broker.store).free
    except OSError:
        free = 0
    return Look(answers, problem, free)
