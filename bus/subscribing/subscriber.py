"""Reads bulletins from the bus into a store, step by step.

1. fetch     from the reader's own consumer, after its own cursor
2. admit     `bus.admission.steps`: pure, every check, in a thread while the next batch is in flight
3. settle    `bus.subscribing.intake`: chain and hold-back, effect, row and cursor in one transaction; refused to
   quarantine

The reader trusts only bytes that it can verify. In any doubt (a lost link, a hole in the consumer's count, another
bulletin at the cursor than before) it attaches again from what it holds. When a wider grant gives its consumer new
subjects, it reads their messages before its cursor once.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from bus.admission import Judged, Message, Refused, decide, judge
from bus.errors import BrokerError, BusError, StoreError, UnreachableError
from bus.logs import logger
from bus.policy import READING, RateLimit
from bus.subscribing.budget import Budget, Charges, answers
from bus.subscribing.inbox import Inbox
from bus.subscribing.intake import OVER_BUDGET
from bus.subscribing.progress import Moment, Progress, Reading, reading
from bus.subscribing.reassessment import READ_AGAIN
from bus.tasks import one_failure, worked
from bus.transport import (
    Connection,
    ConsumerInfo,
    Cursor,
    Endpoint,
    PullConsumer,
    Received,
    consumer_info,
    cursor_at,
    reader_streams,
)
from bus.trust import VerifiedRegistry
from schemas.bodies.coordination import Feedback
from schemas.codec import digest
from schemas.subject import matches

MOST = 500
QUIET_S = 5.0
LOOK_S = 2.0
"""Seconds between two questions to the broker: how far a stream goes, and whether the consumer has other grants now."""
PAUSE_S = 0.5
TICK_S = 0.5
WAIT_S = 2.0
IN_BULK = 128
WAITING = "-"
"""The key of a problem that belongs to no stream, but to waiting bulletins in the store."""

log = logger()


class Subscriber:
    """Reads every granted stream of one identity into its store."""

    def __init__(
        self,
        *,
        authority_id: str,
        inbox: Inbox,
        registry: Callable[[], VerifiedRegistry],
        endpoint: Endpoint,
        clock: Callable[[], dt.datetime],
        allowance: RateLimit = READING,
        streams: Callable[[VerifiedRegistry, str], Iterable[tuple[str, str]]] = reader_streams,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; `run` reads.

        Args:
            authority_id: the reader.
            inbox: its store.
            registry: gives the current registry; called for every batch.
            endpoint: its endpoint.
            clock: the present, aware.
            allowance: the budget of one authority; bulletins beyond it wait and delay no other authority's.
            streams: gives the (stream, consumer) pairs to read, by the registry.
            monotonic: a clock in seconds that is never set back: the event loop's.
        """
        self.counts: Counter[str] = Counter()
        self.pending: dict[str, int] = {}
        self.attached = 0
        self._authority_id = authority_id
        self._inbox = inbox
        self._registry = registry
        self._endpoint = endpoint
        self._clock = clock
        self._allowance = allowance
        self._streams = streams
        # One for each stream while the program runs: a broken link gives nobody a new burst.
        self._budgets: dict[str, Budget] = {}
        self._again: set[str] = set()
        self._monotonic = monotonic
        self._progress: dict[str, Progress] = {}
        self._pulls: dict[str, PullConsumer] = {}
        self._heard: float | None = None
        self._problems: dict[str, BusError] = {}

    def reading(self) -> Reading:
        """The present state of reading: how far it is behind, and the moment up to which it has everything. Without I/O."""
        granted = [stream for stream, _ in self._streams(self._registry(), self._authority_id)]
        problem = next(iter(self._problems.values()), None)
        return reading(
            [self._progress.get(stream) for stream in granted],
            self._present(),
            self._note_heard(),
            ("", "") if problem is None else (str(problem), problem.reason),
        )

    def caught_up(self) -> bool:
        """Whether all messages of the granted streams have been taken in, now or a moment ago (`progress.FRESH_S`)."""
        return self.reading().caught_up

    @property
    def problem(self) -> str:
        """Why a stream cannot be read or kept, in words; empty if all is well."""
        return str(next(iter(self._problems.values()), ""))

    def _present(self) -> Moment:
        return Moment(self._clock(), self._monotonic())

    def _note_heard(self) -> float | None:
        """Note when the broker last sent anything, in ticks."""
        said = [pull.heard for pull in self._pulls.values() if pull.heard is not None]
        self._heard = max([*said, *([] if self._heard is None else [self._heard])], default=None)
        return self._heard

    def read_again(self, stream: str) -> None:
        """Read a stream from its beginning, because some message was missed. Known ones are recognised."""
        self._again.add(stream)

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            StoreError: a final one; the store takes nothing more until it is opened again.
        """
        try:
            with one_failure():
                async with Connection.open(self._endpoint) as connection, asyncio.TaskGroup() as tasks:
                    for stream, consumer in self._streams(self._registry(), self._authority_id):
                        tasks.create_task(self._stream(connection, stream, consumer), name=f"read {stream}")
                    tasks.create_task(self._tick(), name="waiting bulletins")
        finally:
            self._problems.clear()

    async def _stream(self, connection: Connection, stream: str, consumer: str) -> None:
        while True:
            try:
                with one_failure():
                    await self._attached(connection, stream, consumer)
            except (UnreachableError, BrokerError) as exc:
                self._interrupted(exc, stream=stream)
            except (StoreError, MemoryError) as exc:
                self._wait_out(exc, stream=stream)
            await asyncio.sleep(PAUSE_S)

    async def _attached(self, connection: Connection, stream: str, consumer: str) -> None:
        """Read one stream until the link is in doubt."""
        if not connection.connected:
            raise UnreachableError(connection.problem or "not connected")
        cursor = await self._inbox.cursor(stream)
        filters = await self._sync_filters(connection, stream, consumer, cursor)
        async with PullConsumer.attach(connection, stream, consumer, max(cursor.seq, 1)) as pull:
            self.attached += 1
            resumed = await pull.resume(cursor, MOST, WAIT_S)
            if resumed is None:
                await self._doubt(stream, cursor)
                return
            progress = self._progress.setdefault(stream, Progress())
            progress.attach(pull.given - len(resumed.after))
            self._pulls[stream] = pull
            try:
                await self._follow(connection, pull, stream, consumer, filters, resumed.after)
            finally:
                self._note_heard()
                del self._pulls[stream]
                progress.detach()

    async def _sync_filters(
        self, connection: Connection, stream: str, consumer: str, cursor: Cursor
    ) -> frozenset[str]:
        """The consumer's filters; messages of new ones are first read up to the cursor."""
        filters = (await consumer_info(connection, stream, consumer)).filters
        covered = await self._inbox.covered(stream)
        if cursor.seq and not filters <= covered:
            await self._history(connection, stream, consumer, cursor.seq, filters - covered)
        if filters != covered:
            await self._inbox.cover(stream, filters)
        return filters

    async def _follow(
        self,
        connection: Connection,
        pull: PullConsumer,
        stream: str,
        consumer: str,
        filters: frozenset[str],
        batch: list[Received],
    ) -> None:
        """Take in messages until the consumer has other filters or the stream must be read again."""
        progress = self._progress[stream]
        looked: Moment | None = None
        budget = self._budgets.setdefault(stream, Budget(self._allowance))
        settled: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as tasks:
            while True:
                if batch:
                    progress.came(batch)
                    judged, cursor, now = await self._judged(stream, batch)
                    # In bulk one batch is settled while the next is judged; batches are settled in order.
                    if settled is not None:
                        await settled
                    charged = charges(budget, batch, judged, self._registry())
                    settled = tasks.create_task(self._settle(stream, judged, cursor, now, charged, batch[-1]))
                if stream in self._again:
                    break
                present = self._present()
                if looked is None or present.age(looked) > LOOK_S or looked.age(present) > LOOK_S:
                    looked = present
                    info = await look_at(connection, pull, stream, consumer)
                    if info is not None and info.filters != filters:
                        return
                    if info is not None:
                        progress.look(looked, self._present(), info)
                        # What the store would not take is over when it has taken something, or nothing is there to take.
                        has_work = settled is not None or info.num_pending > 0
                        if not (has_work and isinstance(self._problems.get(stream), StoreError)):
                            self._problems.pop(stream, None)
                    if progress.is_stuck:
                        raise UnreachableError(
                            f"the bus has more messages on {stream} but does not deliver them"
                        )
                if settled is not None and pull.waiting < IN_BULK:
                    await settled  # while the disk is busy a larger batch gathers
                batch = await pull.next(MOST, WAIT_S)
        # All is settled, and the cursor is final.
        self._again.discard(stream)
        log.info("reading_again", stream=stream)
        await self._inbox.rewind(stream)

    async def _history(
        self, connection: Connection, stream: str, consumer: str, until: int, filters: frozenset[str]
    ) -> None:
        """Read messages up to the cursor on newly readable subjects.

        After an interruption it starts again; known bulletins are recognised by their digest.
        """
        count = 0
        budget = Budget(
            self._allowance
        )  # its own meters: messages before the cursor came before those that the other has counted
        async with PullConsumer.attach(connection, stream, consumer, 1) as pull:
            while batch := await pull.next(MOST, QUIET_S):
                mine = [
                    message
                    for message in batch
                    if message.stream_seq <= until
                    and any(matches(pattern, message.subject) for pattern in filters)
                ]
                if mine:
                    judged, _, now = await self._judged(stream, mine)
                    charged = charges(budget, mine, judged, self._registry())
                    self._count(await self._inbox.settle(judged, None, None, now, charges=charged))
                    count += len(mine)
                if batch[-1].stream_seq >= until or not batch[-1].pending:
                    break
        log.info("history_read", stream=stream, count=count, subjects=sorted(filters))

    async def _doubt(self, stream: str, cursor: Cursor) -> None:
        """The stream was lost, rewound or altered: read it again from the start; known bulletins are recognised."""
        log.error("stream_changed", stream=stream, cursor=cursor.seq)
        self.counts["rewinds"] += 1
        await self._inbox.rewind(stream)

    async def _judged(
        self, stream: str, batch: list[Received]
    ) -> tuple[list[Judged | Refused], Cursor, dt.datetime]:
        """A judged batch: the verdicts of admission, the cursor after it, and the time of judgement."""
        registry, now = self._registry(), self._clock()
        judged = await worked(lambda: judge(stream, batch, registry, now), len(batch))
        return judged, cursor_at(batch[-1], judged[-1].message.digest), now

    async def _settle(
        self,
        stream: str,
        judged: list[Judged | Refused],
        cursor: Cursor,
        now: dt.datetime,
        charged: Charges,
        last: Received,
    ) -> None:
        self._count(await self._inbox.settle(judged, stream, cursor, now, charges=charged))
        self._problems.pop(stream, None)
        self.pending[stream] = cursor.pending
        self._progress[stream].took(last)

    def _count(self, outcomes: Mapping[str, int]) -> None:
        if outcomes.get(OVER_BUDGET) and not self.counts[OVER_BUDGET]:
            log.warning(OVER_BUDGET, count=outcomes[OVER_BUDGET])
        self.counts.update(outcomes)

    async def _tick(self) -> None:
        """Every `TICK_S` seconds, look at bulletins that wait for their predecessor or their time."""
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock()
            try:
                self.counts.update(await self._inbox.release(now))
                amended = await self._inbox.amend(self._registry(), now)
                if amended.get(READ_AGAIN):
                    self._again |= {
                        stream for stream, _ in self._streams(self._registry(), self._authority_id)
                    }
                self.counts.update(amended)
                if due := await self._inbox.due_future(now):
                    registry = self._registry()
                    judged = [decide(message, registry, now) for message in due]
                    self.counts.update(await self._inbox.settle(judged, None, None, now))
                self._problems.pop(WAITING, None)
            except (StoreError, MemoryError) as exc:
                self._wait_out(exc, stream=WAITING)

    def _wait_out(self, exc: StoreError | MemoryError, *, stream: str) -> None:
        """Log a full disk, a busy file or a lack of memory, which pass without loss; raise any other error."""
        if isinstance(exc, MemoryError):
            exc = StoreError("there is not enough memory to read on", reason="store-memory")
        if not exc.is_passing:
            raise exc
        self._interrupted(exc, stream=stream)

    def _interrupted(self, exc: BusError, *, stream: str) -> None:
        """Note why a stream cannot be read; a store's problem is logged once for all streams."""
        is_new = all(str(exc) != str(known) for known in self._problems.values())
        level = log.warning if isinstance(exc, StoreError) and is_new else log.debug
        self._problems[stream] = exc
        level("reading_interrupted", problem=str(exc), stream=stream)


async def look_at(
    connection: Connection, pull: PullConsumer, stream: str, consumer: str
) -> ConsumerInfo | None:
    """How the consumer stands; None when the answer is late and messages came meanwhile, which wait to be taken.

    On a narrow line the answer comes behind the messages that are on their way. A reader that attaches anew for that loses them
    each time, and asks for them again.

    Raises:
        UnreachableError: there is no answer, and no message came instead; or the connection was lost.
        BrokerError: from the broker.
    """
    before = pull.waiting
    try:
        return await consumer_info(connection, stream, consumer)
    except UnreachableError:
        if not pull.is_live or pull.waiting <= before:
            raise
        return None


def message_from(stream: str, received: Received) -> Message:
    """A delivered message, as a store keeps it."""
    return Message(
        subject=received.subject,
        headers=received.headers,
        payload=received.payload,
        stream=stream,
        stream_seq=received.stream_seq,
        digest=digest(received.payload),
    )


def charges(
    budget: Budget, batch: Sequence[Received], judged: Sequence[Judged | Refused], registry: VerifiedRegistry
) -> Charges:
    """What a batch costs of a budget: the stream's own times decide, and answers that no grant names are counted by themselves."""
    payers: dict[int, str] = {}
    for position, verdict in enumerate(judged):
        if isinstance(verdict, Judged):
            b = verdict.admitted.bulletin
            if type(b.body) is Feedback and registry.needs_reading(b):
                payers[position] = answers(b.issuer.id)
    return Charges(budget, [received.stored_ns / 1e9 for received in batch], payers)
