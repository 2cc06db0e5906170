"""`tocsin outbox`: what an authority still has to send, and how it goes on after a loss or a theft."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli.frame import QUEUED, App, Group, command

if TYPE_CHECKING:
    from bus.publishing import Anchor, Publisher, Recovery, Row

RECOVER_S = 60.0


@click.group(cls=Group)
def outbox() -> None:
    """What is kept and must still go out."""


@command(outbox, "status")
def status(app: App) -> None:
    """Counts by state, and what is parked or superseded, and why."""
    from bus.cli.frame import open_outbox

    async def work() -> tuple[dict[str, int], list[Row]]:
        async with open_outbox(app) as box:
            troubled = [*await box.rows(state="parked"), *await box.rows(state="superseded")]
            return dict(await box.counts()), list(troubled)

    counts, troubled = asyncio.run(work())
    if app.json:
        app.data({"counts": counts, "parked": [msgspec.to_builtins(row, enc_hook=str) for row in troubled]})
        return
    app.table(("state", "bulletins"), sorted(counts.items()))
    for row in troubled:
        app.note(f"{row.state}: {row.subject}: {row.problem}")


@command(outbox, "retry")
def retry(app: App) -> None:
    """Offer again what the broker had refused and is parked, once its permissions have been put right.

    Nothing is sent by this command itself: the next `tocsin publish`, or what runs for this authority, does.
    """
    from bus.cli.frame import open_outbox, record

    async def work() -> int:
        async with open_outbox(app) as box:
            return await box.release()

    released = asyncio.run(work())
    record(app, "override", what="outbox-retried", released=released)
    if app.json:
        app.data({"released": released})
    else:
        app.note(f"released: {released}")


@command(outbox, "scrub")
def scrub(app: App) -> None:
    """Compare everything sent with what the bus holds of it, and send again what it has lost: the same bytes.

    Programs that run look at what is new every minute, and at everything when a stream has become shorter; this finds
    what went missing in its midst. Where a program runs, it is asked to do so. Exits 75 when something is offered again and not stored yet.
    """
    from bus.cli.frame import open_publisher, record
    from bus.errors import OutboxError

    app.logs(errors_only=True)

    async def work() -> tuple[int | None, bool]:
        async with open_publisher(app) as publisher:
            try:
                lost = await publisher.scrub(app.timeout(RECOVER_S))
            except OutboxError as exc:
                if exc.reason != "lease-held":
                    raise
                await publisher.outbox.forget_own_cursors()
                return None, True
            return lost, await publisher.idle(app.timeout(RECOVER_S))

    lost, is_stored = asyncio.run(work())
    if lost:
        record(app, "override", what="outbox-reoffered", bulletins=lost)
    if app.json:
        app.data({"offered_again": lost, "stored": is_stored})
    else:
        app.note(
            "the program that sends from this outbox compares everything within a minute, and says so in its log"
            if lost is None
            else f"offered again: {lost}"
            if lost
            else "the bus holds everything that was sent"
        )
    if not is_stored:
        raise click.exceptions.Exit(QUEUED)


@command(outbox, "prune")
@click.option("--dry-run", is_flag=True, help="count, and take nothing out")
def prune(app: App, *, dry_run: bool) -> None:
    """Take out what need not be kept: 30 days old, over, and received by every hub that must have it.

    By the calendars in this identity's store: while an election of its country is not over, and 30 days more, nothing
    goes that is not a year old, and what names an election stays as long, wherever that is held. Heads of channels stay,
    what waits, and what hubs have not received or not confirmed as withdrawn.
    """
    from bus.cli.frame import open_outbox, open_registry, record, retention
    from bus.delivery import pruning

    _, context = app.context()
    now = app.now()
    registry = open_registry(context, now)

    async def work() -> tuple[pruning.Pruned, int]:
        days, elections = await retention(app, now)
        keep = dt.timedelta(days=days)
        async with open_outbox(app) as box:
            return await box.write(
                lambda db: pruning.prune(
                    db, context.authority, registry, now, keep=keep, elections=elections, rehearse=dry_run
                )
            ), days

    found, days = asyncio.run(work())
    if not dry_run:
        record(app, "outbox-pruned", pruned=found.pruned)
    if app.json:
        app.data(found)
        return
    would = "would be pruned" if dry_run else "pruned"
    app.note(f"{would}: {found.pruned}; of what hubs answered: {found.talk}")
    for why, count in sorted(found.kept.items()):
        app.note(f"  older than {days} days and kept, {why.replace('-', ' ')}: {count}")


@command(outbox, "recover")
@click.option("--yes", is_flag=True, help="do not ask")
def recover(app: App, *, yes: bool) -> None:
    """Rebuild the heads of this authority's chains from its own channels on the bus.

    For an outbox that was lost or restored from an old copy: reads the authority's own bulletins, verifies
    each, goes on from the last, and stamps anew what had never been sent. After a theft use `reanchor`: this
    command would take the thief's bulletins for your own while his key is not revoked.
    """
    from bus.cli.frame import open_publisher, record

    if not yes:
        app.confirm("Is no other outbox of this authority in use anywhere?", flag="--yes")

    app.logs(errors_only=True)

    async def work() -> Recovery:
        async with open_publisher(app) as publisher:
            return await publisher.recover(app.timeout(RECOVER_S))

    found = asyncio.run(work())
    record(app, "override", what="outbox-recovered")
    if app.json:
        app.data(found)
    else:
        app.note(f"recovered: {msgspec.json.encode(found, enc_hook=str).decode()}")


@command(outbox, "reanchor")
@click.argument("channel", required=False)
@click.option("--reason", help="why, in words, for the readers of the channel")
@click.option(
    "--from",
    "from_",
    metavar="DIGEST",
    help="the last honest bulletin, or none [default: the last that this outbox has sent]",
)
@click.option("--exercise-id", help="of the exercise, on a channel of status exercise")
@click.option("--yes", is_flag=True, help="do not ask")
def reanchor(
    app: App,
    channel: str | None,
    *,
    reason: str | None,
    from_: str | None,
    exercise_id: str | None,
    yes: bool,
) -> None:
    """Go on with CHANNEL (status.tlp.audience) by decision, after the theft of a key.

    First revoke the stolen key (tocsin key revoke), take the statement in, and hold a new key. Then this signs, with
    the new key, a bulletin that names the last honest one and disowns all that follows it on the bus. Readers keep the
    honest history and put the thief's in quarantine. Without CHANNEL it lists the channels on which the bus holds
    something that is not this authority's word, and changes nothing.
    """
    from bus.cli.frame import open_publisher
    from bus.publishing import Reanchoring

    app.logs(errors_only=True)
    if channel is not None and not reason:
        raise click.UsageError("say why: --reason TEXT; it is shown to the readers of the channel")

    async def work() -> None:
        async with open_publisher(app) as publisher:
            if channel is None:
                async with Reanchoring.open(publisher, app.timeout(RECOVER_S)) as reanchoring:
                    found = await reanchoring.disowned()
                _list(app, found)
            else:
                await _reanchor(app, publisher, channel, str(reason), from_, exercise_id, yes=yes)

    asyncio.run(work())


def _list(app: App, found: dict[str, Anchor]) -> None:
    if app.json:
        app.data(found)
        return
    if not found:
        app.note(
            "on the bus is nothing in this authority's name that is not its word, by the keys as they are now"
        )
        return
    app.table(
        ("channel", "goes on after", "digest", "disowned"),
        [(name, each.from_.seq, each.from_.digest or "-", len(each.lost)) for name, each in found.items()],
    )
    app.note("to go on with one of them: tocsin outbox reanchor CHANNEL --reason TEXT")


async def _reanchor(
    app: App,
    publisher: Publisher,
    channel: str,
    reason: str,
    from_: str | None,
    exercise_id: str | None,
    *,
    yes: bool,
) -> None:
    from bus.publishing import Reanchoring

    patience = app.timeout(RECOVER_S)
    async with Reanchoring.open(publisher, patience) as reanchoring:
        anchor = await reanchoring.proposal(channel, from_=from_)
        after = (
            f"after number {anchor.from_.seq}, {anchor.from_.digest}"
            if anchor.from_.seq
            else "from its beginning"
        )
        app.note(f"{publisher.authority_id} goes on with {channel} {after}.")
        for head in anchor.lost:
            app.note(f"  disowned, with all before it back to there: number {head.seq}, {head.digest}")
        app.note(
            "  What this outbox holds after that and is not on the bus is set aside; say it again if it still holds."
        )
        if not yes:
            app.confirm("This cannot be taken back. Go on from there?", flag="--yes")
        kept = await reanchoring.reanchor(channel, anchor, reason=reason, exercise_id=exercise_id)
    state = await publisher.settled(kept.digest, patience)
    if app.json:
        app.data(
            {"id": kept.id, "channel": kept.channel, "seq": kept.seq, "digest": kept.digest, "state": state}
        )
    else:
        app.table(
            ("state", "channel", "seq", "id", "digest"),
            [(state, kept.channel, kept.seq, kept.id, kept.digest)],
        )
    if state != "stored":
        raise click.exceptions.Exit(QUEUED)
