"""`tocsin outbox`: what an authority still has to send, and recovery after its loss."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli.app import App, Group, command

if TYPE_CHECKING:
    from bus.outbox import Row

RECOVER_S = 60.0


@click.group(cls=Group)
def outbox() -> None:
    """What is kept and must still go out."""


@command(outbox, "status")
def status(app: App) -> None:
    """Counts by state, and what is parked or superseded, and why."""
    from bus.cli.session import open_outbox

    async def work() -> tuple[dict[str, int], list[Row]]:
        async with open_outbox(app) as box:
            troubled = [*await box.rows(state="parked"), *await box.rows(state="superseded")]
            return dict(await box.counts()), list(troubled)

    counts, troubled = asyncio.run(work())
    if app.json:
        app.data({"counts": counts, "parked": [msgspec.to_builtins(row, enc_hook=str) for row in troubled]})
        return
    app.table(("state", "bulletins"), sorted(counts.items()))
    for row in troubled:
        app.note(f"{row.state}: {row.subject}: {row.problem}")


@command(outbox, "retry")
def retry(app: App) -> None:
    """Offer again what the broker had refused and is parked, once its permissions have been put right.

    Nothing is sent by this command itself: the next `tocsin publish`, or what runs for this authority, does.
    """
    from bus.cli.session import open_outbox, record

    async def work() -> int:
        async with open_outbox(app) as box:
            return await box.release()

    released = asyncio.run(work())
    record(app, "override", what="outbox-retried", released=released)
    if app.json:
        app.data({"released": released})
    else:
        app.note(f"released: {released}")


@command(outbox, "recover")
@click.option("--yes", is_flag=True, help="do not ask")
def recover(app: App, *, yes: bool) -> None:
    """Rebuild the heads of this authority's chains from its own channels on the bus.

    For an outbox that was lost or restored from an old copy: reads the authority's own bulletins, verifies
    each, goes on from the last, and stamps anew what had never been sent.
    """
    from bus.cli.session import open_publisher, record

    if not yes:
        app.confirm("Is no other outbox of this authority in use anywhere?", flag="--yes")

    app.logs(errors_only=True)

    async def work() -> object:
        async with open_publisher(app) as publisher:
            return await publisher.recover(app.timeout(RECOVER_S))

    found = asyncio.run(work())
    record(app, "override", what="outbox-recovered")
    if app.json:
        app.data(found)
    else:
        app.note(f"recovered: {msgspec.json.encode(found, enc_hook=str).decode()}")
