"""Publishes drafts, and reports how far each has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from bus import delivery, publishing
from bus.cli.frame.answers import Answer
from bus.cli.frame.app import App
from bus.cli.frame.audit import record
from bus.cli.frame.checking import in_whole, speaker
from bus.cli.frame.doubles import Doubles
from bus.cli.frame.drafts import DraftFile, with_marking
from bus.cli.frame.errors import ReviewError
from bus.cli.frame.exit_codes import DONE, FAILURE, INTERRUPTED, NOT_AUTHORISED, PARTLY, QUEUED, exit_code
from bus.cli.frame.programs import open_publisher, tracking
from bus.cli.frame.running import asked
from bus.cli.frame.send_options import WAIT_S, Sending
from bus.cli.frame.session import defaults
from bus.cli.frame.tables import Table
from bus.cli.frame.text import on_terminal
from bus.drafts import judgement, stamped
from bus.errors import PermitError
from schemas.bulletin import Draft
from schemas.errors import SchemaError, TocsinError
from schemas.parts import Handling
from schemas.passing_on import sentences

if TYPE_CHECKING:
    from bus.delivery import DeliveryTracker
    from bus.publishing import Accepted, Publisher


T = TypeVar("T")
NamedDraft = tuple[str, Callable[[], "Draft"]]
HEARD_S = 3.0
"""Seconds to wait for the state of the bus before signing: the outbox may be behind, or the clock wrong."""


async def send_drafts(app: App, drafts: Sequence[NamedDraft], sending: Sending) -> list[Answer]:
    """Publish drafts. Returns an answer for each, and last one with the exit code.

    A signal takes effect between two groups, never inside one. Accepted drafts are reported; the rest is not signed.
    """
    app.logs(errors_only=True)  # the states and the last sentence show the result
    (state, seconds), dry_run = sending.wait, sending.dry_run
    patience = seconds if seconds is not None else app.timeout(WAIT_S[state])
    if sending.without and not dry_run:
        record(app, "override", what="sealed-without", readers=list(sending.without))
    done: list[Accepted] = []
    offline = dry_run or state == "accepted"
    async with (
        open_publisher(app, offline=offline, seal=sending.seal, without=sending.without) as publisher,
        nullcontext() if offline or state == "stored" else tracking(app, publisher) as tracker,
        asked() as stop,
    ):
        if not dry_run:
            await _unless(stop, publisher.heard(min(patience, HEARD_S)))
        with app.at_work("publishing", lambda: len(done) / len(drafts)):
            tried, first_refusal = await _publish(app, publisher, drafts, sending, done, stop)
        states = ["dry-run" if dry_run else "accepted"] * len(done)
        missing: list[str] = []
        if not offline:
            clock = asyncio.get_running_loop().time
            deadline = clock() + patience
            for place, accepted in enumerate(done):
                await _unless(stop, publisher.settled(accepted.digest, max(0.0, deadline - clock())))
                states[place] = await publisher.settled(accepted.digest, 0.0)
                if states[place] == "stored" and tracker is not None:
                    left = max(0.0, deadline - clock())
                    rung = await _unless(stop, _reached(tracker, accepted, state, left))
                    states[place], short = rung or ("stored", "")
                    missing += [short] if short else []
        problem = (await publisher.health()).problem
    told = [_report(accepted, reached) for accepted, reached in zip(done, states, strict=True)]
    if stop.is_set() and dry_run:
        return [*told, Answer(code=INTERRUPTED)]
    if stop.is_set() and (tried < len(drafts) or "accepted" in states):
        text = (
            f"interrupted: {len(done)} of {len(drafts)} accepted, as listed. They are safe on this disk; those not stored "
            "yet are sent when a tocsin of this authority runs. Do not publish them again"
            + ("" if tried == len(drafts) else "; the others were not signed")
        )
        return [*told, Answer(remarks=[text], code=INTERRUPTED)]
    if first_refusal is not None:
        return [*told, Answer(code=PARTLY if done else exit_code(first_refusal))]
    return [*told, _outcome(states, missing, state, problem)]


def _outcome(states: Sequence[str], missing: Sequence[str], wanted: str, problem: str) -> Answer:
    """The last answer: what has not reached the wanted state, and the exit code."""
    if "parked" in states:
        text = "the broker refuses this authority's subject; nothing is lost; see tocsin outbox status"
        return Answer(remarks=[text], code=NOT_AUTHORISED)
    if "damaged" in states:
        text = "its bytes have changed on this disk, so it was not sent; publish it again, and see tocsin outbox status"
        return Answer(remarks=[text], code=FAILURE)
    if wanted != "accepted" and "accepted" in states:
        text = "queued: safe on this disk, not yet acknowledged by the bus; it is sent when the bus answers and a tocsin of this authority runs"
        return Answer(remarks=[*missing, text + (f" ({problem})" if problem else "")], code=QUEUED)
    return Answer(remarks=missing, code=PARTLY if missing else DONE)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of some work. If the event is set first, the work is cancelled and the result is None."""
    task, halt = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, halt}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, halt):
            each.cancel()
        await asyncio.wait({task, halt})


async def _publish(
    app: App,
    publisher: Publisher,
    drafts: Sequence[NamedDraft],
    sending: Sending,
    done: list[Accepted],
    stop: asyncio.Event,
) -> tuple[int, TocsinError | None]:
    """Publish drafts in groups, in the given order, or rehearse them, until a signal comes. Adds each accepted one to `done`.

    Returns (number of drafts tried, first refusal or None).

    Raises:
        TocsinError: the only draft is refused.
    """
    first_refusal: TocsinError | None = None
    tried = 0
    doubles = None if sending.again is None else Doubles(app, is_meant=sending.again)
    for start in range(0, len(drafts), publishing.GROUP):
        if stop.is_set():
            break
        group = drafts[start : start + publishing.GROUP]
        made: list[Draft | TocsinError] = []
        for _, make in group:
            try:
                made.append(with_marking(make(), sending.audience, sending.tlp))
            except TocsinError as exc:
                made.append(exc)
        made = [
            _looked_at(app, publisher, name, each, sending)
            for (name, _), each in zip(group, made, strict=True)
        ]
        if doubles is not None:
            names = [name for name, _ in group]
            made = [doubles.once(*each, rehearse=sending.dry_run) for each in zip(names, made, strict=True)]
        ready = [each for each in made if not isinstance(each, TocsinError)]
        said = iter(await _say(publisher, ready, rehearse=sending.dry_run))
        tried += len(group)
        for (name, make), draft in zip(group, made, strict=True):
            outcome = draft if isinstance(draft, TocsinError) else next(said)
            if not isinstance(outcome, TocsinError):
                done.append(outcome)
                if doubles is not None and isinstance(draft, Draft) and not sending.dry_run:
                    doubles.accepted(draft, outcome)
                continue
            outcome = _in_whole(app, publisher, name, make, outcome, sending)
            if len(drafts) == 1:
                raise outcome
            first_refusal = first_refusal or outcome
            for line in getattr(outcome, "told", ()) or (f"{name}: {outcome}",):
                app.note(line)
    if doubles is not None:
        doubles.keep()
    return tried, first_refusal


def _in_whole(
    app: App,
    publisher: Publisher,
    name: str,
    make: Callable[[], Draft],
    refused: TocsinError,
    sending: Sending,
) -> TocsinError:
    """A refusal of a file for its content, with all other faults of the file."""
    is_of_draft = isinstance(refused, SchemaError | ReviewError) or (
        isinstance(refused, PermitError) and refused.reason in ("not-permitted", "seal-public")
    )
    if not is_of_draft or not isinstance(make, DraftFile) or make.raw is None:
        return refused
    as_whom = speaker(app, sending.audience, sending.tlp, publisher.registry())
    if (changed := make.changed) is not None:
        marked = as_whom.marked
        as_whom = msgspec.structs.replace(as_whom, marked=lambda draft: marked(changed(draft)))
    return in_whole(name, make.raw, refused, as_whom, reviewed=sending.reviewed is not None)


def _looked_at(
    app: App, publisher: Publisher, name: str, draft: Draft | TocsinError, sending: Sending
) -> Draft | TocsinError:
    """The draft, if it has no doubts, or --reviewed gives a reason, which is recorded; else the error."""
    if isinstance(draft, TocsinError):
        return draft
    registry, now = publisher.registry(), app.now()
    try:
        issuer, given = registry.issuer(app.identity.authority), defaults(app.identity)
        bulletin = stamped(draft, issuer, given, now)
    except TocsinError:
        return draft  # its publisher refuses it for the same reason, and records that
    try:
        found = judgement(draft, bulletin, registry)
    except TocsinError as exc:
        return exc
    for remark in found.remarks:
        app.note(f"{name}: {remark.path}: {remark.text}; the bulletin is sent all the same")
    if bulletin.handling != Handling():
        for sentence in sentences(bulletin, now):
            app.note(f"{name}: {sentence}")
    if not found.doubts:
        return draft
    if sending.reviewed is None:
        return ReviewError(found.doubts)
    if not sending.dry_run:
        seen = [f"{doubt.rule} {doubt.path}" for doubt in found.doubts]
        record(app, "override", what="reviewed", draft=name, reason=sending.reviewed, found=seen)
    return draft


async def _say(
    publisher: Publisher, drafts: Sequence[Draft], *, rehearse: bool
) -> list[Accepted | TocsinError]:
    """The outcome, or with `rehearse` the expected outcome, of each draft."""
    if not rehearse:
        return await publisher.publish_many(drafts)
    outcomes: list[Accepted | TocsinError] = []
    for draft in drafts:
        try:
            outcomes.append(await publisher.rehearse(draft))
        except TocsinError as exc:
            outcomes.append(exc)
    return outcomes


async def _reached(tracker: DeliveryTracker, accepted: Accepted, rung: str, left: float) -> tuple[str, str]:
    """(state of a stored bulletin after the wait, sentence on what is missing or "")."""
    status = await tracker.reached(accepted.digest, delivery.DeliveryState(rung), left)
    if status is None or not status.readers:
        return "stored", f"{accepted.id}: no hub may read {accepted.channel}, so no receipt will come"
    if status.state in (rung, delivery.DeliveryState.READ):
        return str(status.state), ""
    return str(status.state), (
        f"{accepted.id} is {status.state}; not yet {rung} by {', '.join(status.missing)}: "
        f"see tocsin outbox receipts {accepted.id}"
    )


class SentLines(NamedTuple):
    """One bulletin and its state: a row in a pipe; on a terminal a line each for the values that a person copies."""

    state: str
    accepted: Accepted

    def draw(self, app: App) -> None:
        """Print it."""
        state, accepted = self
        if on_terminal():
            app.line(f"{state}: {accepted.channel}, number {accepted.seq}")
            app.line(f"  id      {accepted.id}")
            app.line(f"  digest  {accepted.digest}")
            return
        row = (state, accepted.channel, accepted.seq, accepted.id, accepted.digest)
        app.table(Table(("state", "channel", "seq", "id", "digest"), [row]))


def _report(accepted: Accepted, state: str) -> Answer:
    """The answer for one bulletin: its state, and the recipients of the seal."""
    facts = {name: getattr(accepted, name) for name in ("id", "channel", "seq", "digest", "subject")}
    sealed = {"sealed_to": accepted.sealed_to, "sections": accepted.sections}
    facts |= {"state": state, **{name: part for name, part in sealed.items() if part}}
    notes = []
    if state == "dry-run" and accepted.sealed_to:
        notes.append(f"it would be sealed, to: {', '.join(accepted.sealed_to)}")
    if state == "dry-run":
        notes += [
            f"its section {part.label} would be sealed, to: {', '.join(part.sealed_to)}"
            for part in accepted.sections
        ]
    return Answer(facts, lines=[SentLines(state, accepted)], notes=notes)
