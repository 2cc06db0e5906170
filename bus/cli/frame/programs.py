"""Programs that run until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from bus.cli.frame.app import App

if TYPE_CHECKING:
    pass

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bus.publishing.heartbeat import Heartbeat
    from bus.publishing.publisher import Publisher
    from bus.subscribing.inbox import Inbox

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bus.subscribing.inbox import Inbox
    from bus.subscribing.subscriber import Subscriber

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bus.cli.frame.audit import private_folder, record_refusal, recorder
from schemas.vocab import Posture

if TYPE_CHECKING:
    from bus.policy.deadlines import Deadlines
    from bus.publishing.publisher import Publisher
    from bus.subscribing.inbox import Inbox
from bus.cli.frame.session import OUTBOX_FILE, defaults, endpoint, held_registry, open_signer, pings


@asynccontextmanager
async def open_publisher(
    app: App,
    *,
    offline: bool = False,
    seal: bool = False,
    without: Sequence[str] = (),
    receipts: bool = False,
) -> AsyncIterator[Publisher]:
    """The publisher of the chosen context over its own outbox; sends in the background unless `offline`.

    It seals what the audience's policy wants sealed, or with `seal` everything, leaving out the readers in `without`.
    With `receipts` it reads those for what it has said.
    """
    from bus.cli.frame.calendars import at_hand
    from bus.publishing.outbox import Outbox
    from bus.publishing.publisher import Publisher
    from bus.sealing.sealer import Sealer

    name, context = app.context()
    folder = private_folder(app.state_folder())
    registry = held_registry(context, app.now)
    signer = open_signer(context)
    async with (
        Outbox.open(folder / OUTBOX_FILE) as outbox,
        at_hand(app) as calendars,
        Publisher.open(
            authority_id=context.authority,
            outbox=outbox,
            registry=registry,
            signers=(signer,),
            endpoint=None if offline else endpoint(context, f"{name} publish", ping_s=pings(app)),
            defaults=defaults(context),
            clock=app.now,
            rng=secrets.token_bytes,
            seal=Sealer((signer,), secrets.token_bytes, everything=seal, without=without),
            on_refused=lambda exc: record_refusal(app, exc),
            deadlines=deadlines_of(app) if receipts else None,
            calendars=calendars.own,
        ) as publisher,
    ):
        yield publisher


def deadlines_of(app: App) -> Deadlines:
    """By when hubs must have answered, as the settings say."""
    from bus.policy.deadlines import changed

    return changed(app.loaded.settings.deadlines)


async def follow_trust(app: App) -> None:
    """Take in what the bus says of the registry, for as long as the program runs; its own registry follows by file."""
    from bus.subscribing.registry_feed import TrustFeed

    name, context = app.context()
    await TrustFeed(
        held_registry(context, app.now),
        endpoint(context, f"{name} trust", ping_s=pings(app)),
        on_news=recorder(app),
    ).run()


LOOK_S = 2.0


@contextlib.asynccontextmanager
async def reading(app: App, store: Inbox):  # type: ignore[no-untyped-def]  # an async context manager of nothing
    """Do the hub's reading while nobody else does."""
    from bus.cli.frame.audit import recorder
    from bus.cli.frame.session import endpoint, held_registry
    from bus.hub.service import HubService

    name, context = app.context()
    if context.server is None or context.nkey is None:
        app.note("this context has no server; showing what the store holds")
        yield
        return
    service = HubService(
        authority_id=context.authority,
        store=store,
        registry=held_registry(context, app.now),
        endpoint=endpoint(context, f"{name} watch"),
        clock=app.now,
        on_news=recorder(app),
    )
    tasks = [
        asyncio.create_task(service.run(stand_by=True)),
        asyncio.create_task(tell_of_bus(app, service.subscriber)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def tell_of_bus(app: App, subscriber: Subscriber) -> None:
    """Say on standard error when nothing can be read from the bus, and when it can again."""
    dark, attached = False, 0
    while True:
        await asyncio.sleep(LOOK_S)
        if subscriber.attached > attached:
            attached, subscriber.problem = subscriber.attached, ""
            if dark:
                app.note("the bus answers again")
            dark = False
        elif subscriber.problem and not dark:
            dark = True
            app.note(
                f"nothing can be read from the bus ({subscriber.problem}); what is held is shown, and tried again"
            )


@asynccontextmanager
async def beating(app: App, publisher: Publisher, store: Inbox | None = None) -> AsyncIterator[None]:
    """Send the chosen context's heartbeats for as long as the context lasts; `store` is its store, if it is open."""
    async with _prepared(app, publisher, store) as beats, beats.running():
        yield


@asynccontextmanager
async def _prepared(app: App, publisher: Publisher, store: Inbox | None = None) -> AsyncIterator[Heartbeat]:
    from bus.cli.frame.calendars import at_hand
    from bus.cli.frame.session import member_of, open_registry
    from bus.hub.watch.holdings import Holdings
    from bus.publishing.heartbeat import UNSTAFFED, Heartbeat, Intervals, Watchkeeping
    from bus.trust.grants import HUB

    _, context = app.context()
    record = open_registry(context, app.now()).authority(context.authority)
    holding = Holdings(context.authority, store) if store is not None and record.kind == HUB else None
    settings = {
        name: getattr(context, f"heartbeat_{name}_s") for name in ("before", "during", "after", "none")
    }
    keeping = Watchkeeping(
        posture=member_of(Posture, context.posture, "posture") or UNSTAFFED.posture,
        duty=context.duty or UNSTAFFED.duty,
    )
    async with at_hand(app, store) as calendars:
        yield Heartbeat(
            publisher,
            pace=Intervals(**{name: value for name, value in settings.items() if value}),
            phase=calendars.phase,
            keeping=keeping,
            holding=holding,
        )


async def ended() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    try:
        await stop.wait()
    finally:
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
