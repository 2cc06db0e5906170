"""`tocsin notify`: tells people of what has happened, by the rules of notify.toml."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus import notify as notices
from bus.cli import frame
from bus.cli.frame import DONE, FAILURE, Answer, App, Group, NotFoundError, Table, at, command, health_option
from bus.config import DESK_FILE, NOTIFY_FILE, NOTIFY_RULES, STORE_FILE, private_folder
from bus.errors import StoreError
from bus.tasks import until_first
from schemas.errors import TocsinError

if TYPE_CHECKING:
    import sqlite3

    from bus.notify import Asking, Settings
    from bus.notify.looking import Seen

MOST_EVENTS = 20_000
"""So many events `check` looks at."""
DAY = dt.timedelta(days=1)


@click.group(cls=Group)
def notify() -> None:
    """Tell people of what has happened, without flooding them."""


def _file(app: App) -> Path:
    return app.identity.notify or app.loaded.home / NOTIFY_RULES


@command(notify, "run", when_asked=DONE)
@health_option
async def run(app: App) -> None:
    """Tell people by the rules of notify.toml until Ctrl-C. Reads the hub's store, changes nothing in it, and needs no key.

    The first time it begins with what happens from then on. What it has decided to say is kept in notify.db until it was taken,
    or given up after a day. A second one beside it stands by.
    """
    app.logs()
    settings = notices.read_settings(_file(app))
    held = frame.registry_store(app)
    authority = app.identity.authority
    folder = private_folder(app.state_folder())

    def asking() -> Asking:
        return notices.asking_of(settings, authority, held())

    async with frame.once_open(app, lambda: notices.Book.open(folder / NOTIFY_FILE)) as book:
        notifier = notices.Notifier(
            book,
            folder / STORE_FILE,
            asking,
            clock=app.now,
            rng=os.urandom,
            more=lambda: notices.approvals_asked(folder / DESK_FILE, app.now()),
        )
        async with frame.telling(app, "notify", registry=held, connected=False, more=notifier.conditions):
            app.note(f"telling people by the rules of {_file(app)}; end with Ctrl-C")
            await until_first(notifier.run(), frame.ended())


@command(notify, "check")
def check(app: App) -> Answer:
    """Read notify.toml, every fault with its line, and say what each rule would have said in the last 24 hours."""
    settings = notices.read_settings(_file(app))
    registry, now = frame.present_registry(app)
    asking = notices.asking_of(settings, app.identity.authority, registry)
    store = app.state_folder() / STORE_FILE
    since = now - DAY
    seen, notes = _happened(app, asking, store, since)
    found = notices.rehearsed(settings, asking.own, seen, since, now)
    return Answer(
        *found,
        table=Table(
            ("rule", "channel", "asked for", "interrupts", "messages", "in digest", "under embargo"),
            (
                (
                    each.rule,
                    each.channel,
                    each.asked_for,
                    each.interrupts,
                    each.messages,
                    each.in_digest,
                    each.held,
                )
                for each in found
            ),
            ("under embargo", "channel"),
        ),
        notes=[f"{_file(app)}: {len(settings.rules)} rules, {len(settings.channels)} channels", *notes],
    )


def _happened(app: App, asking: Asking, store: Path, since: dt.datetime) -> tuple[list[Seen], list[str]]:
    """What has happened since a moment, and what is to be said of that."""
    if not store.exists():
        return [], ["there is no store: nobody has read here (tocsin hub run)"]
    seen: list[Seen] = []

    def ask(db: sqlite3.Connection) -> int:
        begin = n = notices.looking.number_before(db, since)
        while n - begin < MOST_EVENTS:
            looked = notices.looking.look(db, asking, n, app.now())
            seen.extend(looked.seen)
            if not looked.more:
                return 0
            n = looked.upto
        return n - begin

    try:
        left = notices.looking.read(store, ask)
    except StoreError as exc:
        return [], [str(exc)]
    return seen, [f"only the first {left} events of this time were looked at"] if left else []


@command(notify, "test")
@click.argument("channel")
async def test(app: App, channel: str) -> Answer:
    """Send a test message to CHANNEL, and say what came back. Exits 1 when it was not taken."""
    settings = notices.read_settings(_file(app))
    way = _channel(settings, channel)
    folder, now = private_folder(app.state_folder()), app.now()
    message = notices.Message(form="test", items=(), count=0, since=now, at=now)
    words = notices.worded(message, way, None, settings)
    id_, reason = f"ntf_{os.urandom(16).hex()}", ""
    assert words is not None  # noqa: S101 (a test always has words)
    try:
        with app.at_work(f"sending to {channel}"):
            said = await asyncio.to_thread(notices.send, way, words, id_, now, now, settings.networks)
    except TocsinError as exc:
        said, reason = exc.detail, exc.reason
    async with frame.once_open(app, lambda: notices.Book.open(folder / NOTIFY_FILE)) as book:
        await book.write(lambda db: notices.deliveries.record(db, id_, channel, now, reason, said))
    told = f"{channel}: {said}" + (f" [{reason}]" if reason else "")
    return Answer(
        {"channel": channel, "id": id_, "taken": not reason, "reason": reason, "said": said},
        notes=[f"not taken, {told}" if reason else f"taken, {told}"],
        code=FAILURE if reason else DONE,
    )


def _channel(settings: Settings, name: str) -> notices.Channel:
    found = settings.channels.get(name)
    if found is None:
        raise NotFoundError(f"there is no channel {name!r}{frame.hint(name, settings.channels)}")
    return found


@command(notify, "log")
@click.option("--channel", help="of one channel alone")
@click.option("--state", type=click.Choice(["waiting", "sent", "given-up"]), help="of one state alone")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
async def log(app: App, *, channel: str | None, state: str | None, limit: int) -> Answer:
    """What was sent, what waits, what was given up and why; never what it said. Kept for 30 days."""
    path = app.state_folder() / NOTIFY_FILE
    if not path.exists():
        return Answer([], notes=["nobody was told of anything here (tocsin notify run)"])
    async with frame.once_open(app, lambda: notices.Book.open(path)) as book:
        found = await book.read(
            lambda db: notices.deliveries.log_of(db, limit=limit, channel=channel, state=state)
        )
    rows = (
        (
            at(each.made),
            each.channel,
            each.form,
            each.count,
            each.state,
            each.tries,
            each.reason or "-",
            each.said or "-",
            each.rule or "-",
            each.id,
        )
        for each in found
    )
    return Answer(
        *found,
        table=Table(
            ("made", "channel", "form", "count", "state", "tries", "reason", "said", "rule", "id"),
            rows,
            ("id", "rule", "form", "tries", "count"),
        ),
        notes=[] if found else ["nothing"],
    )
