"""`tocsin watch`: bulletins by topic, each verified, as they arrive.

The reader's own store is followed. When no hub of this identity is running, this process does the hub's
reading meanwhile: it takes the store's lease, subscribes, admits and keeps, exactly as a hub would. With --no-follow it
shows what is held and ends, and keeps no hub from starting.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App, command, hint
from bus.cli.frame.lines import show_bulletin

if TYPE_CHECKING:
    from bus.cli.frame.opening import Opener
    from bus.subscribing.inbox import Inbox
    from bus.subscribing.subscriber import Subscriber
    from bus.subscribing.tables import Stored
    from schemas.subject import Interest

_SINCE = re.compile(r"(\d+)([smhd])")
LOOK_S = 2.0
_COUNTRY = re.compile(r"[a-z]{2}|int")
_AREA = re.compile(r"[a-z]{2}|multi|intl")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType):  # type: ignore[type-arg]  # generic only in its stubs
    """`all`, `now`, or a span such as `2h`."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.timedelta | str:
        """A timedelta, or the word."""
        if isinstance(value, dt.timedelta) or value in ("all", "now"):
            return value
        if found := _SINCE.fullmatch(str(value)):
            return dt.timedelta(**{_UNIT[found[2]]: int(found[1])})
        self.fail(f"{value!r} is neither all, now, nor a span such as 30m, 2h or 7d", param, ctx)


@command()
@click.option(
    "--topic", "topics", multiple=True, help="a domain (cyber) or a kind (data-breach); may be repeated"
)
@click.option(
    "--country", "countries", multiple=True, metavar="CC", help="issued by an authority of this country"
)
@click.option(
    "--area", "areas", multiple=True, metavar="CC", help="affecting this country, eu, multi or intl"
)
@click.option("--election", "elections", multiple=True, metavar="ID", help="about this election")
@click.option("--min-priority", type=click.Choice(["p1", "p2", "p3", "p4"]), help="this urgent or more")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["actual", "exercise", "system", "test"]),
    help="of this status; actual unless you say otherwise",
)
@click.option(
    "--since", type=Since(), default="now", show_default=True, help="all, now, or a span such as 2h"
)
@click.option("--count", type=click.IntRange(min=1), help="end after so many")
@click.option("--follow/--no-follow", default=True, help="end when everything held has been shown")
def watch(
    app: App,
    *,
    since: dt.timedelta | str,
    count: int | None,
    follow: bool,
    **interest: tuple[str, ...] | str | None,
) -> None:
    """Show bulletins as they arrive, each verified here. With --json, one object a line.

    What is sealed to this identity is opened as it is shown, when the context names its seal keys.

    Without a hub of this identity running, watch reads from the bus itself. Ctrl-C ends it (exit 130).
    """
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(app, interest_of(**interest), since, count, follow=follow))
        return
    raise click.exceptions.Exit(130)


def interest_of(**parts: tuple[str, ...] | str | None) -> Interest:
    """The interest the options describe; topics and countries as the subject grammar writes them."""
    import msgspec

    from schemas.bodies import KINDS
    from schemas.scalars import ElectionId
    from schemas.subject import Interest
    from schemas.vocab import Domain, Status

    topics = tuple(parts.get("topics") or ())
    known = {*KINDS, *(str(each) for each in Domain)}
    for topic in topics:
        if topic not in known:
            raise click.UsageError(f"there is no topic {topic!r}{hint(topic, sorted(known))}")
    countries = _words(parts.get("countries"), _COUNTRY, "--country takes two letters, or int")
    areas = _words(parts.get("areas"), _AREA, "--area takes two letters, eu, multi or intl")
    elections = tuple(parts.get("elections") or ())
    for election in elections:
        try:
            msgspec.convert(election, ElectionId)
        except msgspec.ValidationError:
            raise click.UsageError(f"--election takes an id like xa-parl-2027, not {election!r}") from None
    statuses = tuple(Status(each) for each in parts.get("statuses") or ()) or (Status.ACTUAL,)
    return Interest(
        topics=topics,
        countries=countries,
        areas=areas,
        elections=elections,
        statuses=statuses,
        min_priority=str(parts["min_priority"]) if parts.get("min_priority") else "p4",
    )


def _words(given: tuple[str, ...] | str | None, shape: re.Pattern[str], remark: str) -> tuple[str, ...]:
    words = tuple(each.lower() for each in given or ())
    for each in words:
        if not shape.fullmatch(each):
            raise click.UsageError(f"{remark}, not {each!r}")
    return words


async def _watch(
    app: App, interest: Interest, since: dt.timedelta | str, count: int | None, *, follow: bool
) -> None:
    from bus.cli.frame.opening import Opener
    from bus.cli.frame.session import open_store
    from schemas.subject import parse

    shown = 0
    opener = Opener(app, "watch")
    opener.keys()  # now, for it may ask for a passphrase, and nothing must wait for that once the bus is read
    async with open_store(app) as store, reading(app, store) if follow else contextlib.nullcontext():
        start = await _start(app, store, since)
        async for row in store.follow(start, live=follow):
            if not interest.matches(parse(row.subject)):
                continue
            show(app, row, opener)
            shown += 1
            if count is not None and shown >= count:
                return


async def _start(app: App, store: Inbox, since: dt.timedelta | str) -> int:
    if since == "all":
        return 0
    moment = app.now() if isinstance(since, str) else app.now() - since
    return await store.row_before(moment)


@contextlib.asynccontextmanager
async def reading(app: App, store: Inbox):  # type: ignore[no-untyped-def]  # an async context manager of nothing
    """Do the hub's reading while nobody else does."""
    from bus.cli.frame.session import endpoint, held_registry, recorder
    from bus.hub.service import HubService

    name, context = app.context()
    if context.server is None or context.nkey is None:
        app.note("this context has no server; showing what the store holds")
        yield
        return
    service = HubService(
        authority_id=context.authority,
        store=store,
        registry=held_registry(context, app.now),
        endpoint=endpoint(context, f"{name} watch"),
        clock=app.now,
        on_news=recorder(app),
    )
    tasks = [
        asyncio.create_task(service.run(stand_by=True)),
        asyncio.create_task(tell_of_bus(app, service.subscriber)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def tell_of_bus(app: App, subscriber: Subscriber) -> None:
    """Say on standard error when nothing can be read from the bus, and when it can again."""
    dark, attached = False, 0
    while True:
        await asyncio.sleep(LOOK_S)
        if subscriber.attached > attached:
            attached, subscriber.problem = subscriber.attached, ""
            if dark:
                app.note("the bus answers again")
            dark = False
        elif subscriber.problem and not dark:
            dark = True
            app.note(
                f"nothing can be read from the bus ({subscriber.problem}); what is held is shown, and tried again"
            )


def show(app: App, row: Stored, opener: Opener | None = None) -> None:
    """One admitted bulletin; with an opener, what of it is sealed to this identity too."""
    from bus.cli.frame.opening import as_data
    from bus.sealing.view import Sight

    seen = Sight(outer=row.bulletin) if opener is None else opener.look(row.bulletin, row.digest)
    if app.json:
        import msgspec

        app.data(
            {
                "bulletin": msgspec.Raw(row.payload),
                "digest": row.digest,
                "subject": row.subject,
                "admitted_at": row.admitted_at,
                "late": "late" in row.labels,
                "trust": row.trust,
                "labels": sorted(row.labels),
                **as_data(seen),
            }
        )
        return
    show_bulletin(app, seen.bulletin, {*row.labels, *seen.remarks}, trust=row.trust)
