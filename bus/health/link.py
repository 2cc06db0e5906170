"""A program's own look at the broker: whether it answers, since when it does not, and the offset of the two clocks.

It uses a separate connection, so the result does not depend on the program's own use of the bus: reading, sending, or
nothing.
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
"""Seconds: a restart of the broker within this time does not count as an outage."""
_USER = re.compile(r"//[^/@,]*@")


class Link:
    """The broker as seen from this program.

    Attributes:
        bus: whether it answers; None before the first look.
        clock: how far this clock is ahead; None before the first measurement.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        registry: Callable[[], VerifiedRegistry],
        clock: Callable[[], dt.datetime],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Prepare; `run` looks repeatedly, `look_once` once.

        Args:
            endpoint: address and identity.
            registry: gives the current registry, which decides what this identity may ask about.
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
        """Connect, look, and disconnect."""
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
        """Ask about a consumer of this identity; any answer shows that the broker works."""
        identity, registry = self._endpoint.authority_id, self._registry()
        places = (*reader_streams(registry, identity), *own_streams(registry, identity))
        if not places:
            return
        try:
            found = await clock_offset(connection, *places[0], self._now, self._patience_s)
        except BrokerError:
            return  # it answers; users of the consumer report its faults
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
