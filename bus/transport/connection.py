"""One NATS connection: endless, watched, private; every error of the client mapped to ours.

This module deals with known weaknesses of the client: its defaults notice a dead link after six minutes; a black hole
with data in flight needs TCP_USER_TIMEOUT; some server errors close it for good; a publish that failed while
disconnected may still be sent later; a denied publish is reported to the error callback alone, in lower case; it checks
a payload's size but not the headers', for which the server ends the connection. It stays with a node that is cut off
from its cluster (`bus.transport.failover`). `bus.transport.client` deals with hostile received messages.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from bus.errors import DeniedError, UnreachableError
from bus.keys import nkeys
from bus.logs import logger
from bus.tasks import background
from bus.transport.answers import Answers
from bus.transport.client import HardenedClient, as_delivery, mapped
from bus.transport.endpoint import Endpoint
from bus.transport.failover import Nodes
from bus.transport.interface import NO_RESPONDERS, NOT_YET, Connection, Delivery, Outgoing, Raw
from bus.transport.tls import explain

CONNECT_TIMEOUT_S = 3
BACKOFF_S = (0.05, 2.0)
LOOK_S = 1.0
STEADY_S = 5.0  # seconds after which a connection counts as good
_DENIED = "permissions violation"
_DENIED_PUBLISH = f'{_DENIED} for publish to "'
_DENIED_REPLY = 'permissions violation for publish with reply of "'

_RANDOM = random.Random()  # noqa: S311 (jitter, not secrecy)

__all__ = ["Connection", "Endpoint", "NatsConnection"]

log = logger()


class NatsConnection(Connection):
    """A connection to a nats-server. Use `Connection.open`, or `at` for features that only a nats-server has."""

    def __init__(self, endpoint: Endpoint, on_denied: Callable[[str], None] | None) -> None:
        self.endpoint: Endpoint = endpoint
        self.problem = NOT_YET
        self.denied = False
        self._uncertified = False
        self.epoch = 0  # grows with every connect and reconnect
        self._on_denied = on_denied
        self._client: HardenedClient | None = None
        self._connected = asyncio.Event()
        self._answers = Answers()
        self._answer_subject = ""
        self._nodes, self._leave = Nodes(endpoint.url), asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def at(
        cls, endpoint: Endpoint, on_denied: Callable[[str], None] | None = None
    ) -> AsyncIterator[NatsConnection]:
        """Connect in the background, for as long as the context lasts."""
        connection = cls(endpoint, on_denied)
        async with (
            background() as tasks
        ):  # if the keeper failed, every user of the connection would wait for ever
            keeper = tasks.start(connection._keep(), f"connection {endpoint.name}")
            try:
                yield connection
            finally:
                # nats-py may swallow the first cancellation while it connects; repeat until the task ends.
                while not keeper.done():
                    keeper.cancel()
                    await asyncio.wait({keeper}, timeout=0.1)
                await connection._close()

    @property
    def connected(self) -> bool:
        """As `Connection.connected`."""
        return self._connected.is_set() and self._client is not None and self._client.is_connected

    async def until_connected(self, timeout: float) -> None:
        """As `Connection.until_connected`."""
        try:
            async with asyncio.timeout(timeout):
                await self._connected.wait()
        except TimeoutError:
            if self.denied:
                why = self.problem if self._uncertified else "is its transport key in the registry?"
                raise DeniedError(
                    f"the bus at {self.endpoint.url} refuses {self.endpoint.authority_id}; {why}"
                ) from None
            raise UnreachableError(f"{self._silence()}; is the server running?") from None

    def _silence(self) -> str:
        return f"the bus at {self.endpoint.url} does not answer ({self.problem})"

    # -- sending and receiving --------------------------------------------------------------------------------------

    async def request(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> dict[str, Any]:
        """As `Connection.request`, with a reply subject of its own."""
        client = self._live()
        try:
            with mapped(), self._answers.expect(subject) as (token, coming):
                client.refuse_too_large(payload, headers or {})
                reply = f"{self._answer_subject}.{token}"
                sent_headers = None if headers is None else dict(headers)
                await client.publish(subject, payload, reply=reply, headers=sent_headers)
                async with asyncio.timeout(timeout):
                    answer = await coming
        except UnreachableError:
            self._note_idle()
            raise
        if "error" not in answer:
            self._nodes.note_success()
        elif isinstance(error := answer["error"], dict) and error.get("code") == NO_RESPONDERS:
            self._note_idle()
        return answer

    def _note_idle(self) -> None:
        url = self._client.connected_url if self._client is not None else None
        if url is not None and self._nodes.note_failure(url.netloc, asyncio.get_running_loop().time()):
            log.warning("node_left", endpoint=self.endpoint.name, node=url.netloc)
            self._leave.set()

    async def send(self, subject: str, payload: bytes, reply: str) -> None:
        """As `Connection.send`."""
        client = self._live()
        try:
            await client.publish(subject, payload, reply=reply)
        except Exception as exc:  # noqa: BLE001 (any error of the client here means that the link is gone)
            raise UnreachableError(f"the bus does not answer ({exc})") from None

    async def send_all(self, messages: Sequence[Outgoing], batch: str = "") -> None:
        """As `Connection.send_all`."""
        client = self._live()
        with mapped():
            await client.publish_all(messages, batch)

    @asynccontextmanager
    async def subscribed(self, subject: str, on_delivery: Callable[[Delivery], None]) -> AsyncIterator[None]:
        """As `Connection.subscribed`."""

        async def on_message(message: Msg) -> None:
            on_delivery(as_delivery(message))

        client = self._live()
        with mapped():
            subscription = await client.subscribe(
                subject, cb=on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
        try:
            yield
        finally:
            # The link may be gone; the server drops subscriptions without a connection.
            with contextlib.suppress(Exception):
                await subscription.unsubscribe()

    @asynccontextmanager
    async def inbox(self, subject: str, on_messages: Callable[[list[Raw]], None]) -> AsyncIterator[None]:
        """As `Connection.inbox`."""
        async with AsyncExitStack() as stack:
            with mapped():
                await stack.enter_async_context(self._live().inbox(subject, on_messages))
            yield

    def client(self) -> Client:
        """The client itself, for features that only a nats-server has.

        Raises:
            UnreachableError: it is not connected.
        """
        return self._live()

    # -- keeping it up --------------------------------------------------------------------------------------------

    def _live(self) -> HardenedClient:
        if self._client is None or not self._client.is_connected:
            raise UnreachableError(self._silence())
        return self._client

    async def _keep(self) -> None:
        """Connect, and connect again each time the client has closed for good."""
        loop = asyncio.get_running_loop()
        wait = BACKOFF_S[0]
        while True:
            lost = asyncio.Event()
            since = loop.time()
            try:
                client = await self._connect(lost)
            except Exception as exc:  # noqa: BLE001 (any error may be gone at the next try)
                self.problem, self._uncertified = explain(exc, self.endpoint.tls)
                self.denied = (
                    self._uncertified
                    or isinstance(exc, nats.errors.AuthorizationError)
                    or "authorization" in str(exc).lower()
                )
            else:
                since = loop.time()
                await self._until(client, lost)
                self._connected.clear()
                self._answers.fail(
                    UnreachableError("the connection was lost before the acknowledgement came")
                )
                log.info("connection_closed", endpoint=self.endpoint.name, problem=self.problem)
                if loop.time() - since > STEADY_S:
                    wait = BACKOFF_S[0]
            await asyncio.sleep(wait * _RANDOM.uniform(0.5, 1.0))
            wait = min(wait * 2, BACKOFF_S[1])

    async def _until(self, client: HardenedClient, lost: asyncio.Event) -> None:
        """Wait for the end of a connection; until then it pings at the endpoint's interval."""
        self._leave = lost
        while not lost.is_set():
            if not client.is_reading:
                return
            client.options["ping_interval"] = self.endpoint.ping_s()  # the client reads it before each ping
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await lost.wait()

    async def _connect(self, lost: asyncio.Event) -> HardenedClient:
        """Connect a new client; `lost` is set when this client, and no other, is gone."""
        endpoint = self.endpoint
        await self._close()
        secure = endpoint.tls.context() if endpoint.tls else None
        client = HardenedClient(nkeys.public_of(endpoint.nkey_seed))

        async def on_lost() -> None:
            lost.set()

        try:
            await client.connect(
                servers=self._nodes.order(_RANDOM),
                dont_randomize=True,
                name=endpoint.name,
                signature_cb=self._sign_nonce,
                inbox_prefix=endpoint.private_inbox.encode(),
                connect_timeout=CONNECT_TIMEOUT_S,
                ping_interval=endpoint.ping_s(),
                max_outstanding_pings=2,
                allow_reconnect=False,
                error_cb=self._on_error,
                disconnected_cb=on_lost,
                closed_cb=on_lost,
                tls=secure,
                tls_hostname=endpoint.tls.host if endpoint.tls else None,
                tls_handshake_first=secure is not None,
            )
            self._answer_subject = f"{endpoint.private_inbox}.ack.{secrets.token_hex(6)}"
            await client.subscribe(
                f"{self._answer_subject}.*",
                cb=self._answers.on_message,
                pending_msgs_limit=-1,
                pending_bytes_limit=-1,
            )
        except BaseException:
            client.let_go()  # a refused client leaves its socket open
            raise
        client.set_tcp_user_timeout()
        self._client = client
        self.denied = False
        self.problem = ""
        self.epoch += 1
        self._connected.set()
        log.debug("connection_opened", endpoint=endpoint.name)
        return client

    def _sign_nonce(self, nonce: str) -> bytes:
        return base64.b64encode(nkeys.signature(self.endpoint.nkey_seed, nonce.encode()))

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        self.problem = text or type(error).__name__
        lowered = text.lower()
        if _DENIED_PUBLISH in lowered:
            subject = lowered.split(_DENIED_PUBLISH, 1)[1].split('"', 1)[0]
            self._answers.fail(DeniedError(f"the broker's permissions forbid {subject}"), subject)
            if self._on_denied is not None:
                self._on_denied(subject)
        elif _DENIED_REPLY in lowered and self._on_denied is not None:
            self._on_denied(lowered.split(_DENIED_REPLY, 1)[1].split('"', 1)[0])
        elif _DENIED in lowered:
            log.warning("refused_by_broker", endpoint=self.endpoint.name, problem=self.problem)
        else:
            log.debug("connection_error", endpoint=self.endpoint.name, problem=self.problem)

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await client.close()
            client.let_go()
