"""A hub: all its work is assembled here.

- reads every granted stream into its store, and restarts reading when the grants change
- takes in the registry from the bus
- with a picture in its store: watches the channels, and erases bulletins past their last day
- with a publisher too: sends receipts and heartbeats, asks other hubs for missing bulletins and helps them, reports
  when a channel goes dark

It reads only while it holds the lease of its store, because a store has one reader. While another process has the
lease, the hub waits and takes over when that one ends. Losing the lease never ends a hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import msgspec

from bus.audit import Fact
from bus.hub import retention
from bus.hub.collecting import collecting_seldom
from bus.hub.elections import phase_in
from bus.hub.exchange import PATIENCE_S, PeerHelper, Receipts
from bus.hub.periodic import EVERY_S, repeat
from bus.hub.picture import Law, answers, clocked, index, projection, ringing, tallies
from bus.hub.turn import LeaseLostError, Turn
from bus.hub.watch import LOOK_S, Holdings, Notices, Watch
from bus.logs import logger
from bus.policy import READING, Deadlines, RateLimit, deadlines
from bus.publishing import UNSTAFFED, Heartbeat, Intervals, Publisher, Watchkeeping
from bus.storage import Lease, lease
from bus.subscribing import Inbox, RegistryFeed, Subscriber
from bus.tasks import Background, background, one_failure, run_with_current
from bus.transport import Endpoint, reader_streams
from bus.trust import AGAIN_S, HUB, RegistryStore, VerifiedRegistry
from schemas.vocab import Phase

READ_FIRST_S = 2.0
"""Most seconds that a hub's first heartbeat waits until the bus has been read."""
READS, STANDS_BY = "reading", "standing-by"
INTERVALS = Intervals()

Work = Callable[[], Coroutine[object, object, None]]
News = Callable[[str, Mapping[str, Fact]], None]

log = logger()


class HubService(msgspec.Struct, frozen=True):
    """A running hub. Use `HubService.open`.

    Attributes:
        store: its store.
        subscriber: its reader.
    """

    store: Inbox
    subscriber: Subscriber
    _tasks: Background
    _turn: Turn

    @property
    def standing(self) -> str:
        """`reading`, or `standing-by` while another process reads into the store."""
        return READS if self._turn.is_ours else STANDS_BY

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        authority_id: str,
        store: Inbox,
        registry: Callable[[], VerifiedRegistry],
        endpoint: Endpoint,
        clock: Callable[[], dt.datetime],
        publisher: Publisher | None = None,
        intervals: Intervals | None = INTERVALS,
        keeping: Watchkeeping = UNSTAFFED,
        on_news: News | None = None,
        gives_way: bool = False,
        allowance: RateLimit = READING,
        look_s: float = LOOK_S,
        every_s: float = EVERY_S,
        patience_s: float = PATIENCE_S,
        allowed: Deadlines = deadlines.DEFAULTS,
    ) -> AsyncIterator[HubService]:
        """Run a hub for as long as the context lasts; its first task that fails ends the context with its error.

        Args:
            authority_id: the hub's authority.
            store: its store, made by `bus.hub.picture.projection.open_store`. Without a picture the hub only reads into
                it.
            registry: gives the current registry; a `RegistryStore` is kept up to date by the bus.
            endpoint: its endpoint.
            clock: the present, aware.
            publisher: publishes for the same authority; without one the hub only reads.
            intervals: the intervals of its heartbeats; None leaves them to another program.
            keeping: the other facts in its heartbeats.
            on_news: called, with a word and facts for the audit record, after taking in part of the registry and after
                erasing.
            gives_way: whether a hub takes the reading over at once; for a program that only reads while no hub does.
            allowance: the budget of one authority; see `Subscriber`.
            look_s: seconds between two looks at the channels.
            every_s: seconds between two looks at receipts, requests and copies to send.
            patience_s: seconds that an alarm must last before other hubs are asked.
            allowed: how long a hub has to acknowledge what it has read.

        Raises:
            StoreError: `store-failed` and other final ones; the store takes nothing more until it is opened again.
        """
        subscriber = Subscriber(
            authority_id=authority_id,
            inbox=store,
            registry=registry,
            endpoint=endpoint,
            clock=clock,
            allowance=allowance,
        )
        repeated = partial(repeat, authority_id=authority_id)
        works: dict[str, Work] = {"reading": partial(_read, subscriber, registry, authority_id)}
        if isinstance(registry, RegistryStore):
            works["registry feed"] = RegistryFeed(registry, endpoint, on_news=on_news).run
        voice = publisher if store.has_picture else None
        if isinstance(store.projector, projection.Projection):
            store.projector.law = law_of = clocked.law_of(registry, authority_id, allowed)
            watch = Watch(
                authority_id=authority_id,
                store=store,
                registry=registry,
                subscriber=subscriber,
                clock=clock,
                look_s=look_s,
                announce=None if voice is None else Notices(voice),
            )
            works["watch"] = watch.run
            works["situation"] = partial(
                repeated, partial(_roll, store, clock), failing="not_rolled", every_s=tallies.EVERY_S
            )
            works["index"] = partial(
                repeated, Indexing(store).look, failing="not_indexed", every_s=index.EVERY_S
            )
            works["clocks"] = partial(
                repeated, partial(_ring, store, law_of, clock), failing="not_rung", every_s=ringing.EVERY_S
            )
            let_go = partial(_let_go, store, clock, authority_id, on_news)
            works["retention"] = partial(
                repeated, let_go, failing="nothing_let_go", every_s=retention.EVERY_S
            )
        if voice is not None:
            receipts, helper = Receipts(store, voice), PeerHelper(store, voice, patience_s)
            works["receipts"] = partial(repeated, receipts.answer, failing="not_answered", every_s=every_s)
            works["peer help"] = partial(repeated, helper.help, failing="not_asked", every_s=every_s)
        owner = lease.owner_name(gives_way=gives_way)
        turn = Turn(authority_id, Lease(store, clock, owner, by_writing=True), is_quiet=gives_way)
        async with AsyncExitStack() as stack:
            stack.enter_context(collecting_seldom())
            stack.push_async_callback(turn.lease.drop)
            await turn.try_for_it()  # now, so that a hub that can get the lease has it when this returns
            if voice is not None and intervals is not None:
                beats = _heartbeat(voice, store, subscriber, intervals, keeping)
                await stack.enter_async_context(beats.running())
            tasks = await stack.enter_async_context(background())
            tasks.start(_while_leased(turn, works), f"hub {authority_id}")
            yield cls(store, subscriber, tasks, turn)

    def beside(self, work: Coroutine[object, object, None], name: str) -> None:
        """Run more work for as long as the hub runs; its error ends the hub, as that of any task of the hub."""
        self._tasks.start(work, name)


async def _while_leased(turn: Turn, works: Mapping[str, Work]) -> None:
    """Work while the lease is held; wait for it at first and after each loss."""
    while True:
        await turn.come()
        try:
            with one_failure():
                async with asyncio.TaskGroup() as group:
                    group.create_task(turn.keep(), name="lease")
                    for name, work in works.items():
                        group.create_task(_without_end(name, work), name=name)
        except LeaseLostError:
            turn.lost()


async def _without_end(name: str, work: Work) -> None:
    """Run work that must not end by itself; a hub that silently lost a task would look healthy.

    Raises:
        RuntimeError: the work has ended by itself.
    """
    with contextlib.suppress(asyncio.CancelledError):
        await work()
    if (task := asyncio.current_task()) is not None and task.cancelling():
        raise asyncio.CancelledError
    raise RuntimeError(f"the task {name!r} of this hub has ended by itself")


async def _read(subscriber: Subscriber, registry: Callable[[], VerifiedRegistry], authority_id: str) -> None:
    """Read the granted streams, and restart when the grants change."""
    await run_with_current(
        lambda: reader_streams(registry(), authority_id),
        lambda _: subscriber.run(),
        every_s=AGAIN_S,
        on_change=lambda: log.info("granted_streams_changed", authority=authority_id),
    )


async def _let_go(
    store: Inbox, clock: Callable[[], dt.datetime], authority_id: str, on_news: News | None
) -> None:
    """Erase bulletins past their last day and prune old ones."""
    gone = await store.write(lambda db: retention.erase_and_prune(db, clock()))
    await store.write(answers.forget_unknown)
    if gone.erased or gone.pruned:
        log.info("let_go", authority=authority_id, erased=gone.erased, pruned=gone.pruned)
    if gone.erased and on_news is not None:
        on_news("personal-data-erased", {"count": gone.erased})


async def _roll(store: Inbox, clock: Callable[[], dt.datetime]) -> None:
    """Mark expired bulletins as expired, in parts, so that other work comes in between."""
    moment = clock().timestamp()
    is_left = await store.read(lambda db: projection.is_sweep_due(db, moment))
    while is_left:
        is_left = await store.write(lambda db: projection.sweep(db, moment))


async def _ring(store: Inbox, law: Callable[[], Law], clock: Callable[[], dt.datetime]) -> None:
    """Make clocks of what waits, and let those ring that have become late, in parts."""
    known, now = law(), clock()
    is_left = await store.read(lambda db: ringing.is_due(db, known, now))
    while is_left:
        is_left = await store.write(lambda db: ringing.advance(db, known, now))


class Indexing:
    """Builds the index while little comes in, and parts of it at times while much comes in."""

    def __init__(self, store: Inbox, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Take the hub's store, and a function that waits for seconds."""
        self._store, self._sleep = store, sleep
        self._last = self._waited = 0

    async def look(self) -> None:
        """Index waiting bulletins, in parts; other work comes in between."""
        last, is_left = await self._store.read(index.progress)
        is_busy, self._last = last - self._last > index.BUSY, last
        self._waited = self._waited + 1 if is_busy and is_left else 0
        if is_busy and self._waited <= index.PATIENCE:
            return
        self._waited = 0
        while is_left:
            is_left = await self._store.write(index.advance)
            if is_busy:
                return
            await self._sleep(index.REST_S)


def _heartbeat(
    publisher: Publisher, store: Inbox, subscriber: Subscriber, intervals: Intervals, keeping: Watchkeeping
) -> Heartbeat:
    """The hub's heartbeats, at the interval of the calendars in its store, with its holdings of others' channels."""
    record = publisher.registry().authority(publisher.authority_id)
    stored_phase = phase_in(store, record.country)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READ_FIRST_S

    async def phase(now: dt.datetime) -> Phase:
        # A heartbeat promises the time of the next one, so the first waits for the calendars on the bus.
        while not subscriber.caught_up() and loop.time() < deadline:  # noqa: ASYNC110 (what is read has no event)
            await asyncio.sleep(READ_FIRST_S / 100)
        return await stored_phase(now)

    holding = Holdings(publisher.authority_id, store) if record.kind == HUB else None
    return Heartbeat(publisher, pace=intervals, phase=phase, keeping=keeping, holding=holding)
