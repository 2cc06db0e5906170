"""Reads the receipts for an author's bulletins into its outbox's file; logs each overdue answer once.

It works beside the publisher, which does not know it: a tracker opened later finds earlier bulletins.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from bus.delivery import ledger
from bus.delivery.ladder import DeliveryState, DeliveryStatus, Overdue
from bus.errors import BusError, StoreError
from bus.logs import logger
from bus.policy import Deadlines
from bus.publishing import Publisher
from bus.subscribing import Inbox, Subscriber
from bus.tasks import background, in_background
from bus.transport import Connection, Endpoint, consumer_info, receipt_streams
from schemas.bodies.electoral import ElectionCalendar

HOLD_S = 30.0  # seconds that a receipt waits for the one before it
TELL_EVERY_S = 5.0
LEAD_EVERY_S = 0.2

Calendars = Callable[[], Awaitable[Sequence[ElectionCalendar]]]
"""Gives the calendars of the author's country; it may raise StoreError."""

log = logger()


class DeliveryTracker(msgspec.Struct, frozen=True):
    """Tracks the bulletins of one publisher. Use `DeliveryTracker.open`.

    It reads while its process sends from the outbox, because a consumer has one reader. It finds in the file the
    receipts that another process has read.
    """

    publisher: Publisher
    inbox: Inbox
    deadlines: Deadlines
    calendars: Calendars | None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, publisher: Publisher, deadlines: Deadlines, calendars: Calendars | None = None
    ) -> AsyncIterator[DeliveryTracker]:
        """Track a publisher's bulletins; receipts are read in the background until the context exits.

        Args:
            publisher: the publisher; its outbox is opened with `bus.delivery.TABLES`. Without an endpoint nothing is
                read.
            deadlines: each overdue answer by these is logged once.
            calendars: gives the calendars of the publisher's country, which deadlines follow too.

        Raises:
            ValueError: the outbox was opened without these tables.
        """
        if not {*ledger.TABLES} <= {*publisher.outbox.database.layouts}:
            raise ValueError("receipts need their tables: Outbox.open(path, tables=bus.delivery.TABLES)")
        projector = ledger.ReceiptLedger(publisher.authority_id, publisher.registry)
        inbox = Inbox(publisher.outbox.database, projector, HOLD_S)
        tracker = cls(publisher, inbox, deadlines, calendars)
        if publisher.endpoint is None:
            yield tracker
            return
        async with in_background(tracker._run(publisher.endpoint), f"receipts for {publisher.authority_id}"):
            yield tracker

    # -- asking -----------------------------------------------------------------------------------------------------

    async def standing(self, id_or_digest: str) -> DeliveryStatus | None:
        """The delivery state of a bulletin, with the missing answers; None if it is not in this outbox."""
        registry = self.publisher.registry()
        return await ledger.read(
            self.publisher.outbox,
            lambda db: ledger.of_one(db, self.publisher.authority_id, registry, id_or_digest),
        )

    async def reached(self, digest: str, rung: DeliveryState, timeout: float) -> DeliveryStatus | None:
        """Wait until a bulletin is `received` or `read`, or needs no answer. Returns its status, also on timeout."""

        def is_over(status: DeliveryStatus | None) -> bool:
            return status is None or status.state in (rung, DeliveryState.READ) or not status.readers

        return await self.publisher.outbox.wait(lambda: self.standing(digest), is_over, timeout)

    async def caught_up(self, timeout: float) -> bool:
        """Wait until all receipts that the bus holds are in the outbox's file. Returns False on timeout.

        Any process may read them. Without an endpoint the bus cannot be asked and the result is False.
        """
        endpoint = self.publisher.endpoint
        if endpoint is None:
            return False
        streams = receipt_streams(self.publisher.registry(), self.publisher.authority_id)
        try:
            async with asyncio.timeout(timeout), Connection.open(endpoint) as connection:
                await connection.until_connected(timeout)
                for stream, consumer in streams:
                    while not await self._is_read(connection, stream, consumer):  # noqa: ASYNC110 (the bus is asked)
                        await asyncio.sleep(LEAD_EVERY_S)
        except (TimeoutError, BusError):
            return False
        return True

    async def _is_read(self, connection: Connection, stream: str, consumer: str) -> bool:
        info = await consumer_info(connection, stream, consumer)
        read = (await self.inbox.cursor(stream)).seq
        return info.num_pending == 0 and read >= info.delivered.stream_seq

    # -- reading ----------------------------------------------------------------------------------------------------

    async def _run(self, endpoint: Endpoint) -> None:
        """Read until cancelled, or until the outbox fails; its publisher gets that error from the outbox itself."""
        while True:
            try:
                if self._may_read():
                    await self._track(endpoint)
            except BusError as exc:
                if isinstance(exc, StoreError) and exc.is_final:
                    return
                log.error("receipts_not_read", authority=self.publisher.authority_id, problem=repr(exc))
            except Exception as exc:  # an internal error must not end the reading silently
                log.exception("receipts_not_read", authority=self.publisher.authority_id, problem=repr(exc))
            await asyncio.sleep(LEAD_EVERY_S)

    def _may_read(self) -> bool:
        return self.publisher.leads and bool(
            receipt_streams(self.publisher.registry(), self.publisher.authority_id)
        )

    async def _track(self, endpoint: Endpoint) -> None:
        """Read receipts and log overdue answers while this process may read."""
        async with background() as tasks:
            tasks.start(self._read(endpoint), "receipts")
            tasks.start(self._tell(), "overdue")
            while self._may_read():  # noqa: ASYNC110 (the lease and the registry are asked)
                await asyncio.sleep(LEAD_EVERY_S)

    async def _read(self, endpoint: Endpoint) -> None:
        await Subscriber(
            authority_id=self.publisher.authority_id,
            inbox=self.inbox,
            registry=self.publisher.registry,
            endpoint=endpoint,
            clock=self.publisher.clock,
            streams=receipt_streams,
        ).run()

    async def _tell(self) -> None:
        known: Sequence[ElectionCalendar] = ()

        def tell(db: sqlite3.Connection) -> list[Overdue]:
            now = self.publisher.clock()
            return ledger.tell(
                db, self.publisher.authority_id, self.publisher.registry(), now, self.deadlines, known
            )

        while True:
            if self.calendars is not None:
                # They are in another file: while it cannot be read, the last known ones count.
                with contextlib.suppress(StoreError):
                    known = await self.calendars()
            for item in await self.publisher.outbox.write(tell):
                log.warning(
                    "answer_overdue",
                    reader=item.reader,
                    what=item.what,
                    id=item.id,
                    channel=item.channel,
                    priority=item.priority,
                    contact=item.contact or "none in the registry",
                )
            await asyncio.sleep(TELL_EVERY_S)
