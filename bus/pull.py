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

from bus.connection import Connection, header_pairs
from bus.errors import BrokerError, UnreachableError

if TYPE_CHECKING:
    from nats.aio.msg import Msg

BATCH = 500
EXPIRES_S = 30.0
HEARTBEAT_S = 3.0
LINGER_FROM = 64
LINGER_S = 0.01
_NS = 1_000_000_000
_ENDED = frozenset({"404", "408", "409"})


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
        self._expected: int | None = None
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
        if self._expected is not None and message.consumer_seq != self._expected:
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
        self._asked = BATCH
        request: dict[str, Any] = {
            "batch": BATCH,
            "expires": int(EXPIRES_S * _NS),
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
        status = dict(message.headers or {}).get("Status") if not message.data else None
        if status == "100":
            return
        if status in _ENDED or status == "503":
            text = dict(message.headers or {}).get("Description", "")
            if (status == "409" and "Exceeded" in text) or status == "503":
                self._refusal = BrokerError(f"the consumer refuses: {text or status}", reason="no-stream")
            self._queue.put_nowait(None)
            return
        place = message.reply.split(".")
        if len(place) < 9:
            return  # not from a consumer: nobody else should know this inbox, and nothing unsigned is believed
        # v1: $JS.ACK.<stream>.<consumer>.<n>.<seq>.<cseq>.<time>.<pending>; v2 has domain and account before, a token after.
        seq, consumer_seq, stored, pending = place[5:9] if len(place) == 9 else place[7:11]
        self._queue.put_nowait(
            Received(
                subject=message.subject,
                headers=header_pairs(message),
                payload=message.data,
                stream_seq=int(seq),
                consumer_seq=int(consumer_seq),
                stored_ns=int(stored),
                pending=int(pending),
            )
        )
