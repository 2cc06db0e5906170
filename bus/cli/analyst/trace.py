"""`tocsin trace`: the whole life of one bulletin, as far as this identity's own stores tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bus import delivery
from bus.cli import frame
from bus.cli.frame import Answer, App, NotFoundError, Table, command, completing
from bus.hub import picture

if TYPE_CHECKING:
    from bus.delivery import DeliveryStatus
    from bus.hub.picture import TraceStep


@command()
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
async def trace(app: App, bulletin_id: str) -> Answer:
    """Stamped, kept, sent, stored; admitted or refused and why; replaced by what. ID is an id or a digest."""
    steps, ladder = await _life(app, bulletin_id)
    if not steps:
        raise NotFoundError(f"neither the outbox nor the store of this context knows {bulletin_id}")
    steps.sort(key=lambda step: step.at)
    notes = []
    if ladder is not None:
        missing = f"; not yet answered: {', '.join(ladder.missing)}" if ladder.missing else ""
        notes = [f"{ladder.state}{missing}"]
    rows = ((f"{step.at:%Y-%m-%d %H:%M:%S.%f}", step.what, step.detail) for step in steps)
    facts = {"id": bulletin_id, "steps": steps, "ladder": ladder}
    return Answer(facts, table=Table(("at", "what", "detail"), rows), notes=notes)


async def _life(app: App, bulletin_id: str) -> tuple[list[TraceStep], DeliveryStatus | None]:
    folder = app.state_folder()
    authority, registry = app.identity.authority, frame.open_registry(app)
    steps: list[TraceStep] = []
    ladder = None
    if (folder / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            steps += await box.read(lambda tx: picture.trace.of_outbox(tx, bulletin_id))
            ladder = await delivery.ledger.read(
                box, lambda tx: delivery.ledger.of_one(tx, authority, registry, bulletin_id)
            )
    if (folder / frame.STORE_FILE).exists():
        async with frame.open_store(app) as store:
            steps += await store.read(lambda tx: picture.trace.of_store(tx, bulletin_id))
    return steps, ladder
