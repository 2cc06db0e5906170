"""`tocsin outbox receipts`: how far each bulletin has come, who has not answered, and whom to ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from bus import delivery
from bus.cli import frame
from bus.cli.frame import DONE, UNREACHABLE, Answer, App, NotFoundError, Table, at, command, completing

if TYPE_CHECKING:
    import datetime as dt

    from bus.delivery import DeliveryStatus, Overdue
    from bus.trust import VerifiedRegistry

READ_S = 5.0


@command(name="receipts")
@click.argument("bulletin_id", metavar="[ID]", required=False, shell_complete=completing.bulletins)
@click.option("--overdue", is_flag=True, help="only what is overdue, with whom to ask next")
@click.option("--offline", is_flag=True, help="show only what this disk holds; do not read the bus")
async def receipts(
    app: App, bulletin_id: str | None, *, overdue: bool, offline: bool
) -> Answer | list[Answer]:
    """Show how far each bulletin has come (accepted, stored, received, read), and who confirms a withdrawal.

    ID is the id of any version, at least its first four characters, or a digest. The newest version is shown. Without
    ID, all bulletins of the last 30 days are shown. Reads the bus first. If the bus does not answer, shows what this
    disk holds and exits 7.
    """
    app.logs(errors_only=True)
    registry, now = frame.present_registry(app)
    is_whole = offline or await _heard(app)
    statuses = await _statuses(app, registry, now, bulletin_id)
    if bulletin_id is not None and not statuses:
        raise NotFoundError(f"the outbox of this context does not hold {bulletin_id}")
    async with frame.at_hand(app) as calendars:
        items = delivery.late(statuses, now, frame.deadlines_of(app), registry, await calendars.own())
    code = DONE if is_whole else UNREACHABLE
    if overdue:
        return Answer(*items, lines=map(_overdue, items), code=code)
    if bulletin_id is not None:
        return _of_one(statuses[0], map(_overdue, items), code)
    rows = [(_state(s), s.said.channel, s.said.seq, s.said.id, _missing(s)) for s in statuses]
    return Answer(
        *statuses,
        table=Table(("state", "channel", "seq", "id", "not answered"), rows, ("seq", "channel")),
        code=code,
    )


async def _heard(app: App) -> bool:
    """Read what has come on the bus; False when that was not possible to its end."""
    async with frame.open_publisher(app) as publisher, frame.tracking(app, publisher) as tracker:
        if await tracker.caught_up(app.timeout(READ_S)):
            return True
        health = await publisher.health()
    why = "" if health.connected else f": {health.problem or 'it does not answer'}"
    app.note(f"the bus could not be read to its end; this is what this disk holds{why}")
    return False


async def _statuses(
    app: App, registry: VerifiedRegistry, now: dt.datetime, wanted: str | None
) -> Sequence[DeliveryStatus]:
    authority = app.identity.authority
    async with frame.open_outbox(app) as box:
        if wanted is None:
            return await delivery.ledger.read(
                box, lambda db: delivery.ledger.lately(db, authority, registry, now)
            )
        named = await frame.named_in_outbox(box, wanted)
        one = await delivery.ledger.read(
            box, lambda db: delivery.ledger.of_one(db, authority, registry, named.id)
        )
    for word in named.words:
        app.note(word)
    return [one] if one else []


def _state(status: DeliveryStatus) -> str:
    if not status.said.is_cancelled:
        return str(status.state)
    return f"{status.state}, withdrawn" if not status.unconfirmed else f"{status.state}, being withdrawn"


def _missing(status: DeliveryStatus) -> str:
    waited = status.unconfirmed if status.said.is_cancelled else status.missing
    return ", ".join(waited) or ("-" if status.readers else "no hub may read it")


def _of_one(status: DeliveryStatus, overdue: Iterable[str], code: int) -> list[Answer]:
    lines = [
        f"{_state(status)}: {status.said.channel}, number {status.said.seq}",
        f"  accepted {at(status.said.accepted)}, stored {at(status.said.stored)}",
    ]
    rows = []
    for hub in status.readers:
        mute = hub.mute and hub.received is None
        received = "has no key or grant to answer" if mute else at(hub.received)
        rows.append((hub.reader, received, at(hub.read), at(hub.withdrawn)))
    return [
        Answer(status, lines=lines, table=Table(("hub", "received", "read", "withdrawn"), rows), code=code),
        Answer(lines=overdue),
    ]


def _overdue(item: Overdue) -> str:
    whom = f"ask {item.contact}" if item.contact else "the registry names nobody to ask there"
    if item.mute:
        whom = "the registry must give it a key and a grant to answer"
    return (
        f"overdue: {item.id} ({item.priority}) not {item.what} by {item.reader} since {at(item.due)}; {whom}"
    )
