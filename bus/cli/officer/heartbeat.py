"""`tocsin heartbeat`: an authority keeps its channels alive, or says once that it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App, Group, command

if TYPE_CHECKING:
    from bus.publishing.heartbeat import Heartbeat
    from bus.publishing.publisher import Publisher
    from bus.subscribing.inbox import Inbox

QUEUED = 75
LEAD_S = 5.0


@click.group(cls=Group)
def heartbeat() -> None:
    """Signed signs of life, with what readers must hold by now."""


@command(heartbeat, "run")
def run(app: App) -> None:
    """Send heartbeats until Ctrl-C, at the interval of the phase; the end is announced as a planned outage.

    For an authority whose other programs do not run all the time; `adapter run` does it by itself. Of several programs
    over one outbox one beats.
    """
    from bus.cli.frame.calendars import follow_phase
    from bus.cli.frame.session import follow_trust, open_publisher, until_first
    from bus.cli.operator.server import ended

    app.logs()

    async def work() -> None:
        async with open_publisher(app) as publisher, beating(app, publisher):
            app.note(f"heartbeats of {publisher.authority_id}; end with Ctrl-C")
            await until_first(follow_trust(app), follow_phase(app), ended())

    asyncio.run(work())


@command(heartbeat, "once")
def once(app: App) -> None:
    """Send one heartbeat on every channel now. Exits 75 when the bus has not confirmed them yet."""
    from bus.cli.frame.session import open_publisher

    app.logs(errors_only=True)

    async def work() -> bool:
        async with open_publisher(app) as publisher, _prepared(app, publisher) as beats:
            await publisher.ready(app.timeout(LEAD_S))
            said = await beats.beat(anyway=True)
            is_stored = await publisher.idle(app.timeout(LEAD_S))
            if app.json:
                app.data([{"channel": each.channel, "seq": each.seq, "digest": each.digest} for each in said])
            else:
                app.note(f"{len(said)} heartbeats {'stored' if is_stored else 'kept here, to be sent later'}")
            return is_stored

    if not asyncio.run(work()):
        raise click.exceptions.Exit(QUEUED)


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
    from schemas.vocab import Posture

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
