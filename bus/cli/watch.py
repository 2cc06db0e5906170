"""`tocsin watch`: bulletins by topic, each verified, as they arrive.

The reader's own store is followed. When no hub of this identity is running, this process does the hub's
reading meanwhile: it takes the store's lease, subscribes, admits and keeps, exactly as a hub would.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
from typing import TYPE_CHECKING

import click

from bus.cli.app import App, command

if TYPE_CHECKING:
    from bus.inbox import Inbox
    from bus.records import Stored
    from schemas.bulletin import Bulletin
    from schemas.subject import Interest

_SINCE = re.compile(r"(\d+)([smhd])")
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
    "--status", "statuses", multiple=True, type=click.Choice(["actual", "exercise", "system", "test"])
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
    """Subscribe by topic. With --json, one object a line."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(app, interest_of(**interest), since, count, follow=follow))
        return
    raise click.exceptions.Exit(130)


def interest_of(**parts: tuple[str, ...] | str | None) -> Interest:
    """The interest the options describe; topics and countries as the subject grammar writes them."""
    from schemas.bodies import KINDS
    from schemas.subject import Interest
    from schemas.vocab import Domain, Status

    topics = tuple(parts.get("topics") or ())
    known = {*KINDS, *(str(each) for each in Domain)}
    for topic in topics:
        if topic not in known:
            import difflib

            near = difflib.get_close_matches(topic, sorted(known), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; domains: {', '.join(Domain)}"
            raise click.UsageError(f"there is no topic {topic!r}{hint}")
    statuses = tuple(Status(each) for each in parts.get("statuses") or ()) or (Status.ACTUAL,)
    return Interest(
        topics=topics,
        countries=tuple(each.lower() for each in parts.get("countries") or ()),
        areas=tuple(each.lower() for each in parts.get("areas") or ()),
        elections=tuple(parts.get("elections") or ()),
        statuses=statuses,
        min_priority=str(parts["min_priority"]) if parts.get("min_priority") else "p4",
    )


async def _watch(
    app: App, interest: Interest, since: dt.timedelta | str, count: int | None, *, follow: bool
) -> None:
    from bus.cli.session import open_store
    from schemas.subject import parse

    shown = 0
    async with open_store(app) as store, _reading(app, store):
        start = await _start(app, store, since)
        async for row in store.follow(start, live=follow):
            if not interest.matches(parse(row.subject)):
                continue
            show(app, row)
            shown += 1
            if count is not None and shown >= count:
                return


async def _start(app: App, store: Inbox, since: dt.timedelta | str) -> int:
    if since == "all":
        return 0
    moment = app.now() if isinstance(since, str) else app.now() - since
    return await store.row_before(moment)


@contextlib.asynccontextmanager
async def _reading(app: App, store: Inbox):  # type: ignore[no-untyped-def]  # an async context manager of nothing
    """Do the hub's reading while nobody else does."""
    from bus.cli.session import endpoint, held_registry
    from bus.hub.run import HubService

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
    )
    task = asyncio.create_task(service.run(stand_by=True))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def show(app: App, row: Stored) -> None:
    """One admitted bulletin."""
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
            }
        )
        return
    app.line(headline(row.bulletin, row.labels))


def headline(bulletin: Bulletin, labels: frozenset[str] = frozenset()) -> str:
    """One line about a bulletin: time, priority, who, what, marking, words."""
    from schemas.subject import priority

    drill = f" [{bulletin.status.upper()}]" if bulletin.status != "actual" else ""
    flags = f" ({', '.join(sorted(labels))})" if labels else ""
    return (
        f"{bulletin.issued:%m-%d %H:%M:%S} {priority(bulletin)} {bulletin.issuer.id:<9} {bulletin.kind:<18} "
        f"TLP:{bulletin.tlp.upper():<12} {bulletin.audience:<10}{drill} {bulletin.info[0].headline}{flags}"
    )
