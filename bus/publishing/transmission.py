"""Sends a window of an outbox's rows to one stream; stored rows are settled, forbidden rows are parked.

Bursts go as atomic batches. `Nats-Msg-Id` is the digest. If a stream calls a first attempt a duplicate, somebody has
used up the id: this is an alarm, and the bytes go again without the id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from bus.errors import BusError, DeniedError, UnreachableError
from bus.logs import logger
from bus.publishing.outbox import Outbox, Row, Settled
from bus.transport import BATCH, BATCH_FROM, Connection, Outgoing, PubAck, publish, publish_burst
from schemas.envelope import MESSAGE_ID

WINDOW = 32
ACK_S = 5.0

log = logger()


class Transmission:
    """Sends rows of one stream once."""

    def __init__(
        self, connection: Connection, outbox: Outbox, rows: Sequence[Row], settled: list[Settled]
    ) -> None:
        """Acknowledgements are appended to `settled`, even if the sending is interrupted."""
        self._settled = settled
        self._connection = connection
        self._outbox = outbox
        self._authority_id = connection.endpoint.authority_id
        self._rows = rows
        self._first = {row.n for row in rows if row.attempted_at is None}
        self._failed: dict[int, BusError] = {}

    async def send(self) -> bool:
        """Send the rows, and note in the outbox why some were not stored. Returns whether anything was stored.

        Raises:
            BrokerError, UnreachableError: nothing was stored.
        """
        rows, before = self._rows, len(self._settled)
        if len(rows) >= BATCH_FROM and len(self._first) >= len(rows):
            rows = await self._batches()
        await self._window(rows)
        denied = {n: exc for n, exc in self._failed.items() if isinstance(exc, DeniedError)}
        if denied:
            await self._outbox.park(list(denied), f"refused-by-broker: {next(iter(denied.values()))}")
        if others := {n: exc for n, exc in self._failed.items() if n not in denied}:
            await self._outbox.note({n: f"{exc.reason}: {exc}" for n, exc in others.items()})
            if len(self._settled) == before and not denied:
                raise next(iter(others.values()))
        return len(self._settled) > before or bool(denied)

    async def _batches(self) -> Sequence[Row]:
        """Send a burst as atomic batches. Returns the rows that must go one by one."""
        messages = [
            Outgoing(
                subject=row.subject, payload=row.payload, headers=_Headers(row), lines=row.header_lines()
            )
            for row in self._rows
        ]
        burst = await publish_burst(self._connection, messages, ACK_S)
        # There are fewer acknowledgements than rows: the others follow one by one.
        self._settled += [_settled(row, ack) for row, ack in zip(self._rows, burst.acks, strict=False)]
        left = self._rows[len(burst.acks) :]
        if isinstance(burst.failure, UnreachableError):
            # The batch may have been stored: for these rows the next attempt is not the first.
            self._first -= {row.n for row in left[:BATCH]}
        elif burst.failure is not None:
            # A batch is all or nothing: one refused message blocks the others, so they go one by one.
            reason, detail = burst.failure.reason, str(burst.failure)
            log.info("batch_refused", authority=self._authority_id, reason=reason, detail=detail)
        return left

    async def _window(self, rows: Sequence[Row]) -> None:
        """Send rows one by one, a window of them at once, in the order in which they were kept."""
        window = asyncio.Semaphore(WINDOW)

        async def one(row: Row) -> None:
            try:
                self._settled.append(_settled(row, await self._publish(row)))
            except DeniedError as exc:
                log.error("refused_by_broker", authority=self._authority_id, subject=row.subject, id=row.id)
                self._failed[row.n] = exc
            except BusError as exc:
                self._failed[row.n] = exc
            finally:
                window.release()

        async with asyncio.TaskGroup() as tasks:
            for row in rows:
                await window.acquire()
                if self._failed:
                    break
                tasks.create_task(one(row))

    async def _publish(self, row: Row) -> PubAck:
        headers = row.header_map()
        ack = await publish(self._connection, row.subject, row.payload, headers, ACK_S)
        if not (ack.duplicate and row.n in self._first):
            return ack
        log.error(
            "duplicate_on_first_attempt",
            authority=self._authority_id,
            digest=row.digest,
            subject=row.subject,
        )
        # Written first: if this attempt fails, the next one must not use the id either.
        await self._outbox.drop_message_id(row.n, "duplicate-on-first-attempt: its message id was used up")
        headers.pop(MESSAGE_ID)
        return await publish(self._connection, row.subject, row.payload, headers, ACK_S)


class _Headers(Mapping[str, str]):
    """The headers of a row, parsed on demand: a burst uses them as written."""

    def __init__(self, row: Row) -> None:
        self._row = row

    @cached_property
    def _map(self) -> dict[str, str]:
        return self._row.header_map()

    def __getitem__(self, name: str) -> str:
        return self._map[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def __len__(self) -> int:
        return len(self._map)


def _settled(row: Row, ack: PubAck) -> Settled:
    return Settled(n=row.n, stream=ack.stream, stream_seq=ack.seq)
