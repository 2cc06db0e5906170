"""One NATS connection: endless, watched, private; every error of the client mapped to ours.

What had to be learned about the client, and is dealt with here: its defaults notice a dead link after six
minutes; a black hole with data in flight needs TCP_USER_TIMEOUT; some server errors close it for good; a publish
that failed while disconnected may still be sent later; a denied publish is reported to the error callback alone,
in lower case; it checks a payload's size but not the headers', for which the server ends the connection. It stays with a
node that is cut off from its cluster (`bus.transport.failover`). What a received message may do to it is dealt with in `bus.transport.client`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from bus.errors import BrokerError, BusError, DeniedError, UnreachableError
from bus.keys import nkeys
from bus.transport.acks import PubAck, ack_of, refusal_of
from bus.transport.client import HardenedClient, headers_of
from bus.transport.failover import Nodes
from bus.transport.streams import inbox_prefix
from bus.transport.tls import Tls, explain

PING_S = 10
CONNECT_TIMEOUT_S = 3
REQUEST_TIMEOUT_S = 2.0
BACKOFF_S = (0.05, 2.0)
LOOK_S = 1.0
DEAF_S = 0.1
STEADY_S = 5.0  # a connection that lasted so long was a good one
NO_RESPONDERS = "503"
UNAVAILABLE = 503
_DENIED = "permissions violation"
_DENIED_PUBLISH = f'{_DENIED} for publish to "'

_RANDOM = random.Random()  # noqa: S311 (jitter, not secrecy)

log = structlog.get_logger()


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom to connect; `ping_s` is asked for the seconds between two pings while the connection lasts."""

    url: str
    authority_id: str
    nkey_seed: str
    name: str
    tls: Tls | None = None
    ping_s: Callable[[], int] = lambda: PING_S

    @property
    def private_inbox(self) -> str:
        """The prefix of this identity's replies."""
        return inbox_prefix(self.authority_id)


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be published."""

    subject: str
    payload: bytes
    headers: dict[str, str]


class Connection:
    """A connection that comes back. Use `Connection.open`."""

    def __init__(self, endpoint: Endpoint, on_denied: Callable[[str], None] | None) -> None:
        self.endpoint = endpoint
        self.problem = "not connected yet"
        self.denied = False
        self._uncertified = False
        self.epoch = 0  # grows with every connect and reconnect
        self._on_denied = on_denied
        self._client: HardenedClient | None = None
        self._connected = asyncio.Event()
        self._acks: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = {}
        self._ack_subject = ""
        self._nodes, self._leave = Nodes(endpoint.url), asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, endpoint: Endpoint, *, on_denied: Callable[[str], None] | None = None
    ) -> AsyncIterator[Connection]:
        """Connect in the background, for as long as the context lasts.

        Args:
            endpoint: where and as whom.
            on_denied: called with the lower-cased subject of a publish that the broker's permissions forbid.
        """
        connection = cls(endpoint, on_denied)
        keeper = asyncio.create_task(connection._keep(), name=f"connection {endpoint.name}")
        try:
            yield connection
        finally:
            # The client swallows a cancellation that meets it while connecting; so insist.
            while not keeper.done():
                keeper.cancel()
                await asyncio.wait({keeper}, timeout=0.1)
            await connection._close()

    @property
    def connected(self) -> bool:
        """Whether the broker answers, as far as is known."""
        return self._connected.is_set() and self._client is not None and self._client.is_connected

    async def until_connected(self, timeout: float) -> None:
        """Wait for the broker.

        Raises:
            DeniedError: it refuses this identity.
            UnreachableError: it does not answer in time.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._connected.wait()
        except TimeoutError:
            text = f"the bus at {self.endpoint.url} does not answer ({self.problem})"
            if self.denied:
                why = self.problem if self._uncertified else "is its transport key in the registry?"
                raise DeniedError(
                    f"the bus at {self.endpoint.url} refuses {self.endpoint.authority_id}; {why}"
                ) from None
            raise UnreachableError(f"{text}; is the server running?") from None

    # -- publishing ---------------------------------------------------------------------------------------------

    async def publish(
        self, subject: str, payload: bytes, headers: dict[str, str], timeout: float = REQUEST_TIMEOUT_S
    ) -> PubAck:
        """Publish one message and wait for the stream's acknowledgement; many may be on their way at once.

        Raises:
            UnreachableError: no answer. The message may still have been stored: send the same again.
            DeniedError: the broker's permissions forbid it.
            BrokerError: `hub-full`, `no-stream`, or what the server said.
        """
        return ack_of(await self._exchange(subject, payload, headers, timeout))

    async def _exchange(
        self, subject: str, payload: bytes, headers: dict[str, str] | None, timeout: float
    ) -> dict[str, Any]:
        """Publish with a reply subject of its own, and wait for the server's JSON on it."""
        client = self._live()
        token = secrets.token_hex(8)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._acks[token] = (subject.lower(), answer)
        try:
            with _mapped():
                client.refuse_too_large(payload, headers or {})
                await client.publish(subject, payload, reply=f"{self._ack_subject}.{token}", headers=headers)
                async with asyncio.timeout(timeout):
                    found = await answer
        except UnreachableError:
            self._note_idle()
            raise
        finally:
            self._acks.pop(token, None)
        if "error" not in found:
            self._nodes.served()
        elif isinstance(error := found["error"], dict) and error.get("code") == UNAVAILABLE:
            self._note_idle()
        return found

    def _note_idle(self) -> None:
        url = self._client.connected_url if self._client is not None else None
        if url is not None and self._nodes.idle(url.netloc, asyncio.get_running_loop().time()):
            log.warning("node_left", endpoint=self.endpoint.name, node=url.netloc)
            self._leave.set()

    async def publish_batch(
        self, batch: Sequence[Outgoing], timeout: float = REQUEST_TIMEOUT_S
    ) -> list[PubAck]:
        """Publish several messages of one stream, all or nothing (JetStream atomic batch, ADR-50).

        Raises:
            UnreachableError: no answer.
            BrokerError: what the server said; nothing of the batch was stored.
        """
        client = self._live()
        name = secrets.token_hex(12)
        opening = []
        with _mapped():
            for place, each in enumerate(batch[:-1], 1):
                headers = {**each.headers, "Nats-Batch-Id": name, "Nats-Batch-Sequence": str(place)}
                client.refuse_too_large(each.payload, headers)
                opening.append((each.subject, each.payload, headers))
            await client.publish_all(opening)
        last = batch[-1]
        headers = {
            **last.headers,
            "Nats-Batch-Id": name,
            "Nats-Batch-Sequence": str(len(batch)),
            "Nats-Batch-Commit": "1",
        }
        ack = await self.publish(last.subject, last.payload, headers, timeout)
        return [
            PubAck(stream=ack.stream, seq=ack.seq - len(batch) + place) for place in range(1, len(batch) + 1)
        ]

    async def _on_ack(self, message: Msg) -> None:
        _, answer = self._acks.get(message.subject.rsplit(".", 1)[1], ("", None))
        if answer is None or answer.done():
            return
        if headers_of(message).status == NO_RESPONDERS:
            answer.set_result(
                {"error": {"description": "nothing on the bus answers there", "code": UNAVAILABLE}}
            )
            return
        try:
            answer.set_result(msgspec.json.decode(message.data, type=dict[str, Any]))
        except msgspec.MsgspecError:
            answer.set_result({"error": {"description": "not an answer of JetStream"}})

    # -- the JetStream API ----------------------------------------------------------------------------------------

    async def js_api(
        self, call: str, body: Mapping[str, Any] | None = None, timeout: float = REQUEST_TIMEOUT_S
    ) -> dict[str, Any]:
        """One request to `$JS.API.<call>`, again while nothing answers there: a server that reloads is deaf for a moment.

        Raises:
            UnreachableError: no answer.
            BrokerError: with JetStream's code; `refused-by-broker` when this identity may not make the call.
        """
        request = b"" if body is None else json.dumps(body).encode()
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while True:
            try:
                found = await self._exchange(f"$JS.API.{call}", request, None, timeout)
            except DeniedError as exc:
                raise BrokerError(str(exc), reason=exc.reason) from None
            if "error" not in found:
                return found
            refusal = refusal_of(found["error"])
            if refusal.reason != "no-stream" or loop.time() > until:
                raise refusal
            await asyncio.sleep(DEAF_S)

    def client(self) -> Client:
        """The client itself, for `bus.transport.pull_consumer`.

        Raises:
            UnreachableError: it is not connected.
        """
        return self._live()

    # -- keeping it up --------------------------------------------------------------------------------------------

    def _live(self) -> HardenedClient:
        if self._client is None or not self._client.is_connected:
            raise UnreachableError(f"the bus at {self.endpoint.url} does not answer ({self.problem})")
        return self._client

    async def _keep(self) -> None:
        """Connect, and connect anew whenever the client has closed for good."""
        loop = asyncio.get_running_loop()
        wait = BACKOFF_S[0]
        while True:
            lost = asyncio.Event()
            since = loop.time()
            try:
                await self._connect(lost)
            except Exception as exc:  # noqa: BLE001 (whatever it is, the next try may find it gone)
                self.problem, self._uncertified = explain(exc, self.endpoint.tls)
                self.denied = (
                    self._uncertified
                    or isinstance(exc, nats.errors.AuthorizationError)
                    or "authorization" in str(exc).lower()
                )
            else:
                since = loop.time()
                await self._until(lost)
                self._connected.clear()
                self._fail_waiting(
                    UnreachableError("the connection was lost before the acknowledgement came")
                )
                log.info("connection_closed", endpoint=self.endpoint.name, problem=self.problem)
                if loop.time() - since > STEADY_S:
                    wait = BACKOFF_S[0]
            await asyncio.sleep(wait * _RANDOM.uniform(0.5, 1.0))
            wait = min(wait * 2, BACKOFF_S[1])

    async def _until(self, lost: asyncio.Event) -> None:
        """Wait for the end of a connection; meanwhile it pings as often as it should by now."""
        self._leave = lost
        while not lost.is_set():
            if self._client is not None:
                self._client.options["ping_interval"] = self.endpoint.ping_s()  # read before each ping
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await lost.wait()

    async def _connect(self, lost: asyncio.Event) -> None:
        """One client, from its first byte on; `lost` is set when that very client is gone, and no other."""
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
            self._ack_subject = f"{endpoint.private_inbox}.ack.{secrets.token_hex(6)}"
            await client.subscribe(
                f"{self._ack_subject}.*", cb=self._on_ack, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
        except BaseException:
            # A client that was sent away leaves its socket open.
            if (transport := getattr(client, "_transport", None)) is not None:
                transport.close()
            raise
        client.hurry()
        self._client = client
        self.denied = False
        self.problem = ""
        self.epoch += 1
        self._connected.set()
        log.debug("connection_opened", endpoint=endpoint.name)

    def _sign_nonce(self, nonce: str) -> bytes:
        return base64.b64encode(nkeys.signature(self.endpoint.nkey_seed, nonce.encode()))

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        self.problem = text or type(error).__name__
        lowered = text.lower()
        if _DENIED_PUBLISH in lowered:
            subject = lowered.split(_DENIED_PUBLISH, 1)[1].split('"', 1)[0]
            self._fail_waiting(DeniedError(f"the broker's permissions forbid {subject}"), subject)
            if self._on_denied is not None:
                self._on_denied(subject)
        elif _DENIED in lowered:
            log.warning("refused_by_broker", endpoint=self.endpoint.name, problem=self.problem)
        else:
            log.debug("connection_error", endpoint=self.endpoint.name, problem=self.problem)

    def _fail_waiting(self, error: BusError, subject: str | None = None) -> None:
        """Whoever waits for an acknowledgement, of one subject or of any, is told at once that it will not come."""
        for waiting, answer in self._acks.values():
            if subject in (None, waiting) and not answer.done():
                answer.set_exception(error)

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await client.close()


@contextlib.contextmanager
def _mapped():  # type: ignore[no-untyped-def]  # a context manager of nothing
    """Turn the client's exceptions into ours."""
    try:
        yield
    except TimeoutError:
        raise UnreachableError("the bus did not answer in time") from None
    except nats.errors.MaxPayloadError:
        raise BrokerError("larger than the bus accepts", reason="too-large") from None
    except (nats.errors.Error, OSError) as exc:
        raise UnreachableError(f"the bus does not answer ({str(exc) or type(exc).__name__})") from None
