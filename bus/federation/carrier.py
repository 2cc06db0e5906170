"""The carrier of a country: what its authorities have said goes to the unions and neighbours, and theirs comes home.

A carrier is a client of two brokers and nothing more. It reads one as any reader does, from a cursor of its own that it
never takes on trust (`bus.transport.cursor`), and publishes to the other as any publisher does, the same bytes under the same message
id, and moves its cursor when they are stored there. It judges nothing: bulletins are signed, and their readers verify them.
What it has carried it remembers by digest, so that reading a stream anew carries nothing twice; what its author has sent
again, because somebody lacks it, goes once more, and so does all that the far stream has lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

import structlog

from bus.errors import BrokerError, BusError, DeniedError, StoreError, UnreachableError
from bus.federation.ledger import Ledger
from bus.federation.plan import Federation, Route, legs
from bus.tasks import one_failure, run_with_current
from bus.transport import (
    BATCH,
    Connection,
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


class Carrier:
    """Carries between a country's broker and the places it connects to."""

    def __init__(
        self,
        *,
        country: str,
        federation: Federation,
        registry: Callable[[], VerifiedRegistry],
        endpoints: Mapping[str, Endpoint],
        ledger: Ledger,
    ) -> None:
        """Prepare; `run` carries.

        Args:
            country: whose carrier it is.
            federation: who is joined with whom.
            registry: the registry as it stands now.
            endpoints: the carrier's place at its own broker, by the country's name, and at each that it connects to.
            ledger: what it remembers.
        """
        self.carried: Counter[str] = Counter()
        self.problems: dict[tuple[str, str], str] = {}
        self._country = country
        self._federation = federation
        self._registry = registry
        self.endpoints = endpoints
        self._ledger = ledger

    async def run(self) -> None:
        """Carry until cancelled; begin anew whenever the registry lets other things through.

        Raises:
            StoreError: `store-failed`; the ledger takes nothing more until it is opened anew.
        """
        async with AsyncExitStack() as stack:
            connections = {
                name: await stack.enter_async_context(Connection.open(endpoint))
                for name, endpoint in self.endpoints.items()
            }
            await run_with_current(
                self._legs,
                lambda planned: self._all(connections, planned),
                every_s=AGAIN_S,
                on_change=lambda: log.info("released_otherwise", country=self._country),
            )

    def _legs(self) -> tuple[Route, ...]:
        return legs(self._registry(), self._federation, self._country)

    async def _all(self, connections: Mapping[str, Connection], planned: tuple[Route, ...]) -> None:
        with one_failure():
            async with asyncio.TaskGroup() as tasks:
                for leg in planned:
                    for stream, consumer in leg.places:
                        tasks.create_task(self._leg(connections, leg, stream, consumer))
                if not planned:
                    await asyncio.Event().wait()

    async def _leg(
        self, connections: Mapping[str, Connection], leg: Route, stream: str, consumer: str
    ) -> None:
        while True:
            try:
                with one_failure():
                    await self._attached(
                        connections[leg.source], connections[leg.sink], leg, stream, consumer
                    )
            except LostError as exc:
                log.error("sink_lost", source=leg.source, sink=leg.sink, problem=str(exc))
                await self._ledger.forget(leg.sink)
            except (StoreError, UnreachableError, BrokerError, DeniedError) as exc:
                if isinstance(exc, StoreError) and not exc.is_passing:
                    raise
                self._say(leg, stream, exc)
            await asyncio.sleep(PAUSE_S)

    def _say(self, leg: Route, stream: str, exc: BusError) -> None:
        """Why nothing is carried; aloud when it is another reason than before."""
        known = self.problems.get((leg.source, leg.sink))
        self.problems[leg.source, leg.sink] = str(exc)
        if known != str(exc):
            log.warning("not_carried", source=leg.source, sink=leg.sink, stream=stream, problem=str(exc))

    async def _attached(
        self, source: Connection, sink: Connection, leg: Route, stream: str, consumer: str
    ) -> None:
        """Carry one stream until a line is in doubt."""
        for end in (source, sink):
            _must_be_connected(end)
        given = (await consumer_info(source, stream, consumer)).filters
        filters = sorted(given & {*leg.patterns})  # what both ends let through: one may know a newer registry
        cursor = await self._ledger.cursor(leg, stream, filters)
        async with PullConsumer.attach(source, stream, consumer, max(cursor.seq, 1)) as pull:
            resumed = await pull.resume(cursor, MOST, QUIET_S)
            if resumed is None:
                log.error("stream_changed", stream=stream, source=leg.source, cursor=cursor.seq)
                await self._ledger.rewind(leg, stream)
                return
            batch = resumed.after
            while True:
                _must_be_connected(sink)
                if batch:
                    await self._carry(sink, leg, stream, filters, batch)
                self.problems.pop((leg.source, leg.sink), None)
                batch = await pull.next(MOST, QUIET_S)

    async def _carry(
        self, sink: Connection, leg: Route, stream: str, filters: Sequence[str], batch: list[Received]
    ) -> None:
        """Store a batch at the other end, and only then move the cursor."""
        named = [(message, known_as(message)) for message in batch]
        fresh = await self._ledger.fresh(leg.sink, [name for _, name in named])
        stored: list[str] = []
        # By the stream that takes them; between streams there is no order.
        outgoing: dict[str, list[Outgoing]] = {}
        for message, name in named:
            if name not in fresh:
                continue
            copy = as_outgoing(message, leg.patterns)
            if copy is None:
                log.warning("not_carriable", source=leg.source, subject=message.subject, digest=name)
                continue
            outgoing.setdefault(_stream_of(copy), []).append(copy)
            stored.append(name)
            fresh.discard(name)  # the same again in one batch
        tails = await self._ledger.tails(leg.sink)
        for key, several in outgoing.items():
            for ack in await _store(sink, several):
                if ack.seq <= tails.get(key, 0) and not ack.duplicate:
                    raise LostError(
                        f"{key} at {leg.sink} had {tails[key]} messages, and stores number {ack.seq}"
                    )
                tails[key] = max(ack.seq, tails.get(key, 0))
        cursor = cursor_at(batch[-1], digest(batch[-1].payload))
        await self._ledger.note(leg, stream, cursor, filters, stored, tails)
        self.carried[leg.sink] += len(stored)


def _must_be_connected(end: Connection) -> None:
    """Whoever is not let in is asked for what a person can mend.

    Raises:
        UnreachableError: the broker does not answer, or does not know the carrier's key.
    """
    if not end.connected:
        known = "; is this carrier's key in the federation file there?" if end.denied else ""
        raise UnreachableError((end.problem or "not connected") + known)


def known_as(received: Received) -> str:
    """By what a message is remembered: its digest; what was sent again, without a message id, as that one record.

    So a request's answer gets through though the same was carried before, and reading a stream anew repeats neither.
    """
    name = digest(received.payload)
    is_sent_again = all(header != MESSAGE_ID for header, _ in received.headers)
    return f"{name}@{received.stored_ns}" if is_sent_again else name


def as_outgoing(received: Received, patterns: Sequence[str]) -> Outgoing | None:
    """The message as it is published at the other end; None for what no reader would admit anyway, or is not released.

    The subject must be the leg's, and of the headers go the signature, the message id and the hints, each once.
    """
    if not received.subject.isascii() or not any(matches(pattern, received.subject) for pattern in patterns):
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
    return f"{tokens[5]}_{tokens[2]}".upper()


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
