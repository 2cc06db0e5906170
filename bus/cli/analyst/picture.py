"""`tocsin picture`, `channels`, `quarantine`: the state of things, from the reader's store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli.frame import App, command, query_store, wrapped

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3

    from bus.cli.frame import Unsealer
    from bus.hub.picture import Item, Picture
    from bus.subscribing import Stored
    from bus.trust import VerifiedRegistry

PHASES = ("before", "during", "after", "none")


@command()
def picture(app: App) -> None:
    """The situation now: what is in force, by dimension and country, and what stands out.

    Of what stands out, what is sealed to this identity is opened, when the context names its seal keys.
    """
    from bus.cli.frame import Unsealer, open_registry
    from bus.hub.picture import summary

    now = app.now()
    registry = open_registry(app.context()[1], now)
    found, held = query_store(app, lambda tx: _pictured(tx, now, registry, app.context()[1].authority))
    unsealer = Unsealer(app, "picture")
    found = msgspec.structs.replace(
        found, top=tuple(_seen(item, unsealer, held[item.id, item.issuer]) for item in found.top)
    )
    if app.json:
        app.data(found)
        return
    for line in summary.as_text(found):
        for part in wrapped(line):
            app.line(part)


def _pictured(
    db: sqlite3.Connection, now: dt.datetime, registry: VerifiedRegistry, reader: str
) -> tuple[Picture, dict[tuple[str, str], Stored]]:
    """The picture, and the bulletins that stand out in it, as they are kept."""
    from bus.hub.picture import summary
    from bus.subscribing import stored

    found = summary.picture(db, now, registry, reader)
    marks = ", ".join("?" * len(found.top))
    rows = db.execute(f"SELECT * FROM admitted WHERE id IN ({marks})", [item.id for item in found.top])
    held = [stored(row) for row in rows]
    return found, {(row.id, row.bulletin.issuer.id): row for row in held}


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
    from bus.cli.frame import open_registry
    from bus.hub.watch import channel_rows as every
    from bus.hub.watch import real

    if ended and not alarms:
        raise click.UsageError("--all goes with --alarms")
    if alarms:
        _alarms(app, ended=ended)
        return
    _, context = app.context()
    now = app.now()
    registry = open_registry(context, now)
    found = real(query_store(app, lambda tx: every(tx, now, registry, context.authority)))
    if app.json:
        app.data(found)
        return
    if uptime:
        app.table(
            ("state", "authority", "channel", *PHASES),
            [
                (row.state, row.authority, row.channel, *(row.uptime.get(phase, "-") for phase in PHASES))
                for row in found
            ],
        )
        return
    app.table(
        ("state", "authority", "channel", "last", "issued", "gaps", "missing", "forks", "split", "refused"),
        [
            (
                row.state,
                row.authority,
                row.channel,
                row.last_seq or "-",
                f"{row.last_issued:%Y-%m-%d %H:%M:%S}" if row.last_issued else "-",
                row.gaps,
                row.announced,
                row.forks,
                len(row.split),
                row.refused,
            )
            for row in found
        ],
    )


def _alarms(app: App, *, ended: bool) -> None:
    from bus.hub.watch import recorded_alarms

    found = query_store(app, lambda tx: recorded_alarms(tx, ended=ended))
    if app.json:
        app.data(found)
        return
    app.table(
        ("began", "ended", "reason", "channel", "detail"),
        [
            (
                f"{row.began:%Y-%m-%d %H:%M:%S}",
                f"{row.ended:%Y-%m-%d %H:%M:%S}" if row.ended else "-",
                row.reason,
                row.channel,
                row.detail,
            )
            for row in found
        ],
    )
    if not found:
        app.note("no alarm is on record" if ended else "no alarm stands")


@command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def quarantine(app: App, *, limit: int) -> None:
    """What was refused and is kept as evidence: when, on which subject, for which reason."""
    from bus.hub.picture import summary

    found = query_store(app, lambda tx: summary.quarantine(tx, limit))
    if app.json:
        for row in found:
            app.data(msgspec.to_builtins(row, enc_hook=str))
        return
    app.table(
        ("at", "reason", "subject", "detail"),
        [(f"{r.at:%Y-%m-%d %H:%M:%S}", r.reason, r.subject, r.detail) for r in found],
    )
    if not found:
        app.note("nothing was refused")
