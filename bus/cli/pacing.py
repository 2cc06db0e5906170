"""Which phase it is for the chosen identity, by the calendars in its store, and what follows it while a program runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from bus.cli.app import App

if TYPE_CHECKING:
    import datetime as dt

    from bus.inbox import Inbox
    from schemas.bodies.electoral import ElectionCalendar
    from schemas.vocab import Phase

LOOK_S = 30.0


@asynccontextmanager
async def phases(
    app: App, store: Inbox | None = None
) -> AsyncIterator[Callable[[dt.datetime], Awaitable[Phase]]]:
    """A question for the phase of the identity's country; `store` is its store, if it is open. None without a store."""
    from bus.cli.session import STORE_FILE, open_registry, open_store
    from bus.hub.elections import present_phase
    from schemas.vocab import Phase

    _, context = app.context()
    country = open_registry(context, app.now()).authority(context.authority).country
    async with AsyncExitStack() as stack:

        async def phase(now: dt.datetime) -> Phase:
            nonlocal store
            if store is None and (app.state_folder() / STORE_FILE).exists():
                store = await stack.enter_async_context(open_store(app))
            return (
                Phase.NONE if store is None else await store.ask(lambda db: present_phase(db, country, now))
            )

        yield phase


@asynccontextmanager
async def at_hand(app: App) -> AsyncIterator[Callable[[], Awaitable[tuple[ElectionCalendar, ...]]]]:
    """A question for the calendars of the identity's country in its store; none without a store.

    The question raises StoreError when the store cannot be read.
    """
    from bus.cli.session import STORE_FILE, open_registry, open_store
    from bus.hub.elections import UNION, calendars

    _, context = app.context()
    store: Inbox | None = None
    async with AsyncExitStack() as stack:

        async def ask() -> tuple[ElectionCalendar, ...]:
            nonlocal store
            if store is None and (app.state_folder() / STORE_FILE).exists():
                store = await stack.enter_async_context(open_store(app))
            if store is None:
                return ()
            country = open_registry(context, app.now()).authority(context.authority).country
            known = await store.ask(calendars)
            return tuple(each.body for each in known if country in (UNION, each.country))

        yield ask


async def retention(app: App, now: dt.datetime) -> tuple[int, frozenset[str]]:
    """How many days the identity's outbox keeps everything, and the elections not over, by the calendars in its store."""
    from bus.cli.session import STORE_FILE, open_registry, open_store
    from bus.hub.elections import UNION, calendars
    from bus.phases import is_unfinished, keep_days

    if not (app.state_folder() / STORE_FILE).exists():
        return keep_days((), now), frozenset()
    _, context = app.context()
    country = open_registry(context, now).authority(context.authority).country
    async with open_store(app) as store:
        known = await store.ask(calendars)
    own = (each.body for each in known if country in (UNION, each.country))
    return keep_days(own, now), frozenset(each.election for each in known if is_unfinished(each.body, now))


async def follow_phase(app: App, store: Inbox | None = None) -> None:
    """Have the program's connections ping as often as the phase asks, for as long as it runs."""
    from bus.errors import StoreError
    from bus.phases import pace

    async with phases(app, store) as phase:
        while True:
            with contextlib.suppress(StoreError):  # while the store cannot be read it stays as it is
                app.ping_s = pace(await phase(app.now())).ping_s
            await asyncio.sleep(LOOK_S)
