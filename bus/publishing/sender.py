"""Steps 8 and 9 of publishing: sends rows of the outbox until their stream has stored them.

One process per outbox sends, by a lease. Unacknowledged rows are sent again with the same bytes, without a limit
(`transmission` is one attempt). Each status has its own stream and its own back-off: a full exercise stream does not
delay an actual warning.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

from bus.errors import BrokerError, BusError, OutboxError, StoreError, UnreachableError
from bus.logs import logger
from bus.policy import SENDING, Backoff, RateLimit, RateMeter
from bus.publishing.author_clock import clock_ahead, clock_ahead_s
from bus.publishing.outbox import MOST, MOST_BYTES, Outbox, Row, Settled
from bus.publishing.own_channels import OwnChannels
from bus.publishing.transmission import Transmission
from bus.storage import LEASE_S, Lease, by_others
from bus.transport import NOT_YET, Connection, Endpoint, own_streams, status_of
from bus.trust import VerifiedRegistry
from schemas.vocab import Status

FULL_BACKOFF_S = 2.0
IDLE_S = 1.0
DISCONNECTED_S = 0.1
AGAIN_S = 3600.0  # seconds between two resends of a row
COMPARE_S = 60.0  # seconds between two comparisons of the own channels with the outbox
URGENCY = {str(status): place for place, status in enumerate(Status)}  # actual first

log = logger()


class Sender:
    """Sends one outbox."""

    def __init__(
        self,
        *,
        authority_id: str,
        outbox: Outbox,
        endpoint: Endpoint,
        registry: Callable[[], VerifiedRegistry],
        clock: Callable[[], dt.datetime],
        allowance: RateLimit = SENDING,
        beside_broker: bool = False,
    ) -> None:
        self.authority_id = authority_id
        self.endpoint = endpoint
        self.behind = ""
        self.problem = ""
        self.connected = False
        self.compared = asyncio.Event()
        self.heard = asyncio.Event()  # compared, bus unreachable, or another process compares
        self.clock_ahead_s = 0.0  # ahead of the broker's, beyond the readers' limit; 0 if not or unknown
        self.own = OwnChannels(endpoint=endpoint, outbox=outbox, registry=registry, clock=clock)
        self._outbox = outbox
        self._registry = registry
        self._clock = clock
        self._beside_broker = beside_broker
        self._lease = Lease(outbox, clock)
        self._leased_until = 0.0
        self._wake = asyncio.Event()
        self._turns = asyncio.Lock()
        self._known: set[str] = set()  # the statuses whose own channels have been compared with the outbox
        self._compared_at = 0.0
        self._behind_at: tuple[dict[str, int], object] = ({}, None)
        self._patience: dict[str, Backoff] = {}
        self._reoffered: dict[int, float] = {}
        self._epoch = 0
        self._looked_at = float("-inf")  # time of the last query of the table for due rows
        self._budget = RateMeter(allowance)

    @property
    def leads(self) -> bool:
        """Whether this process sends, to its own knowledge."""
        return self._leased_until > self._clock().timestamp()

    def nudge(self) -> None:
        """Look at the outbox at once, because a bulletin was kept."""
        self._wake.set()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the send lease; sending pauses until the context exits, and then begins with a comparison.

        Raises:
            OutboxError: `lease-held`, another process sends from it.
        """
        async with self._turns:
            if not await self._lease.is_ours():
                raise OutboxError(
                    "another process of this authority is sending from this outbox; stop it first",
                    reason="lease-held",
                )
            self._outbox.handover.drop()
            await self._outbox.note_acks()
            try:
                yield
            finally:
                self._forget()
        self.nudge()

    async def compare_once(self, timeout: float) -> str:
        """Compare the outbox with the own channels on the bus, without sending. Returns why it must not publish; empty if it may.

        Args:
            timeout: seconds to wait for the bus.

        Raises:
            OutboxError: `lease-held`, another process sends from it, and compares it.
            UnreachableError, BrokerError: from the broker.
        """
        async with self.held(), Connection.open(self.endpoint) as connection:
            await connection.until_connected(timeout)
            for status, (stream, consumer) in self._streams().items():
                if not await self._compare(connection, status, stream, consumer):
                    break
            behind = self.behind
            await self._lease.drop()
        return behind

    async def run(self) -> None:
        """Send until cancelled, or until the outbox takes nothing more (StoreError: `store-failed`, `store-closed`)."""
        try:
            async with Connection.open(self.endpoint) as connection:
                await self._send(connection)
        finally:
            self._outbox.handover.drop()
            with contextlib.suppress(StoreError):
                await self._outbox.note_acks()
            await self._lease.drop()

    async def _send(self, connection: Connection) -> None:
        mark = -1
        while True:
            self._wake.clear()
            moved = False
            try:
                async with self._turns:
                    try:
                        moved = await self._turn(connection)
                    finally:
                        if not moved and not self._outbox.acks.wait_s(asyncio.get_running_loop().time()):
                            await self._outbox.note_acks()
            except BusError as exc:
                self._stall(exc.reason, str(exc))
                if connection.connected or connection.problem:
                    self.heard.set()
                if isinstance(exc, StoreError) and exc.is_final:
                    raise  # this process sends nothing any more, so the program must not continue as if it did
            except Exception as exc:  # an internal error must not end the sending silently
                log.exception("sender_failed", authority=self.authority_id)
                # The words of the error may quote a bulletin, and not everybody who reads how the outbox is may read that.
                self._stall("internal", f"an internal error, {type(exc).__name__}; the log says more")
            if not moved:
                mark = await self._pause(connection, mark)

    async def _pause(self, connection: Connection, mark: int) -> int:
        """Wait for `nudge`, a commit, the end of a stream's back-off, or `IDLE_S`. Returns the outbox's new mark."""
        now = asyncio.get_running_loop().time()
        waits = [backoff.until - now for backoff in self._patience.values() if backoff.until > now]
        waits.append(self._outbox.acks.wait_s(now) if self._outbox.acks else IDLE_S)
        limit = max(0.01, min([IDLE_S if connection.connected else DISCONNECTED_S, *waits]))
        changed = asyncio.ensure_future(self._outbox.changed(mark, limit))
        nudged = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((changed, nudged), timeout=limit * 2, return_when=asyncio.FIRST_COMPLETED)
            found = changed.result() if changed.done() else mark
        except StoreError:
            await asyncio.sleep(limit)
            return mark
        else:
            if by_others(found) != by_others(mark):
                self._looked_at = float("-inf")  # another process may have kept a bulletin
            return found
        finally:
            changed.cancel()
            nudged.cancel()

    async def _turn(self, connection: Connection) -> bool:
        """Send due rows, one round. Returns whether anything was stored."""
        self.connected = connection.connected
        if self.behind and await self._known_now() != self._behind_at:
            self._forget()  # a recovery in any process has read the own channels, or a key was revoked
        if self.behind or not await self._leads():
            return self._leave()
        if not connection.connected:
            self._outbox.handover.is_open = False
            raise UnreachableError(connection.problem or "the bus is not connected")
        now = asyncio.get_running_loop().time()
        if now - self._compared_at > COMPARE_S or connection.epoch != self._epoch:
            self._known.clear()  # a thief may publish there too, and a broker that was away may have lost messages
            self._compared_at, self._epoch = now, connection.epoch
        streams = self._streams()
        for status in _by_urgency(streams.keys() - self._known - self._resting(now)):
            with self._patience_with(status, now):
                if not await self._compare(connection, status, *streams[status]):
                    return False
        if self.clock_ahead_s:
            raise BrokerError(clock_ahead(self.clock_ahead_s), reason="clock-ahead")
        if self._outbox.unfit is not None and streams.keys() <= self._known:
            await self._outbox.vouch()  # it knows all bulletins there
        if not await self._leads():
            return self._leave()  # the comparison took longer than the lease lasts
        self._outbox.handover.is_open = True
        now = asyncio.get_running_loop().time()
        due = await self._due(now)
        moved = False
        for status in _by_urgency(due):
            with self._patience_with(status, now):
                moved = await self._transmit(connection, due[status]) or moved
        if not self._resting(now):
            self._flow(streams)
        return moved

    def _leave(self) -> bool:
        """Leave all rows to the leading process. Returns False: nothing was stored."""
        self._outbox.handover.drop()
        self.heard.set()
        return False

    async def _due(self, now: float) -> dict[str, list[Row]]:
        """The next rows by status: from memory if all due rows are known to be there, else from the table."""
        room = self._budget.room(now)  # a resend was counted the first time
        resting = self._resting(now)
        rows = None
        if room and not resting and 0 <= now - self._looked_at < IDLE_S:
            rows = self._outbox.handover.ready(min(room, MOST), MOST_BYTES)
        if rows is None:
            self._looked_at = now
            due = await self._outbox.claim(resting, self._clock().timestamp(), room)
        else:
            due = {}
            for row in rows:
                due.setdefault(row.status, []).append(row)
        self._budget.spend(sum(row.attempted_at is None for rows in due.values() for row in rows), now)
        if not due and not room and (await self._outbox.oldest())[0]:
            raise BrokerError(
                "this authority has reached its rate limit; the rest goes out slowly",
                reason="over-budget",
            )
        return due

    async def _transmit(self, connection: Connection, rows: Sequence[Row]) -> bool:
        """Send rows of one stream once, and note its acknowledgements. Returns whether anything was stored."""
        settled: list[Settled] = []
        try:
            return await Transmission(connection, self._outbox, rows, settled).send()
        finally:
            at, now = self._clock().timestamp(), asyncio.get_running_loop().time()
            self._outbox.acks.add(settled, at, now)
            if len(settled) < len(rows):
                self._outbox.handover.is_whole = False  # the others are only in the table

    def _resting(self, now: float) -> set[str]:
        """The statuses whose streams are in back-off now."""
        return {status for status, backoff in self._patience.items() if backoff.until > now}

    @contextlib.contextmanager
    def _patience_with(self, status: str, now: float) -> Iterator[None]:
        """Back off from a stream that stores nothing, and continue with the others."""
        patience = self._patience.setdefault(status, Backoff())
        try:
            yield
        except BusError as exc:
            patience.fail(now, least=FULL_BACKOFF_S if exc.reason == "hub-full" else 0.0)
            if not isinstance(exc, BrokerError):
                raise  # the fault is not in this stream
            self._stall(exc.reason, str(exc))
        else:
            patience.reset()

    async def _leads(self) -> bool:
        """Take or renew the lease. Returns whether this process sends.

        While its lease was expired, another process may have sent the rows in memory here, so they are dropped.
        """
        now = self._clock().timestamp()
        if not self._leased_until - LEASE_S <= now < self._leased_until:
            self._outbox.handover.drop()
        # Its first half is over, or the clock was set back, by which the lease would last for ever.
        if not self._leased_until - LEASE_S <= now <= self._leased_until - LEASE_S / 2:
            self._leased_until = now + LEASE_S if await self._lease.is_ours() else 0.0
        return self._leased_until > 0

    # -- comparing with the own channels ------------------------------------------------------------------------------

    async def _known_now(self) -> tuple[dict[str, int], object]:
        """The basis of `behind`: (sequence read by stream, (registry version, revocation time by key id))."""
        registry = self._registry()
        return await self._outbox.own_cursors(), (registry.version, registry.revoked())

    def _streams(self) -> dict[str, tuple[str, str]]:
        """By status, (its stream, the consumer that reads the own channels back)."""
        own = own_streams(self._registry(), self.authority_id)
        return {status_of(stream): (stream, consumer) for stream, consumer in own}

    def _forget(self) -> None:
        self._known.clear()
        self.compared.clear()
        self.behind = ""

    async def _compare(self, connection: Connection, status: str, stream: str, consumer: str) -> bool:
        """Whether the outbox accounts for all the stream's bulletins of the authority. Bulletins that the stream lost are sent again."""
        if self._beside_broker:
            self.clock_ahead_s = await clock_ahead_s(connection, stream, consumer, self._clock)
        compared = await self.own.compare(connection, stream, consumer)
        self._known.add(status)
        if compared.lost and not compared.strange:
            await self._reoffer(stream, compared.lost)
        if compared.strange:
            self.behind = (
                f"the bus holds {compared.strange} bulletins of {self.authority_id} that this outbox does not know. If it was lost "
                "or restored, and no other one is in use, run: tocsin outbox recover. If nobody here said them, the key "
                "is stolen: tocsin key revoke, then tocsin outbox reanchor"
            )
            self._behind_at = await self._known_now()
            self._stall("outbox-behind", self.behind)
            self.compared.set()
            self.heard.set()
            # This process sends nothing now, and a recovery in another process needs the lease.
            await self._lease.drop()
            self._leased_until = 0.0
        return not compared.strange

    async def _reoffer(self, stream: str, lost: Sequence[int]) -> None:
        """Send again rows that a stream has lost, at most once an hour: they may be there and only not be shown."""
        now = self._clock().timestamp()
        again = [n for n in lost if not 0 <= now - self._reoffered.get(n, -AGAIN_S) < AGAIN_S]
        if again:
            log.error("stream_lost_bulletins", authority=self.authority_id, stream=stream, offered=len(again))
            await self._outbox.mark_unsent(again)
            self._reoffered |= dict.fromkeys(again, now)

    # -- reporting ---------------------------------------------------------------------------------------------------

    def _stall(self, reason: str, problem: str) -> None:
        if problem != self.problem:
            log.warning("sending_stalled", authority=self.authority_id, reason=reason, problem=problem)
        self.problem = problem

    def _flow(self, streams: dict[str, tuple[str, str]]) -> None:
        if self.problem and self.problem != NOT_YET:  # its beginning was not logged
            log.warning("sending_resumed", authority=self.authority_id)
        self.problem = ""
        if streams.keys() <= self._known:
            self.compared.set()
            self.heard.set()


def _by_urgency(statuses: Iterable[str]) -> list[str]:
    return sorted(statuses, key=lambda status: URGENCY.get(status, len(URGENCY)))
