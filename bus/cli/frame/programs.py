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

MUTE_S = 60.0  # a program that has not looked at itself for so long is not called alive
LOOK_S = 2.0  # how often `tell_of_bus` looks


@asynccontextmanager
async def open_publisher(
    app: App, *, offline: bool = False, seal: bool = False, without: Sequence[str] = ()
) -> AsyncIterator[publishing.Publisher]:
    """The publisher of the chosen context over its own outbox; sends in the background unless `offline`.

    It seals what the audience's policy wants sealed, or with `seal` everything, leaving out the readers in `without`.
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
    """Read the receipts for what the publisher says, and log what is overdue, until the context exits."""
    async with (
        at_hand(app) as calendars,
        delivery.DeliveryTracker.open(publisher, deadlines_of(app), calendars.own) as tracker,
    ):
        yield tracker


def deadlines_of(app: App) -> Deadlines:
    """By when hubs must have answered, as the settings say."""
    return policy.changed(app.loaded.settings.deadlines)


async def follow_trust(app: App) -> None:
    """Take in what the bus says of the registry, for as long as the program runs; its own registry follows by file."""
    at = endpoint(app, "trust", by_phase=True)
    await subscribing.RegistryFeed(registry_store(app), at, on_news=recorder(app)).run()


@asynccontextmanager
async def reading(
    app: App, store: Inbox, program: str, *, tell: bool = True
) -> AsyncIterator[hub.HubService | None]:
    """Do the hub's reading while nobody else does; a hub that begins takes it over at once.

    Args:
        app: this invocation.
        store: what is read into.
        program: under which name it tells of itself (`telling`).
        tell: say on standard error when the bus is out of reach.

    Yields:
        What reads; None where the context has no server.
    """
    context = app.identity
    if context.server is None or context.nkey is None:
        app.note("this context has no server; showing what the store holds")
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
    """Say on standard error when nothing can be read from the bus, and when it can again."""
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
                f"nothing can be read from the bus ({subscriber.problem}); what is held is shown, and tried again"
            )


@asynccontextmanager
async def beating(app: App, publisher: Publisher) -> AsyncIterator[None]:
    """Send the chosen context's heartbeats for as long as the context lasts."""
    async with heartbeat_of(app, publisher) as beats, beats.running():
        yield


@asynccontextmanager
async def heartbeat_of(app: App, publisher: Publisher) -> AsyncIterator[publishing.Heartbeat]:
    """The chosen context's heartbeat, at the interval that its settings and the phase give; nothing is sent yet."""
    intervals, keeping = heartbeat_settings(app)
    async with at_hand(app) as calendars:
        yield publishing.Heartbeat(publisher, pace=intervals, phase=calendars.phase, keeping=keeping)


def heartbeat_settings(app: App) -> tuple[publishing.Intervals, publishing.Watchkeeping]:
    """How often the chosen context's heartbeats are due, and what else they say."""
    context = app.identity
    phases = ("before", "during", "after", "none")
    every = {name: getattr(context, f"heartbeat_{name}_s") for name in phases}
    keeping = publishing.Watchkeeping(
        posture=api.opening.member_of(Posture, context.posture, "posture") or publishing.UNSTAFFED.posture,
        duty=context.duty or publishing.UNSTAFFED.duty,
    )
    return publishing.Intervals(**{name: seconds for name, seconds in every.items() if seconds}), keeping


async def ended(*, works: bool = True) -> None:
    """Wait for Ctrl-C or SIGTERM, and tell the supervisor meanwhile that the program is alive.

    With `works` it is also told that the program works now; one that is still starting says that itself
    (`bus.upkeep.notify.ready`). A program that could not look at itself for a minute is no longer called alive.
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
