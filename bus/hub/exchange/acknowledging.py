"""A person's acknowledgement, as a signed receipt of the hub. The commands and the console use it alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from bus.errors import PermitError
from bus.hub.exchange import receipt_queue
from bus.hub.exchange.receipts import Receipts
from bus.publishing import Publisher
from bus.subscribing import Inbox
from bus.trust import receipt_grants
from schemas.subject import Channel
from schemas.vocab import TALK, ReceiptStage


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: whether it is new, and whether the receipt is signed; else it waits in the queue."""

    is_new: bool
    is_signed: bool


async def acknowledge(
    store: Inbox, publisher: Publisher, row: sqlite3.Row, before: Callable[[], object]
) -> Acknowledged:
    """Note that a person here has read a bulletin, and sign the receipt for its author.

    Args:
        store: the hub's store.
        publisher: the hub's.
        row: of the admitted bulletin.
        before: puts it on record, before the receipt is noted; not called again for the same bulletin.

    Raises:
        PermitError: `not-acknowledgeable`, a bulletin of programs, or of this authority itself; `not-permitted`, no grant for receipts to
            its author; and as `Publisher.publish`, then the receipt waits in the queue.
        StoreError: the disk is full or fails.
    """
    channel, me = Channel.parse(row["channel"]), publisher.authority_id
    if channel.status in TALK or channel.issuer == me:
        raise PermitError(
            "only a bulletin of another authority, written for people, can be acknowledged",
            reason="not-acknowledgeable",
        )
    if not receipt_grants.may_answer(publisher.registry(), me, channel):
        raise PermitError(
            f"{me} has no grant for receipts to {channel.issuer} for {channel.name}",
            remedy="ask your registrar",
            reason="not-permitted",
        )
    stage, digest, now = ReceiptStage.ACKNOWLEDGED, row["digest"], publisher.clock().timestamp()
    is_new = not await store.read(lambda db: receipt_queue.is_noted(db, stage, digest))
    if is_new:
        before()
        await store.write(lambda db: receipt_queue.add(db, stage, digest, row["id"], channel, now))
    await Receipts(store, publisher).answer()
    is_signed = await store.read(lambda db: receipt_queue.is_sent(db, stage, digest))
    return Acknowledged(is_new=is_new, is_signed=is_signed)
