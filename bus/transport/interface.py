"""The interface of a broker for all rooms: a connection, independent of the broker at its other end.

There are two brokers: a nats-server (`bus.transport.connection`) and one in memory (`bus.transport.memory`). JetStream
(`jetstream`, `pull_consumer`) is written once, over the few calls of `Connection`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from bus.transport.streams import inbox_prefix

NO_RESPONDERS = 503
NOT_YET = "not connected yet"
"""The problem of a connection during its first connect; it is not logged."""
NO_ANSWER = {"error": {"code": NO_RESPONDERS, "description": "nothing on the bus answers there"}}
"""The error of a request on a subject without a listener."""


Raw = tuple[bytes, bytes, bytes, bytes]
"""A message off the socket: subject, reply (empty without one), header block (empty without one), payload."""


def header_bytes(headers: Iterable[tuple[str, str]]) -> int:
    """The size of a header block on the wire: its version line, `name: value` lines, and the empty line."""
    return len("NATS/1.0\r\n\r\n") + sum(len(name) + len(value) + 4 for name, value in headers)


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be published.

    Attributes:
        subject: where.
        payload: the bytes.
        headers: what goes beside them.
        lines: the same headers as they are written, `name: value` and CRLF each, where that was made already.
    """

    subject: str
    payload: bytes
    headers: Mapping[str, str]
    lines: bytes = b""


BATCH_ID, BATCH_PLACE, BATCH_COMMIT = "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"
"""The headers of an atomic batch: its name, the place of a message from 1, and the commit on the last message."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message as a subscription received it; `status` is empty unless the server itself sent it."""

    subject: str
    reply: str
    payload: bytes
    headers: tuple[tuple[str, str], ...] = ()
    status: str = ""
    description: str = ""


class StreamPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a connection; each broker's subclass has the address. `name` names the connection in logs."""

    authority_id: str
    name: str

    @property
    def private_inbox(self) -> str:
        """The prefix of this identity's replies."""
        return inbox_prefix(self.authority_id)

    def connect(
        self, on_denied: Callable[[str], None] | None = None, /
    ) -> AbstractAsyncContextManager[Connection]:
        """A connection for as long as the context lasts; see `Connection.open`. Each broker's endpoint overrides it."""
        raise NotImplementedError  # a struct cannot be an abstract class


class Connection(ABC):
    """A connection that comes back. Use `Connection.open`.

    Attributes:
        endpoint: its address and identity.
        problem: why it is not connected, or the last error; empty if all is well.
        denied: whether the broker refuses this identity.
        epoch: grows with every connect and reconnect.
    """

    endpoint: StreamPlace
    problem: str
    denied: bool
    epoch: int

    @classmethod
    def open(
        cls, endpoint: StreamPlace, *, on_denied: Callable[[str], None] | None = None
    ) -> AbstractAsyncContextManager[Connection]:
        """Connect in the background, for as long as the context lasts.

        Args:
            endpoint: address and identity.
            on_denied: called with the lower-cased subject of a publish that the broker's permissions forbid.
        """
        return endpoint.connect(on_denied)

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the broker answers, to present knowledge."""

    @abstractmethod
    async def until_connected(self, timeout: float) -> None:
        """Wait for the broker.

        Raises:
            DeniedError: it refuses this identity.
            UnreachableError: it does not answer in time.
        """

    @abstractmethod
    async def request(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> dict[str, Any]:
        """Publish one message and wait for the server's answer, decoded from JSON; `error` in it is a refusal.

        Many requests may wait at once. If nothing answers on the subject, the error has code 503.

        Raises:
            UnreachableError: no answer. What was sent may still have been stored.
            DeniedError: the broker's permissions forbid it.
            BrokerError: `too-large`.
        """

    @abstractmethod
    async def send(self, subject: str, payload: bytes, reply: str) -> None:
        """Publish one message; its answer is delivered to `reply`.

        Raises:
            UnreachableError: it is not connected.
        """

    @abstractmethod
    async def send_all(self, messages: Sequence[Outgoing], batch: str = "") -> None:
        """Publish messages in one go, without an answer.

        Args:
            messages: the messages.
            batch: the name of the atomic batch that they open; empty for no batch.

        Raises:
            UnreachableError: it is not connected.
            BrokerError: `too-large`; none was sent.
        """

    @abstractmethod
    def subscribed(
        self, subject: str, on_delivery: Callable[[Delivery], None]
    ) -> AbstractAsyncContextManager[None]:
        """Receive the messages published on a subject, in order, for as long as the context lasts.

        Raises:
            UnreachableError: it is not connected.
        """

    @abstractmethod
    def inbox(
        self, subject: str, on_messages: Callable[[list[Raw]], None]
    ) -> AbstractAsyncContextManager[None]:
        """As `subscribed`, for the inbox of a pull consumer: raw messages in order, all that have come at once.

        Raises:
            UnreachableError: it is not connected.
        """
