"""The carrier of a country: it takes its authorities' bulletins to the unions and neighbours, and brings theirs home.

A carrier is a client of two brokers. It reads one from a cursor that it checks (`bus.transport.cursor`), publishes the same
bytes under the same message id to the other, and moves its cursor when they are stored there. It judges nothing: bulletins
are signed, and their readers verify them. It remembers by digest what it has carried, so that reading a stream anew carries
nothing twice. What its author sends again, because a reader lacks it, goes once more, and so does what the far stream has
lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack

import msgspec
import structlog

from bus.errors import BrokerError, BusError, DeniedError, StoreError, UnreachableError
from bus.federation.ledger import Ledger
from bus.federation.plan import Federation, Route, routes_of
from bus.tasks import one_failure, run_with_current
from bus.transport import (
    BATCH,
    Connection,
    ConsumerSpec,
    Endpoint,
    Outgoing,
    PubAck,
    PullConsumer,
    Received,
    consumer_info,
    cursor_at,
    publish,
    publish_burst,
)
from bus.trust import VerifiedRegistry
from schemas.codec import digest
from schemas.envelope import SIG_HEADER
from schemas.subject import matches

MOST = 500
QUIET_S = 5.0
PAUSE_S = 0.5
ACK_S = 5.0
AGAIN_S = 1.0
MESSAGE_ID = "Nats-Msg-Id"
_CARRIED_HEADERS = ("ce-",)

log = structlog.get_logger()


class LostError(BusError):
    """The far stream has lost what was stored there."""

    reason = "sink-lost"


class Carrier(msgspec.Struct, kw_only=True):
    """Carries between a country's broker and the places it connects to; `run` carries.

    Attributes:
        country: whose carrier it is.
        federation: the brokers and their paths.
        registry: the registry as it stands now.
        endpoints: the carrier's place at its own broker, by the country's name, and at each that it connects to.
        ledger: what it remembers.
        carried: how many messages were stored at each place.
        problems: by source and sink, why nothing is carried at present.
    """

    country: str
    federation: Federation
    registry: Callable[[], VerifiedRegistry]
    endpoints: Mapping[str, Endpoint]
    ledger: Ledger
    carried: Counter[str] = msgspec.field(default_factory=Counter)
    problems: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)

    async def run(self) -> None:
        """Carry until cancelled; begin anew when the registry releases other channels.

        Raises:
            StoreError: `store-failed`; the ledger takes nothing more until it is opened anew.
        """
        async with AsyncExitStack() as stack:
            connections = {
                name: await stack.enter_async_context(Connection.open(endpoint))
                for name, endpoint in self.endpoints.items()
            }
            await run_with_current(
                lambda: routes_of(self.registry(), self.federation, self.country),
                lambda planned: self._all(connections, planned),
                every_s=AGAIN_S,
                on_change=lambda: log.info("released_otherwise", country=self.country),
            )

    async def _all(self, connections: Mapping[str, Connection], planned: tuple[Route, ...]) -> None:
        with one_failure():
            async with asyncio.TaskGroup() as tasks:
                for route in planned:
                    for consumer in route.consumers:
                        tasks.create_task(self._run_route(connections, route, consumer))
                if not planned:
                    await asyncio.Event().wait()

    async def _run_route(
        self, connections: Mapping[str, Connection], route: Route, consumer: ConsumerSpec
    ) -> None:
        source, sink, stream = connections[route.source], connections[route.sink], consumer.stream
        while True:
            try:
                with one_failure():
                    await self._attached(source, sink, route, stream, consumer.name)
            except LostError as exc:
                log.error("sink_lost", source=route.source, sink=route.sink, problem=str(exc))
                await self.ledger.forget(route.sink)
            except (StoreError, UnreachableError, BrokerError, DeniedError) as exc:
                if isinstance(exc, StoreError) and not exc.is_passing:
                    raise
                self._say(route, stream, exc)
            await asyncio.sleep(PAUSE_S)

    def _say(self, route: Route, stream: str, exc: BusError) -> None:
        """Note why nothing is carried; log it when it is another reason than before."""
        known = self.problems.get((route.source, route.sink))
        self.problems[route.source, route.sink] = str(exc)
        if known != str(exc):
            log.warning("not_carried", source=route.source, sink=route.sink, stream=stream, problem=str(exc))

    async def _attached(
        self, source: Connection, sink: Connection, route: Route, stream: str, consumer: str
    ) -> None:
        """Carry one stream until a line is in doubt."""
        for end in (source, sink):
            _must_be_connected(end)
        given = (await consumer_info(source, stream, consumer)).filters
        # What both ends let through, and whose word it may be; one end may know a newer registry. More of either, and the
        # stream is read anew: what nobody would have admitted until now was passed over.
        filters = [*sorted(given & {*route.patterns}), *sorted(self.registry().document.authorities)]
        cursor = await self.ledger.cursor(route, stream, filters)
        async with PullConsumer.attach(source, stream, consumer, max(cursor.seq, 1)) as pull:
            resumed = await pull.resume(cursor, MOST, QUIET_S)
            if resumed is None:
                log.error("stream_changed", stream=stream, source=route.source, cursor=cursor.seq)
                await self.ledger.rewind(route, stream)
                return
            batch = resumed.after
            while True:
                _must_be_connected(sink)
                if batch:
                    await self._carry(sink, route, stream, filters, batch)
                self.problems.pop((route.source, route.sink), None)
                batch = await pull.next(MOST, QUIET_S)

    async def _carry(
        self, sink: Connection, route: Route, stream: str, filters: Sequence[str], batch: list[Received]
    ) -> None:
        """Store a batch at the other end, and only then move the cursor."""
        named = [(message, known_as(message)) for message in batch]
        fresh = await self.ledger.fresh(route.sink, [name for _, name in named])
        stored: list[str] = []
        # By the stream that takes them; between streams there is no order.
        outgoing: dict[str, list[Outgoing]] = {}
        speakers = {*filters}
        for message, name in named:
            if name not in fresh:
                continue
            copy = as_outgoing(message, route.patterns, speakers)
            if copy is None:
                log.warning("not_carriable", source=route.source, subject=message.subject, digest=name)
                continue
            outgoing.setdefault(_stream_of(copy), []).append(copy)
            stored.append(name)
            fresh.discard(name)  # the same again in one batch
        tails = await self.ledger.tails(route.sink)
        for key, several in outgoing.items():
            for ack in await _store(sink, several):
                if ack.seq <= tails.get(key, 0) and not ack.duplicate:
                    raise LostError(
                        f"{key} at {route.sink} had {tails[key]} messages, and stores number {ack.seq}"
                    )
                tails[key] = max(ack.seq, tails.get(key, 0))
        cursor = cursor_at(batch[-1], digest(batch[-1].payload))
        await self.ledger.note(route, stream, cursor, filters, stored, tails)
        self.carried[route.sink] += len(stored)


def _must_be_connected(end: Connection) -> None:
    """Check a connection, with a hint for the operator when the broker refuses the carrier.

    Raises:
        UnreachableError: the broker does not answer, or does not know the carrier's key.
    """
    if not end.connected:
        known = "; is this carrier's key in the federation file there?" if end.denied else ""
        raise UnreachableError((end.problem or "not connected") + known)


def known_as(received: Received) -> str:
    """The name by which a message is remembered: its digest, with the time of its record when it was sent again.

    What is sent again has no message id.

    So a resent bulletin goes through though it was carried before, and reading a stream anew repeats neither.
    """
    name = digest(received.payload)
    is_sent_again = all(header != MESSAGE_ID for header, _ in received.headers)
    return f"{name}@{received.stored_ns}" if is_sent_again else name


def as_outgoing(received: Received, patterns: Sequence[str], speakers: Collection[str]) -> Outgoing | None:
    """The message as it is published at the other end; None when no reader would admit it, or it is not released.

    The subject must be the route's and that of an authority in the registry: nobody else has a stream there. Of the headers
    go the signature, the message id and the hints, each once.
    """
    if not received.subject.isascii() or not any(matches(pattern, received.subject) for pattern in patterns):
        return None
    if "-".join(received.subject.split(".")[5:7]) not in speakers:
        return None
    headers: dict[str, str] = {}
    for name, value in received.headers:
        known = name in (SIG_HEADER, MESSAGE_ID) or name.startswith(_CARRIED_HEADERS)
        if not known:
            continue
        if name in headers or not value.isascii() or not value.isprintable():
            return None
        headers[name] = value
    return Outgoing(subject=received.subject, payload=received.payload, headers=headers)


def _stream_of(message: Outgoing) -> str:
    """The stream that takes a message, at whichever broker."""
    tokens = message.subject.split(".")
    return f"{tokens[5]}-{tokens[6]}_{tokens[2]}".upper()


async def _store(sink: Connection, messages: list[Outgoing]) -> list[PubAck]:
    """Publish in order and wait until all are stored: a burst as atomic batches, others one by one.

    Raises:
        UnreachableError, BrokerError, DeniedError: the rest is not, or may not be, stored.
    """
    acks: list[PubAck] = []
    left = messages
    while left:
        burst = await publish_burst(sink, left, ACK_S)
        if isinstance(burst.failure, UnreachableError):
            raise burst.failure
        acks += burst.acks
        left = left[len(burst.acks) :]
        # All or nothing: of a batch that is refused, one by one shows which message is not wanted.
        for message in left[:BATCH]:
            try:
                acks.append(await publish(sink, message.subject, message.payload, message.headers, ACK_S))
            except BrokerError as exc:
                if exc.reason != "too-large":
                    raise
                log.warning("not_carriable", subject=message.subject, problem=str(exc))
        left = left[BATCH:]
    return acks
