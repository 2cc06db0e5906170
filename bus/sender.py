"""Steps 8 and 9 of the way out: what the outbox holds goes to the stream, and leaves only when it is stored there.

One process per outbox sends, by a lease. A window of messages is on its way at once, bursts go as atomic batches,
and whatever is not acknowledged is sent again, the same bytes, for ever. `Nats-Msg-Id` is the digest; a stream that
calls a first attempt a duplicate has been poisoned, so that is an alarm and the bytes go again without the id.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import Callable, Sequence

import structlog

from bus.connection import Connection, Endpoint, Outgoing, PubAck
from bus.errors import BrokerError, DeniedError, StoreError, UnreachableError
from bus.lease import LEASE_S, owner_name
from bus.outbox import Outbox, Row, Settled
from bus.own_channels import behind_by
from bus.trust import VerifiedRegistry

WINDOW = 32
BATCH = 100
BATCH_FROM = 8  # so many waiting rows of one stream are a burst
FETCH = 400
ACK_S = 5.0
DENIAL_S = 0.5
BACKOFF_S = (0.1, 5.0)
FULL_BACKOFF_S = 2.0
IDLE_S = 1.0
DUPLICATE_IN_BATCH = 10201

log = structlog.get_logger()


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
    ) -> None:
        self.authority_id = authority_id
        self.endpoint = endpoint
        self.behind = ""
        self.problem = ""
        self._outbox = outbox
        self._registry = registry
        self._clock = clock
        self._owner = owner_name()
        self._wake = asyncio.Event()
        self._denied: set[str] = set()
        self._checked = False
        self.compared = asyncio.Event()

    def nudge(self) -> None:
        """Something was kept; look at once."""
        self._wake.set()

    def forget_check(self) -> None:
        """Compare the outbox with the own channels anew before the next send."""
        self._checked = False
        self.compared.clear()
        self.behind = ""
        self.nudge()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            async with Connection.open(self.endpoint, on_denied=self._denied.add) as connection:
                await self._send(connection)
        finally:
            with contextlib.suppress(StoreError):
                await self._outbox.drop_lease(self._owner)

    async def _send(self, connection: Connection) -> None:
        mark, wait, leased_until = -1, BACKOFF_S[0], 0.0
        while True:
            self._wake.clear()
            now = self._clock().timestamp()
            if now > leased_until - LEASE_S / 2:
                leased_until = now + LEASE_S if await self._outbox.take_lease(self._owner, now) else 0.0
            rows: list[Row] = []
            if leased_until:
                try:
                    rows = await self._ready(connection)
                    if rows and await self._offer(connection, rows):
                        wait, self.problem = BACKOFF_S[0], ""
                        continue
                except (UnreachableError, BrokerError) as exc:
                    self.problem = str(exc)
                    rows = []
            if rows:
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
                wait = min(wait * 2, BACKOFF_S[1])
            else:
                mark = await self._pause(mark)

    async def _pause(self, mark: int) -> int:
        """Wait for our own nudge, another process's commit, or a while."""
        changed = asyncio.ensure_future(self._outbox.changed(mark, IDLE_S))
        nudged = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((changed, nudged), return_when=asyncio.FIRST_COMPLETED)
            return changed.result() if changed.done() else mark
        finally:
            changed.cancel()
            nudged.cancel()

    async def _ready(self, connection: Connection) -> list[Row]:
        """What is to be sent now, if the bus is there and the outbox knows all that was said before."""
        rows = await self._outbox.waiting(0, FETCH)
        if not rows and self._checked:
            return []
        if not connection.connected:
            raise UnreachableError(connection.problem or "the bus is not connected")
        if not self._checked:
            missing = await behind_by(
                connection, self._outbox, self._registry(), self.authority_id, self._clock
            )
            self._checked = True
            if missing:
                self.behind = (
                    f"this outbox does not know {missing} bulletins that {self.authority_id} has already published; "
                    "is another outbox in use? if not, run: tocsin outbox recover"
                )
                log.error("outbox_behind", authority=self.authority_id, missing=missing)
            self.compared.set()
        return [] if self.behind else rows

    async def _offer(self, connection: Connection, rows: list[Row]) -> bool:
        """Send rows and settle what was acknowledged; whether anything moved."""
        first_time = {row.n for row in rows if row.attempted_at is None}
        if first_time:
            await self._outbox.mark_attempted(sorted(first_time), self._clock().timestamp())
        settled: list[Settled] = []
        singles = rows
        if len(rows) >= BATCH_FROM and len(first_time) == len(rows):
            settled, singles = await self._batches(connection, rows)
        if singles:
            settled += await self._window(connection, singles, first_time)
        if settled:
            await self._outbox.settle(settled, self._clock().timestamp())
        return bool(settled)

    async def _batches(self, connection: Connection, rows: list[Row]) -> tuple[list[Settled], list[Row]]:
        """Bursts as atomic batches, one status (one stream) at a time; what could not go so goes one by one."""
        settled: list[Settled] = []
        rest: list[Row] = []
        by_status: dict[str, list[Row]] = {}
        for row in rows:
            by_status.setdefault(row.channel.split(".", 1)[0], []).append(row)
        for group in by_status.values():
            for start in range(0, len(group), BATCH):
                part = group[start : start + BATCH]
                if len(part) < BATCH_FROM or rest:
                    rest += part
                    continue
                try:
                    acks = await connection.publish_batch(
                        [
                            Outgoing(subject=r.subject, payload=r.payload, headers=r.header_map())
                            for r in part
                        ],
                        ACK_S,
                    )
                except (BrokerError, UnreachableError) as exc:
                    log.info("batch_refused", authority=self.authority_id, detail=str(exc))
                    rest += part
                else:
                    settled += [_settled(row, ack) for row, ack in zip(part, acks, strict=True)]
        return settled, rest

    async def _window(
        self, connection: Connection, rows: Sequence[Row], first_time: set[int]
    ) -> list[Settled]:
        """Rows one by one, a window of them on their way at once, in the order they were kept."""
        window = asyncio.Semaphore(WINDOW)
        settled: list[Settled] = []
        failed: dict[int, str] = {}
        full = False

        async def one(row: Row) -> None:
            nonlocal full
            try:
                settled.append(_settled(row, await self._publish(connection, row, first=row.n in first_time)))
            except DeniedError as exc:
                log.error("refused_by_broker", authority=self.authority_id, subject=row.subject, id=row.id)
                await self._outbox.park(row.n, f"refused-by-broker: {exc}")
            except (BrokerError, UnreachableError) as exc:
                failed[row.n] = f"{exc.reason}: {exc}"
                full = full or exc.reason == "hub-full"
            finally:
                window.release()

        async with asyncio.TaskGroup() as tasks:
            for row in rows:
                await window.acquire()
                if failed:
                    window.release()
                    break
                tasks.create_task(one(row))
        if failed:
            self.problem = next(iter(failed.values()))
            await self._outbox.note(list(failed), self.problem)
            if full:
                await asyncio.sleep(FULL_BACKOFF_S)
        return settled

    async def _publish(self, connection: Connection, row: Row, *, first: bool) -> PubAck:
        headers = row.header_map()
        try:
            ack = await connection.publish(
                row.subject, row.payload, headers, DENIAL_S if self._denied else ACK_S
            )
        except UnreachableError:
            if row.subject.lower() in self._denied:
                self._denied.discard(row.subject.lower())
                raise DeniedError(
                    f"the broker does not let {self.authority_id} publish {row.subject}"
                ) from None
            raise
        if ack.duplicate and first:
            log.error(
                "duplicate_on_first_attempt",
                authority=self.authority_id,
                digest=row.digest,
                subject=row.subject,
            )
            headers.pop("Nats-Msg-Id")
            ack = await connection.publish(row.subject, row.payload, headers, ACK_S)
        return ack


def _settled(row: Row, ack: PubAck) -> Settled:
    return Settled(n=row.n, stream=ack.stream, stream_seq=ack.seq)
