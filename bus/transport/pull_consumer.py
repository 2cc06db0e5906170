"""Reading a durable pull consumer whose cursor the reader owns.

One request for many messages is kept open at the server, with heartbeats, and never two: messages come the moment they are
stored, no more of them than were asked for, and a silence that should not be is noticed. The next request goes out as soon as
all of the one before it has come and no more than half as many wait to be taken, so that messages come while others are
judged. What was in flight when a link died comes again after the next attach, from the reader's own cursor.

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
"""How many messages that came and were not taken are kept: those of a request and a half, and what a new leader repeats."""
EACH_BYTES, HEADER_LINE_BYTES = 512, 160
"""What a message, and a line of its headers, costs beside its bytes."""
MOST_QUEUED_BYTES = 3 * PULL_BYTES
"""How many bytes of them."""
MOST_AT_ONCE_BYTES = 2 * 1024**2
"""How many bytes are handed out at once: a batch is judged and settled as a whole, and takes several times its size for that."""
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
_MOST = 2**63 - 1  # what the server counts in, and SQLite keeps
_HEARTBEAT = b"NATS/1.0 100 "
_REFUSED = frozenset({"400", "503"})
# 409 says many things: these are final; others, a new leader or a server going down, only end the request.
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
        """Its headers in their order, with repeats; read anew each time."""
        return RawHeaders(self.block).pairs


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """Where reading goes on: what has come after the cursor, and whether the stream had nothing more then."""

    after: list[Received]
    at_end: bool


class PullConsumer:
    """An attached consumer. Use `PullConsumer.attach`.

    Attributes:
        heard: when the broker last said anything here, by the event loop's clock; None when it has not.
    """

    def __init__(self, connection: Connection, stream: str, consumer: str) -> None:
        self._connection = connection
        self._stream, self._consumer = stream, consumer
        self._place = f"{stream}.{consumer}"
        self._origin = (stream.encode(), consumer.encode())
        # The server ends each request with a word of its own, and a reply subject for each request tells whose end it is.
        # One that is taken for the end of the next would have the reader ask twice each time, and be given without bound.
        self._inbox = f"{connection.endpoint.private_inbox}.pull.{secrets.token_hex(6)}"
        self._requests = 0
        self._queue: deque[tuple[Raw, int]] = deque()  # with what each costs
        self._some = asyncio.Event()
        self._queued_bytes = 0
        self._overrun = False
        self._to_come = 0  # of the request that is open
        self._epoch = connection.epoch
        self._asked_at = 0.0
        self.heard: float | None = None
        # A reset counts deliveries from 1 again but leaves others' requests standing: one of a connection that the
        # server does not know to be dead still takes messages. So the very first must be number 1.
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
        """Go on after a cursor, at which the consumer must have been attached; None when the stream is another one.

        Raises:
            UnreachableError: the link is in doubt, or it cannot be seen whether the stream is the same; attach anew.
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
            raise UnreachableError(f"the bus has more on {self._stream}, and does not give it")
        return Resumed(after=batch, at_end=at_end) if seen is Anchor.HOLDS else None

    @property
    def reply(self) -> str:
        """Where the request that is open now is answered."""
        return f"{self._inbox}.{self._requests}"

    @property
    def given(self) -> int:
        """How many messages it has handed out since it was attached."""
        return self._expected - 1

    @property
    def waiting(self) -> int:
        """How many messages have come and not been taken."""
        return len(self._queue)

    @property
    def is_live(self) -> bool:
        """Whether the connection is the one on which it was attached, and is up."""
        return self._connection.epoch == self._epoch and self._connection.connected

    async def next(self, most: int, timeout: float) -> list[Received]:
        """The next messages in order: at least one unless the time runs out, never more than `most`, or than 2 MiB and one.

        Raises:
            UnreachableError: the link is in doubt, or a message was lost in flight; attach anew.
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
        """Add what waits to a batch, up to its bounds."""
        queue = self._queue
        size = sum(_cost(each.subject, each.block, each.payload) for each in batch)
        while queue and len(batch) < most and size < MOST_AT_ONCE_BYTES:
            if self._overrun:
                raise UnreachableError(f"the bus gives more of {self._stream} than was asked for")
            raw, cost = queue.popleft()
            self._queued_bytes -= cost
            # What comes from the stream has a delivery address; by that, and never by a header that its publisher chose,
            # it is told from what the server says about the request.
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
        """Wait for more, noticing a link that has gone quiet."""
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
                    raise UnreachableError("the consumer has gone quiet") from None

    async def _ask_if_due(self) -> None:
        """Ask for more when all that was asked for has come, and half as much again may wait."""
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
        """Keep what came until it is taken; a heartbeat only says that the server is there."""
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
                break  # the reader finds when it takes the next one that it must attach anew
            cost = _cost(subject, block, payload)
            self._queued_bytes += cost
            queue.append((raw, cost))
        self._some.set()

    def _hear(self, raw: Raw) -> None:
        """Take in what the server says about a request.

        Raises:
            BrokerError: `no-stream`, it refuses.
        """
        said, subject = RawHeaders(raw[2]), text_of(raw[0])
        if raw[1].startswith(_ADDRESS) or not said.status:
            # Nobody else should know this inbox, and nothing unsigned is believed.
            log.warning("stray_message", place=self._place, subject=subject)
        elif said.status in _REFUSED or (
            said.status == "409" and said.description.startswith(_FINAL_CONFLICTS)
        ):
            text = said.description or said.status
            raise BrokerError(f"the consumer refuses: {text}", reason="no-stream")
        elif subject == self.reply and said.status != "100":
            self._to_come = 0


def received_at(raw: Raw, place: tuple[bytes, bytes]) -> Received | None:
    """A message as delivered from the consumer at `place` (stream, consumer), or None when it is no such thing.

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
    """The bytes that a message takes, with what its headers take once they are read."""
    return len(subject) + len(payload) + len(block) + block.count(b"\n") * HEADER_LINE_BYTES + EACH_BYTES


def cursor_at(received: Received, payload_digest: str) -> Cursor:
    """The cursor of a reader that has read up to a message with this digest."""
    return Cursor(
        seq=received.stream_seq, digest=payload_digest, stored_ns=received.stored_ns, pending=received.pending
    )


async def read_back(
    connection: Connection, stream: str, consumer: str, start: int
) -> AsyncIterator[list[Received]]:
    """What the bus holds under the authority's name on a stream, from a sequence on, in batches.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    info = await consumer_info(connection, stream, consumer)
    if info.delivered.stream_seq + info.num_pending < start - 1:
        start = 1  # the stream is shorter than it was: it was lost or rewound, so all of it is read
    async with PullConsumer.attach(connection, stream, consumer, start) as pull:
        left = (await consumer_info(connection, stream, consumer)).num_pending
        while left > 0:
            # An announced message that is not given is no end: the caller needs all of them.
            if not (batch := await pull.next(MOST, QUIET_S)):
                raise UnreachableError(
                    f"the bus has {left} more messages on {stream}, and does not give them"
                )
            left = batch[-1].pending
            yield batch
