"""The calendars in the chosen identity's store: the phase now, and the ping interval that follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from bus import hub, policy
from bus.cli.frame.app import App
from bus.cli.frame.session import open_registry
from bus.config import STORE_FILE
from bus.errors import StoreError
from bus.hub import picture
from schemas.elections import phase_over

if TYPE_CHECKING:
    import datetime as dt

    from bus.hub import Calendar
    from bus.subscribing import Inbox
    from schemas.bodies.electoral import ElectionCalendar
    from schemas.vocab import Phase

LOOK_S = 30.0


class AtHand:
    """Reads the calendars of the identity's store. Before the store exists there are none.

    All but `phase` raise StoreError when the store cannot be read.
    """

    def __init__(self, app: App, stack: AsyncExitStack, store: Inbox | None) -> None:
        self._app, self._stack, self._store = app, stack, store
        self._country = ""
        self._known: tuple[Calendar, ...] = ()  # time of the last read

    async def known(self) -> tuple[Calendar, ...]:
        """The calendars that count, of all countries."""
        path = self._app.state_folder() / STORE_FILE
        if self._store is None and path.exists():
            self._store = await self._stack.enter_async_context(picture.open_store(path))
        self._known = () if self._store is None else await self._store.read(hub.calendars)
        return self._known

    async def own(self) -> tuple[ElectionCalendar, ...]:
        """The calendars of the identity's country; all of them for an identity of the Union."""
        if not self._country:
            self._country = open_registry(self._app).authority(self._app.identity.authority).country
        return hub.of_country(await self.known(), self._country)

    async def phase(self, now: dt.datetime) -> Phase:
        """The phase of the identity's country; by the calendars read last, while the store cannot be read."""
        try:
            own = await self.own()
        except StoreError:
            own = hub.of_country(self._known, self._country) if self._country else ()
        return phase_over(own, now)


@asynccontextmanager
async def at_hand(app: App, store: Inbox | None = None) -> AsyncIterator[AtHand]:
    """The calendars in the chosen identity's store; `store` is that store, if it is open already."""
    async with AsyncExitStack() as stack:
        yield AtHand(app, stack, store)


async def retention(app: App, now: dt.datetime) -> tuple[int, frozenset[str]]:
    """(days for which the identity's outbox keeps everything, elections that are not over)."""
    async with at_hand(app) as calendars:
        known, own = await calendars.known(), await calendars.own()
    return policy.keep_days(own, now), frozenset(
        calendar.election for calendar in known if policy.is_unfinished(calendar.body, now)
    )


async def follow_phase(app: App, store: Inbox | None = None) -> None:
    """Set the ping interval of the program's connections by the phase, until the program ends."""
    async with at_hand(app, store) as calendars:
        while True:
            app.ping_s = policy.pace(await calendars.phase(app.now())).ping_s
            await asyncio.sleep(LOOK_S)
