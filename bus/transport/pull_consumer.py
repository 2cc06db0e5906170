"""Reads a durable pull consumer whose cursor the reader owns.

One request for many messages, and never two, is open at the server, with heartbeats. So messages come when they are
stored, never more than requested, and an unexpected silence is noticed. The next request is sent when all messages of
the one before have come and at most half as many still wait. So messages arrive while others are judged. Messages in
flight when a link dies come again after the next attach, from the reader's own cursor.

A message stays as it came off the socket until it is taken; only then are its address and its headers read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from bus.errors import BrokerError, UnreachableError
from bus.logs import logger
from bus.transport.cursor import Anchor, Cursor, anchor
from bus.transport.interface import Connection, Raw
from bus.transport.jetstream import consumer_info, js_api
from bus.transport.raw import RawHeaders, text_of
from bus.transport.streams import PULL_BYTES, PULL_EXPIRES_S, PULL_MESSAGES, keeps_all
from schemas.codec import digest

HEARTBEAT_S = 3.0
LINGER_FROM = 64
LINGER_S = 0.01
MOST_QUEUED = 3 * PULL_MESSAGES
"""Most received messages that wait to be taken: those of one and a half requests, and those that a new leader repeats."""
EACH_BYTES, HEADER_LINE_BYTES = 512, 160
"""Bytes of memory that a message, and a line of its headers, cost beside their own bytes."""
MOST_QUEUED_BYTES = 3 * PULL_BYTES
"""Most bytes of waiting messages."""
MOST_AT_ONCE_BYTES = 2 * 1024**2
"""Most bytes handed out at once: a batch is judged and settled as a whole, which takes several times its size."""
_NS = 1_000_000_000
_REQUEST = {
    "batch": PULL_MESSAGES,
    "expires": PULL_EXPIRES_S * _NS,
    "max_bytes": PULL_BYTES,
    "idle_heartbeat": int(HEARTBEAT_S * _NS),
}
_ADDRESS = b"$JS.ACK."
_NUMBERS = rb"\.([0-9]{1,19})" * 5
_FIRST_FORM = re.compile(rb"\$JS\.ACK\.([^.]*)\.([^.]*)" + _NUMBERS)
_SECOND_FORM = re.compile(rb"\$JS\.ACK\.[^.]*\.[^.]*\.([^.]*)\.([^.]*)" + _NUMBERS + rb"(?:\.[^.]*)*")
_MOST = 2**63 - 1  # the largest number that the server counts to and SQLite keeps
_HEARTBEAT = b"NATS/1.0 100 "
_REFUSED = frozenset({"400", "503"})
# 409 has many meanings: these are final; others (a new leader, a server going down) only end the request.
_FINAL_CONFLICTS = ("Exceeded", "Consumer")

QUIET_S = 5.0
MOST = 500

log = logger()


class Received(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message as the broker delivered it; `block` is its header block, byte for byte."""

    subject: str
    block: bytes
    payload: bytes
    stream_seq: int
    consumer_seq: int
    stored_ns: int
    pending: int

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Its headers in order, with repeats; parsed at each call."""
        return RawHeaders(self.block).pairs


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """The place to continue: the messages after the cursor, and whether the stream had nothing more then."""

    after: list[Received]
    at_end: bool


class PullConsumer:
    """An attached consumer. Use `PullConsumer.attach`.

    Attributes:
        heard: when the broker last sent anything here, by the event loop's clock; None if it has not.
    """

    def __init__(self, connection: Connection, stream: str, consumer: str) -> None:
        self._connection = connection
        self._stream, self._consumer = stream, consumer
        self._place = f"{stream}.{consumer}"
        self._origin = (stream.encode(), consumer.encode())
        # The server ends each request with a status message, and each request has its own reply subject, which shows
        # which request ended. An end that is taken for that of the next request would make the reader ask twice each
        # time, without bound.
        self._inbox = f"{connection.endpoint.private_inbox}.pull.{secrets.token_hex(6)}"
        self._requests = 0
        self._queue: deque[tuple[Raw, int]] = deque()  # with the cost of each
        self._some = asyncio.Event()
        self._queued_bytes = 0
        self._overrun = False
        self._to_come = 0  # of the open request
        self._epoch = connection.epoch
        self._asked_at = 0.0
        self.heard: float | None = None
        # A reset counts deliveries from 1 again but keeps older requests open: one of a dead connection that the server
        # still believes alive takes messages. So the first message must be number 1.
        self._expected = 1

    @classmethod
    @asynccontextmanager
    async def attach(
        cls, connection: Connection, stream: str, consumer: str, seq: int
    ) -> AsyncIterator[PullConsumer]:
        """Set the consumer to deliver from stream sequence `seq` on, and read it.

        Raises:
            UnreachableError, BrokerError: from the broker.
        """
        pull = cls(connection, stream, consumer)
        await js_api(connection, f"CONSUMER.RESET.{pull._place}", {"seq": seq})
        async with connection.inbox(f"{pull._inbox}.*", pull._on_messages):
            yield pull

    async def resume(self, cursor: Cursor, most: int, timeout: float) -> Resumed | None:
        """Continue after a cursor, at which the consumer must have been attached; None if the stream is another one.

        Raises:
            UnreachableError: the link is in doubt, or it is unknown whether the stream is the same; attach again.
            BrokerError: from the broker.
        """
        batch = await self.next(most, timeout) if cursor.seq else []
        if batch:
            first, first_pending = cursor_at(batch[0], digest(batch[0].payload)), batch[0].pending
            seen = anchor(
                cursor,
                first,
                delivered=batch[-1].stream_seq,
                pending=batch[-1].pending,
                keeps_all=keeps_all(self._stream),
            )
            if first.seq == cursor.seq:
                del batch[0]
            at_end = not batch and first_pending == 0
        else:
            info = await consumer_info(self._connection, self._stream, self._consumer)
            seen = anchor(cursor, None, delivered=info.delivered.stream_seq, pending=info.num_pending)
            at_end = info.delivered.consumer_seq + info.num_pending == 0
        if seen is Anchor.UNSEEN:
            raise UnreachableError(f"the bus has more messages on {self._stream} but does not deliver them")
        return Resumed(after=batch, at_end=at_end) if seen is Anchor.HOLDS else None

    @property
    def reply(self) -> str:
        """The reply subject of the open request."""
        return f"{self._inbox}.{self._requests}"

    @property
    def given(self) -> int:
        """The number of messages handed out since the attach."""
        return self._expected - 1

    @property
    def waiting(self) -> int:
        """The number of received messages that wait to be taken."""
        return len(self._queue)

    @property
    def is_live(self) -> bool:
        """Whether the connection is the one on which it was attached, and is up."""
        return self._connection.epoch == self._epoch and self._connection.connected

    async def next(self, most: int, timeout: float) -> list[Received]:
        """The next messages in order: at least one unless the time runs out, at most `most`, and at most 2 MiB and one message.

        Raises:
            UnreachableError: the link is in doubt, or a message was lost in flight; attach again.
            BrokerError: the server refuses the request.
        """
        await self._ask_if_due()
        batch: list[Received] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not batch:
                    if not self._queue:
                        await self._patient()
                    self._take(batch, most)
                    await self._ask_if_due()
        if batch and batch[-1].pending > LINGER_FROM and len(batch) < min(LINGER_FROM, most):
            # A burst: a larger batch costs one commit instead of many.
            await asyncio.sleep(LINGER_S)
            self._take(batch, most)
            await self._ask_if_due()
        return batch

    def _take(self, batch: list[Received], most: int) -> None:
        """Add waiting messages to a batch, up to its bounds."""
        queue = self._queue
        size = sum(_cost(each.subject, each.block, each.payload) for each in batch)
        while queue and len(batch) < most and size < MOST_AT_ONCE_BYTES:
            if self._overrun:
                raise UnreachableError(f"the bus delivers more of {self._stream} than was requested")
            raw, cost = queue.popleft()
            self._queued_bytes -= cost
            # A message of the stream has a delivery address. Only that address, never a header that its publisher
            # chose, tells it from a status message of the server.
            received = received_at(raw, self._origin)
            if received is None:
                self._hear(raw)
                continue
            if received.consumer_seq != self._expected:
                raise UnreachableError(
                    f"a message was lost in flight ({self._expected} expected, {received.consumer_seq} came)"
                )
            self._expected += 1
            size += cost
            batch.append(received)

    async def _patient(self) -> None:
        """Wait for more, and notice a silent link."""
        while not self._queue:
            if not self.is_live:
                raise UnreachableError("the connection was lost")
            self._some.clear()
            try:
                async with asyncio.timeout(0.25):
                    await self._some.wait()
            except TimeoutError:
                since = max(self._asked_at, self.heard or 0.0)
                if asyncio.get_running_loop().time() - since > HEARTBEAT_S * 3:
                    raise UnreachableError("the consumer no longer answers") from None

    async def _ask_if_due(self) -> None:
        """Request more once all requested messages have come and at most half as many wait."""
        if (
            self._to_come <= 0
            and len(self._queue) <= PULL_MESSAGES // 2
            and self._queued_bytes <= PULL_BYTES // 2
        ):
            await self._ask()

    async def _ask(self) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        self._to_come = PULL_MESSAGES
        self._requests += 1
        call = f"$JS.API.CONSUMER.MSG.NEXT.{self._place}"
        await self._connection.send(call, json.dumps(_REQUEST).encode(), self.reply)

    def _on_messages(self, messages: list[Raw]) -> None:
        """Keep received messages until they are taken; a heartbeat only shows that the server is alive."""
        self.heard = asyncio.get_running_loop().time()
        queue = self._queue
        for raw in messages:
            subject, reply, block, payload = raw
            if reply:
                self._to_come -= 1
            elif block.startswith(_HEARTBEAT):
                continue
            self._overrun |= len(queue) >= MOST_QUEUED or self._queued_bytes > MOST_QUEUED_BYTES
            if self._overrun:
                break  # the reader learns at the next take that it must attach again
            cost = _cost(subject, block, payload)
            self._queued_bytes += cost
            queue.append((raw, cost))
        self._some.set()

    def _hear(self, raw: Raw) -> None:
        """Take in a status message of the server about a request.

        Raises:
            BrokerError: `no-stream`; the consumer refuses.
        """
        said, subject = RawHeaders(raw[2]), text_of(raw[0])
        if raw[1].startswith(_ADDRESS) or not said.status:
            # Nobody else should know this inbox, and nothing unsigned is trusted.
            log.warning("stray_message", place=self._place, subject=subject)
        elif said.status in _REFUSED or (
            said.status == "409" and said.description.startswith(_FINAL_CONFLICTS)
        ):
            text = said.description or said.status
            raise BrokerError(f"the consumer refuses: {text}", reason="no-stream")
        elif subject == self.reply and said.status != "100":
            self._to_come = 0


def received_at(raw: Raw, place: tuple[bytes, bytes]) -> Received | None:
    """A message delivered from the consumer at `place` (stream, consumer); None if it is not one.

    Its reply is `$JS.ACK.<stream>.<consumer>.<n>.<seq>.<delivery>.<ns>.<pending>`, or in the second form
    `$JS.ACK.<domain>.<account>.<stream>.<consumer>.<...the same>.<random>`.
    """
    subject, reply, block, payload = raw
    found = _FIRST_FORM.fullmatch(reply) or _SECOND_FORM.fullmatch(reply)
    if found is None:
        return None
    stream, name, *numbers = found.groups()
    if (stream, name) != place:
        return None
    _, seq, consumer_seq, stored, pending = counts = [*map(int, numbers)]
    if max(counts) > _MOST:
        return None
    return Received(
        subject=text_of(subject),
        block=block,
        payload=payload,
        stream_seq=seq,
        consumer_seq=consumer_seq,
        stored_ns=stored,
        pending=pending,
    )


def _cost(subject: bytes | str, block: bytes, payload: bytes) -> int:
    """The bytes of memory that a message takes, with its headers once they are read."""
    return len(subject) + len(payload) + len(block) + block.count(b"\n") * HEADER_LINE_BYTES + EACH_BYTES


def cursor_at(received: Received, payload_digest: str) -> Cursor:
    """The cursor of a reader that has read up to a message with this digest."""
    return Cursor(
        seq=received.stream_seq, digest=payload_digest, stored_ns=received.stored_ns, pending=received.pending
    )


async def read_back(
    connection: Connection, stream: str, consumer: str, start: int
) -> AsyncIterator[list[Received]]:
    """Read back in batches the messages that the bus holds on an authority's stream, from a sequence on.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    info = await consumer_info(connection, stream, consumer)
    if info.delivered.stream_seq + info.num_pending < start - 1:
        start = 1  # the stream is shorter than before: it was lost or rewound, so all of it is read
    async with PullConsumer.attach(connection, stream, consumer, start) as pull:
        left = (await consumer_info(connection, stream, consumer)).num_pending
        while left > 0:
            # An announced message that is not delivered is not the end: the caller needs all of them.
            if not (batch := await pull.next(MOST, QUIET_S)):
                raise UnreachableError(
                    f"the bus has {left} more messages on {stream} but does not deliver them"
                )
            left = batch[-1].pending
            yield batch
