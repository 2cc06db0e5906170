"""The carrier of a country: it takes its authorities' bulletins to the unions and neighbours, and brings theirs home.

A carrier is a client of two brokers. It reads one from a cursor that it checks (`bus.transport.cursor`), publishes the same
bytes under the same message id to the other, and moves its cursor when they are stored there. It carries what admission
proves its issuer has said, and nothing else: of two unions a hostile one could otherwise take the place of a bulletin by
bringing it first with another signature. It remembers by digest what it has carried, so that reading a stream anew carries
nothing twice.

What its author sends again, because a reader lacks it, goes once more, and so does what the far stream has lost. What is
carried again without a loss of the stream has an allowance for each author and place, because a copy costs nothing to make.
A bulletin of an unknown key is passed over; the stream is read anew with the next version of the registry.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

import msgspec
import structlog

from bus.errors import BrokerError, BusError, DeniedError, StoreError, UnreachableError
from bus.federation.ledger import Ledger
from bus.federation.messages import MESSAGE_ID, Item, sort_out
from bus.federation.plan import Federation, Route, routes_of
from bus.policy import RateLimit, RateMeter
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
    speakers,
)
from bus.trust import VerifiedRegistry
from schemas.codec import digest

MOST = 500
QUIET_S = 5.0
PAUSE_S = 0.5
ACK_S = 5.0
AGAIN_S = 1.0
COPIES = RateLimit(burst=2000, per_s=2000 / 86_400)
"""How many bulletins of one author are carried to one place from one other though they were carried before."""
UNKNOWN = "unknown-key"
NO_STREAM = "no-stream"
OVER_BUDGET = "over-budget"
IN_THREAD_FROM = 4

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
        clock: the present, aware.
        carried: how many messages were stored at each place.
        left: how many were passed over, by reason.
        problems: by source and sink, why nothing is carried at present.
        copies: by source, sink and author, what was carried again.
    """

    country: str
    federation: Federation
    registry: Callable[[], VerifiedRegistry]
    endpoints: Mapping[str, Endpoint]
    ledger: Ledger
    clock: Callable[[], dt.datetime]
    carried: Counter[str] = msgspec.field(default_factory=Counter)
    left: Counter[str] = msgspec.field(default_factory=Counter)
    problems: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)
    copies: dict[tuple[str, str, str], RateMeter] = msgspec.field(default_factory=dict)

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
        # What both ends let through: one may know a newer registry.
        filters = sorted(given & {*route.patterns})
        cursor = await self.ledger.cursor(route, stream, filters)
        async with PullConsumer.attach(source, stream, consumer, max(cursor.seq, 1)) as pull:
            resumed = await pull.resume(cursor, MOST, QUIET_S)
            if resumed is None:
                log.error("stream_changed", stream=stream, source=route.source, cursor=cursor.seq)
                await self.ledger.rewind(route, stream)
                return
            batch, lacking = resumed.after, ""
            while True:
                _must_be_connected(sink)
                registry = self.registry()
                if lacking not in ("", registry.digest):
                    log.info("reading_again", stream=stream, source=route.source)
                    await self.ledger.rewind(route, stream)
                    return
                if batch and await self._carry(sink, route, stream, filters, batch, registry):
                    lacking = registry.digest
                self.problems.pop((route.source, route.sink), None)
                batch = await pull.next(MOST, QUIET_S)

    async def _carry(
        self,
        sink: Connection,
        route: Route,
        stream: str,
        filters: Sequence[str],
        batch: list[Received],
        registry: VerifiedRegistry,
    ) -> bool:
        """Store a batch at the other end, and only then move the cursor. Returns whether another registry may let more through."""
        now = self.clock()
        items = [Item.of(received) for received in batch]
        known = await self.ledger.known(route.sink, [name for item in items for name in item.names])
        unseen = [item for item in items if not item.is_known(known)]
        work = partial(sort_out, unseen, stream, route.patterns, registry, now)
        proven, left = work() if len(unseen) < IN_THREAD_FROM else await asyncio.to_thread(work)
        known |= await self.ledger.known(route.sink, [found.endorsed for found in proven if found.endorsed])
        stored: dict[str, str] = {}
        # By the stream that takes them; between streams there is no order.
        outgoing: dict[str, list[Outgoing]] = {}
        there = {f"{name}_{status}".upper() for name, status in speakers(registry)}
        for found in proven:
            if _stream_of(found.message) not in there:
                left[NO_STREAM] += 1  # who may not speak has no stream, at no broker
                continue
            if found.item.digest not in known:
                stored |= found.names
            elif (name := found.item.again or found.endorsed) and name not in known:
                if not self._may_copy(route, found.author, now.timestamp()):
                    left[OVER_BUDGET] += 1
                    continue
                stored[name] = ""
                # By its id the far stream would take this for the first one.
                found.message.headers.pop(MESSAGE_ID, None)
            else:
                continue
            known |= stored
            outgoing.setdefault(_stream_of(found.message), []).append(found.message)
        if left:
            self.left.update(left)
            log.warning("not_carriable", source=route.source, stream=stream, reasons=dict(left))
        tails = await self.ledger.tails(route.sink)
        for key, several in outgoing.items():
            for ack in await _store(sink, several):
                if ack.seq <= tails.get(key, 0) and not ack.duplicate:
                    raise LostError(
                        f"{key} at {route.sink} had {tails[key]} messages, and stores number {ack.seq}"
                    )
                tails[key] = max(ack.seq, tails.get(key, 0))
        cursor = cursor_at(batch[-1], digest(batch[-1].payload))
        await self.ledger.note(route, stream, cursor, filters, stored, tails, now.timestamp())
        self.carried[route.sink] += sum(map(len, outgoing.values()))
        return bool(left[UNKNOWN] or left[NO_STREAM])

    def _may_copy(self, route: Route, author: str, now: float) -> bool:
        """Charge an author with a bulletin that is carried though it was before; False when its allowance is used up."""
        meter = self.copies.setdefault((route.source, route.sink, author), RateMeter(COPIES))
        if not meter.room(now):
            return False
        meter.spend(1, now)
        return True


def _must_be_connected(end: Connection) -> None:
    """Check a connection, with a hint for the operator when the broker refuses the carrier.

    Raises:
        UnreachableError: the broker does not answer, or does not know the carrier's key.
    """
    if not end.connected:
        known = "; is this carrier's key in the federation file there?" if end.denied else ""
        raise UnreachableError((end.problem or "not connected") + known)


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
