"""A hub answers: what it has admitted, what its people have read, what it has withdrawn, as signed receipts.

A hub that may not answer an author yet, or has no key that stands, goes on reading, and says it later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from types import MappingProxyType

from bus.errors import BusError, StoreError
from bus.hub.exchange import receipt_queue
from bus.hub.periodic import EVERY_S, keep_at
from bus.publishing.publisher import Publisher
from bus.subscribing.inbox import Inbox
from bus.trust import receipt_grants
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import Receipt, ReceiptItem
from schemas.bulletin import Draft
from schemas.parts import Info
from schemas.vocab import Pap, ReceiptStage, Status, Tlp


class Answering:
    """Answers for one hub."""

    def __init__(
        self,
        *,
        authority_id: str,
        store: Inbox,
        publisher: Publisher,
        registry: Callable[[], VerifiedRegistry],
        clock: Callable[[], dt.datetime],
    ) -> None:
        """Prepare.

        Args:
            authority_id: who answers.
            store: what it has admitted.
            publisher: its voice.
            registry: the registry as it stands now.
            clock: the present, aware.
        """
        self._authority_id = authority_id
        self._store = store
        self._publisher = publisher
        self._registry = registry
        self._clock = clock

    async def run(self, every_s: float = EVERY_S) -> None:
        """Answer until cancelled, in batches of what has come meanwhile.

        Raises:
            StoreError: `store-failed`; store or outbox take nothing more until they are opened anew.
        """
        await keep_at(self.answer, unless="not_answered", authority_id=self._authority_id, every_s=every_s)

    async def answer(self) -> int:
        """Say all that is to be said now, as far as the registry lets it; how many receipts.

        Raises:
            PermitError: as `Publisher.publish`; what is left is said another time.
            StoreError: the disk is full or fails.
        """
        granted = receipt_grants.ways(self._registry(), self._authority_id)
        if not granted or not await self._store.read(receipt_queue.is_due):
            return 0
        await self._store.write(lambda db: receipt_queue.note(db, self._authority_id, self._clock()))
        batches = await self._store.write(lambda db: receipt_queue.take_up(db, granted))
        failed: BusError | None = None
        for batch in batches:
            said = draft(batch.stage, batch.author, batch.tlp, batch.items)
            try:
                await self._publisher.publish(said, once=batch.once)
            except StoreError:
                raise
            except BusError as exc:
                failed = exc  # of this author; others are answered
                continue
            await self._store.write(lambda db, ns=batch.ns: receipt_queue.mark(db, ns))  # type: ignore[misc]  # bound now
        if failed is not None:
            raise failed
        return len(batches)


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
    """What a reader says about bulletins of one author and one marking, `tlp` being that of the receipt."""
    body = Receipt(stage=stage, items=tuple(items))
    count = f"{len(items)} bulletin{'s' if len(items) != 1 else ''} of {author}"
    return Draft(
        info=(Info(lang="en", headline=f"Receipt: {count} {stage}", summary=_MEANS[stage]),),
        body=body,
        status=Status.SYSTEM,
        tlp=tlp,
        pap=Pap.GREEN,
        audience=author,
    )
