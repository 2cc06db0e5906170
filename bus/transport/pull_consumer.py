"""Reading a durable pull consumer whose cursor the reader owns.

One request for many messages is kept open at the server, with heartbeats; messages come the moment they are
stored, and a silence that should not be is noticed. What was in flight when a link died comes again after the
next attach, from the reader's own cursor.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from bus.errors import BrokerError, UnreachableError
from bus.transport.client import headers_of
from bus.transport.connection import Connection
from bus.transport.streams import PULL_BYTES, PULL_EXPIRES_S, PULL_MESSAGES

if TYPE_CHECKING:
    from nats.aio.msg import Msg

HEARTBEAT_S = 3.0
LINGER_FROM = 64
LINGER_S = 0.01
_NS = 1_000_000_000
_V1_TOKENS = 9
_HEARTBEAT = "100"
_REFUSED = frozenset({"400", "503"})
# 409 says many things: these are final; others, a new leader or a server going down, only end the request.
_FINAL_CONFLICTS = ("Exceeded", "Consumer")

log = structlog.get_logger()


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the broker delivered it."""

    subject: str
    headers: tuple[tuple[str, str], ...]
    payload: bytes
    stream_seq: int
    consumer_seq: int
    stored_ns: int
    pending: int


class Pull:
    """An attached consumer. Use `Pull.attach`."""

    def __init__(self, connection: Connection, stream: str, consumer: str) -> None:
        self._connection = connection
        self._place = f"{stream}.{consumer}"
        self._inbox = f"{connection.endpoint.private_inbox}.pull.{secrets.token_hex(6)}"
        self._queue: asyncio.Queue[Received | None] = asyncio.Queue()
        self._asked = 0
        self._epoch = connection.epoch
        self._heard = 0.0
        # A reset counts deliveries from 1 again but leaves others' requests standing: one of a connection that the
        # server does not know to be dead still takes messages. So the very first must be number 1.
        self._expected = 1
        self._refusal: BrokerError | None = None

    @classmethod
    @asynccontextmanager
    async def attach(
        cls, connection: Connection, stream: str, consumer: str, seq: int
    ) -> AsyncIterator[Pull]:
        """Set the consumer to deliver from stream sequence `seq` on, and read it.

        Raises:
            UnreachableError, BrokerError: from the broker.
        """
        pull = cls(connection, stream, consumer)
        client = connection.client()
        await connection.js_api(f"CONSUMER.RESET.{pull._place}", {"seq": seq})
        subscription = await client.subscribe(
            pull._inbox, cb=pull._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        try:
            yield pull
        finally:
            with contextlib.suppress(
                Exception
            ):  # the link may be gone; the server drops what has no interest
                await subscription.unsubscribe()

    @property
    def waiting(self) -> int:
        """How many messages have come and not been taken."""
        return self._queue.qsize()

    async def next(self, most: int, timeout: float) -> list[Received]:
        """The next messages in order: at least one unless the time runs out, never more than `most`.

        Raises:
            UnreachableError: the link is in doubt, or a message was lost in flight; attach anew.
            BrokerError: the server refuses the request.
        """
        if self._asked == 0:
            await self._ask()
        found: list[Received] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not found:
                    await self._take(found, wait=True)
        await self._drain(found, most)
        if found and found[-1].pending > LINGER_FROM and len(found) < LINGER_FROM:
            # A burst: a larger batch costs one commit instead of many.
            await asyncio.sleep(LINGER_S)
            await self._drain(found, most)
        return found

    async def _drain(self, found: list[Received], most: int) -> None:
        while len(found) < most and not self._queue.empty():
            await self._take(found, wait=False)

    async def _take(self, found: list[Received], *, wait: bool) -> None:
        message = await self._patient() if wait else self._queue.get_nowait()
        if message is None:
            if self._refusal is not None:
                raise self._refusal
            self._asked = 0
            await self._ask()
            return
        if message.consumer_seq != self._expected:
            raise UnreachableError(
                f"a message was lost in flight ({self._expected} expected, {message.consumer_seq} came)"
            )
        self._expected = message.consumer_seq + 1
        self._asked -= 1
        found.append(message)
        if self._asked == 0:
            await self._ask()

    async def _patient(self) -> Received | None:
        """The next item, noticing a link that has gone quiet."""
        while True:
            if self._connection.epoch != self._epoch or not self._connection.connected:
                raise UnreachableError("the connection was lost")
            try:
                async with asyncio.timeout(0.25):
                    return await self._queue.get()
            except TimeoutError:
                if asyncio.get_running_loop().time() - self._heard > HEARTBEAT_S * 3:
                    raise UnreachableError("the consumer has gone quiet") from None

    async def _ask(self) -> None:
        self._heard = asyncio.get_running_loop().time()
        self._asked = PULL_MESSAGES
        request: dict[str, Any] = {
            "batch": PULL_MESSAGES,
            "expires": int(PULL_EXPIRES_S * _NS),
            "max_bytes": PULL_BYTES,
            "idle_heartbeat": int(HEARTBEAT_S * _NS),
        }
        try:
            await self._connection.client().publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._place}", json.dumps(request).encode(), reply=self._inbox
            )
        except UnreachableError:
            raise
        except Exception as exc:  # noqa: BLE001 (whatever the client raises here means that the link is gone)
            raise UnreachableError(f"the bus does not answer ({exc})") from None

    async def _on_message(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        # What comes from the stream has a delivery address; by that, and never by a header that its publisher chose,
        # it is told from what the server says about the request.
        if (received := _received(message, self._place)) is not None:
            self._queue.put_nowait(received)
            return
        headers = headers_of(message)
        if headers.status == _HEARTBEAT:
            return
        if not headers.status:
            # Nobody else should know this inbox, and nothing unsigned is believed.
            log.warning("stray_message", place=self._place, subject=message.subject)
            return
        text = headers.description or headers.status
        if headers.status in _REFUSED or (
            headers.status == "409" and headers.description.startswith(_FINAL_CONFLICTS)
        ):
            self._refusal = BrokerError(f"the consumer refuses: {text}", reason="no-stream")
        self._queue.put_nowait(None)


def _received(message: Msg, place: str) -> Received | None:
    """A message as delivered from the consumer at `place`, or None when it is no such thing.

    Its reply is `$JS.ACK.<stream>.<consumer>.<n>.<seq>.<delivery>.<ns>.<pending>`, or in the second form
    `$JS.ACK.<domain>.<account>.<stream>.<consumer>.<...the same>.<random>`.
    """
    tokens = message.reply.split(".")
    if tokens[:2] != ["$JS", "ACK"]:
        return None
    origin, numbers = (tokens[2:4], tokens[4:9]) if len(tokens) == _V1_TOKENS else (tokens[4:6], tokens[6:11])
    if ".".join(origin) != place or len(numbers) != 5 or not all(map(str.isdigit, numbers)):
        return None
    _, seq, consumer_seq, stored, pending = map(int, numbers)
    return Received(
        subject=message.subject,
        headers=headers_of(message).pairs,
        payload=message.data,
        stream_seq=seq,
        consumer_seq=consumer_seq,
        stored_ns=stored,
        pending=pending,
    )


QUIET_S = 5.0


MOST = 500


async def read_back(
    connection: Connection, stream: str, consumer: str, start: int
) -> AsyncIterator[list[Received]]:
    """What the bus holds under the authority's name on a stream, from a sequence on, in batches.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    info = await connection.js_api(f"CONSUMER.INFO.{stream}.{consumer}")
    if int(info["delivered"]["stream_seq"]) + int(info.get("num_pending", 0)) < start - 1:
        start = 1  # the stream is shorter than it was: it was lost or rewound, so all of it is read
    async with Pull.attach(connection, stream, consumer, start) as pull:
        info = await connection.js_api(f"CONSUMER.INFO.{stream}.{consumer}")
        left = int(info.get("num_pending", 0))
        while left > 0:
            # Without all of it nobody knows what was said: what is announced and not given is no end.
            if not (batch := await pull.next(MOST, QUIET_S)):
                raise UnreachableError(
                    f"the bus has {left} more messages on {stream}, and does not give them"
                )
            left = batch[-1].pending
            yield batch
