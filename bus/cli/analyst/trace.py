"""`tocsin trace`: the whole life of one bulletin, as far as this identity's own stores tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bus import delivery
from bus.cli import frame
from bus.cli.frame import Answer, App, NotFoundError, Table, command
from bus.hub import picture

if TYPE_CHECKING:
    from bus.delivery import DeliveryStatus
    from bus.hub.picture import TraceStep


@command()
@click.argument("bulletin_id", metavar="ID")
@click.option("--exact", is_flag=True, help="of that very version, not of the newest")
async def trace(app: App, bulletin_id: str, *, exact: bool) -> Answer:
    """Stamped, kept, sent, stored; admitted or refused and why; replaced by what.

    ID is an id of any version, at least four characters of its beginning, or a digest; the newest version is traced.
    """
    named, steps, ladder = await _life(app, bulletin_id, exact=exact)
    if not steps:
        raise NotFoundError(f"neither the outbox nor the store of this context knows {bulletin_id}")
    steps.sort(key=lambda step: step.at)
    notes = [] if ladder is None else [_how_far(ladder)]
    rows = ((f"{step.at:%Y-%m-%d %H:%M:%S.%f}", step.what, step.detail) for step in steps)
    facts = {"id": named.id, "thread": named.thread, "steps": steps, "ladder": ladder}
    return Answer(facts, table=Table(("at", "what", "detail"), rows), notes=notes, remarks=named.words)


def _how_far(status: DeliveryStatus) -> str:
    """Who has received it and who has read it, each apart, and who has not."""
    if not status.readers:
        return f"{status.state}; no hub must have it"
    received = [each.reader for each in status.readers if each.received or each.read]
    read = [each.reader for each in status.readers if each.read]
    every = [each.reader for each in status.readers]
    return f"{status.state}: received by {_of(received, every)}; read by {_of(read, every)}"


def _of(some: list[str], every: list[str]) -> str:
    if not some:
        return f"none of {', '.join(every)}"
    left = [each for each in every if each not in some]
    return ", ".join(some) + (f", not by {', '.join(left)}" if left else "")


async def _life(
    app: App, wanted: str, *, exact: bool
) -> tuple[frame.Named, list[TraceStep], DeliveryStatus | None]:
    folder = app.state_folder()
    authority, registry = app.identity.authority, frame.open_registry(app)
    named = frame.Named(wanted)
    steps: list[TraceStep] = []
    ladder = None
    if (folder / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            named = await frame.named_in_outbox(box, wanted, exact=exact)
            steps += await box.read(lambda tx: picture.trace.of_outbox(tx, named.id))
            ladder = await delivery.ledger.read(
                box, lambda tx: delivery.ledger.of_one(tx, authority, registry, named.id)
            )
    if (folder / frame.STORE_FILE).exists():
        async with frame.open_store(app) as store:
            if named.thread is None:
                named = await store.read(lambda tx: frame.named_in_store(tx, wanted, exact=exact))
            steps += await store.read(lambda tx: picture.trace.of_store(tx, named.id))
    return named, steps, ladder
