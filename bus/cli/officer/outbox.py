"""`tocsin outbox`: what an authority must still send, and how it continues after a loss or a theft."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click
import msgspec

from bus import delivery, publishing
from bus.cli import frame
from bus.cli.frame import DONE, FAILURE, QUEUED, Answer, App, Group, Table, command, yes_option
from bus.errors import OutboxError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.publishing import Anchor, Row

RECOVER_S = 60.0
SHOWN = 20


@click.group(cls=Group)
def outbox() -> None:
    """The bulletins kept on this disk, and those that are not sent yet."""


@command(outbox, "status")
async def status(app: App) -> Answer:
    """Show counts by state, what is parked, superseded, damaged or lost, what hubs lack or refuse, and whether it may sign.

    Exits 1 when the outbox may not sign, or when something in it is damaged. `damaged` bulletins have changed since
    they were signed and are not sent. `tocsin outbox scrub` restores those that the bus has; publish the others
    again. `lost` bulletins were accepted here, and a recovery found them nowhere.
    """
    async with frame.open_outbox(app) as box:
        refused, again = await box.read(delivery.ledger.refused), await box.query(_SENT_AGAIN)
        troubled = [
            row for state in ("parked", "superseded", "damaged") for row in await box.rows(state=state)
        ]
        counts, lost, unfit = await box.counts(), await box.lost(), box.unfit
    facts = {
        "counts": counts,
        "parked": [_shown(row) for row in troubled],
        "lost": [dict(row) for row in lost],
        "refused": [dict(row) for row in refused],
        "sent_again": [dict(row) for row in again],
    }
    notes = [f"{row.state}: {row.subject}: {row.problem}" for row in troubled]
    notes += [
        f"held by {row['reader']} but not admitted: {_place(row['channel'], row['seq'], row['id'])}; ask its operator why"
        for row in refused[:SHOWN]
    ]
    notes += [
        f"sent again, because a reader lacked it: {_place(row['channel'], row['seq'], row['id'])}"
        for row in again
    ]
    notes += [f"lost for good: {_place(row['channel'], row['seq'], row['id'])}" for row in lost[:SHOWN]]
    notes += [f"and {len(lost) - SHOWN} more that are lost"] if len(lost) > SHOWN else []
    if unfit is not None:
        notes.append(f"this outbox may not sign: {unfit.detail}; {unfit.remedy} [{unfit.reason}]")
    return Answer(
        {**facts, "unfit": unfit},
        table=Table(("state", "bulletins"), sorted(counts.items())),
        notes=notes,
        code=FAILURE if unfit is not None or counts["damaged"] else DONE,
    )


_SENT_AGAIN = """
SELECT o.id, o.channel, o.seq, r.at FROM resent r JOIN outbox o ON o.n = r.n ORDER BY r.at DESC LIMIT 20
"""


def _shown(row: Row) -> dict[str, object]:
    """A row as data; without its bytes if it is damaged."""
    facts = msgspec.structs.asdict(row)
    return facts if row.is_whole else {**facts, "payload": None}


def _place(channel: str, seq: int, id_: str | None) -> str:
    return f"{channel}, number {seq}" + (f", {id_}" if id_ else "")


@command(outbox, "retry")
async def retry(app: App) -> Answer:
    """Queue again the parked bulletins, which the broker refused. Correct the permissions at the broker first.

    This command sends nothing itself. The next `tocsin publish`, or a running program of this authority, sends them.
    """
    async with frame.open_outbox(app) as box:
        released = await box.release()
    frame.record(app, "override", what="outbox-retried", released=released)
    return Answer({"released": released}, notes=[f"released: {released}"])


@command(outbox, "scrub")
async def scrub(app: App) -> Answer:
    """Compare everything sent with the bus, and send again what the bus has lost: the same bytes.

    A running program compares what is new every minute, and everything when a stream has become shorter. This command
    also finds gaps in the middle of a stream, and reads every page of the outbox file. If a program of this authority
    runs, that program does the work. Exits 75 when a bulletin is sent again and not stored yet.
    """
    app.logs(errors_only=True)
    lost: int | None = None
    is_stored = True
    async with frame.open_publisher(app) as publisher:
        await publisher.outbox.database.check()
        try:
            lost = await publisher.scrub(app.timeout(RECOVER_S))
            is_stored = await publisher.idle(app.timeout(RECOVER_S))
        except OutboxError as exc:
            if exc.reason != "lease-held":
                raise
            await publisher.outbox.forget_own_cursors()
    if lost:
        frame.record(app, "override", what="outbox-reoffered", bulletins=lost)
    if lost is None:
        text = "the program that sends from this outbox compares everything within a minute, and says so in its log"
    else:
        text = f"offered again: {lost}" if lost else "the bus holds everything that was sent"
    return Answer(
        {"offered_again": lost, "stored": is_stored}, notes=[text], code=DONE if is_stored else QUEUED
    )


@command(outbox, "prune")
@click.option("--dry-run", is_flag=True, help="only count, delete nothing")
async def prune(app: App, *, dry_run: bool) -> Answer:
    """Delete what need not be kept: 30 days old, no longer in force, and received by every hub that must have it.

    The calendars in this identity's store count. While an election of its country is not over, and for 30 days after
    it, only bulletins older than a year are deleted. A bulletin that names an election of any country stays as long. The
    heads of channels, waiting bulletins, and those that hubs have not received or not confirmed as withdrawn always
    stay.
    """
    authority = app.identity.authority
    registry, now = frame.present_registry(app)
    days, elections = await frame.retention(app, now)
    keep = dt.timedelta(days=days)
    async with frame.open_outbox(app) as box:
        gone = await box.write(
            lambda db: delivery.pruning.prune(
                db, authority, registry, now, keep=keep, elections=elections, rehearse=dry_run
            )
        )
    if not dry_run:
        frame.record(app, "outbox-pruned", pruned=gone.pruned)
    would = "would be pruned" if dry_run else "pruned"
    kept = (
        f"  older than {days} days and kept, {why.replace('-', ' ')}: {count}"
        for why, count in sorted(gone.kept.items())
    )
    return Answer(gone, notes=[f"{would}: {gone.pruned}; of what hubs answered: {gone.talk}", *kept])


@command(outbox, "recover")
@yes_option
def recover(app: App, *, yes: bool) -> Answer:
    """Rebuild the heads of this authority's chains from its own channels on the bus.

    Use it when the outbox was lost or restored from an old copy. It reads the authority's own bulletins, verifies
    each, continues from the last, and stamps again what was never sent. After a theft use `reanchor`: until the
    stolen key is revoked, this command takes the thief's bulletins for your own.

    A bulletin that was accepted here, and is neither here nor on the bus, is lost for good. The command lists it:
    publish it again if it is still true. Its number is not used again, and readers see a gap.
    """
    app.confirm("Is no other outbox of this authority in use anywhere?", yes=yes)
    app.logs(errors_only=True)
    recovery = frame.within(
        frame.open_publisher(app), lambda publisher: publisher.recover(app.timeout(RECOVER_S))
    )
    places = [_place(each.channel, each.seq, each.id) for each in recovery.lost]
    frame.record(app, "override", what="outbox-recovered", lost=places[:SHOWN], lost_in_all=len(places))
    told = {name: getattr(recovery, name) for name in ("read", "adopted", "restamped", "superseded")}
    notes = [f"recovered: {msgspec.json.encode(told).decode()}"]
    notes += [f"lost for good, publish it again if it is still true: {place}" for place in places]
    return Answer(recovery, notes=notes)


@command(outbox, "reanchor")
@click.argument("channel", required=False)
@click.option("--reason", help="the reason, one sentence for the readers of the channel")
@click.option(
    "--from",
    "from_",
    metavar="DIGEST",
    help="the last honest bulletin, or none [default: the last that this outbox has sent]",
)
@click.option("--exercise-id", help="id of the exercise, on a channel of status exercise")
@yes_option
async def reanchor(
    app: App,
    channel: str | None,
    *,
    reason: str | None,
    from_: str | None,
    exercise_id: str | None,
    yes: bool,
) -> Answer:
    """Continue CHANNEL (status.tlp.audience) by decision, after the theft of a key.

    First revoke the stolen key (tocsin key revoke), accept the statement, and set the new key. Then this command
    signs a bulletin with the new key. It names the last honest bulletin and disowns all that follows it on the bus.
    Readers keep the honest history and put the thief's bulletins in quarantine. Without CHANNEL it lists the channels
    on which the bus holds bulletins that are not this authority's own, and changes nothing.
    """
    app.logs(errors_only=True)
    if channel is not None and not reason:
        raise click.UsageError("give the reason, which readers of the channel see: --reason TEXT")
    patience = app.timeout(RECOVER_S)
    async with frame.open_publisher(app) as publisher:
        async with publishing.Reanchoring.open(publisher, patience) as reanchoring:
            if channel is None:
                return _disowned(await reanchoring.disowned())
            anchor = await reanchoring.proposal(channel, from_=from_)
            _explain_anchor(app, f"{publisher.authority_id} continues {channel}", anchor)
            app.confirm("This cannot be undone. Continue from there?", yes=yes)
            kept = await reanchoring.reanchor(channel, anchor, reason=str(reason), exercise_id=exercise_id)
        state = await publisher.settled(kept.digest, patience)
    facts = {"id": kept.id, "channel": kept.channel, "seq": kept.seq, "digest": kept.digest, "state": state}
    columns = ("state", "channel", "seq", "id", "digest")
    return Answer(
        facts,
        table=Table(columns, [[facts[name] for name in columns]]),
        code=DONE if state == "stored" else QUEUED,
    )


def _disowned(anchors: Mapping[str, Anchor]) -> Answer:
    rows = (
        (name, anchor.from_.seq, anchor.from_.digest or "-", len(anchor.lost))
        for name, anchor in anchors.items()
    )
    note = (
        "to continue one of them: tocsin outbox reanchor CHANNEL --reason TEXT"
        if anchors
        else "by the keys as they are now, all bulletins in this authority's name on the bus are its own"
    )
    table = Table(("channel", "goes on after", "digest", "disowned"), rows)
    return Answer(anchors, table=table if anchors else None, notes=[note])


def _explain_anchor(app: App, who: str, anchor: Anchor) -> None:
    """Explain to an officer what re-anchoring does, before it is done."""
    first = anchor.from_
    app.note(f"{who} {f'after number {first.seq}, {first.digest}' if first.seq else 'from its beginning'}.")
    for head in anchor.lost:
        app.note(f"  disowned, with all bulletins between: number {head.seq}, {head.digest}")
    app.note(
        "  Later bulletins of this outbox that are not on the bus are set aside; publish them again if they are still true."
    )
