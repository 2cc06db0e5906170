"""`tocsin picture`, `channels`, `quarantine`: the situation, the channels and what was refused, from the reader's store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import msgspec

from bus import sealing, subscribing
from bus.cli import frame
from bus.cli.frame import (
    TINTS,
    Answer,
    App,
    Painted,
    Part,
    Table,
    at,
    command,
    filter_options,
    wrapped,
)
from bus.hub import picture as situation
from bus.hub import watch
from schemas import review
from schemas.passing_on import marks

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3

    from bus.cli.frame import Unsealer
    from bus.filters import Selection
    from bus.health import Report
    from bus.hub.picture import Item, Picture
    from bus.hub.watch import ChannelRow
    from bus.hub.watch import alarms as watched
    from bus.subscribing import Stored
    from bus.trust import VerifiedRegistry

PHASES = ("before", "during", "after", "none")
LESS = ("last", "refused", "split", "missing", "gaps", "forks", "issued")
"""Columns of the channels that a narrow terminal leaves out. Empty columns go first."""
_WORDS = re.compile(r"\s+|[^\s]+")
COLUMNS = ("state", "authority", "channel", "last", "issued", "gaps", "missing", "forks", "split", "refused")


@command()
@filter_options
def picture(app: App, *, selection: Selection) -> Answer:
    """Show the situation now: what is in force, by dimension and country, and what stands out.

    A filter limits the bulletins. Channels, elections and the last line stay whole.

    The first line gives the time of the picture and what is wrong here. While no program reads into the store, no
    channel is judged. Sealed bulletins that stand out are opened if the context names a seal key for them. Exits 9
    when the picture is not reliable.
    """
    registry, now = frame.present_registry(app)
    report, closed, held = frame.query_store(app, lambda tx: _pictured(app, tx, now, registry, selection))
    unsealer = frame.Unsealer(app, "picture")
    top = tuple(_seen(item, unsealer, held[item.id, item.issuer], now) for item in closed.top)
    seen = msgspec.structs.replace(closed, top=top)
    facts = {**msgspec.structs.asdict(seen), "health": report}
    return Answer(
        facts,
        head=report,
        lines=[
            Painted(_in_colour(part)) for line in situation.summary.as_text(seen) for part in wrapped(line)
        ],
        code=frame.code_of(report),
    )


def _in_colour(line: str) -> list[Part]:
    """A line of the picture with its colours: priority and marking of a bulletin, state of channels and trust."""
    if not line.startswith("channels: ") and " UTC   trust " not in line:
        return frame.in_colour(line)
    return [(word, TINTS.get(word.strip(" ,"))) for word in _WORDS.findall(line)]


def _pictured(
    app: App, db: sqlite3.Connection, now: dt.datetime, registry: VerifiedRegistry, selection: Selection
) -> tuple[Report, Picture, dict[tuple[str, str], Stored]]:
    """The report on how reliable the picture is; the picture; and by (id, issuer) the stored bulletins that stand out."""
    report = frame.report_beside(app, db, registry, now)
    closed = situation.summary.picture(
        db, now, registry, app.identity.authority, blind=report.is_blind, selection=selection
    )
    marks = ", ".join("?" * len(closed.top))
    rows = db.execute(
        f"SELECT a.* FROM links l JOIN admitted a ON a.row = l.row WHERE l.id IN ({marks})",
        [item.id for item in closed.top],
    )
    held = [subscribing.stored(row) for row in rows]
    return report, closed, {(row.id, row.bulletin.issuer.id): row for row in held}


def _seen(item: Item, unsealer: Unsealer, row: Stored, now: dt.datetime) -> Item:
    """An item of the picture, opened for this identity if possible, with what its bulletin forbids."""
    if not sealing.is_closed(row.bulletin):
        return msgspec.structs.replace(
            item, labels=(*marks(row.bulletin, now), *review.labels(row.bulletin), *item.labels)
        )
    seen = unsealer.look(row.bulletin, row.digest)
    return msgspec.structs.replace(
        item,
        labels=(*marks(seen.bulletin, now), *review.labels(seen.bulletin), *item.labels),
        kind=seen.bulletin.kind,
        severity=seen.bulletin.severity,
        headline=frame.headline(seen.bulletin),
        sealed=seen.remarks,
    )


@command()
@click.option("--alarms", is_flag=True, help="what is wrong: the open alarms, since when and why")
@click.option("--all", "ended", is_flag=True, help="with --alarms: also the alarms that have ended")
@click.option("--uptime", is_flag=True, help="share of the watched time, in parts per million by phase")
def channels(app: App, *, alarms: bool, ended: bool, uptime: bool) -> Answer:
    """Show every channel this identity may read: live, late, silent, planned or unheard; gaps, forks, refusals.

    `missing` counts the bulletins that the authority or another hub announced and that have not arrived. `split`
    counts the hubs that hold another bulletin than this hub at one place. A running hub records alarms and uptime.
    While no program reads into the store, or its reader lags, every state is `unknown`. Exits 9 when the result is
    not reliable.
    """
    if ended and not alarms:
        raise click.UsageError("--all goes with --alarms")
    authority = app.identity.authority
    registry, now = frame.present_registry(app)

    def look(tx: sqlite3.Connection) -> tuple[Report, tuple[ChannelRow, ...], tuple[watched.AlarmRow, ...]]:
        report = frame.report_beside(app, tx, registry, now)
        if alarms:
            return report, (), watch.recorded_alarms(tx, ended=ended)
        rows = watch.channel_rows(tx, now, registry, authority, blind=report.is_blind, with_uptime=True)
        return report, watch.real(rows), ()

    report, rows, on_record = frame.query_store(app, look)
    if alarms:
        return _alarms(on_record, report, ended=ended)
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
    return Answer(rows, head=report, table=Table(columns, cells, LESS), code=frame.code_of(report))


def _alarms(alarms: tuple[watched.AlarmRow, ...], report: Report, *, ended: bool) -> Answer:
    return Answer(
        alarms,
        head=report,
        code=frame.code_of(report),
        table=Table(
            ("began", "ended", "reason", "channel", "detail"),
            (
                (at(alarm.began), at(alarm.ended), alarm.reason, alarm.channel, alarm.detail)
                for alarm in alarms
            ),
        ),
        notes=[] if alarms else ["no alarm is on record" if ended else "no alarm is open"],
    )


@command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def quarantine(app: App, *, limit: int) -> Answer:
    """List what was refused and is kept as evidence: when, on which subject, for which reason."""
    refusals = frame.query_store(app, lambda tx: situation.summary.quarantine(tx, limit))
    rows = ((at(refusal.at), refusal.reason, refusal.subject, refusal.detail) for refusal in refusals)
    return Answer(
        *refusals,
        table=Table(("at", "reason", "subject", "detail"), rows),
        notes=[] if refusals else ["nothing was refused"],
    )
