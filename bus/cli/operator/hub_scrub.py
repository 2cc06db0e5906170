"""`tocsin hub scrub`: the store held against itself and against the streams."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App
from bus.cli.frame.commands import command

if TYPE_CHECKING:
    from bus.errors import BusError
    from bus.hub.scrub import Compared, Damage

CONNECT_S = 5.0


@command(None, "scrub")
def scrub(app: App) -> None:
    """Verify everything in the store anew, and read the streams whole beside it.

    What the store lacked is taken in; what a stream has lost is named, and its author sends it again (tocsin outbox scrub).
    While hub run reads into the store only the store is checked. Exits 1 when a bulletin in the store is damaged, 8 when a
    stream has lost something.
    """
    app.logs(errors_only=True)
    damage, compared, problem = asyncio.run(_work(app))
    if app.json:
        app.data({"damaged": damage, "streams": compared})
    else:
        for each in damage:
            app.line(f"damaged: {each.channel} number {each.seq}, {each.id}: {each.what}")
        app.table(
            ("stream", "held", "taken in", "lost"),
            [(each.stream, each.held, each.taken, sum(each.lost.values())) for each in compared or ()],
        )
        for channel, count in sorted((c, n) for each in compared or () for c, n in each.lost.items()):
            app.line(f"lost: {count} of {channel}; its authority sends it again with: tocsin outbox scrub")
        if compared is None and problem is None:
            app.note(
                "hub run is reading into this store, so only the store was checked; end it to read the streams"
            )
        app.note(_summary(len(damage)))
    if problem is not None:
        raise problem
    if damage:
        raise click.exceptions.Exit(1)
    if any(each.lost for each in compared or ()):
        raise click.exceptions.Exit(8)


def _summary(count: int) -> str:
    if not count:
        return "every bulletin in the store is as it was admitted"
    return f"{count} in the store are damaged: keep the file, and make a new one from the streams (set it aside, tocsin hub run)"


async def _work(app: App) -> tuple[list[Damage], tuple[Compared, ...] | None, BusError | None]:
    """What is damaged, the streams unless they could not be read, and why they could not."""
    from bus.cli.frame.session import endpoint, open_registry, open_store
    from bus.errors import BrokerError, DeniedError, UnreachableError
    from bus.hub import scrub as scrubbing

    name, context = app.context()
    registry = open_registry(context, app.now())
    async with open_store(app) as store:
        damage = await store.read(lambda db: list(scrubbing.damaged(db, registry)))
        place = endpoint(context, f"{name} scrub")
        try:
            compared = await scrubbing.compare(place, store, registry, app.now, app.timeout(CONNECT_S))
        except (UnreachableError, DeniedError, BrokerError) as exc:
            return damage, None, exc
        return damage, compared, None
