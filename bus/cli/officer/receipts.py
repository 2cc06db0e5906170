"""`tocsin outbox receipts`: how far what was said has come, who has not answered, and whom to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bus.cli.frame import App, NotFoundError, command

if TYPE_CHECKING:
    import datetime as dt

    from bus.delivery import DeliveryStatus, Overdue
    from bus.trust import VerifiedRegistry
    from schemas.bodies.electoral import ElectionCalendar

READ_S = 5.0


@command(name="receipts")
@click.argument("bulletin_id", metavar="[ID]", required=False)
@click.option("--overdue", is_flag=True, help="only who has not answered in time, and whom to ask next")
@click.option("--offline", is_flag=True, help="what is known on this disk; do not read the bus")
def receipts(app: App, bulletin_id: str | None, *, overdue: bool, offline: bool) -> None:
    """How far each bulletin has come: accepted, stored, received, read; and who confirms a withdrawal.

    ID is an id or a digest of this authority's outbox; without it, everything of the last 30 days. Reads what has come
    on the bus first.
    """
    from bus.cli.frame import deadlines_of, open_registry
    from bus.delivery import late

    app.logs(errors_only=True)
    _, context = app.context()
    now = app.now()
    registry = open_registry(context, now)
    found = asyncio.run(_found(app, context.authority, registry, now, bulletin_id, offline=offline))
    if bulletin_id is not None and not found:
        raise NotFoundError(f"the outbox of this context has not said {bulletin_id}")
    items = late(found, now, deadlines_of(app), registry, asyncio.run(_calendars(app)))
    if app.json:
        for each in items if overdue else found:
            app.data(each)
    elif overdue:
        _overdue(app, items)
    elif bulletin_id is not None:
        _one(app, found[0])
        _overdue(app, items)
    else:
        app.table(
            ("state", "channel", "seq", "id", "not answered"),
            [(_state(s), s.said.channel, s.said.seq, s.said.id, _missing(s)) for s in found],
        )


async def _calendars(app: App) -> Sequence[ElectionCalendar]:
    from bus.cli.frame import at_hand

    async with at_hand(app) as calendars:
        return await calendars.own()


async def _found(
    app: App,
    authority: str,
    registry: VerifiedRegistry,
    now: dt.datetime,
    wanted: str | None,
    *,
    offline: bool,
) -> Sequence[DeliveryStatus]:
    from bus.cli.frame import open_outbox, open_publisher, tracking
    from bus.delivery import ledger

    if not offline:
        async with open_publisher(app) as publisher, tracking(app, publisher) as tracker:
            if not await tracker.caught_up(app.timeout(READ_S)):
                app.note("the bus could not be read to its end; this is what was known before")
    async with open_outbox(app) as box:
        if wanted is None:
            return await ledger.read(box, lambda db: ledger.lately(db, authority, registry, now))
        one = await ledger.read(box, lambda db: ledger.of_one(db, authority, registry, wanted))
        return [one] if one else []


def _state(found: DeliveryStatus) -> str:
    if not found.said.is_cancelled:
        return str(found.state)
    return f"{found.state}, withdrawn" if not found.unconfirmed else f"{found.state}, being withdrawn"


def _missing(found: DeliveryStatus) -> str:
    waited = found.unconfirmed if found.said.is_cancelled else found.missing
    return ", ".join(waited) or ("-" if found.readers else "no hub may read it")


def _one(app: App, found: DeliveryStatus) -> None:
    app.line(f"{_state(found)}: {found.said.channel}, number {found.said.seq}")
    app.line(f"  accepted {_at(found.said.accepted)}, stored {_at(found.said.stored)}")
    app.table(
        ("hub", "received", "read", "withdrawn"),
        [
            (
                each.reader,
                "has no key or grant to answer"
                if each.mute and each.received is None
                else _at(each.received),
                _at(each.read),
                _at(each.withdrawn),
            )
            for each in found.readers
        ],
    )


def _overdue(app: App, items: Sequence[Overdue]) -> None:
    for each in items:
        whom = (
            "the registry must give it a key and a grant to answer"
            if each.mute
            else f"ask {each.contact}"
            if each.contact
            else "the registry names nobody to ask there"
        )
        app.line(
            f"overdue: {each.id} ({each.priority}) not {each.what} by {each.reader} since {_at(each.due)}; {whom}"
        )


def _at(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"
