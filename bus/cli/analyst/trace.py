"""`tocsin trace`: the whole life of one bulletin, as far as this identity's own stores tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bus import delivery
from bus.cli import frame
from bus.cli.frame import Answer, App, NotFoundError, Table, command
from bus.hub import picture

if TYPE_CHECKING:
    import sqlite3

    from bus.delivery import DeliveryStatus
    from bus.hub.picture import About, TraceStep
    from bus.trust import VerifiedRegistry


@command()
@click.argument("bulletin_id", metavar="ID")
async def trace(app: App, bulletin_id: str) -> Answer:
    """Stamped, kept, sent, stored; admitted or refused and why; replaced by what; answered by whom. ID is an id or a digest."""
    steps, ladder, label = await _life(app, bulletin_id)
    if not steps:
        raise NotFoundError(f"neither the outbox nor the store of this context knows {bulletin_id}")
    steps.sort(key=lambda step: step.at)
    notes = []
    if ladder is not None:
        missing = f"; not yet answered: {', '.join(ladder.missing)}" if ladder.missing else ""
        notes = [f"{ladder.state}{missing}"]
    notes += [f"answers: {', '.join(told)}" for told in [label] if told]
    rows = ((f"{step.at:%Y-%m-%d %H:%M:%S.%f}", step.what, step.detail) for step in steps)
    facts = {"id": bulletin_id, "steps": steps, "ladder": ladder, "answers": label}
    return Answer(facts, table=Table(("at", "what", "detail"), rows), notes=notes)


async def _life(app: App, bulletin_id: str) -> tuple[list[TraceStep], DeliveryStatus | None, tuple[str, ...]]:
    folder = app.state_folder()
    authority, registry = app.identity.authority, frame.open_registry(app)
    steps: list[TraceStep] = []
    ladder = None
    about: list[About] = []
    label: tuple[str, ...] = ()
    if (folder / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            steps += await box.read(lambda tx: picture.trace.of_outbox(tx, bulletin_id))
            about = await box.read(lambda tx: picture.answers.own(tx, authority, bulletin_id))
            ladder = await delivery.ledger.read(
                box, lambda tx: delivery.ledger.of_one(tx, authority, registry, bulletin_id)
            )
    if (folder / frame.STORE_FILE).exists():
        async with frame.open_store(app) as store:
            steps += await store.read(lambda tx: picture.trace.of_store(tx, bulletin_id))
            about = about or await store.read(lambda tx: picture.answers.held(tx, bulletin_id))
            for each in about:
                steps += await store.read(lambda tx, each=each: picture.trace.of_answers(tx, each, registry))  # type: ignore[misc]  # bound now
                label += await store.read(lambda tx, each=each: _label(tx, each, registry))  # type: ignore[misc]  # bound now
    return steps, ladder, label


def _label(db: sqlite3.Connection, about: About, registry: VerifiedRegistry) -> tuple[str, ...]:
    """The answers to a bulletin, counted."""
    said = picture.answers.to_one(db, about, registry)
    return picture.answers.label(said, settled=picture.answers.is_settled(db, about))
