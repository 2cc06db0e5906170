"""How the chosen identity is: looked at afresh for `doctor`, and beside what a view of its store shows."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from bus.cli.frame.app import App
from bus.cli.frame.exit_codes import DONE, UNRELIABLE
from bus.cli.frame.session import (
    OUTBOX_FILE,
    STORE_FILE,
    endpoint,
    open_outbox,
    open_signer,
    open_store,
    registry_store,
)
from bus.cli.frame.text import on_terminal
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.health import Facts, KeyFacts, OutboxFacts, RefusedFacts, Report
    from bus.publishing import Outbox
    from bus.trust import RegistryStore, VerifiedRegistry

LOOK_S = 5.0


def report_beside(app: App, db: sqlite3.Connection, registry: VerifiedRegistry, now: dt.datetime) -> Report:
    """How what a store shows is to be taken: by the store, the registry, the disk and what programs say; the bus is not asked.

    Args:
        app: this invocation.
        db: the store of the chosen context, inside a read.
        registry: as it stands at `now`.
        now: the present, aware.
    """
    from bus.health import (
        Facts,
        came_in_a_day,
        disk_facts,
        grant_facts,
        judge,
        lease_facts,
        read_states,
        store_facts,
        trust_facts,
    )

    identity, folder = app.identity.authority, app.state_folder()
    programs, unread = read_states(folder)
    facts = Facts(
        identity=identity,
        store=store_facts(db, registry, identity),
        trust=trust_facts(registry, now),
        grants=grant_facts(registry, identity),
        disk=disk_facts(folder, came_in_a_day(db, now)),
        lease=lease_facts(db, now),
        programs=programs,
        unread=unread,
    )
    return judge(_with_told_keys(facts, registry, now), now)


def behind_now(app: App, now: dt.datetime) -> int | None:
    """How many bulletins the program that reads into the store of the chosen context has still to take in; None where none reads.

    Args:
        app: this invocation.
        now: the present, aware.
    """
    from bus.health import read_states, running_now

    readers = [state.facts.reader for state in running_now(read_states(app.state_folder()).seen, now)]
    return next((each.behind for each in readers if each is not None and each.standing == "reading"), None)


def _with_told_keys(facts: Facts, registry: VerifiedRegistry, now: dt.datetime) -> Facts:
    """The keys with which this identity's programs sign, judged by the registry as it is now."""
    from bus.health import running_now, signing_key_facts

    kids: dict[str, KeyFacts] = {}
    for state in running_now(facts.programs, now):
        for key in state.facts.keys:
            kids[f"{key.use} {key.kid}"] = (
                signing_key_facts(registry, facts.identity, key.kid.split(", "), now)
                if key.use == "signing"
                else key
            )
    return msgspec.structs.replace(facts, keys=tuple(kids.values()))


def show_head(app: App, report: Report, *, table: bool = False) -> None:
    """The first line of a view: as of when, and how it is to be taken.

    With `--json` it is for the command to put the report into its object, or, where it streams or prints a list, an object
    `{"health": ...}` on standard error. A table in a pipe stays one, so there the line goes to standard error.
    """
    words = report.words()
    if app.json:
        if table:
            app.aside({"health": report})
    elif table and not on_terminal():
        app.warn(words)
    else:
        app.line(words)


def code_of(report: Report) -> int:
    """With which exit code a view ends that stands on this report."""
    return UNRELIABLE if report.is_bad else DONE


async def looked_at(app: App, timeout: float) -> Facts:
    """All of the chosen identity, looked at afresh; needs no program that runs, and ends within the timeout where the bus does not answer.

    Args:
        app: this invocation.
        timeout: seconds to wait for the bus.

    Raises:
        ConfigError: no context can be chosen.
    """
    from bus.health import (
        Facts,
        TrustFacts,
        certificate_facts,
        disk_facts,
        grant_facts,
        read_states,
        seal_key_facts,
        trust_facts,
    )

    context, folder, now = app.identity, app.state_folder(), app.now()
    programs, unread = read_states(folder)
    facts = Facts(identity=context.authority, programs=programs, unread=unread, disk=disk_facts(folder))
    try:
        held = registry_store(app)
        registry = held()
    except TocsinError as exc:
        return msgspec.structs.replace(facts, trust=TrustFacts(problem=str(exc), reason=exc.reason))
    keys = [] if context.key is None else [await asyncio.to_thread(_signing_key, app, registry, now)]
    keys += [*seal_key_facts(registry, context.authority)]
    keys += certificate_facts(context.tls_cert, context.certificate)
    facts = msgspec.structs.replace(
        facts,
        trust=trust_facts(registry, now),
        grants=grant_facts(registry, context.authority),
        keys=tuple(keys),
    )
    facts = await _with_store(app, facts, registry)
    facts = await _with_bus(app, facts, held, timeout)
    return await _with_outbox(app, facts, held, timeout)


def _signing_key(app: App, registry: VerifiedRegistry, now: dt.datetime) -> KeyFacts:
    """The context's key, opened and judged as `publish` does."""
    from bus.health import signing_key_facts, unusable_key

    try:
        signer = open_signer(app.identity)
    except TocsinError as exc:
        return unusable_key("signing", exc)
    except OSError as exc:
        from bus.errors import KeyFileError

        return unusable_key(
            "signing", KeyFileError(f"{exc.filename}: {exc.strerror}", reason="key-unreadable")
        )
    return signing_key_facts(registry, app.identity.authority, [signer.kid], now)


async def _with_store(app: App, facts: Facts, registry: VerifiedRegistry) -> Facts:
    """With the reader's store, where there is one."""
    from bus.health import StoreFacts, came_in_a_day, disk_facts, lease_facts, store_facts

    now, folder = app.now(), app.state_folder()
    if not (folder / STORE_FILE).exists():
        return facts
    try:
        async with open_store(app) as store:
            found, held, a_day = await store.read(
                lambda db: (
                    store_facts(db, registry, facts.identity),
                    lease_facts(db, now),
                    came_in_a_day(db, now),
                )
            )
    except TocsinError as exc:
        return msgspec.structs.replace(facts, store=StoreFacts(problem=str(exc), reason=exc.reason))
    return msgspec.structs.replace(facts, store=found, lease=held, disk=disk_facts(folder, a_day))


async def _with_bus(app: App, facts: Facts, held: RegistryStore, timeout: float) -> Facts:
    """With a look at the broker, where the context names one."""
    from bus.health import BusFacts, Link

    context = app.identity
    if context.server is None or context.nkey is None:
        return facts
    try:
        link = Link(endpoint(app, "doctor"), held, app.now, patience_s=timeout)
    except TocsinError as exc:
        return msgspec.structs.replace(facts, bus=BusFacts(problem=str(exc), reason=exc.reason))
    await link.look_once()
    return msgspec.structs.replace(facts, bus=link.bus, clock=link.clock)


async def _with_outbox(app: App, facts: Facts, held: RegistryStore, timeout: float) -> Facts:
    """With the outbox, compared with the own channels on the bus unless a program that sends from it does that."""
    from bus.health import OutboxFacts, held_facts
    from bus.publishing import heads_path

    path = app.state_folder() / OUTBOX_FILE
    if app.identity.key is None or not (path.exists() or heads_path(path).exists()):
        return facts
    try:
        async with open_outbox(app) as box:
            found = await held_facts(box)
            refused = await refused_by_hubs(box)
            if facts.bus is not None and facts.bus.reached:
                found = await _compared(app, box, found, held, timeout)
            if box.unfit is not None:  # as whoever signs from it would be told
                found = msgspec.structs.replace(found, behind=found.behind or box.unfit.detail)
    except TocsinError as exc:
        found = OutboxFacts(problem=str(exc), reason=exc.reason)
        return msgspec.structs.replace(facts, outbox=found)
    return msgspec.structs.replace(facts, outbox=found, refused=refused)


async def refused_by_hubs(box: Outbox) -> RefusedFacts:
    """What hubs hold of this identity's and have not admitted, as far as their receipts say so."""
    from bus.delivery import ledger
    from bus.health import RefusedFacts
    from bus.storage import utc

    rows = await box.read(ledger.refused)
    if not rows:
        return RefusedFacts()
    count = len({row["id"] for row in rows})  # not for each hub that says so
    return RefusedFacts(count=count, last_at=utc(rows[0]["at"]), last_by=rows[0]["reader"])


async def _compared(
    app: App, box: Outbox, found: OutboxFacts, held: RegistryStore, timeout: float
) -> OutboxFacts:
    """What was found in an outbox, with what its comparison with the bus says; `compared` stays open where another process sends."""
    from bus.errors import BrokerError, OutboxError, UnreachableError
    from bus.publishing import Sender

    sender = Sender(
        authority_id=app.identity.authority,
        outbox=box,
        endpoint=endpoint(app, "doctor"),
        registry=held,
        clock=app.now,
    )
    try:
        behind = await sender.compare_once(timeout)
    except OutboxError:
        return found  # who sends compares it, and tells in its state
    except (UnreachableError, BrokerError) as exc:
        return msgspec.structs.replace(found, compared=False, problem=str(exc))
    return msgspec.structs.replace(found, compared=True, behind=behind)
