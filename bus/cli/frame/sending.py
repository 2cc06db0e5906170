"""Publishes drafts, and tells how far each came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from bus.cli.frame.app import App
from bus.cli.frame.exit_codes import DONE, NOT_AUTHORISED, PARTLY, QUEUED, exit_code
from bus.cli.frame.text import on_terminal

if TYPE_CHECKING:
    from bus.delivery import DeliveryTracker
    from bus.publishing import Accepted
    from schemas.bulletin import Draft


P = ParamSpec("P")
R = TypeVar("R")
WAIT_S = {"accepted": 5.0, "stored": 5.0, "received": 30.0, "read": 300.0}


class Wait(click.ParamType):  # type: ignore[type-arg]  # generic only in its stubs
    """`STATE` or `STATE=SECONDS`."""

    name = "state[=seconds]"
    states = ("accepted", "stored", "received", "read")

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float | None]:
        """Split and check."""
        if isinstance(value, tuple):
            return value
        state, _, seconds = str(value).partition("=")
        if state not in self.states:
            self.fail(f"{state!r} is none of: {', '.join(self.states)}", param, ctx)
        try:
            return state, float(seconds) if seconds else None
        except ValueError:
            self.fail(f"{seconds!r} is no number of seconds", param, ctx)


NamedDraft = tuple[str, Callable[[], "Draft"]]


def marking_options(function: Callable[P, R]) -> Callable[P, R]:
    """`--audience` and `--tlp`: another way than the draft's own."""
    for option in (
        click.option(
            "--tlp",
            type=click.Choice(["red", "amber+strict", "amber", "green", "clear"]),
            help="marking, instead of the draft's",
        ),
        click.option("--audience", help="sharing group or organisation, instead of the draft's"),
    ):
        function = option(function)
    return function


wait_option = click.option(
    "--wait",
    type=Wait(),
    default="stored",
    show_default=True,
    help="how far to wait: accepted, stored, received or read, with =SECONDS",
)


dry_run_option = click.option(
    "--dry-run", is_flag=True, help="stamp, validate, permit and address; sign and keep nothing"
)


without_option = click.option(
    "--without",
    multiple=True,
    metavar="ID",
    help="leave this reader out of what is sealed: it will not be able to open it; repeat",
)


def with_marking(draft: Draft, audience: str | None, tlp: str | None) -> Draft:
    """The draft with the audience and marking given on the command line."""
    import msgspec

    from schemas.vocab import Tlp

    changes: dict[str, object] = {}
    if audience is not None:
        changes["audience"] = audience
    if tlp is not None:
        changes["tlp"] = Tlp(tlp)
    return msgspec.structs.replace(draft, **changes) if changes else draft


async def send_files(
    app: App,
    files: tuple[str, ...],
    audience: str | None,
    tlp: str | None,
    wait: tuple[str, float | None],
    *,
    dry_run: bool,
    seal: bool = False,
    without: tuple[str, ...] = (),
) -> int:
    """Publish draft files; see `send_drafts`."""
    from bus.cli.frame.drafts import read_draft

    def reading(name: str) -> Callable[[], Draft]:
        return lambda: with_marking(read_draft(name), audience, tlp)

    named = [(name, reading(name)) for name in files]
    return await send_drafts(app, named, wait, dry_run=dry_run, seal=seal, without=without)


async def send_drafts(
    app: App,
    drafts: Sequence[NamedDraft],
    wait: tuple[str, float | None],
    *,
    dry_run: bool,
    seal: bool = False,
    without: tuple[str, ...] = (),
) -> int:
    """Publish drafts, report each, and return the exit code; with `seal` all of them are sealed."""
    from bus.cli.frame.audit import record
    from bus.cli.frame.programs import open_publisher, tracking
    from schemas.errors import TocsinError

    app.logs(errors_only=True)  # the ladder and the last sentence say how it went
    state, seconds = wait
    patience = seconds if seconds is not None else app.timeout(WAIT_S[state])
    if without and not dry_run:
        record(app, "override", what="sealed-without", readers=list(without))
    done: list[Accepted] = []
    first_refusal: TocsinError | None = None
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(
            open_publisher(app, offline=dry_run or state == "accepted", seal=seal, without=without)
        )
        tracker = None
        if state in ("received", "read") and not dry_run:
            tracker = await stack.enter_async_context(tracking(app, publisher))
        for name, make in drafts:
            try:
                draft = make()
                done.append(await (publisher.rehearse(draft) if dry_run else publisher.publish(draft)))
            except TocsinError as exc:
                if len(drafts) == 1:
                    raise
                first_refusal = first_refusal or exc
                app.note(f"{name}: {exc}")
        states = ["dry-run"] * len(done) if dry_run else ["accepted"] * len(done)
        missing: list[str] = []
        if state != "accepted" and not dry_run:
            deadline = asyncio.get_running_loop().time() + patience
            for place, accepted in enumerate(done):
                left = max(0.0, deadline - asyncio.get_running_loop().time())
                states[place] = await publisher.settled(accepted.digest, left)
                if states[place] == "stored" and tracker is not None:
                    left = max(0.0, deadline - asyncio.get_running_loop().time())
                    states[place], short = await _reached(tracker, accepted, state, left)
                    missing += [short] if short else []
        problem = (await publisher.health()).problem
    for accepted, reached in zip(done, states, strict=True):
        _report(app, accepted, reached)
    if first_refusal is not None:
        return PARTLY if done else exit_code(first_refusal)
    if "parked" in states:
        app.note(
            "the broker refuses this authority's subject; nothing is lost: tocsin outbox status says more"
        )
        return NOT_AUTHORISED
    for short in missing:
        app.note(short)
    if state != "accepted" and "accepted" in states:
        app.note(
            "queued: safe on this disk, not yet acknowledged by the bus; it is sent when the bus is back and a tocsin of this authority runs"
            + (f" ({problem})" if problem else "")
        )
        return QUEUED
    return PARTLY if missing else DONE


async def _reached(tracker: DeliveryTracker, accepted: Accepted, rung: str, left: float) -> tuple[str, str]:
    """How far hubs have brought a stored bulletin in time, and what is missing in a sentence."""
    from bus.delivery import DeliveryState

    found = await tracker.reached(accepted.digest, DeliveryState(rung), left)
    if found is None or not found.readers:
        return "stored", f"{accepted.id}: no hub may read {accepted.channel}, so nobody will answer"
    if found.state in (rung, DeliveryState.READ):
        return str(found.state), ""
    return str(found.state), (
        f"{accepted.id} is {found.state}; not yet {rung} by {', '.join(found.missing)}: "
        f"tocsin outbox receipts {accepted.id} says more"
    )


def _report(app: App, accepted: Accepted, state: str) -> None:
    if app.json:
        app.data(
            {
                "id": accepted.id,
                "channel": accepted.channel,
                "seq": accepted.seq,
                "digest": accepted.digest,
                "subject": accepted.subject,
                "state": state,
            }
            | ({"sealed_to": accepted.sealed_to} if accepted.sealed_to else {})
            | ({"sections": accepted.sections} if accepted.sections else {})
        )
    elif on_terminal():
        # Each on a line of its own, so that it can be copied from a narrow window.
        app.line(f"{state}: {accepted.channel}, number {accepted.seq}")
        app.line(f"  id      {accepted.id}")
        app.line(f"  digest  {accepted.digest}")
    else:
        app.table(
            ("state", "channel", "seq", "id", "digest"),
            [(state, accepted.channel, accepted.seq, accepted.id, accepted.digest)],
        )
    if not app.json and state == "dry-run":
        if accepted.sealed_to:
            app.note(f"it would be sealed, to: {', '.join(accepted.sealed_to)}")
        for part in accepted.sections:
            app.note(f"its section {part.label} would be sealed, to: {', '.join(part.sealed_to)}")
