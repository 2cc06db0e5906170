"""Programs that run until Ctrl-C."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bus import api, delivery, hub, policy, publishing, sealing, subscribing, upkeep
from bus.cli.frame.app import App
from bus.cli.frame.audit import record_refusal, recorder
from bus.cli.frame.calendars import at_hand
from bus.cli.frame.health import telling
from bus.cli.frame.patience import once_open
from bus.cli.frame.running import Program, asked
from bus.cli.frame.session import defaults, endpoint, open_signer, registry_store
from bus.config import OUTBOX_FILE, private_folder
from bus.tasks import in_background
from schemas.vocab import Posture

if TYPE_CHECKING:
    from bus.policy import Deadlines
    from bus.publishing import Publisher
    from bus.subscribing import Inbox, Subscriber

MUTE_S = 60.0  # seconds without a self-check after which a program counts as hung
LOOK_S = 2.0  # seconds between two checks of `tell_of_bus`


@asynccontextmanager
async def open_publisher(
    app: App, *, offline: bool = False, seal: bool = False, without: Sequence[str] = ()
) -> AsyncIterator[publishing.Publisher]:
    """The publisher of the chosen context over its own outbox; sends in the background unless `offline`.

    It seals what the audience's policy requires, or everything with `seal`, without the readers in `without`.
    """
    context = app.identity
    folder = private_folder(app.state_folder())
    registry = registry_store(app)
    signer = open_signer(context)
    async with (
        once_open(
            app, lambda: publishing.Outbox.open(folder / OUTBOX_FILE, tables=delivery.TABLES)
        ) as outbox,
        publishing.Publisher.open(
            authority_id=context.authority,
            outbox=outbox,
            registry=registry,
            signers=(signer,),
            endpoint=None if offline else endpoint(app, "publish", by_phase=True),
            defaults=defaults(context),
            clock=app.now,
            rng=secrets.token_bytes,
            seal=sealing.Sealer((signer,), secrets.token_bytes, everything=seal, without=without),
            on_refused=lambda exc: record_refusal(app, exc),
            beside_broker=True,
        ) as publisher,
    ):
        yield publisher


@asynccontextmanager
async def tracking(app: App, publisher: Publisher) -> AsyncIterator[delivery.DeliveryTracker]:
    """Read the receipts for the publisher's bulletins, and log overdue ones, until the context exits."""
    async with (
        at_hand(app) as calendars,
        delivery.DeliveryTracker.open(publisher, deadlines_of(app), calendars.own) as tracker,
    ):
        yield tracker


def deadlines_of(app: App) -> Deadlines:
    """The deadlines for hubs' answers, from the settings."""
    return policy.changed(app.loaded.settings.deadlines)


async def follow_trust(app: App) -> None:
    """Accept registry documents from the bus until the program ends; its own registry follows the files."""
    at = endpoint(app, "trust", by_phase=True)
    await subscribing.RegistryFeed(registry_store(app), at, on_news=recorder(app)).run()


@asynccontextmanager
async def reading(
    app: App, store: Inbox, program: str, *, tell: bool = True
) -> AsyncIterator[hub.HubService | None]:
    """Read as a hub does while no other process does; a hub that starts takes over at once.

    Args:
        app: this invocation.
        store: the store to read into.
        program: its name in its state file (`telling`).
        tell: whether to say on standard error when the bus is out of reach.

    Yields:
        The service that reads; None if the context has no server.
    """
    context = app.identity
    if context.server is None or context.nkey is None:
        app.note("this context has no server; the store is shown")
        yield None
        return
    held = registry_store(app)
    async with (
        hub.HubService.open(
            authority_id=context.authority,
            store=store,
            registry=held,
            endpoint=endpoint(app, "watch"),
            clock=app.now,
            on_news=recorder(app),
            gives_way=True,
        ) as service,
        telling(app, program, service=service, registry=held, lasting=False, says=tell),
    ):
        if tell:
            service.beside(tell_of_bus(app, service.subscriber), "tell of the bus")
        yield service


async def tell_of_bus(app: App, subscriber: Subscriber) -> None:
    """Say on standard error when the bus cannot be read, and when it can again."""
    dark, attached = False, 0
    while True:
        await asyncio.sleep(LOOK_S)
        if subscriber.attached > attached:
            attached = subscriber.attached
            if dark:
                app.note("the bus answers again")
            dark = False
        elif subscriber.problem and not dark:
            dark = True
            app.note(
                f"nothing can be read from the bus ({subscriber.problem}); the store is shown, and reading is tried again"
            )


@asynccontextmanager
async def beating(app: App, publisher: Publisher) -> AsyncIterator[None]:
    """Send the chosen context's heartbeats until the context manager exits."""
    async with heartbeat_of(app, publisher) as beats, beats.running():
        yield


@asynccontextmanager
async def heartbeat_of(app: App, publisher: Publisher) -> AsyncIterator[publishing.Heartbeat]:
    """The chosen context's heartbeat, at the interval of its settings and the phase; it sends nothing yet."""
    intervals, keeping = heartbeat_settings(app)
    async with at_hand(app) as calendars:
        yield publishing.Heartbeat(publisher, pace=intervals, phase=calendars.phase, keeping=keeping)


def heartbeat_settings(app: App) -> tuple[publishing.Intervals, publishing.Watchkeeping]:
    """The intervals of the chosen context's heartbeats, and the rest of their content."""
    context = app.identity
    phases = ("before", "during", "after", "none")
    every = {name: getattr(context, f"heartbeat_{name}_s") for name in phases}
    keeping = publishing.Watchkeeping(
        posture=api.opening.member_of(Posture, context.posture, "posture") or publishing.UNSTAFFED.posture,
        duty=context.duty or publishing.UNSTAFFED.duty,
    )
    return publishing.Intervals(**{name: seconds for name, seconds in every.items() if seconds}), keeping


async def ended(*, works: bool = True) -> None:
    """Wait for Ctrl-C or SIGTERM, and until then tell the service manager that the program is alive.

    With `works` it also reports that the program works now; a program that is still starting reports that itself
    (`bus.upkeep.notify.ready`). A program without a self-check for a minute is not reported alive.
    """
    app = Program.current.app if Program.current is not None else None

    def alive() -> bool:
        if app is None or app.told_at is None:
            return True
        return (app.now() - app.told_at()).total_seconds() < MUTE_S

    async with asked() as stop, in_background(upkeep.notify.keep_telling(alive), "watchdog"):
        if works:
            upkeep.notify.ready()
        await stop.wait()
        upkeep.notify.stopping()
