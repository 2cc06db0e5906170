"""`tocsin hub`: a country's subscriber. It admits, keeps and shows bulletins; it never re-signs."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import click

from bus import console, drafts
from bus import hub as hubs
from bus.cli import frame
from bus.cli.frame import (
    DONE,
    FAILURE,
    PARTLY,
    Answer,
    App,
    Group,
    NotFoundError,
    Table,
    command,
    health_option,
    tell,
    yes_option,
)
from bus.cli.operator.hub_console import console_of
from bus.cli.operator.serving import production_registry
from bus.errors import BrokerError, DeniedError, UnreachableError
from schemas.errors import TocsinError
from schemas.subject import Channel
from schemas.vocab import TALK

if TYPE_CHECKING:
    from bus.errors import BusError
    from bus.hub import Compared, Damage
    from bus.publishing import Publisher

CONNECT_S = 5.0


@click.group(cls=Group)
def hub() -> None:
    """A national hub: its store and its reader."""


@command(hub, "run", when_asked=DONE)
@health_option
@click.option(
    "--console",
    "place",
    metavar="HOST:PORT|off",
    envvar="TOCSIN_CONSOLE",
    help=f"where the console answers, on this machine alone [default: {console.DEFAULT}, or a free port]",
)
@click.option(
    "--console-url",
    "url",
    metavar="URL",
    envvar="TOCSIN_CONSOLE_URL",
    help="where visitors find the console, such as https://console.example/, through a proxy with TLS on this machine",
)
async def run(app: App, *, place: str | None, url: str | None) -> None:
    """Read every granted channel into the store, and show bulletins as they are admitted, until Ctrl-C.

    It also watches the channels (tocsin channels --alarms). With a signing key in its context, it sends heartbeats
    where its grants allow. When a channel goes silent, it tells the audience for which a grant on status actual names
    channel-status.
    """
    production_registry(app)
    held = frame.registry_store(app)
    wanted = console_of(app, place, url)
    intervals, keeping = frame.heartbeat_settings(app)
    async with (
        frame.open_store(app, make=True) as store,
        speaking(app) as publisher,
        hubs.HubService.open(
            authority_id=app.identity.authority,
            store=store,
            registry=held,
            endpoint=frame.endpoint(app, "hub", by_phase=True),
            clock=app.now,
            publisher=publisher,
            intervals=intervals,
            keeping=keeping,
            on_news=frame.recorder(app),
            allowed=frame.deadlines_of(app),
        ) as service,
        frame.telling(app, "hub", publisher=publisher, service=service, registry=held),
        nullcontext() if publisher is None else frame.tracking(app, publisher) as tracker,
    ):

        async def follow() -> None:
            async for row in store.follow(await store.row_before(app.now())):
                if Channel.parse(row.channel).status not in TALK:  # `channels` shows heartbeats and receipts
                    tell(app, frame.shown(app, row))

        service.beside(follow(), "tell of bulletins")
        service.beside(frame.tell_of_bus(app, service.subscriber), "tell of the bus")
        service.beside(frame.follow_phase(app, store), "follow the phase")
        if wanted is not None:
            acting = hubs.acting.Acting(
                store,
                publisher,
                lambda event, facts: frame.record(app, event, **facts),
                remembered=drafts.Remembered(app.state_folder()),
                standing=None if tracker is None else tracker.standing,
            )
            service.beside(console.Child(wanted, app.note, acting.do).run(), "console")
        await frame.ended()


@asynccontextmanager
async def speaking(app: App) -> AsyncIterator[Publisher | None]:
    """The publisher of a hub with a key; None without one. If the key is not valid, the hub only reads, and says so."""
    async with AsyncExitStack() as stack:
        publisher = None
        if app.identity.key is not None:
            try:
                publisher = await stack.enter_async_context(frame.open_publisher(app))
            except TocsinError as exc:
                app.note(f"this hub reads only; it cannot publish: {exc}")
        yield publisher


@command(hub, "rebuild")
async def rebuild(app: App) -> Answer:
    """Rebuild the projection from the signed bytes in the store. Nothing is read from the bus."""
    async with frame.open_store(app) as store:
        with app.at_work("rebuilding the projection"):
            count = await store.rebuild()
    return Answer({"rebuilt": count}, notes=[f"projection rebuilt from {count} bulletins"])


@command(hub, "status")
async def status(app: App) -> Answer:
    """Show whether a program reads, what is wrong, and the counts, cursors, lag and waiting bulletins of the store.

    Exits 9 when the result is not reliable.
    """
    registry, now = frame.present_registry(app)
    async with frame.open_store(app) as store:
        counts = await store.status()
        report = await store.read(lambda db: frame.report_beside(app, db, registry, now))
    counts["behind"] = frame.behind_now(app, now)  # the store knows only the state of the last batch
    facts = {**counts, "trust": str(registry.state(now)), "registry_version": registry.version}
    told = dict(facts)
    if last := counts.get("last_admitted"):
        told["last_admitted"] = f"{dt.datetime.fromisoformat(str(last)):%Y-%m-%d %H:%M:%S} UTC"
    told["programs"] = ", ".join(
        each.detail for each in report.conditions if each.name.startswith("program ")
    )
    rows = sorted((name.replace("_", " "), _spell(value)) for name, value in told.items())
    return Answer(
        {**facts, "health": report},
        head=report,
        table=Table(("what", "value"), rows),
        code=frame.code_of(report),
    )


def _spell(value: object) -> str:
    """A count, a time, or counts by name, in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "none"
    return "-" if value is None else str(value)


@command(hub, "decide")
@click.argument("channel")
@click.option("--reason", required=True, help="the reason, for the audit record")
@yes_option
def decide(app: App, channel: str, *, reason: str, yes: bool) -> Answer:
    """Decide that the bulletins of CHANNEL's issuer count again (xa-csirt/actual.green.community). Ask the issuer first.

    Before the decision, all its bulletins are labelled contested, and supersede and withdraw nothing. With it, they
    take effect and the alarm ends. The evidence stays (tocsin bulletin proof). Each further contradiction needs a new
    decision. Exits 3 when there is nothing to decide.
    """
    authority = app.identity.authority
    app.confirm(
        "Has the issuer told you, by another way than this channel, which of the two is its own?", yes=yes
    )
    count, frozen = frame.within(
        frame.open_store(app), lambda store: store.decide(channel, authority, reason, app.now())
    )
    if not count:
        raise NotFoundError(
            f"there is nothing to decide on {channel}",
            remedy="list the contradictions: tocsin channels --alarms",
        )
    frame.record(app, "override", what="fork-decided", channel=channel, reason=reason)
    issuer = channel.partition("/")[0]
    verdict = (
        f"{issuer} contradicts itself on another channel too, and stays contested until you decide on that"
        if frozen
        else f"the bulletins of {issuer} count again"
    )
    return Answer({"channel": channel, "decided": count, "contested": frozen}, notes=[f"decided; {verdict}"])


@command(hub, "prune")
@click.option("--dry-run", is_flag=True, help="only count, erase nothing")
async def prune(app: App, *, dry_run: bool) -> Answer:
    """Erase bulletins whose personal data may be kept no longer, and prune old heartbeats, receipts, requests and copies.

    A bulletin is erased after its `personal_data.retention_until`, in force or not, also in quarantine. `hub run`
    does the same every hour. Old heartbeats and the like are pruned after 30 days, but not the last of a channel or
    evidence. Places and digests stay, so chains can still be checked (tocsin trace says what became of a bulletin).
    """
    async with frame.open_store(app) as store:
        gone = await store.write(lambda db: hubs.retention.erase_and_prune(db, app.now(), rehearse=dry_run))
    if gone.erased and not dry_run:
        frame.record(app, "personal-data-erased", count=gone.erased)
    would = "would be " if dry_run else ""
    return Answer(
        gone,
        notes=[
            f"{would}erased, because their retention is over: {gone.erased}",
            f"{would}pruned, old messages between programs: {gone.pruned}",
        ],
    )


@command(hub, "scrub")
async def scrub(app: App) -> AsyncIterator[Answer]:
    """Verify everything in the store again, and compare it with the whole streams.

    The store takes in what it lacks. What a stream has lost is listed; its author sends it again (tocsin outbox
    scrub). While `hub run` reads into the store, only the store is checked. Exits 1 when a bulletin in the store is
    damaged, 8 when a stream has lost one.
    """
    app.logs(errors_only=True)
    with app.at_work("verifying the store"):
        damage, compared, problem = await _scrubbed(app)
    streams = compared or ()
    yield Answer(
        {"damaged": damage, "streams": compared},
        lines=(f"damaged: {one.channel} number {one.seq}, {one.id}: {one.what}" for one in damage),
        table=Table(
            ("stream", "held", "taken in", "lost"),
            ((each.stream, each.held, each.taken, sum(each.lost.values())) for each in streams),
        ),
    )
    lost = sorted((channel, count) for stream in streams for channel, count in stream.lost.items())
    notes = []
    if compared is None and problem is None:
        notes.append(
            "hub run reads into this store, so only the store was checked; end it to compare the streams"
        )
    notes.append(
        f"{len(damage)} in the store are damaged: set the file aside, keep it, and run tocsin hub run, which makes a new one from the streams"
        if damage
        else "every bulletin in the store is as it was admitted"
    )
    again = "its authority sends it again with: tocsin outbox scrub"
    yield Answer(
        lines=(f"lost: {count} of {channel}; {again}" for channel, count in lost),
        notes=notes,
        code=FAILURE if damage else PARTLY if lost else DONE,
    )
    if problem is not None:
        raise problem


async def _scrubbed(app: App) -> tuple[list[Damage], tuple[Compared, ...] | None, BusError | None]:
    """(damaged bulletins, comparisons of the streams or None, the error that prevented them or None)."""
    registry = frame.open_registry(app)
    async with frame.open_store(app) as store:
        await store.database.check()
        damage = await store.read(lambda db: list(hubs.scrub.damaged(db, registry)))
        place = frame.endpoint(app, "scrub")
        try:
            compared = await hubs.scrub.compare(place, store, registry, app.now, app.timeout(CONNECT_S))
        except (UnreachableError, DeniedError, BrokerError) as exc:
            return damage, None, exc
    return damage, compared, None
