"""`tocsin clocks`: the running deadlines, with who owes what."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from bus import trust
from bus.cli import frame
from bus.cli.analyst.answers import marked
from bus.cli.frame import Answer, App, Table, at, command
from bus.hub import picture
from schemas.vocab import Status

if TYPE_CHECKING:
    import sqlite3

    from bus.health import Report
    from bus.hub.picture.owed import Owed
    from bus.subscribing import Inbox

COLUMNS = ("when", "due", "rule", "owner", "bulletin", "issuer", "met", "marking", "id")
LESS = ("met", "issuer", "marking", "bulletin")
LATE, NEXT, LATER, MET, MET_LATE = "late", "next 6 h", "later", "met", "met late"
_WHEN = {"late": LATE, "due_soon": NEXT, "running": LATER, "met": MET, "met_late": MET_LATE}
COUNTED = 1000
"""So many that are late, and so many that are not, are counted beyond what is shown."""
_ORDER = (LATE, NEXT, LATER, MET_LATE, MET)


@command()
@click.option("--all", "every", is_flag=True, help="also deadlines that were met")
@click.option("--mine", is_flag=True, help="only what this authority owes")
@click.option("--rule", help="only of this rule: gdpr-33, nis2-final, rfi, action-patch, acknowledgement ...")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def clocks(app: App, *, every: bool, mine: bool, rule: str | None, limit: int) -> Answer:
    """Show the running deadlines and who owes what: first the late ones, then those of the next six hours, then the rest.

    It lists reports under a law (a report that the law still accepts, by Regulation 1182/71, is not late), requests
    and questions, actions with a time, lessons, decisions to comply with, and bulletins that a hub must acknowledge.
    It reads the store of this context. The first line gives the time of the store and what is wrong here. Exits 9
    when the result is not reliable.
    """
    registry, now = frame.present_registry(app)
    me = app.identity.authority
    record = registry.document.authorities.get(me)
    reader = me if record is not None and record.kind == trust.HUB else None

    law = picture.clocked.law_of(lambda: registry, me, frame.deadlines_of(app))()

    def look(db: sqlite3.Connection) -> tuple[Report, list[Owed], list[str]]:
        ours, most = me if mine else None, max(limit, COUNTED)
        found = picture.owed.owed(db, now, registry, reader, every=every, ours=ours, rule=rule, most=most)
        wanted = sorted(found, key=lambda each: _ORDER.index(_WHEN[each.standing]))
        # A whole id leaves no room on a terminal for the topic.
        short = picture.selected.short if frame.on_terminal() else None
        ids = [short(db, each.id) if short else each.id for each in wanted[:limit]]
        return frame.report_beside(app, db, registry, now), wanted, ids

    async def asked(store: Inbox) -> tuple[Report, list[Owed], list[str]]:
        # What no hub has made here yet.
        is_left = await store.read(lambda db: picture.ringing.is_due(db, law, now))
        while is_left:
            is_left = await store.write(lambda db: picture.ringing.advance(db, law, now))
        return await store.read(look)

    report, wanted, ids = frame.within(frame.open_store(app), asked)
    shown = wanted[:limit]
    return Answer(
        *shown,
        head=report,
        table=Table(COLUMNS, map(_row, shown, ids), LESS),
        notes=[_counted(wanted, len(shown), now)],
        code=frame.code_of(report),
    )


def _row(each: Owed, id_: str) -> tuple[str, ...]:
    return (
        _WHEN[each.standing],
        at(each.due),
        each.rule,
        ", ".join(each.owner) or "-",
        each.headline,
        each.issuer,
        at(each.met) if each.met else "-",
        marked(Status.ACTUAL, each.tlp, each.audience),
        id_,
    )


def _counted(wanted: list[Owed], shown: int, now: dt.datetime) -> str:
    """The line with the number of deadlines of each kind, and the time."""
    whens = [_WHEN[each.standing] for each in wanted]
    parts = [f"{whens.count(when)} {when}" for when in _ORDER if when in whens]
    told = ", ".join(parts) or "no clock runs"
    more = f"; {shown} of {len(wanted)} shown, more: --limit {len(wanted)}" if shown < len(wanted) else ""
    return f"as of {at(now)} UTC: {told}{more}"
