"""`tocsin picture`, `channels`, `quarantine`: the state of things, from the reader's store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli.frame import App, at, command, query_store, wrapped

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3

    from bus.cli.frame import Unsealer
    from bus.hub.picture import Item, Picture
    from bus.subscribing import Stored
    from bus.trust import VerifiedRegistry

PHASES = ("before", "during", "after", "none")
COLUMNS = ("state", "authority", "channel", "last", "issued", "gaps", "missing", "forks", "split", "refused")


@command()
def picture(app: App) -> None:
    """The situation now: what is in force, by dimension and country, and what stands out.

    Of what stands out, what is sealed to this identity is opened, when the context names its seal keys.
    """
    from bus.cli.frame import Unsealer, present_registry
    from bus.hub.picture import summary

    registry, now = present_registry(app)
    closed, held = query_store(app, lambda tx: _pictured(tx, now, registry, app.identity.authority))
    unsealer = Unsealer(app, "picture")
    top = tuple(_seen(item, unsealer, held[item.id, item.issuer]) for item in closed.top)
    seen = msgspec.structs.replace(closed, top=top)
    app.answer(seen, lines=(part for line in summary.as_text(seen) for part in wrapped(line)))


def _pictured(
    db: sqlite3.Connection, now: dt.datetime, registry: VerifiedRegistry, reader: str
) -> tuple[Picture, dict[tuple[str, str], Stored]]:
    """The picture, and the bulletins that stand out in it, as they are kept."""
    from bus.hub.picture import summary
    from bus.subscribing import stored

    closed = summary.picture(db, now, registry, reader)
    marks = ", ".join("?" * len(closed.top))
    rows = db.execute(f"SELECT * FROM admitted WHERE id IN ({marks})", [item.id for item in closed.top])
    held = [stored(row) for row in rows]
    return closed, {(row.id, row.bulletin.issuer.id): row for row in held}


def _seen(item: Item, unsealer: Unsealer, row: Stored) -> Item:
    """An item of the picture, as this identity may see it."""
    from bus.cli.frame import headline
    from bus.sealing import is_closed

    if not is_closed(row.bulletin):
        return item
    seen = unsealer.look(row.bulletin, row.digest)
    return msgspec.structs.replace(
        item,
        kind=seen.bulletin.kind,
        severity=seen.bulletin.severity,
        headline=headline(seen.bulletin),
        sealed=seen.remarks,
    )


@command()
@click.option("--alarms", is_flag=True, help="what is wrong: the alarms that stand, since when and why")
@click.option("--all", "ended", is_flag=True, help="with --alarms: those that have ended too")
@click.option("--uptime", is_flag=True, help="in parts per million by phase, as far as a hub has watched")
def channels(app: App, *, alarms: bool, ended: bool, uptime: bool) -> None:
    """Every channel this identity may read: live, late, silent, planned or unheard; gaps, forks, refusals.

    `missing` is how many its authority, or another hub, says follow that have not come; `split` how many had another
    bulletin at one place than this hub was given. Alarms and uptime are recorded by a hub that runs.
    """
    from bus.cli.frame import present_registry
    from bus.hub.watch import channel_rows, real

    if ended and not alarms:
        raise click.UsageError("--all goes with --alarms")
    if alarms:
        _alarms(app, ended=ended)
        return
    authority = app.identity.authority
    registry, now = present_registry(app)
    rows = real(query_store(app, lambda tx: channel_rows(tx, now, registry, authority)))
    if uptime:
        columns: tuple[str, ...] = ("state", "authority", "channel", *PHASES)
        cells = (
            (row.state, row.authority, row.channel, *(row.uptime.get(phase, "-") for phase in PHASES))
            for row in rows
        )
    else:
        columns = COLUMNS
        cells = (
            (
                row.state,
                row.authority,
                row.channel,
                row.last_seq or "-",
                at(row.last_issued),
                row.gaps,
                row.announced,
                row.forks,
                len(row.split),
                row.refused,
            )
            for row in rows
        )
    app.answer(rows, table=(columns, cells))


def _alarms(app: App, *, ended: bool) -> None:
    from bus.hub.watch import recorded_alarms

    alarms = query_store(app, lambda tx: recorded_alarms(tx, ended=ended))
    app.answer(
        alarms,
        table=(
            ("began", "ended", "reason", "channel", "detail"),
            (
                (at(alarm.began), at(alarm.ended), alarm.reason, alarm.channel, alarm.detail)
                for alarm in alarms
            ),
        ),
        notes=[] if alarms else ["no alarm is on record" if ended else "no alarm stands"],
    )


@command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def quarantine(app: App, *, limit: int) -> None:
    """What was refused and is kept as evidence: when, on which subject, for which reason."""
    from bus.hub.picture import summary

    refusals = query_store(app, lambda tx: summary.quarantine(tx, limit))
    rows = ((at(refusal.at), refusal.reason, refusal.subject, refusal.detail) for refusal in refusals)
    app.answer(
        *refusals,
        table=(("at", "reason", "subject", "detail"), rows),
        notes=[] if refusals else ["nothing was refused"],
    )
