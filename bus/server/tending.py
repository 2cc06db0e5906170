"""Watches whether a running server still answers and stores. It logs faults and restarts a server that cannot recover."""

from __future__ import annotations

import asyncio
import shutil
from typing import NamedTuple

from bus.logs import logger
from bus.server.binary import ServerError
from bus.server.findings import SOUND, Trouble
from bus.server.process import NatsServer

EVERY_S = 5.0
SAID_AFTER = 3  # unanswered questions before a warning: a busy machine sometimes answers late
LASTS = (
    12  # looks with the same complaint of a broker before it is logged: a cluster updates a node by itself
)
HUNG_AFTER, HUNG_S = 10, 120.0
"""Unanswered questions, and seconds without an answer, after which a server is ended: it serves nobody."""
_FAILED = ("write error", "JetStream not enabled")
"""nats-server's words after a stream's file could not be written: for that stream, or for itself when it has closed its whole
store because the disk is full. It stores nothing more until the server restarts."""

log = logger()


class Look(NamedTuple):
    """The result of one look: whether the server answers, its own complaint, and the free bytes of its disk."""

    answers: bool
    problem: str
    free: int


class Tending:
    """Judges the looks at one server; pure.

    Attributes:
        trouble: its present fault.
    """

    def __init__(self, *, room: int, rest_s: float, began: float) -> None:
        """Begin without any look.

        Args:
            room: bytes that must be free before a server that could not write is restarted.
            rest_s: seconds after its start in which a failed write does not restart it.
            began: when it started, in seconds of the clock of `judge`.
        """
        self._room = room
        self._may_from = began + rest_s
        self._heard = began
        self._unanswered = self._unhealthy = 0
        self.trouble = SOUND

    def judge(self, look: Look, now: float) -> str:
        """Take in a look.

        Returns:
            A new sentence to log now; empty if there is none.

        Raises:
            ServerError: `no-answer` or `cannot-store`, if the server must be restarted.
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
                        f"the broker does not answer; after {HUNG_S:.0f} s it is ended and restarted",
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
            return self._once(Trouble("unhealthy", f"the broker reports:  {look.problem}"))
        self._unhealthy = 0
        if look.free >= self._room and now >= self._may_from:
            raise ServerError(
                f"the broker no longer stores messages although its disk has room: {look.problem}",
                reason="cannot-store",
            )
        sentence = (
            f"the broker could not write and no longer stores messages: {look.problem}; "
            f"it is restarted when {self._room} bytes are free on its disk"
        )
        return self._once(Trouble("cannot-store", sentence))

    def _once(self, trouble: Trouble) -> str:
        if trouble == self.trouble:
            return ""
        self.trouble = trouble
        return trouble.sentence or "the broker answers and stores again"


async def tend(broker: NatsServer, *, room: int, rest_s: float = 0.0, every: float = EVERY_S) -> None:
    """Look after a server until it must be restarted, or until cancelled; each look leaves a sign of life.

    Args:
        broker: the running server.
        room: as for `Tending`.
        rest_s: likewise.
        every: seconds between two looks.

    Raises:
        ServerError: `not-running`, it has ended by itself; `no-answer` or `cannot-store`, it must be restarted.
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
