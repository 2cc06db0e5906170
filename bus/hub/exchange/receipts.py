"""Signed receipts of a hub for bulletins that it has admitted, that its people have read, and that were withdrawn.

Without a grant for an author, or without a valid key, receipts wait in the queue; the hub reads on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import MappingProxyType

import msgspec

from bus.errors import BusError, StoreError
from bus.hub.exchange import receipt_queue
from bus.hub.exchange.requests import addressed, plural
from bus.publishing import Publisher
from bus.subscribing import Inbox
from bus.trust import receipt_grants
from schemas.bodies.system import Receipt, ReceiptItem
from schemas.bulletin import Draft
from schemas.vocab import ReceiptStage, Tlp


class Receipts(msgspec.Struct, frozen=True):
    """Answers for one hub.

    Attributes:
        store: the hub's store.
        publisher: the hub's; its authority, registry and clock are the hub's too.
    """

    store: Inbox
    publisher: Publisher

    async def answer(self) -> int:
        """Publish all due and granted receipts. Returns their number.

        Raises:
            PermitError: as `Publisher.publish`; the rest stays in the queue.
            StoreError: the disk is full or fails.
        """
        publisher = self.publisher
        granted = receipt_grants.ways(publisher.registry(), publisher.authority_id)
        if not granted or not await self.store.read(receipt_queue.is_due):
            return 0
        await self.store.write(lambda db: receipt_queue.note(db, publisher.authority_id, publisher.clock()))
        due = await self.store.write(lambda db: receipt_queue.take_up(db, granted))
        failed: BusError | None = None
        for each in due:
            batch = await self.store.read(partial(receipt_queue.batch_of, which=each))
            if not batch.items:
                continue  # another program of this identity has sent it
            receipt = draft(batch.stage, batch.author, batch.tlp, batch.items)
            try:
                await publisher.publish(receipt, once=batch.once)
            except StoreError:
                raise
            except BusError as exc:
                failed = exc  # of this author; others are answered
                continue
            await self.store.write(lambda db, ns=batch.ns: receipt_queue.mark(db, ns))  # type: ignore[misc]  # bound now
        if failed is not None:
            raise failed
        return len(due)


_MEANS = MappingProxyType(
    {
        ReceiptStage.KEPT: "The bytes are held.",
        ReceiptStage.VERIFIED: "Admitted after every check of this reader's own.",
        ReceiptStage.DELIVERED: "Handed to this reader's own system.",
        ReceiptStage.ACKNOWLEDGED: "A person has read it.",
        ReceiptStage.WITHDRAWN: "Withdrawn by its author; copies here are marked and no longer served.",
    }
)


def draft(stage: ReceiptStage, author: str, tlp: Tlp, items: Sequence[ReceiptItem]) -> Draft:
    """The receipt for bulletins of one author and one TLP; `tlp` is that of the receipt."""
    headline = f"Receipt: {plural(len(items))} of {author} {stage}"
    return addressed(author, tlp, headline, _MEANS[stage], Receipt(stage=stage, items=tuple(items)))
