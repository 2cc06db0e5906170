"""Turns data of the lower rooms into facts: the registry, keys, an outbox, a store, a disk."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bus.errors import OutboxError, PermitError, TrustError
from bus.health.facts import (
    DiskFacts,
    GrantFacts,
    KeyFacts,
    LeaseFacts,
    OutboxFacts,
    ReaderFacts,
    StoreFacts,
    TrustFacts,
)
from bus.keys import valid_between
from bus.publishing import Outbox, Publisher, RowState, check_keys, outbox_table
from bus.storage import lease, utc
from bus.trust import HUB, VerifiedRegistry, receipt_grants
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.subscribing import Reading

DAY = dt.timedelta(days=1)
BULLETIN_BYTES = 4096
"""Bytes of one bulletin on a disk, with its row and indexes: a little more than measured."""


def trust_facts(registry: VerifiedRegistry, now: dt.datetime) -> TrustFacts:
    """How current the registry in force is."""
    beacon = registry.beacon
    return TrustFacts(
        domain=registry.domain,
        version=registry.version,
        state=str(registry.state(now)),
        is_forgetful=registry.is_forgetful,
        issued=registry.document.issued,
        expires=registry.document.expires,
        beacon_issued=None if beacon is None else beacon.issued,
        beacon_until=None if beacon is None else beacon.expires,
    )


def grant_facts(registry: VerifiedRegistry, authority_id: str) -> GrantFacts:
    """The permissions of an identity in the registry."""
    try:
        is_hub = registry.authority(authority_id).kind == HUB
    except TrustError as exc:
        return GrantFacts(problem=str(exc), reason=exc.reason)
    return GrantFacts(
        publishes=len(registry.granted_prefixes(authority_id)),
        reads=len(registry.read_prefixes(authority_id)),
        answers=len(receipt_grants.ways(registry, authority_id)) if is_hub else None,
    )


def signing_key_facts(
    registry: VerifiedRegistry, authority_id: str, kids: Sequence[str], now: dt.datetime
) -> KeyFacts:
    """Whether an authority may sign with these keys, by the check of `publish`."""
    records = [key.record for kid in kids if (key := registry.key(kid)) is not None]
    name = ", ".join(kids)
    first = min(records, key=lambda record: record.not_after, default=None)
    not_before, not_after = (None, None) if first is None else (first.not_before, first.not_after)
    try:
        check_keys(registry, authority_id, kids, now)
    except (PermitError, TrustError) as exc:
        ends = [record.revoked_since or record.not_after for record in records]
        return KeyFacts(
            use="signing",
            kid=name,
            not_before=not_before,
            not_after=not_after,
            since=min((end for end in ends if end <= now), default=None),
            problem=str(exc),
            reason=exc.reason,
        )
    return KeyFacts(use="signing", kid=name, not_before=not_before, not_after=not_after)


def unusable_key(use: str, exc: TocsinError) -> KeyFacts:
    """The facts of a key that could not be opened."""
    return KeyFacts(use=use, problem=str(exc), reason=exc.reason)


def seal_key_facts(registry: VerifiedRegistry, authority_id: str) -> tuple[KeyFacts, ...]:
    """The longest-valid seal key of an identity; empty if it has none."""
    records = registry.seal_keys(authority_id)
    standing = {kid: record for kid, record in records.items() if record.revoked_since is None}
    if not records:
        return ()
    if not standing:
        problem = f"all seal keys of {authority_id} are revoked: nobody can seal anything to it"
        return (KeyFacts(use="seal", problem=problem, reason="key-revoked"),)
    kid = max(standing, key=lambda each: standing[each].not_after)
    best = standing[kid]
    return (KeyFacts(use="seal", kid=kid, not_before=best.not_before, not_after=best.not_after),)


def certificate_facts(*files: Path | None) -> tuple[KeyFacts, ...]:
    """The expiry of the certificates in these files."""
    found = []
    for path in filter(None, files):
        try:
            begins, ends = valid_between(path.read_bytes())
        except OSError as exc:
            problem = f"{path}: {exc.strerror}"
            found.append(
                KeyFacts(use="certificate", kid=str(path), problem=problem, reason="file-unreadable")
            )
        except TrustError as exc:
            found.append(
                KeyFacts(use="certificate", kid=str(path), problem=f"{path}: {exc}", reason=exc.reason)
            )
        else:
            found.append(KeyFacts(use="certificate", kid=str(path), not_before=begins, not_after=ends))
    return tuple(found)


def _counted(db: sqlite3.Connection) -> OutboxFacts:
    """The waiting and damaged rows of an outbox."""
    waiting, oldest = outbox_table.waiting(db)
    counts = outbox_table.counts_aside(db)
    parked, damaged = counts[RowState.PARKED], counts[RowState.DAMAGED]
    since = None if oldest is None else utc(oldest)
    return OutboxFacts(waiting=waiting, parked=parked, damaged=damaged, oldest_at=since)


async def held_facts(outbox: Outbox) -> OutboxFacts:
    """The waiting rows of an outbox, and whether it may sign, by the guard of `publish`."""

    def look(db: sqlite3.Connection) -> OutboxFacts:
        found = _counted(db)
        try:
            outbox.heads.guard(db)
        except OutboxError as exc:
            return msgspec.structs.replace(found, problem=str(exc), reason=exc.reason)
        return found

    return await outbox.read(look)


async def sending_facts(publisher: Publisher) -> OutboxFacts:
    """The waiting rows of a running publisher's outbox, and its sender's facts about the bus."""
    found = await held_facts(publisher.outbox)
    sender = publisher.sender
    if sender is None:
        return found
    return msgspec.structs.replace(
        found,
        compared=sender.compared.is_set() if sender.leads or sender.behind else None,
        behind=sender.behind,
        problem=found.problem or sender.problem,
    )


def store_facts(db: sqlite3.Connection, registry: VerifiedRegistry | None, authority_id: str) -> StoreFacts:
    """Whether a program must always read into a reader's store, and when the last bulletin came."""
    record = None if registry is None else registry.document.authorities.get(authority_id)
    last = db.execute(
        "SELECT (SELECT admitted_at FROM admitted ORDER BY admitted_at DESC LIMIT 1)"
    ).fetchone()[0]
    return StoreFacts(
        lasting=record is not None and record.kind == HUB, last_at=None if last is None else utc(last)
    )


def lease_facts(db: sqlite3.Connection, now: dt.datetime) -> LeaseFacts:
    """The lease of a store or an outbox."""
    owner = lease.holder(db, now.timestamp())
    if owner is None:
        return LeaseFacts()
    return LeaseFacts(held=True, pid=int(owner.split(":")[1]))


def came_in_a_day(db: sqlite3.Connection, now: dt.datetime) -> int:
    """The number of bulletins that a store has taken in during the last day."""
    since = (now - DAY).timestamp()
    sql = (
        "SELECT (SELECT row FROM admitted ORDER BY row DESC LIMIT 1), "
        "(SELECT row FROM admitted WHERE admitted_at < ? ORDER BY admitted_at DESC, row DESC LIMIT 1)"
    )
    last, before = db.execute(sql, (since,)).fetchone()
    return 0 if last is None else int(last) - int(before or 0)


def disk_facts(folder: Path, bulletins: int = 0) -> DiskFacts:
    """Free bytes on the disk of a state folder, and the bytes that a day with this many bulletins needs."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as exc:
        return DiskFacts(folder=str(folder), problem=f"{folder}: {exc.strerror}")
    return DiskFacts(folder=str(folder), free=free, a_day=bulletins * BULLETIN_BYTES)


def reader_facts(reading: Reading, standing: str, since: dt.datetime | None) -> ReaderFacts:
    """The state of reading.

    Args:
        reading: the result of `Subscriber.reading`.
        standing: the result of `HubService.standing`.
        since: when the program began.
    """
    return ReaderFacts(
        standing=standing,
        attached=reading.attached,
        caught_up=reading.caught_up,
        behind=reading.behind,
        lag_s=reading.lag_s,
        heard_at=reading.heard_at,
        as_of=reading.as_of,
        problem=reading.problem,
        reason=reading.problem_reason,
        since=since,
    )
