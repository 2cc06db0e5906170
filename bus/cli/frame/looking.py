"""The health of the chosen identity: checked in full for `doctor`, and from the store for a view."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from bus import delivery, health, publishing, storage
from bus.cli.frame.app import App
from bus.cli.frame.exit_codes import DONE, UNRELIABLE
from bus.cli.frame.session import endpoint, open_outbox, open_signer, open_store, registry_store
from bus.config import OUTBOX_FILE, STORE_FILE
from bus.errors import BrokerError, KeyFileError, OutboxError, UnreachableError
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.health import Facts, KeyFacts, OutboxFacts, Report
    from bus.publishing import Outbox
    from bus.trust import RegistryStore, VerifiedRegistry

LOOK_S = 5.0


def report_beside(app: App, db: sqlite3.Connection, registry: VerifiedRegistry, now: dt.datetime) -> Report:
    """The report on how reliable a store is: from the store, the registry, the disk and the state files of programs, not the bus.

    Args:
        app: this invocation.
        db: the store of the chosen context, inside a read.
        registry: the registry at `now`.
        now: the present, aware.
    """
    return health.report_beside(db, registry, app.identity.authority, app.state_folder(), now)


def behind_now(app: App, now: dt.datetime) -> int | None:
    """The number of bulletins that the program reading into the context's store must still admit; None if none reads.

    Args:
        app: this invocation.
        now: the present, aware.
    """
    readers = [
        state.facts.reader for state in health.running_now(health.read_states(app.state_folder()).seen, now)
    ]
    return next((each.behind for each in readers if each is not None and each.standing == "reading"), None)


def code_of(report: Report) -> int:
    """The exit code of a view with this report."""
    return UNRELIABLE if report.is_bad else DONE


async def looked_at(app: App, timeout: float) -> health.Facts:
    """All facts of the chosen identity, checked now. Needs no running program. Ends within the timeout if the bus does not answer.

    Args:
        app: this invocation.
        timeout: seconds to wait for the bus.

    Raises:
        ConfigError: there is no context to choose.
    """
    context, folder, now = app.identity, app.state_folder(), app.now()
    programs, unread = health.read_states(folder)
    facts = health.Facts(
        identity=context.authority, programs=programs, unread=unread, disk=health.disk_facts(folder)
    )
    try:
        held = registry_store(app)
        registry = held()
    except TocsinError as exc:
        return msgspec.structs.replace(facts, trust=health.TrustFacts(problem=str(exc), reason=exc.reason))
    keys = [] if context.key is None else [await asyncio.to_thread(_signing_key, app, registry, now)]
    keys += [*health.seal_key_facts(registry, context.authority)]
    keys += health.certificate_facts(context.tls_cert, context.certificate)
    facts = msgspec.structs.replace(
        facts,
        trust=health.trust_facts(registry, now),
        grants=health.grant_facts(registry, context.authority),
        keys=tuple(keys),
    )
    facts = await _with_store(app, facts, registry)
    facts = await _with_bus(app, facts, held, timeout)
    return await _with_outbox(app, facts, held, timeout)


def _signing_key(app: App, registry: VerifiedRegistry, now: dt.datetime) -> KeyFacts:
    """The facts of the context's key, opened and judged as by `publish`."""
    try:
        signer = open_signer(app.identity)
    except TocsinError as exc:
        return health.unusable_key("signing", exc)
    except OSError as exc:
        return health.unusable_key(
            "signing", KeyFileError(f"{exc.filename}: {exc.strerror}", reason="key-unreadable")
        )
    return health.signing_key_facts(registry, app.identity.authority, [signer.kid], now)


async def _with_store(app: App, facts: Facts, registry: VerifiedRegistry) -> Facts:
    """The facts with those of the reader's store, if there is one."""
    now, folder = app.now(), app.state_folder()
    if not (folder / STORE_FILE).exists():
        return facts
    try:
        async with open_store(app) as store:
            found, held, a_day = await store.read(
                lambda db: (
                    health.store_facts(db, registry, facts.identity),
                    health.lease_facts(db, now),
                    health.came_in_a_day(db, now),
                )
            )
    except TocsinError as exc:
        return msgspec.structs.replace(facts, store=health.StoreFacts(problem=str(exc), reason=exc.reason))
    return msgspec.structs.replace(facts, store=found, lease=held, disk=health.disk_facts(folder, a_day))


async def _with_bus(app: App, facts: Facts, held: RegistryStore, timeout: float) -> Facts:
    """The facts with those of the broker, if the context names one."""
    context = app.identity
    if context.server is None or context.nkey is None:
        return facts
    try:
        link = health.Link(endpoint(app, "doctor"), held, app.now, patience_s=timeout)
    except TocsinError as exc:
        return msgspec.structs.replace(facts, bus=health.BusFacts(problem=str(exc), reason=exc.reason))
    await link.look_once()
    return msgspec.structs.replace(facts, bus=link.bus, clock=link.clock)


async def _with_outbox(app: App, facts: Facts, held: RegistryStore, timeout: float) -> Facts:
    """The facts with those of the outbox, compared with the own channels on the bus unless a running sender does that."""
    path = app.state_folder() / OUTBOX_FILE
    if app.identity.key is None or not (path.exists() or publishing.heads_path(path).exists()):
        return facts
    try:
        async with open_outbox(app) as box:
            found = await health.held_facts(box)
            refused = await refused_by_hubs(box)
            if facts.bus is not None and facts.bus.reached:
                found = await _compared(app, box, found, held, timeout)
            if box.unfit is not None:  # as a program that signs from it sees it
                found = msgspec.structs.replace(found, behind=found.behind or box.unfit.detail)
    except TocsinError as exc:
        found = health.OutboxFacts(problem=str(exc), reason=exc.reason)
        return msgspec.structs.replace(facts, outbox=found)
    return msgspec.structs.replace(facts, outbox=found, refused=refused)


async def refused_by_hubs(box: Outbox) -> health.RefusedFacts:
    """The bulletins of this identity that hubs hold but have not admitted, by their receipts."""
    rows = await box.read(delivery.ledger.refused)
    if not rows:
        return health.RefusedFacts()
    count = len({row["id"] for row in rows})  # once, not for each hub
    return health.RefusedFacts(count=count, last_at=storage.utc(rows[0]["at"]), last_by=rows[0]["reader"])


async def _compared(
    app: App, box: Outbox, found: OutboxFacts, held: RegistryStore, timeout: float
) -> OutboxFacts:
    """The facts of an outbox, with the result of its comparison with the bus; `compared` stays None if another process sends."""
    sender = publishing.Sender(
        authority_id=app.identity.authority,
        outbox=box,
        endpoint=endpoint(app, "doctor"),
        registry=held,
        clock=app.now,
    )
    try:
        behind = await sender.compare_once(timeout)
    except OutboxError:
        return found  # the sending program compares it, and reports in its state file
    except (UnreachableError, BrokerError) as exc:
        return msgspec.structs.replace(found, compared=False, problem=str(exc))
    return msgspec.structs.replace(found, compared=True, behind=behind)
