"""`tocsin watch`: bulletins by topic, each verified, as they arrive.

The reader's own store is followed. When no hub of this identity is running, this process reads in its place: it takes
the store's lease, subscribes, admits and keeps, exactly as a hub does. With --no-follow it shows what is held and ends,
and keeps no hub from starting.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

import click

from bus.cli.frame import (
    DONE,
    INTERRUPTED,
    STATUS,
    App,
    Since,
    command,
    health_option,
    interest_of,
    reading,
    repeatable,
    show,
)

if TYPE_CHECKING:
    from schemas.subject import Interest


@command(when_asked=INTERRUPTED)
@repeatable("--topic", "topics", help="a domain (cyber) or a kind (data-breach); may be repeated")
@repeatable("--country", "countries", metavar="CC", help="issued by an authority of this country")
@repeatable("--area", "areas", metavar="CC", help="affecting this country, eu, multi or intl")
@repeatable("--election", "elections", metavar="ID", help="about this election")
@click.option("--min-priority", type=click.Choice(["p1", "p2", "p3", "p4"]), help="this urgent or more")
@repeatable("--status", "statuses", type=STATUS, help="of this status; actual unless you say otherwise")
@click.option(
    "--since", type=Since(), default="now", show_default=True, help="all, now, or a span such as 2h"
)
@click.option("--count", type=click.IntRange(min=1), help="end after so many")
@health_option
@click.option("--follow/--no-follow", default=True, help="end when everything held has been shown")
async def watch(
    app: App,
    *,
    since: dt.timedelta | None,
    count: int | None,
    follow: bool,
    **interest: tuple[str, ...] | str | None,
) -> int:
    """Show bulletins as they arrive, each verified here. With --json, one object a line.

    What is sealed to this identity is opened as it is shown, when the context names its seal keys.

    Without a hub of this identity running, watch reads from the bus itself. Ctrl-C ends it (exit 130). With --no-follow it
    says first, on standard error, as of when it is and what is wrong, and exits 9 when that is bad.
    """
    return await _watch(app, interest_of(**interest), since, count, follow=follow)


async def _watch(
    app: App, interest: Interest, since: dt.timedelta | None, count: int | None, *, follow: bool
) -> int:
    from bus.cli.frame import Unsealer, code_of, open_store, present_registry, report_beside, until_shown
    from schemas.subject import parse

    shown = 0
    unsealer = Unsealer(app, "watch")
    unsealer.keys()  # now, for it may ask for a passphrase, and nothing must wait for that once the bus is read
    registry, now = present_registry(app)
    async with open_store(app) as store, reading(app, store, "watch") if follow else contextlib.nullcontext():
        code = DONE
        if not follow:
            report = await store.read(lambda db: report_beside(app, db, registry, now))
            app.aside({"health": report}) if app.json else app.warn(report.words())
            code = code_of(report)
        start = 0 if since is None else await store.row_before(app.now() - since)
        async for row in store.follow(start, live=follow):
            if not interest.matches(parse(row.subject)):
                continue
            show(app, row, unsealer)
            await until_shown(app)
            shown += 1
            if count is not None and shown >= count:
                break
    return code
