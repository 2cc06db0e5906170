"""`tocsin watch`: bulletins by topic, each verified, as they arrive.

`watch` follows the reader's own store. Only `tocsin hub run` feeds a hub's store; `watch` then only reads it. For any
other identity this process reads the bus while no other process does: it takes the store's lease, subscribes, admits
and keeps, exactly as a hub does. A hub that starts takes the lease over at once. With --no-follow it shows what the
store holds, and then checks that the bus answers: otherwise an old store would look complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import click

from bus import storage, transport, trust
from bus.cli import frame
from bus.cli.frame import (
    INTERRUPTED,
    STATUS,
    Answer,
    App,
    Since,
    command,
    completing,
    health_option,
    repeatable,
    stream_options,
)
from bus.errors import DeniedError, StoreError, UnreachableError
from bus.hub import picture
from bus.tasks import in_background
from schemas.subject import parse

if TYPE_CHECKING:
    import sqlite3

    from bus.filters import Selection
    from bus.subscribing import Inbox, Stored, Subscriber
    from bus.transport import Connection
    from bus.trust import VerifiedRegistry

REACH_S = 5.0
"""Seconds the bus may take to answer before `watch` reports that it does not."""
LOOK_S = 1.0
PATIENCE = 3
"""A fault is reported after this many checks in a row: a reconnect takes fewer."""


@command(when_asked=INTERRUPTED)
@repeatable(
    "--topic",
    "topics",
    shell_complete=completing.topics,
    help="a domain (cyber) or a kind (data-breach); may be repeated",
)
@stream_options
@click.option(
    "--min-priority", type=click.Choice(["p1", "p2", "p3", "p4"]), help="this urgent or more urgent"
)
@repeatable("--status", "statuses", type=STATUS, help="of this status; actual unless you say otherwise")
@click.option(
    "--since", type=Since(), default="now", show_default=True, help="all, now, or a span such as 2h"
)
@click.option("--count", type=click.IntRange(min=1), help="end after this many bulletins")
@health_option
@click.option("--follow/--no-follow", default=True, help="end after showing what the store holds")
async def watch(
    app: App,
    *,
    since: dt.timedelta | None,
    count: int | None,
    follow: bool,
    selection: Selection,
    **interest: tuple[str, ...] | str | None,
) -> AsyncIterator[Answer]:
    """Show bulletins as they arrive, each verified here. With --json, one object a line.

    Sealed bulletins are opened as they are shown, if the context names a seal key for them.

    For a hub, `hub run` must run: it feeds the store. For any other identity watch reads the bus itself. It says
    within --timeout when the bus does not answer. Ctrl-C ends it (exit 130).

    With --no-follow it first prints, on standard error, the time of the store and what is wrong. It exits 7 when the
    bus does not answer, and 9 when the result is not reliable for another reason.
    """
    wanted = frame.interest_of(**interest)
    if selection.since_s is not None and _is_default("since"):
        since = dt.timedelta(seconds=selection.since_s)
    shown = 0
    unsealer = frame.Unsealer(app, "watch")
    unsealer.keys()  # now, because it may ask for a passphrase, and the reading must not wait for that
    registry, now = frame.present_registry(app)
    async with (
        in_background(frame.until_unread(app), "reader of the output"),
        frame.open_store(app, make=follow) as store,
        _fed(app, store) if follow else contextlib.nullcontext(),
    ):
        if not follow:
            report = await store.read(lambda db: frame.report_beside(app, db, registry, now))
            yield Answer(head=report, code=frame.code_of(report))
        start = 0 if since is None else await store.row_before(app.now() - since)
        async for row in store.follow(start, live=follow):
            if not (wanted.matches(parse(row.subject)) and selection.matches(row.bulletin, app.now())):
                continue
            remark, name = await store.read(lambda db, row=row: _beside(db, row, registry))  # type: ignore[misc]  # bound now
            yield frame.shown(app, row, unsealer, remark, name)
            shown += 1
            if count is not None and shown >= count:
                return
        await _must_answer(app, store)


def _is_default(option: str) -> bool:
    """Whether an option has its default value."""
    source = click.get_current_context().get_parameter_source(option)
    return source is click.core.ParameterSource.DEFAULT


def _beside(db: sqlite3.Connection, row: Stored, registry: VerifiedRegistry) -> tuple[str, str]:
    """Two facts to print with a bulletin: what it answers (empty if it is no answer), and the beginning of its id."""
    return _answering(db, row, registry), picture.selected.short(db, row.id)


def _answering(db: sqlite3.Connection, row: Stored, registry: VerifiedRegistry) -> str:
    """For an answer: the bulletin it answers, with the count of all its answers. Empty for any other bulletin."""
    told = []
    for target in picture.answers.answered_by(row.bulletin) if row.bulletin.kind == trust.FEEDBACK else ():
        held = picture.answers.held(db, target)
        now = [
            part
            for about in held
            for part in picture.answers.label(picture.answers.to_one(db, about, registry))
        ]
        told.append(f"to {target}" + (f": {', '.join(now)}" if now else ""))
    return "; ".join(told)


async def _must_answer(app: App, store: Inbox) -> None:
    """Check that the bus answers, if the context names one.

    Raises:
        UnreachableError: the bus does not answer within the timeout; the message gives the time of the store.
        DeniedError: the broker refuses this identity.
    """
    if app.identity.server is None or app.identity.nkey is None:
        return
    try:
        async with transport.Connection.open(frame.endpoint(app, "watch")) as connection:
            await connection.until_connected(app.timeout(REACH_S))
    except UnreachableError as exc:
        raise UnreachableError(f"{exc} You saw what this store holds, {await _as_of(store)}") from None


async def _as_of(store: Inbox) -> str:
    last = (await store.status())["last_admitted"]
    return f"the newest of it since {last}" if last else "which is nothing"


@asynccontextmanager
async def _fed(app: App, store: Inbox) -> AsyncIterator[None]:
    """Keep the store fed until the context exits: by this process, or by a hub. Says on standard error when nothing feeds it."""
    registry, identity = frame.open_registry(app), app.identity.authority
    record = registry.document.authorities.get(identity)
    is_hub = record is not None and record.kind == trust.HUB
    async with AsyncExitStack() as stack:
        service = (
            None
            if is_hub
            else await stack.enter_async_context(frame.reading(app, store, "watch", tell=False))
        )
        if app.identity.server is not None and app.identity.nkey is not None:
            if not registry.read_prefixes(identity):
                but = " but answers to what it says" if registry.heard_prefixes(identity) else ""
                app.note(f"the registry grants {identity} nothing to read{but}")
            connection = await stack.enter_async_context(
                transport.Connection.open(frame.endpoint(app, "watch bus"))
            )
            told = _tell_of_bus(app, connection, service.subscriber if service else None)
            await stack.enter_async_context(in_background(told, "tell of the bus"))
        if is_hub:
            await stack.enter_async_context(in_background(_tell_of_hub(app, store), "tell of the hub"))
        yield


async def _tell_of_bus(app: App, connection: Connection, subscriber: Subscriber | None) -> None:
    """Say on standard error when the bus cannot be reached or read, and when it can again."""
    with contextlib.suppress(UnreachableError, DeniedError):
        await connection.until_connected(app.timeout(REACH_S))
    dark, wrong = False, 0
    while True:
        problem = "" if connection.connected else connection.problem or "it does not answer"
        if not problem and subscriber is not None and subscriber.problem:
            wrong += 1
            problem = subscriber.problem if dark or wrong >= PATIENCE else ""
        else:
            wrong = 0
        if problem and not dark:
            app.note(
                f"nothing can be read from the bus ({problem}); the store is shown, and reading is tried again"
            )
        elif dark and not problem:
            app.note("the bus answers again")
        dark = bool(problem)
        await asyncio.sleep(LOOK_S)


async def _tell_of_hub(app: App, store: Inbox) -> None:
    """Say on standard error when no hub feeds the store, and when one does again."""
    alone, looks = False, 0
    while True:
        with contextlib.suppress(StoreError):
            moment = app.now().timestamp()
            is_fed = await store.read(lambda db: storage.lease.holder(db, moment)) is not None  # noqa: B023 (awaited here)
            looks = 0 if is_fed else looks + 1
            if alone and is_fed:
                app.note("a hub feeds this store again")
                alone = False
            elif looks >= PATIENCE and not alone:
                app.note(f"no hub feeds this store, {await _as_of(store)}; start one: tocsin hub run")
                alone = True
        await asyncio.sleep(LOOK_S)
