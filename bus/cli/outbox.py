"""`tocsin outbox`: what an authority still has to send, and recovery after its loss."""

from __future__ import annotations

import asyncio

import click
import msgspec

from bus.cli.app import App, command


@click.group()
def outbox() -> None:
    """What is kept and must still go out."""


@command(outbox, "status")
def status(app: App) -> None:
    """Counts by state, the oldest that waits, and what is parked and why."""
    from bus.cli.session import open_outbox

    async def work() -> tuple[dict[str, int], list[object]]:
        async with open_outbox(app) as box:
            return dict(await box.counts()), list(await box.rows(state="parked"))

    counts, parked = asyncio.run(work())
    if app.json:
        app.data({"counts": counts, "parked": [msgspec.to_builtins(row, enc_hook=str) for row in parked]})
        return
    app.table(("state", "bulletins"), sorted(counts.items()))
    for row in parked:
        app.note(f"parked: {getattr(row, 'subject', '')}: {getattr(row, 'problem', '')}")


@command(outbox, "recover")
@click.option("--yes", is_flag=True, help="do not ask")
def recover(app: App, *, yes: bool) -> None:
    """Rebuild the heads of this authority's chains from its own channels on the bus.

    For an outbox that was lost or restored from an old copy: reads the authority's own bulletins, verifies
    each, goes on from the last, and stamps anew what had never been sent.
    """
    from bus.cli.session import open_publisher

    if not yes:
        app.confirm("Is no other outbox of this authority in use anywhere?", flag="--yes")

    async def work() -> object:
        async with open_publisher(app) as publisher:
            return await publisher.recover()

    found = asyncio.run(work())
    if app.json:
        app.data(found)
    else:
        app.note(f"recovered: {msgspec.json.encode(found, enc_hook=str).decode()}")
