"""An author reads the receipts for what it has said, into its outbox's file, and is told once of what is overdue."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bus.delivery import ledger
from bus.delivery.ladder import Overdue, Rung, Standing
from bus.errors import BusError, StoreError
from bus.policy.deadlines import Deadlines
from bus.publishing.outbox import Outbox
from bus.publishing.sender import Sender
from bus.subscribing.subscriber import Subscriber
from bus.tasks import run_with_current, until_first
from bus.transport.connection import Connection
from bus.transport.jetstream import consumer_info
from bus.transport.streams import receipt_streams
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.electoral import ElectionCalendar

TELL_EVERY_S = 5.0
LEAD_EVERY_S = 0.2

Calendars = Callable[[], Awaitable[Sequence[ElectionCalendar]]]
"""Asks for the calendars of the author's country; it may raise StoreError."""

log = structlog.get_logger()


class ReceiptReader:
    """Reads for one outbox, while its process is the one that sends from it: a consumer has one reader."""

    def __init__(
        self,
        sender: Sender,
        outbox: Outbox,
        registry: Callable[[], VerifiedRegistry],
        clock: Callable[[], dt.datetime],
        deadlines: Deadlines,
        calendars: Calendars | None = None,
    ) -> None:
        """Prepare, beside the sender of the same outbox; see `Publisher.open`."""
        self._sender = sender
        self._authority_id = sender.authority_id
        self._endpoint = sender.endpoint
        self._outbox = outbox
        self._registry = registry
        self._clock = clock
        self._deadlines = deadlines
        self._calendars = calendars
        self._inbox = outbox.inbox(ledger.Answered(sender.authority_id, registry))

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await run_with_current(self._may_read, self._read_if, every_s=LEAD_EVERY_S)
            except Exception as exc:  # noqa: BLE001 (whatever it is, the next try may find it gone)
                if isinstance(exc, StoreError) and exc.reason in ("store-failed", "store-closed"):
                    return  # whoever publishes is told so by the outbox itself
                log.error("receipts_not_read", authority=self._authority_id, problem=repr(exc))
            await asyncio.sleep(LEAD_EVERY_S)

    async def _read_if(self, allowed: bool) -> None:
        if allowed:
            await until_first(self._read(), self._tell())
        else:
            await asyncio.Event().wait()

    def _may_read(self) -> bool:
        return self._sender.leads and bool(receipt_streams(self._registry(), self._authority_id))

    async def _read(self) -> None:
        await Subscriber(
            authority_id=self._authority_id,
            inbox=self._inbox,
            registry=self._registry,
            endpoint=self._endpoint,
            clock=self._clock,
            streams=receipt_streams,
        ).run()

    async def _tell(self) -> None:
        known: Sequence[ElectionCalendar] = ()

        def tell(db: sqlite3.Connection) -> list[Overdue]:
            now = self._clock()
            return ledger.tell(db, self._authority_id, self._registry(), now, self._deadlines, known)

        while True:
            if self._calendars is not None:
                # They are in another file: while that cannot be read, what was known holds.
                with contextlib.suppress(StoreError):
                    known = await self._calendars()
            for item in await self._outbox.keep(tell):
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

    async def caught_up(self, timeout: float) -> bool:
        """Wait until all receipts that the bus holds are in the outbox's file, whoever reads; whether that came true."""
        streams = receipt_streams(self._registry(), self._authority_id)
        try:
            async with asyncio.timeout(timeout), Connection.open(self._endpoint) as connection:
                await connection.until_connected(timeout)
                for stream, consumer in streams:
                    while not await self._is_read(connection, stream, consumer):  # noqa: ASYNC110 (the bus is asked)
                        await asyncio.sleep(LEAD_EVERY_S)
        except (TimeoutError, BusError):
            return False
        return True

    async def _is_read(self, connection: Connection, stream: str, consumer: str) -> bool:
        info = await consumer_info(connection, stream, consumer)
        read = (await self._inbox.cursor(stream)).seq
        return info.num_pending == 0 and read >= info.delivered.stream_seq


class Answers:
    """What an author asks of what hubs have answered, whoever reads it in."""

    def __init__(
        self,
        authority_id: str,
        outbox: Outbox,
        registry: Callable[[], VerifiedRegistry],
        reader: ReceiptReader | None,
    ) -> None:
        """`reader` is None where another process reads."""
        self._authority_id = authority_id
        self._outbox = outbox
        self._registry = registry
        self._reader = reader

    async def standing(self, id_or_digest: str) -> Standing | None:
        """How far a bulletin has come, and who has not answered; None when it was not said here."""
        registry = self._registry()
        return await ledger.asked(
            self._outbox, lambda db: ledger.of_one(db, self._authority_id, registry, id_or_digest)
        )

    async def reached(self, digest: str, rung: Rung, timeout: float) -> Standing | None:
        """Wait until a bulletin is `received` or `read`, or nobody is there to answer; where it stands then."""
        deadline = asyncio.get_running_loop().time() + timeout
        mark = -1
        while True:
            mark = await self._outbox.changed(mark, 0)
            found = await self.standing(digest)
            left = deadline - asyncio.get_running_loop().time()
            if found is None or found.state in (rung, Rung.READ) or not found.readers or left <= 0:
                return found
            mark = await self._outbox.changed(mark, left)

    async def caught_up(self, timeout: float) -> bool:
        """Wait until all receipts that the bus holds are known here; whether that came true."""
        return self._reader is not None and await self._reader.caught_up(timeout)
