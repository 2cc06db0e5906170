"""`tocsin hub`: a country's subscriber. Admits, keeps, shows; never re-signs."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App
from bus.cli.frame.commands import Group, command
from bus.cli.operator.hub_decide import decide
from bus.cli.operator.hub_prune import prune
from bus.cli.operator.hub_scrub import scrub
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.publishing.publisher import Publisher


@click.group(cls=Group)
def hub() -> None:
    """A national hub's store and its reading."""


hub.add_command(decide)
hub.add_command(prune)
hub.add_command(scrub)


@command(hub, "run")
def run(app: App) -> None:
    """Read every granted channel into the store until Ctrl-C, showing bulletins as they are admitted.

    Watches the channels meanwhile (tocsin channels --alarms). With a signing key in its context, a hub sends heartbeats
    where its grants let it, and says that a channel has gone dark to the audience for which a grant on status actual names
    channel-status.
    """
    asyncio.run(_run(app))


async def _run(app: App) -> None:
    from bus.cli.frame.audit import recorder
    from bus.cli.frame.calendars import follow_phase
    from bus.cli.frame.opening import show
    from bus.cli.frame.programs import ended, heartbeat_settings, tell_of_bus
    from bus.cli.frame.session import endpoint, held_registry, open_store, pings
    from bus.cli.operator.server import production_registry
    from bus.hub.service import HubService

    production_registry(app)
    name, context = app.context()
    intervals, keeping = heartbeat_settings(app)
    async with (
        open_store(app) as store,
        speaking(app) as publisher,
        HubService.open(
            authority_id=context.authority,
            store=store,
            registry=held_registry(context, app.now),
            endpoint=endpoint(context, f"{name} hub", ping_s=pings(app)),
            clock=app.now,
            publisher=publisher,
            intervals=intervals,
            keeping=keeping,
            on_news=recorder(app),
        ) as service,
    ):

        async def tell() -> None:
            async for row in store.follow(await store.row_before(app.now())):
                if "/system." not in row.channel:  # heartbeats and receipts are for `channels` to show
                    show(app, row)

        service.beside(tell(), "tell of bulletins")
        service.beside(tell_of_bus(app, service.subscriber), "tell of the bus")
        service.beside(follow_phase(app, store), "follow the phase")
        await ended()


@asynccontextmanager
async def speaking(app: App) -> AsyncIterator[Publisher | None]:
    """The voice of a hub that has a key; one whose key does not stand reads all the same, and says so."""
    from bus.cli.frame.programs import open_publisher

    async with AsyncExitStack() as stack:
        publisher = None
        if app.context()[1].key is not None:
            try:
                publisher = await stack.enter_async_context(open_publisher(app))
            except TocsinError as exc:
                app.note(f"this hub only reads, it cannot speak: {exc}")
        yield publisher


@command(hub, "rebuild")
def rebuild(app: App) -> None:
    """Make the projection anew from the signed bytes in the store; nothing is read from the bus."""
    from bus.cli.frame.session import open_store

    async def work() -> int:
        async with open_store(app) as store:
            return await store.rebuild()

    count = asyncio.run(work())
    if app.json:
        app.data({"rebuilt": count})
    else:
        app.note(f"projection rebuilt from {count} bulletins")


@command(hub, "status")
def status(app: App) -> None:
    """Counts, cursors, lag and what waits, from the store."""
    from bus.cli.frame.session import open_registry, open_store

    async def work() -> dict[str, object]:
        async with open_store(app) as store:
            return await store.status()

    _, context = app.context()
    found = asyncio.run(work())
    now = app.now()
    registry = open_registry(context, now)
    found = {**found, "trust": str(registry.state(now)), "registry_version": registry.version}
    if app.json:
        app.data(found)
    else:
        if found.get("last_admitted"):
            found["last_admitted"] = (
                f"{dt.datetime.fromisoformat(str(found['last_admitted'])):%Y-%m-%d %H:%M:%S} UTC"
            )
        app.table(
            ("what", "value"), sorted((key.replace("_", " "), _spell(value)) for key, value in found.items())
        )


def _spell(value: object) -> str:
    """A count, a time, or counts by name, as a person reads them."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "none"
    return "-" if value is None else str(value)
