"""A program's own look at the broker: whether it answers, since when it does not, and how far the two clocks are apart.

It is a connection of its own, so that it says the same whatever the program does with the bus: one that reads, one that sends,
and one that has nothing to do.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Callable

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.health.facts import BusFacts, ClockFacts
from bus.transport import Connection, Endpoint, clock_offset, own_streams, reader_streams
from bus.trust import VerifiedRegistry

LOOK_S = 5.0
PATIENCE_S = 5.0
"""A broker that starts again within this was not away."""
_USER = re.compile(r"//[^/@,]*@")


class Link:
    """How the broker is seen from here.

    Attributes:
        bus: whether it answers; None until somebody has looked.
        clock: how far this clock is ahead; None until that was measured.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        registry: Callable[[], VerifiedRegistry],
        clock: Callable[[], dt.datetime],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Prepare; `run` looks again and again, `look_once` once.

        Args:
            endpoint: where and as whom.
            registry: the registry as it stands now, by which it is known what this identity may ask about.
            clock: the present, aware.
            patience_s: seconds to wait for a broker that does not answer.
        """
        self.bus: BusFacts | None = None
        self.clock: ClockFacts | None = None
        self._endpoint, self._registry, self._now = endpoint, registry, clock
        self._place = _USER.sub("//", endpoint.url)
        self._patience_s = patience_s

    async def run(self) -> None:
        """Look until cancelled."""
        async with Connection.open(self._endpoint) as connection:
            while True:
                await self._look(connection)
                await asyncio.sleep(LOOK_S)

    async def look_once(self) -> None:
        """Connect, look, and leave."""
        async with Connection.open(self._endpoint) as connection:
            await self._look(connection)

    async def _look(self, connection: Connection) -> None:
        try:
            await connection.until_connected(self._patience_s)
            await self._measure(connection)
        except (UnreachableError, DeniedError) as exc:
            self._note(reached=False, problem=str(exc), reason=exc.reason)
        else:
            self._note(reached=True)

    async def _measure(self, connection: Connection) -> None:
        """Ask what this identity may ask about; an answer of any sort shows that the broker is there."""
        identity, registry = self._endpoint.authority_id, self._registry()
        places = (*reader_streams(registry, identity), *own_streams(registry, identity))
        if not places:
            return
        try:
            found = await clock_offset(connection, *places[0], self._now, self._patience_s)
        except BrokerError:
            return  # it answers, and what is wrong with a consumer is said by who needs it
        if found is not None:
            self.clock = ClockFacts(
                ahead_s=found.ahead_s, within_s=found.within_s, measured_at=found.measured_at
            )

    def _note(self, *, reached: bool, problem: str = "", reason: str = "") -> None:
        was = self.bus
        is_new = was is None or was.reached != reached
        self.bus = BusFacts(
            place=self._place,
            reached=reached,
            since=self._now() if is_new or was is None else was.since,
            problem=problem,
            reason=reason,
        )
