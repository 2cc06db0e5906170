"""How the chosen identity is: looked at afresh for `doctor`, and beside what a view of its store shows."""

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
    """How what a store shows is to be taken: by the store, the registry, the disk and what programs say; the bus is not asked.

    Args:
        app: this invocation.
        db: the store of the chosen context, inside a read.
        registry: as it stands at `now`.
        now: the present, aware.
    """
    identity, folder = app.identity.authority, app.state_folder()
    programs, unread = health.read_states(folder)
    facts = health.Facts(
        identity=identity,
        store=health.store_facts(db, registry, identity),
        trust=health.trust_facts(registry, now),
        grants=health.grant_facts(registry, identity),
        disk=health.disk_facts(folder, health.came_in_a_day(db, now)),
        lease=health.lease_facts(db, now),
        programs=programs,
        unread=unread,
    )
    return health.judge(_with_told_keys(facts, registry, now), now)


def behind_now(app: App, now: dt.datetime) -> int | None:
    """How many bulletins the program that reads into the store of the chosen context has still to take in; None where none reads.

    Args:
        app: this invocation.
        now: the present, aware.
    """
    readers = [
        state.facts.reader for state in health.running_now(health.read_states(app.state_folder()).seen, now)
    ]
    return next((each.behind for each in readers if each is not None and each.standing == "reading"), None)


def _with_told_keys(facts: Facts, registry: VerifiedRegistry, now: dt.datetime) -> Facts:
    """The keys with which this identity's programs sign, judged by the registry as it is now."""
    kids: dict[str, KeyFacts] = {}
    for state in health.running_now(facts.programs, now):
        for key in state.facts.keys:
            kids[f"{key.use} {key.kid}"] = (
                health.signing_key_facts(registry, facts.identity, key.kid.split(", "), now)
                if key.use == "signing"
                else key
            )
    return msgspec.structs.replace(facts, keys=tuple(kids.values()))


def code_of(report: Report) -> int:
    """With which exit code a view ends that stands on this report."""
    return UNRELIABLE if report.is_bad else DONE


async def looked_at(app: App, timeout: float) -> health.Facts:
    """All of the chosen identity, looked at afresh; needs no program that runs, and ends within the timeout where the bus does not answer.

    Args:
        app: this invocation.
        timeout: seconds to wait for the bus.

    Raises:
        ConfigError: no context can be chosen.
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
    """The context's key, opened and judged as `publish` does."""
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
    """With the reader's store, where there is one."""
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
    """With a look at the broker, where the context names one."""
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
    """With the outbox, compared with the own channels on the bus unless a program that sends from it does that."""
    path = app.state_folder() / OUTBOX_FILE
    if app.identity.key is None or not (path.exists() or publishing.heads_path(path).exists()):
        return facts
    try:
        async with open_outbox(app) as box:
            found = await health.held_facts(box)
            refused = await refused_by_hubs(box)
            if facts.bus is not None and facts.bus.reached:
                found = await _compared(app, box, found, held, timeout)
            if box.unfit is not None:  # as whoever signs from it would be told
                found = msgspec.structs.replace(found, behind=found.behind or box.unfit.detail)
    except TocsinError as exc:
        found = health.OutboxFacts(problem=str(exc), reason=exc.reason)
        return msgspec.structs.replace(facts, outbox=found)
    return msgspec.structs.replace(facts, outbox=found, refused=refused)


async def refused_by_hubs(box: Outbox) -> health.RefusedFacts:
    """What hubs hold of this identity's and have not admitted, as far as their receipts say so."""
    rows = await box.read(delivery.ledger.refused)
    if not rows:
        return health.RefusedFacts()
    count = len({row["id"] for row in rows})  # not for each hub that says so
    return health.RefusedFacts(count=count, last_at=storage.utc(rows[0]["at"]), last_by=rows[0]["reader"])


async def _compared(
    app: App, box: Outbox, found: OutboxFacts, held: RegistryStore, timeout: float
) -> OutboxFacts:
    """What was found in an outbox, with what its comparison with the bus says; `compared` stays open where another process sends."""
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
        return found  # who sends compares it, and tells in its state
    except (UnreachableError, BrokerError) as exc:
        return msgspec.structs.replace(found, compared=False, problem=str(exc))
    return msgspec.structs.replace(found, compared=True, behind=behind)
