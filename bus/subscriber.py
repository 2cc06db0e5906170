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
from collections.abc import Callable, Mapping

import structlog

from bus.admission import admit
from bus.connection import Connection, Endpoint
from bus.errors import AdmissionError, BrokerError, UnreachableError
from bus.inbox import Inbox
from bus.pull import Pull, Received
from bus.records import Cursor, Judged, Message, Refused
from bus.topology import reader_streams
from bus.trust import VerifiedRegistry
from schemas.codec import digest

MOST = 500
PAUSE_S = 0.5
TICK_S = 0.5
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
    ) -> None:
        """Prepare; `run` reads.

        Args:
            authority_id: who reads.
            inbox: its store.
            registry: the registry as it stands now; asked for every batch.
            endpoint: its place on the bus.
            clock: the present, aware.
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

    async def run(self) -> None:
        """Read until cancelled."""
        async with Connection.open(self._endpoint) as connection, asyncio.TaskGroup() as tasks:
            for stream, consumer in reader_streams(self._registry(), self._authority_id):
                tasks.create_task(self._stream(connection, stream, consumer), name=f"read {stream}")
            tasks.create_task(self._tick(), name="waiting bulletins")

    async def _stream(self, connection: Connection, stream: str, consumer: str) -> None:
        while True:
            try:
                await self._attached(connection, stream, consumer)
            except (UnreachableError, BrokerError) as exc:
                self.problem = str(exc)
                log.debug("reading_interrupted", stream=stream, problem=self.problem)
                await asyncio.sleep(PAUSE_S)

    async def _attached(self, connection: Connection, stream: str, consumer: str) -> None:
        """Read one stream until the link is in doubt."""
        if not connection.connected:
            raise UnreachableError(connection.problem or "not connected")
        cursor = await self._inbox.cursor(stream)
        # Begin with what was read last: another bulletin there means that the stream is not the one we knew.
        async with Pull.attach(connection, stream, consumer, max(cursor.seq, 1)) as pull:
            self.attached += 1
            anchored = cursor.seq == 0
            while True:
                batch = await pull.next(MOST, 5.0)
                if not batch:
                    if not anchored and not await self._stands(connection, stream, consumer, cursor):
                        await self._doubt(stream, cursor)
                        return
                    anchored = True
                    continue
                self.problem = ""
                if not anchored:
                    if digest(batch[0].payload) != cursor.digest or batch[0].stream_seq != cursor.seq:
                        await self._doubt(stream, cursor)
                        return
                    anchored, batch = True, batch[1:]
                if batch:
                    await self._take(stream, batch)

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

    async def _take(self, stream: str, batch: list[Received]) -> None:
        registry, now = self._registry(), self._clock()
        messages = [_message(stream, each) for each in batch]
        if len(messages) < IN_THREAD_FROM:
            judged = [_judge(message, registry, now) for message in messages]
        else:
            judged = await asyncio.to_thread(lambda: [_judge(message, registry, now) for message in messages])
        cursor = Cursor(seq=messages[-1].stream_seq, digest=messages[-1].digest)
        self._count(await self._inbox.settle(judged, stream, cursor, now))
        self.pending[stream] = batch[-1].pending

    async def _tick(self) -> None:
        """What waits for its predecessor, or for its time, is looked at every so often."""
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock()
            self._count(await self._inbox.release(now))
            if due := await self._inbox.due_future(now):
                registry = self._registry()
                judged = [_judge(message, registry, now) for message in due]
                self._count(await self._inbox.settle(judged, None, None, now))

    def _count(self, outcomes: Mapping[str, int]) -> None:
        self.counts.update(outcomes)


def _message(stream: str, received: Received) -> Message:
    return Message(
        subject=received.subject,
        headers=received.headers,
        payload=received.payload,
        stream=stream,
        stream_seq=received.stream_seq,
        digest=digest(received.payload),
    )


def _judge(message: Message, registry: VerifiedRegistry, now: dt.datetime) -> Judged | Refused:
    try:
        admitted = admit(message.subject, message.headers, message.payload, registry=registry, now=now)
    except AdmissionError as exc:
        return Refused.of(message, exc.reason, exc.detail, exc.place, exc.retry_at)
    return Judged(message=message, admitted=admitted)
