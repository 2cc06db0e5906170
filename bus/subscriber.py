"""The way in of a bulletin.

1. fetch     from the reader's own consumer, from its own cursor on
2. admit     `bus.admission`: pure, every check, in a thread while the next batch is on its way
3. settle    `bus.settling`: chain and hold-back, effect, row and cursor in one transaction; refused to quarantine

The reader trusts nothing of the stream but the bytes it can verify. On any doubt, a lost link, a hole in the
consumer's count, another bulletin at the cursor than was read there, it attaches anew from what it holds.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import structlog

from bus.connection import Connection, Endpoint
from bus.errors import BrokerError, BusError, StoreError, UnreachableError, one_failure
from bus.inbox import Inbox
from bus.pull import Pull, Received
from bus.records import Cursor, Judged, Message, Refused, verdict
from bus.topology import reader_streams
from bus.trust import VerifiedRegistry
from schemas.codec import digest

MOST = 500
PAUSE_S = 0.5
TICK_S = 0.5
PASSING = frozenset({"store-full", "store-busy"})
IN_BULK = 128
IN_THREAD_FROM = 4  # a lone bulletin is admitted faster than a thread is woken

log = structlog.get_logger()


class Subscriber:
    """Reads every granted stream of one identity into its store."""

    def __init__(
        self,
        *,
        authority_id: str,
        inbox: Inbox,
        registry: Callable[[], VerifiedRegistry],
        endpoint: Endpoint,
        clock: Callable[[], dt.datetime],
        streams: Callable[[VerifiedRegistry, str], Iterable[tuple[str, str]]] = reader_streams,
    ) -> None:
        """Prepare; `run` reads.

        Args:
            authority_id: who reads.
            inbox: its store.
            registry: the registry as it stands now; asked for every batch.
            endpoint: its place on the bus.
            clock: the present, aware.
            streams: which (stream, consumer) pairs it reads, by the registry.
        """
        self.counts: Counter[str] = Counter()
        self.pending: dict[str, int] = {}
        self.attached = 0
        self.problem = ""
        self._authority_id = authority_id
        self._inbox = inbox
        self._registry = registry
        self._endpoint = endpoint
        self._clock = clock
        self._streams = streams

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            StoreError: `store-failed`; the store takes nothing more until it is opened anew.
        """
        with one_failure():
            async with Connection.open(self._endpoint) as connection, asyncio.TaskGroup() as tasks:
                for stream, consumer in self._streams(self._registry(), self._authority_id):
                    tasks.create_task(self._stream(connection, stream, consumer), name=f"read {stream}")
                tasks.create_task(self._tick(), name="waiting bulletins")

    async def _stream(self, connection: Connection, stream: str, consumer: str) -> None:
        while True:
            try:
                with one_failure():
                    await self._attached(connection, stream, consumer)
            except (UnreachableError, BrokerError) as exc:
                self._interrupted(exc, stream=stream)
            except StoreError as exc:
                self._wait_out(exc)
            await asyncio.sleep(PAUSE_S)

    async def _attached(self, connection: Connection, stream: str, consumer: str) -> None:
        """Read one stream until the link is in doubt."""
        if not connection.connected:
            raise UnreachableError(connection.problem or "not connected")
        cursor = await self._inbox.cursor(stream)
        # Begin with what was read last: another bulletin there means that the stream is not the one we knew.
        settled: asyncio.Task[None] | None = None
        async with (
            Pull.attach(connection, stream, consumer, max(cursor.seq, 1)) as pull,
            asyncio.TaskGroup() as tasks,
        ):
            self.attached += 1
            anchored = cursor.seq == 0
            while True:
                if settled is not None and pull.waiting < IN_BULK:
                    await settled  # while the disk is busy a larger batch gathers
                batch = await pull.next(MOST, 5.0)
                if not batch:
                    if not anchored and not await self._stands(connection, stream, consumer, cursor):
                        await self._doubt(stream, cursor)
                        return
                    anchored = True
                    continue
                self.problem = ""
                if not anchored:
                    if not _continues(cursor, batch[0]):
                        await self._doubt(stream, cursor)
                        return
                    anchored, batch = True, batch[1:]
                if batch:
                    judged, cursor, now = await self._judged(stream, batch)
                    # In bulk one batch is settled while the next is judged, but never before the one before it.
                    if settled is not None:
                        await settled
                    settled = tasks.create_task(self._settle(stream, judged, cursor, now))

    async def _stands(self, connection: Connection, stream: str, consumer: str, cursor: Cursor) -> bool:
        """Whether the stream may still hold what was read at the cursor: it is silent, so ask how far it goes."""
        info = await connection.js_api(f"CONSUMER.INFO.{stream}.{consumer}")
        delivered = int(info.get("delivered", {}).get("stream_seq", 0))
        return delivered >= cursor.seq or int(info.get("num_pending", 0)) > 0

    async def _doubt(self, stream: str, cursor: Cursor) -> None:
        """The stream was lost, rewound or altered: read it again from the start; what is known is recognised."""
        log.error("stream_changed", stream=stream, cursor=cursor.seq)
        self.counts["rewinds"] += 1
        await self._inbox.rewind(stream)

    async def _judged(
        self, stream: str, batch: list[Received]
    ) -> tuple[list[Judged | Refused], Cursor, dt.datetime]:
        """A batch with what admission says of it, how far it brings the reader, and when it was judged."""
        registry, now = self._registry(), self._clock()
        messages = [_message(stream, each) for each in batch]
        if len(messages) < IN_THREAD_FROM:
            judged = [verdict(message, registry, now) for message in messages]
        else:
            judged = await asyncio.to_thread(
                lambda: [verdict(message, registry, now) for message in messages]
            )
        return judged, _cursor(batch[-1], messages[-1].digest), now

    async def _settle(
        self, stream: str, judged: list[Judged | Refused], cursor: Cursor, now: dt.datetime
    ) -> None:
        self._count(await self._inbox.settle(judged, stream, cursor, now))
        self.pending[stream] = cursor.pending

    async def _tick(self) -> None:
        """What waits for its predecessor, or for its time, is looked at every so often."""
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock()
            try:
                self._count(await self._inbox.release(now))
                self._count(await self._inbox.amend(self._registry(), now))
                if due := await self._inbox.due_future(now):
                    registry = self._registry()
                    judged = [verdict(message, registry, now) for message in due]
                    self._count(await self._inbox.settle(judged, None, None, now))
            except StoreError as exc:
                self._wait_out(exc)

    def _wait_out(self, exc: StoreError) -> None:
        """A full disk or a busy file passes, and nothing was taken from the bus meanwhile; other failures do not."""
        if exc.reason not in PASSING:
            raise exc
        self._interrupted(exc)

    def _interrupted(self, exc: BusError, **where: str) -> None:
        level = log.warning if isinstance(exc, StoreError) and str(exc) != self.problem else log.debug
        self.problem = str(exc)
        level("reading_interrupted", problem=self.problem, **where)

    def _count(self, outcomes: Mapping[str, int]) -> None:
        self.counts.update(outcomes)


def _cursor(received: Received, found: str) -> Cursor:
    return Cursor(
        seq=received.stream_seq, digest=found, stored_ns=received.stored_ns, pending=received.pending
    )


def _continues(cursor: Cursor, received: Received) -> bool:
    """Whether what stands at the cursor is what was read there, in the very record it was read from."""
    held, there = (
        (each.seq, each.digest, each.stored_ns)
        for each in (cursor, _cursor(received, digest(received.payload)))
    )
    return held == there


def _message(stream: str, received: Received) -> Message:
    return Message(
        subject=received.subject,
        headers=received.headers,
        payload=received.payload,
        stream=stream,
        stream_seq=received.stream_seq,
        digest=digest(received.payload),
    )
