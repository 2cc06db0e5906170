"""A broker in memory, for tests: no process, no socket, the same connections and the same JetStream as a nats-server.

It keeps allow lists, streams, copies of streams, duplicate windows, atomic batches and durable pull consumers
(`memory_jetstream`), and answers the same API calls in the same words. Everything happens on the event loop, in order.
It can stop, which ends all connections, and start again with its data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.transport.endpoint import Endpoint
from bus.transport.interface import (
    BATCH_ID,
    BATCH_PLACE,
    NOT_YET,
    Connection,
    Delivery,
    Outgoing,
    Raw,
    header_bytes,
)
from bus.transport.memory_jetstream import MemoryJetStream
from bus.transport.permissions import Permissions
from bus.transport.raw import raw_of
from bus.transport.streams import MAX_MESSAGE_BYTES
from schemas.subject import matches

EVERYTHING = Permissions(publish=(">",), subscribe=(">",))


class MemoryEndpoint(Endpoint, frozen=True, kw_only=True):
    """An identity's place at a broker in memory."""

    broker: MemoryBroker

    def connect(
        self, on_denied: Callable[[str], None] | None = None, /
    ) -> AbstractAsyncContextManager[Connection]:
        """As `Connection.open`."""
        return MemoryConnection.at(self, on_denied)


class MemoryBroker:
    """A broker. It knows only the identities that were let in."""

    def __init__(self, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        """`now_ns` gives the time that messages are stored with, in nanoseconds."""
        self.jetstream = MemoryJetStream(now_ns)
        self.users: dict[str, Permissions] = {}
        self.connections: set[MemoryConnection] = set()
        self.running = True

    def let_in(self, identity: str, allowed: Permissions = EVERYTHING) -> MemoryEndpoint:
        """Let an identity connect with its permissions. Returns its endpoint. For tests."""
        self.users[identity] = allowed
        return self.endpoint(identity)

    def endpoint(self, identity: str) -> MemoryEndpoint:
        """The endpoint of an identity, known or unknown."""
        return MemoryEndpoint(url="memory", authority_id=identity, nkey_seed="", name=identity, broker=self)

    def stop(self) -> None:
        """End every connection and take no new one. Stored messages stay."""
        self.running = False
        for connection in tuple(self.connections):
            connection.drop("the broker has stopped")

    def start(self) -> None:
        """Take connections again; earlier connections come back."""
        self.running = True
        for connection in tuple(self.connections):
            connection.come_back()


class MemoryConnection(Connection):
    """A connection to a `MemoryBroker`; it comes back when the broker does. Use `Connection.open`."""

    def __init__(self, endpoint: MemoryEndpoint, on_denied: Callable[[str], None] | None) -> None:
        self.endpoint = endpoint
        self.problem = NOT_YET
        self.denied = False
        self.epoch = 0
        self._broker = endpoint.broker
        self._on_denied = on_denied
        self._connected = asyncio.Event()
        self._inboxes: dict[str, Callable[[Delivery], None]] = {}

    @classmethod
    @asynccontextmanager
    async def at(
        cls, endpoint: MemoryEndpoint, on_denied: Callable[[str], None] | None
    ) -> AsyncIterator[MemoryConnection]:
        """Connect for as long as the context lasts."""
        connection = cls(endpoint, on_denied)
        endpoint.broker.connections.add(connection)
        connection.come_back()
        try:
            yield connection
        finally:
            connection.drop("the connection was closed")
            endpoint.broker.connections.discard(connection)

    def come_back(self) -> None:
        """Connect, if the broker runs and knows this identity."""
        self.denied = self.endpoint.authority_id not in self._broker.users
        if self.denied:
            self.problem = "authorization violation"
        elif self._broker.running:
            self.problem, self.epoch = "", self.epoch + 1
            self._connected.set()

    def drop(self, problem: str) -> None:
        """Lose the connection, and with it every subscription and open request."""
        self.problem = problem
        self._connected.clear()
        for inbox in list(self._inboxes):
            self._unsubscribe(inbox)

    @property
    def connected(self) -> bool:
        """As `Connection.connected`."""
        return self._connected.is_set()

    async def until_connected(self, timeout: float) -> None:
        """As `Connection.until_connected`."""
        try:
            async with asyncio.timeout(timeout):
                await self._connected.wait()
        except TimeoutError:
            if self.denied:
                raise DeniedError(f"the bus refuses {self.endpoint.authority_id}") from None
            raise UnreachableError(f"the bus does not answer ({self.problem})") from None

    async def request(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> dict[str, Any]:
        """As `Connection.request`."""
        self._must_be_live()
        message = Outgoing(subject=subject, payload=payload, headers=dict(headers or {}))
        _must_fit(message)
        if not self._may(subject):
            raise DeniedError(f"the broker's permissions forbid {subject.lower()}")
        epoch = self.epoch
        answer = self._broker.jetstream.take(message)
        await asyncio.sleep(timeout if answer is None else 0)  # the broker may stop before its answer is here
        if answer is None or epoch != self.epoch or not self.connected:
            raise UnreachableError("the bus did not answer in time")
        return answer

    async def send(self, subject: str, payload: bytes, reply: str) -> None:
        """As `Connection.send`."""
        self._must_be_live()
        if self._may(subject):
            message = Outgoing(subject=subject, payload=payload, headers={})
            self._broker.jetstream.take(message, (reply, partial(self._deliver, reply)))

    async def send_all(self, messages: Sequence[Outgoing], batch: str = "") -> None:
        """As `Connection.send_all`."""
        self._must_be_live()
        if batch:
            messages = [
                Outgoing(
                    subject=message.subject,
                    payload=message.payload,
                    headers={**message.headers, BATCH_ID: batch, BATCH_PLACE: str(place)},
                )
                for place, message in enumerate(messages, 1)
            ]
        for message in messages:
            _must_fit(message)
        for message in messages:
            if self._may(message.subject):
                self._broker.jetstream.take(message)

    @asynccontextmanager
    async def subscribed(self, subject: str, on_delivery: Callable[[Delivery], None]) -> AsyncIterator[None]:
        """As `Connection.subscribed`."""
        self._must_be_live()
        allowed = self._broker.users[self.endpoint.authority_id].subscribe
        if any(matches(pattern, subject) for pattern in allowed):
            self._inboxes[subject] = on_delivery
        try:
            yield
        finally:
            self._unsubscribe(subject)

    def inbox(
        self, subject: str, on_messages: Callable[[list[Raw]], None]
    ) -> AbstractAsyncContextManager[None]:
        """As `Connection.inbox`."""
        return self.subscribed(subject, lambda delivery: on_messages([raw_of(delivery)]))

    def _unsubscribe(self, inbox: str) -> None:
        if self._inboxes.pop(inbox, None) is not None:
            self._broker.jetstream.withdraw(inbox)

    def _deliver(self, inbox: str, delivery: Delivery) -> None:
        """Deliver on the loop's next turn, in order, unless the subscription has ended by then."""
        pattern = next((pattern for pattern in self._inboxes if matches(pattern, inbox)), "")
        subscribed = self._inboxes.get(pattern)

        def deliver() -> None:
            if subscribed is not None and self._inboxes.get(pattern) is subscribed:
                subscribed(delivery)

        asyncio.get_running_loop().call_soon(deliver)

    def _must_be_live(self) -> None:
        if not self.connected:
            raise UnreachableError(f"the bus does not answer ({self.problem})")

    def _may(self, subject: str) -> bool:
        """Whether the broker allows a publish; a refusal is reported to `on_denied`."""
        allowed = self._broker.users[self.endpoint.authority_id].publish
        if any(matches(pattern, subject) for pattern in allowed):
            return True
        if self._on_denied is not None:
            self._on_denied(subject.lower())
        return False


def _must_fit(message: Outgoing) -> None:
    if len(message.payload) + header_bytes(message.headers.items()) > MAX_MESSAGE_BYTES:
        raise BrokerError("larger than the bus accepts", reason="too-large")
