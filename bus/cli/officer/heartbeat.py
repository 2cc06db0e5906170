"""`tocsin heartbeat`: an authority keeps its channels live, or sends one sign of life."""

from __future__ import annotations

import click

from bus.cli import frame
from bus.cli.frame import DONE, QUEUED, Answer, App, Group, command, health_option
from bus.tasks import until_first

LEAD_S = 5.0


@click.group(cls=Group)
def heartbeat() -> None:
    """Signed signs of life. Each names the last bulletin that readers must hold."""


@command(heartbeat, "run", when_asked=DONE)
@health_option
async def run(app: App) -> None:
    """Send heartbeats until Ctrl-C, at the interval of the phase. At its end it announces a planned outage.

    Use it if no other program of the authority runs all the time; `adapter run` sends heartbeats by itself. If
    several programs share one outbox, only one sends heartbeats.
    """
    app.logs()
    async with (
        frame.open_publisher(app) as publisher,
        frame.beating(app, publisher),
        frame.telling(app, "heartbeat", publisher=publisher),
    ):
        app.note(f"heartbeats of {publisher.authority_id}; end with Ctrl-C")
        await until_first(frame.follow_trust(app), frame.follow_phase(app), frame.ended())


@command(heartbeat, "once")
async def once(app: App) -> Answer:
    """Send one heartbeat on every channel now. Exits 75 when the bus has not confirmed them yet."""
    app.logs(errors_only=True)
    async with frame.open_publisher(app) as publisher, frame.heartbeat_of(app, publisher) as beats:
        await publisher.ready(app.timeout(LEAD_S))
        sent = await beats.beat(anyway=True)
        is_stored = await publisher.idle(app.timeout(LEAD_S))
    return Answer(
        [{"channel": beat.channel, "seq": beat.seq, "digest": beat.digest} for beat in sent],
        notes=[f"{len(sent)} heartbeats {'stored' if is_stored else 'kept on this disk, to be sent later'}"],
        code=DONE if is_stored else QUEUED,
    )
