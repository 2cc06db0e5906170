"""`tocsin bulletin ack`: tells the author that a person has read a bulletin."""

from __future__ import annotations

from functools import partial

import click

from bus.cli import frame
from bus.cli.frame import DONE, QUEUED, Answer, App, NotFoundError, command, completing
from bus.hub import exchange
from schemas.subject import Channel
from schemas.vocab import TALK

STORED_S = 5.0


@command(name="ack")
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.option("--note", help="a note for this desk's own audit record; the author does not see it")
async def ack(app: App, bulletin_id: str, *, note: str | None) -> Answer:
    """Tell the author that a person here has read the bulletin ID.

    ID is the id of any version, at least its first four characters, or a digest. The newest version is acknowledged.
    Needs a signing key in this context, and a grant for receipts to that author. Exits 75 when the receipt is safe on
    this disk but the bus has not acknowledged it yet.
    """
    app.logs(errors_only=True)
    async with frame.open_store(app) as store, frame.open_publisher(app) as publisher:
        named = await store.read(lambda db: frame.named_in_store(db, bulletin_id))
        row = await store.read(lambda db: frame.admitted_row(db, named.id))
        if row is None:
            raise NotFoundError(f"the store of this context does not hold {named.id}")
        channel = Channel.parse(row["channel"])
        if channel.status in TALK or channel.issuer == app.identity.authority:
            raise click.UsageError(
                "only a bulletin of another authority, written for people, can be acknowledged"
            )
        record = partial(
            frame.record, app, "acknowledged", id=row["id"], digest=row["digest"], note=note or ""
        )
        done = await exchange.acknowledge(store, publisher, row, record)
        state = "stored" if await publisher.idle(app.timeout(STORED_S)) else "accepted"
    told = "acknowledged" if done.is_new else "acknowledged before"
    return Answer(
        {
            "id": row["id"],
            "digest": row["digest"],
            "author": channel.issuer,
            "new": done.is_new,
            "state": state,
        },
        notes=[f"{told}: {row['id']} of {channel.issuer}, {state}"],
        remarks=named.words,
        code=DONE if state == "stored" else QUEUED,
    )
