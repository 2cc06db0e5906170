"""JetStream over a connection: publish, batch, API calls. `states` has the shapes of its answers; refusals become our errors."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bus.errors import BrokerError, BusError, DeniedError, UnreachableError
from bus.transport.interface import BATCH_COMMIT, BATCH_ID, BATCH_PLACE, NO_RESPONDERS, Connection, Outgoing
from bus.transport.states import MAX_NAMES, ConsumerInfo, Count, Name, PubAck, StreamInfo, decoded
from bus.transport.streams import StreamSpec, beyond

REQUEST_TIMEOUT_S = 2.0
DEAF_S = 0.1
BATCH = 512  # messages of one atomic batch
BATCH_BYTES = 4 * 1024 * 1024  # and of their payloads
LEAST_BATCH = 100  # messages for a broker that takes fewer
BATCH_FROM = 4  # from this many waiting messages for one stream on it is a burst
STREAM_FULL = frozenset({10023, 10077})
STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014
BATCH_TOO_LARGE = 10199
BATCH_INCOMPLETE = 10176  # too many batches are open, or it took too long; nothing of it is stored
PLACE_WAITS_S = (0.02, 0.1)
"""Seconds that a batch waits for a free place, each time: a batch is open for about 20 ms, and single messages cost more."""


def stream_differs(spec: StreamSpec, info: StreamInfo) -> tuple[str, ...]:
    """The names of a stream's settings, as the server reports them, that differ from the wanted ones."""
    wanted = spec.config()
    wanted.pop("sources", None)
    different = [key for key, value in wanted.items() if info.config.get(key) != value]
    plain = [{"name": name} for name in sorted(info.sources)]
    told = sorted(info.config.get("sources") or [], key=lambda source: str(source["name"]))
    if info.sources != set(spec.sources) or told != plain:
        different.append("sources")
    return (*different, *beyond(info.config, wanted, "sources"))


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `publish_burst`.

    Attributes:
        acks: one for each message that is certainly stored, from the first on.
        failure: why the next batch was not stored, or may not be; None if too few messages are left for a batch.
    """

    acks: list[PubAck]
    failure: BusError | None = None


async def publish(
    connection: Connection,
    subject: str,
    payload: bytes,
    headers: Mapping[str, str],
    timeout: float = REQUEST_TIMEOUT_S,
) -> PubAck:
    """Publish one message and wait for the stream's acknowledgement; many may be in flight at once.

    Raises:
        UnreachableError: no answer. The message may still have been stored: send the same again.
        DeniedError: the broker's permissions forbid it.
        BrokerError: `hub-full`, `no-stream`, `too-large`, or the server's error.
    """
    answer = await connection.request(subject, payload, headers, timeout)
    if "error" in answer:
        raise _refusal(answer["error"])
    return decoded(answer, PubAck, "an acknowledgement")


async def publish_batch(
    connection: Connection, batch: Sequence[Outgoing], timeout: float = REQUEST_TIMEOUT_S
) -> list[PubAck]:
    """Publish several messages of one stream, all or nothing (JetStream atomic batch, ADR-50).

    Raises:
        UnreachableError: no answer.
        DeniedError, BrokerError: the server's refusal; nothing of the batch was stored.
    """
    name = secrets.token_hex(12)
    *opening, last = batch
    await connection.send_all(opening, name)
    headers = {**last.headers, BATCH_ID: name, BATCH_PLACE: str(len(batch)), BATCH_COMMIT: "1"}
    ack = await publish(connection, last.subject, last.payload, headers, timeout)
    if ack.seq < len(batch):
        raise BrokerError(f"not an acknowledgement of {len(batch)} messages (number {ack.seq})")
    return [PubAck(stream=ack.stream, seq=ack.seq - len(batch) + place) for place in range(1, len(batch) + 1)]


async def publish_burst(
    connection: Connection, messages: Sequence[Outgoing], timeout: float = REQUEST_TIMEOUT_S
) -> Burst:
    """Publish messages of one stream as atomic batches, in order, for as long as each is stored.

    The caller sends the messages after the acknowledged ones singly: they are too few for a batch, or one of them
    blocks the others. A batch without a free place is sent again a few times. After an `UnreachableError` the next
    `BATCH` messages may still have been stored.
    """
    acks: list[PubAck] = []
    most, waits = BATCH, iter(PLACE_WAITS_S)
    while len(batch := _next_batch(messages, len(acks), most)) >= BATCH_FROM:
        try:
            acks += await publish_batch(connection, batch, timeout)
        except (BrokerError, DeniedError, UnreachableError) as exc:
            code = getattr(exc, "code", 0)
            if code == BATCH_TOO_LARGE and most > LEAST_BATCH:
                most = LEAST_BATCH
            elif code == BATCH_INCOMPLETE and (wait := next(waits, None)) is not None:
                await asyncio.sleep(wait)
            else:
                return Burst(acks=acks, failure=exc)
    return Burst(acks=acks)


def _next_batch(messages: Sequence[Outgoing], start: int, most: int) -> Sequence[Outgoing]:
    """The messages of the next batch, from an index on: at most `most` messages and `BATCH_BYTES`."""
    size = 0
    for end in range(start, min(start + most, len(messages))):
        size += len(messages[end].payload)
        if size > BATCH_BYTES:
            return messages[start:end]
    return messages[start : start + most]


async def js_api(
    connection: Connection,
    call: str,
    body: Mapping[str, Any] | None = None,
    timeout: float = REQUEST_TIMEOUT_S,
) -> dict[str, Any]:
    """Send one request to `$JS.API.<call>`; repeat it while nothing answers, since a reloading server is deaf for a moment.

    Raises:
        UnreachableError: no answer.
        BrokerError: with JetStream's code; `refused-by-broker` when this identity may not make the call.
    """
    request = b"" if body is None else json.dumps(body).encode()
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout
    while True:
        try:
            answer = await connection.request(f"$JS.API.{call}", request, None, timeout)
        except DeniedError as exc:
            raise BrokerError(str(exc), reason=exc.reason) from None
        if "error" not in answer:
            return answer
        refusal = _refusal(answer["error"])
        if refusal.reason != "no-stream" or loop.time() > until:
            raise refusal
        await asyncio.sleep(DEAF_S)


async def consumer_info(
    connection: Connection, stream: str, consumer: str, timeout: float = REQUEST_TIMEOUT_S
) -> ConsumerInfo:
    """The state of a consumer.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    answer = await js_api(connection, f"CONSUMER.INFO.{stream}.{consumer}", timeout=timeout)
    return decoded(answer, ConsumerInfo, "a consumer's state")


async def stream_info(connection: Connection, stream: str, timeout: float = REQUEST_TIMEOUT_S) -> StreamInfo:
    """The state of a stream.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    answer = await js_api(connection, f"STREAM.INFO.{stream}", timeout=timeout)
    return decoded(answer, StreamInfo, "a stream's state")


async def stream_names(connection: Connection) -> list[str]:
    """The names of all streams.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    return await _names(connection, "STREAM.NAMES", "streams", REQUEST_TIMEOUT_S)


async def consumer_names(
    connection: Connection, stream: str, timeout: float = REQUEST_TIMEOUT_S
) -> list[str]:
    """The names of all consumers of a stream.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    return await _names(connection, f"CONSUMER.NAMES.{stream}", "consumers", timeout)


async def _names(connection: Connection, call: str, key: str, timeout: float) -> list[str]:
    """All names that a paged call lists, at most `MAX_NAMES`."""
    names: list[str] = []
    while True:
        page = await js_api(connection, call, {"offset": len(names)}, timeout)
        listed = decoded(page.get(key) or [], list[Name], "a list of names")
        names += listed
        if not listed or len(names) >= min(decoded(page.get("total", 0), Count, "a number"), MAX_NAMES):
            return names


def _refusal(error: object) -> BrokerError:
    """Our error for JetStream's: `hub-full`, `no-stream`, or the server's own text."""
    told = error if isinstance(error, dict) else {}
    text, code = str(told.get("description", "the broker refuses")), told.get("err_code", 0)
    code = code if isinstance(code, int) else 0
    if code in STREAM_FULL:
        return BrokerError(f"the hub is full: {text}", reason="hub-full", code=code)
    if told.get("code") == NO_RESPONDERS:
        return BrokerError(text, reason="no-stream", code=code)
    return BrokerError(text, code=code)
