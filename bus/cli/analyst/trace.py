"""`tocsin trace`: the whole life of one bulletin, from this identity's own outbox and store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bus import delivery
from bus.cli import frame
from bus.cli.frame import Answer, App, NotFoundError, Table, command, completing
from bus.hub import picture

if TYPE_CHECKING:
    import sqlite3

    from bus.delivery import DeliveryStatus
    from bus.hub.picture import About, TraceStep
    from bus.trust import VerifiedRegistry


@command()
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.option("--exact", is_flag=True, help="trace exactly this version, not the newest")
async def trace(app: App, bulletin_id: str, *, exact: bool) -> Answer:
    """Show the life of a bulletin: stamped, kept, sent, stored; admitted or refused and why; replaced; answered.

    ID is the id of any version, at least its first four characters, or a digest. The newest version is traced.
    """
    named, steps, ladder, label = await _life(app, bulletin_id, exact=exact)
    if not steps:
        raise NotFoundError(f"neither the outbox nor the store of this context knows {bulletin_id}")
    steps.sort(key=lambda step: step.at)
    notes = [] if ladder is None else [_how_far(ladder)]
    notes += [f"answers: {', '.join(told)}" for told in [label] if told]
    rows = ((f"{step.at:%Y-%m-%d %H:%M:%S.%f}", step.what, step.detail) for step in steps)
    facts = {"id": named.id, "thread": named.thread, "steps": steps, "ladder": ladder, "answers": label}
    return Answer(facts, table=Table(("at", "what", "detail"), rows), notes=notes, remarks=named.words)


def _how_far(status: DeliveryStatus) -> str:
    """A sentence that says who has received it, who has read it, and who has not."""
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
) -> tuple[frame.Named, list[TraceStep], DeliveryStatus | None, tuple[str, ...]]:
    folder = app.state_folder()
    authority, registry = app.identity.authority, frame.open_registry(app)
    named = frame.Named(wanted)
    steps: list[TraceStep] = []
    ladder = None
    about: list[About] = []
    label: tuple[str, ...] = ()
    if (folder / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            named = await frame.named_in_outbox(box, wanted, exact=exact)
            steps += await box.read(lambda tx: picture.trace.of_outbox(tx, named.id))
            about = await box.read(lambda tx: _own(tx, authority, named))
            ladder = await delivery.ledger.read(
                box, lambda tx: delivery.ledger.of_one(tx, authority, registry, named.id)
            )
    if (folder / frame.STORE_FILE).exists():
        async with frame.open_store(app) as store:
            if named.thread is None:
                named = await store.read(lambda tx: frame.named_in_store(tx, wanted, exact=exact))
            steps += await store.read(lambda tx: picture.trace.of_store(tx, named.id))
            about = about or await store.read(lambda tx: _held(tx, named))
            for each in about:
                steps += await store.read(lambda tx, each=each: picture.trace.of_answers(tx, each, registry))  # type: ignore[misc]  # bound now
                label += await store.read(lambda tx, each=each: _label(tx, each, registry))  # type: ignore[misc]  # bound now
    return named, steps, ladder, label


def _own(db: sqlite3.Connection, me: str, named: frame.Named) -> list[About]:
    """The versions of this authority's own bulletin."""
    return [
        about for id_ in frame.ids_of(db, named, cancels=False) for about in picture.answers.own(db, me, id_)
    ]


def _held(db: sqlite3.Connection, named: frame.Named) -> list[About]:
    """The versions of another authority's bulletin."""
    return [
        about for id_ in frame.ids_of(db, named, cancels=False) for about in picture.answers.held(db, id_)
    ]


def _label(db: sqlite3.Connection, about: About, registry: VerifiedRegistry) -> tuple[str, ...]:
    """The answers to a bulletin, counted."""
    said = picture.answers.to_one(db, about, registry)
    return picture.answers.label(said, settled=picture.answers.is_settled(db, about))
