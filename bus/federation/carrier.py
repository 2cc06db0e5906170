"""The carrier of a country: it carries its authorities' bulletins to the unions and neighbours, and theirs home.

A carrier is a client of two brokers. It reads one from a cursor that it checks (`bus.transport.cursor`), publishes the
proven part of each message to the other, and moves its cursor when that is stored there. It carries only bulletins
whose issuer admission proves: otherwise a hostile union could displace a bulletin by delivering it first with another
signature. The copy is built from the proven parts (`bus.federation.messages`). Only bulletins that the far stream has
acknowledged are remembered, by digest, so that a second reading of a stream carries nothing twice.

A bulletin is carried again if a copy of it has one more signature of its issuer or of a named co-issuer. It is also
carried again if its author sends it again for a reader, or if the far stream has lost it. Resends have an allowance for
each bulletin and place, except those from home, because anybody can make a copy. A message that another version of the
registry may allow is skipped; the stream is read again with the next version.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from bus.errors import BrokerError, BusError, DeniedError, StoreError, UnreachableError
from bus.federation.ledger import Ledger
from bus.federation.messages import Item, Proven, copies_of, sort_out
from bus.federation.plan import Federation, Route, routes_of
from bus.federation.storing import NO_ROOM, Going, LostError, Sink, store, stream_of
from bus.logs import logger
from bus.policy import Backoff, RateLimit, RateMeter
from bus.tasks import one_failure, run_with_current, worked
from bus.transport import (
    BATCH,
    Connection,
    ConsumerSpec,
    Endpoint,
    PullConsumer,
    Received,
    consumer_info,
    cursor_at,
    speakers,
)
from bus.trust import VerifiedRegistry
from schemas.codec import digest

MOST = 500
QUIET_S = 5.0
PAUSE_S = 0.5
AGAIN_S = 1.0
LOST_S = 600.0
"""The longest wait, in seconds, for a place whose streams lose messages."""
DAY_S = 86_400.0
COPIES = 4
"""Resends of one bulletin carried a day, to one place from one other."""
COPIED_BYTES = RateLimit(burst=256 * 1024**2, per_s=256 * 1024**2 / DAY_S)
"""Bytes of resends carried to one place from one other."""
NO_STREAM = "no-stream"
OVER_BUDGET = "over-budget"

log = logger()


class Carrier(msgspec.Struct, kw_only=True):
    """Carries between a country's broker and the places it connects to; `run` carries.

    Attributes:
        country: the country of the carrier.
        federation: the brokers and their paths.
        registry: gives the current registry.
        endpoints: the carrier's endpoint at its own broker, by the country's name, and at each other broker.
        ledger: its record of carried messages.
        clock: the present, aware.
        carried: the number of messages stored at each place.
        left: the number of skipped messages, by reason.
        problems: by source, sink and stream, why nothing is carried now.
        copies: by source and sink, the bytes of carried resends.
        losses: by sink, the wait after it lost stored messages.
        forgotten: by sink, how often the record of carried messages was dropped.
    """

    country: str
    federation: Federation
    registry: Callable[[], VerifiedRegistry]
    endpoints: Mapping[str, Endpoint]
    ledger: Ledger
    clock: Callable[[], dt.datetime]
    carried: Counter[str] = msgspec.field(default_factory=Counter)
    left: Counter[str] = msgspec.field(default_factory=Counter)
    problems: dict[tuple[str, str, str], str] = msgspec.field(default_factory=dict)
    copies: dict[tuple[str, str], RateMeter] = msgspec.field(default_factory=dict)
    losses: dict[str, Backoff] = msgspec.field(default_factory=dict)
    forgotten: Counter[str] = msgspec.field(default_factory=Counter)

    async def run(self) -> None:
        """Carry until cancelled; restart when the registry releases other channels.

        Raises:
            StoreError: `store-failed`; the ledger takes nothing more until it is opened again.
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
                await self._forget(route.sink)
            except (StoreError, UnreachableError, BrokerError, DeniedError) as exc:
                if isinstance(exc, StoreError) and not exc.is_passing:
                    raise
                self._say(route, stream, exc)
            wait = 0.0
            if (loss := self.losses.get(route.sink)) is not None:
                wait = loss.until - asyncio.get_running_loop().time()
            await asyncio.sleep(max(PAUSE_S, wait))

    async def _forget(self, sink: str) -> None:
        """Carry everything to a place again, after a growing wait, because the place may only claim the loss."""
        await self.ledger.forget(sink)
        self.forgotten[sink] += 1
        now = asyncio.get_running_loop().time()
        loss = self.losses.setdefault(sink, Backoff(wait=AGAIN_S, most=LOST_S))
        if now - loss.until > LOST_S:
            loss.wait = AGAIN_S
        if now >= loss.until:  # otherwise another of its streams has waited already
            loss.fail(now)

    def _say(self, route: Route, stream: str, exc: BusError) -> None:
        """Note why nothing is carried; log it if the reason has changed."""
        known = self._troubles(route)
        self.problems[route.source, route.sink, stream] = str(exc)
        if str(exc) not in known:
            log.warning("not_carried", source=route.source, sink=route.sink, stream=stream, problem=str(exc))

    def _is_carried(self, route: Route, stream: str) -> None:
        """Clear a problem: a batch is stored at the other end and noted, or nothing has come for a while."""
        was = self.problems.pop((route.source, route.sink, stream), None)
        if was is not None and not self._troubles(route):
            log.warning("carried_again", source=route.source, sink=route.sink)

    def _troubles(self, route: Route) -> set[str]:
        """The problems between two places."""
        way = (route.source, route.sink)
        return {problem for place, problem in self.problems.items() if place[:2] == way}

    async def _attached(
        self, source: Connection, sink: Connection, route: Route, stream: str, consumer: str
    ) -> None:
        """Carry one stream until a link is in doubt."""
        for end in (source, sink):
            _must_be_connected(end)
        given = (await consumer_info(source, stream, consumer)).filters
        # The filters that both ends allow: one may know a newer registry.
        filters = sorted(given & {*route.patterns})
        cursor = await self.ledger.cursor(route, stream, filters)
        forgotten = self.forgotten[route.sink]
        async with PullConsumer.attach(source, stream, consumer, max(cursor.seq, 1)) as pull:
            resumed = await pull.resume(cursor, MOST, QUIET_S)
            if resumed is None:
                log.error("stream_changed", stream=stream, source=route.source, cursor=cursor.seq)
                await self.ledger.rewind(route, stream)
                return
            batch, lacking = resumed.after, await self.ledger.passed_over(route, stream)
            is_quiet = False
            while True:
                _must_be_connected(sink)
                registry = self.registry()
                if lacking not in ("", registry.digest) or forgotten != self.forgotten[route.sink]:
                    log.info("reading_again", stream=stream, source=route.source)
                    await self.ledger.rewind(route, stream)
                    return
                if batch and await self._carry(sink, route, stream, filters, batch, registry):
                    lacking = registry.digest
                if batch or is_quiet:
                    self._is_carried(route, stream)
                batch = await pull.next(MOST, QUIET_S)
                is_quiet = not batch

    async def _carry(
        self,
        sink: Connection,
        route: Route,
        stream: str,
        filters: Sequence[str],
        batch: list[Received],
        registry: VerifiedRegistry,
    ) -> bool:
        """Store a batch at the other end, and only then move the cursor. Returns whether another registry may allow more."""
        now = self.clock()
        items = [Item.of(received, route.source) for received in batch]
        known = await self.ledger.known(route.sink, [name for item in items for name in item.names])
        unseen = [item for item in items if not item.is_known(known)]
        work = partial(sort_out, unseen, stream, route.patterns, registry, now)
        proven, left, awaits = await worked(work, len(unseen))
        known |= await self.ledger.known(route.sink, [name for found in proven for name in found.voices])
        # By their target stream; there is no order between streams.
        going: dict[str, list[Going]] = {}
        there = {f"{name}_{status}".upper() for name, status in speakers(registry)}
        copied: Counter[str] = Counter()
        for found in proven:
            key, item = stream_of(found.proof.subject), found.item
            first = item.digest not in known
            if key not in there:
                left[NO_STREAM] += 1  # an authority that may not publish has no stream at any broker
                continue
            if not first and all(name in known for name in found.voices):
                if not item.again or item.again in known:
                    continue
                if not await self._may_copy(route, found, copied, now.timestamp()):
                    left[OVER_BUDGET] += 1
                    continue
            copied[item.digest] += bool(item.again)
            known |= found.names
            going.setdefault(key, []).append(Going(found, found.copy(first=first), first))
        tails = await self.ledger.tails(route.sink)
        try:
            for key, several in going.items():
                for start in range(0, len(several), BATCH):
                    await store(
                        Sink(sink, route.sink, key, self.ledger, tails),
                        several[start : start + BATCH],
                        self.carried,
                        left,
                        now.timestamp(),
                    )
        finally:
            if left:
                self.left.update(left)
                log.warning("not_carriable", source=route.source, stream=stream, reasons=dict(left))
        # A message over its budget, or without space, may fit by the time of the next version.
        awaits = awaits or bool(left[NO_STREAM] or left[OVER_BUDGET] or left[NO_ROOM])
        cursor = cursor_at(batch[-1], digest(batch[-1].payload))
        passed_over = registry.digest if awaits else ""
        await self.ledger.note(route, stream, cursor, filters, now.timestamp(), passed_over=passed_over)
        return awaits

    async def _may_copy(self, route: Route, found: Proven, copied: Counter[str], now: float) -> bool:
        """Charge a resend of a carried message; False if its allowance or that of the place is used up.

        At home only its author can send it. `copied` has those of the batch that are not noted yet, by digest.
        """
        if route.source == self.country:
            return True
        item = found.item
        beginning = f"{copies_of(item.digest)}{route.source}."
        noted = await self.ledger.count(route.sink, beginning, now - DAY_S)
        meter = self.copies.setdefault((route.source, route.sink), RateMeter(COPIED_BYTES))
        size = len(item.received.payload) + sum(len(value) for _, value in found.proof.headers)
        if noted + copied[item.digest] >= COPIES or meter.room(now) < size:
            return False
        meter.spend(size, now)
        return True


def _must_be_connected(end: Connection) -> None:
    """Check a connection, with a hint for the operator if the broker refuses the carrier.

    Raises:
        UnreachableError: the broker does not answer, or does not know the carrier's key.
    """
    if not end.connected:
        known = "; is this carrier's key in the federation file there?" if end.denied else ""
        raise UnreachableError((end.problem or "not connected") + known)
