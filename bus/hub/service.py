"""A hub, running: the one reader of its store, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Mapping

import structlog

from bus.audit import Fact
from bus.errors import StoreError
from bus.hub import retention
from bus.hub.periodic import keep_at
from bus.hub.watch.watch import LOOK_S, Announce, Watch
from bus.policy.rates import READING, Allowance
from bus.storage.lease import LEASE_S, owner_name
from bus.subscribing.inbox import Inbox
from bus.subscribing.registry_feed import TrustFeed
from bus.subscribing.subscriber import Subscriber
from bus.tasks import run_with_current
from bus.transport.connection import Endpoint
from bus.transport.streams import reader_streams
from bus.trust.registry import VerifiedRegistry
from bus.trust.store import AGAIN_S, HeldRegistry

log = structlog.get_logger()


class HubService:
    """Holds the lease of a store, runs its subscriber, and watches the channels."""

    def __init__(
        self,
        *,
        authority_id: str,
        store: Inbox,
        registry: Callable[[], VerifiedRegistry],
        endpoint: Endpoint,
        clock: Callable[[], dt.datetime],
        on_news: Callable[[str, Mapping[str, Fact]], None] | None = None,
        allowance: Allowance = READING,
        look_s: float = LOOK_S,
        announce: Announce | None = None,
    ) -> None:
        """Prepare; see `Subscriber` and `Watch` for the arguments.

        A `HeldRegistry` is kept up to date by the bus meanwhile, and `on_news` told of it (`TrustFeed`).
        """
        self.subscriber = Subscriber(
            authority_id=authority_id,
            inbox=store,
            registry=registry,
            endpoint=endpoint,
            clock=clock,
            allowance=allowance,
        )
        self._feed = (
            TrustFeed(registry, endpoint, on_news=on_news) if isinstance(registry, HeldRegistry) else None
        )
        self._watch = (
            Watch(
                authority_id=authority_id,
                store=store,
                registry=registry,
                subscriber=self.subscriber,
                clock=clock,
                look_s=look_s,
                announce=announce,
            )
            if store.has_picture
            else None
        )
        self._on_news = on_news
        self._registry = registry
        self._authority_id = authority_id
        self._store = store
        self._clock = clock
        self._owner = owner_name()

    async def run(self, *, stand_by: bool = False) -> None:
        """Read until cancelled.

        Args:
            stand_by: wait while another process reads into this store, and take over when it is gone.

        Raises:
            StoreError: `lease-held`, when another process reads and `stand_by` is False.
        """
        while not await self._store.take_lease(self._owner, self._clock().timestamp()):
            if not stand_by:
                raise StoreError(
                    "another process is reading into this store; end it first", reason="lease-held"
                )
            await asyncio.sleep(1.0)
        tasks = {asyncio.create_task(self._read(), name="subscriber")}
        if self._watch is not None:
            tasks.add(asyncio.create_task(self._watch.run(), name="watch"))
            tasks.add(asyncio.create_task(self._keep_no_longer(), name="retention"))
        if self._feed is not None:
            tasks.add(asyncio.create_task(self._feed.run(), name="trust feed"))
        try:
            while True:
                done, _ = await asyncio.wait(tasks, timeout=LEASE_S / 3, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                    return
                if not await self._store.take_lease(self._owner, self._clock().timestamp()):
                    raise StoreError("another process has taken over this store", reason="lease-held")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(StoreError):
                await self._store.drop_lease(self._owner)

    async def _keep_no_longer(self) -> None:
        """Let go of what must not or need not be kept, now and every hour."""

        async def work() -> None:
            gone = await self._store.write(lambda db: retention.let_go(db, self._clock()))
            if gone.erased or gone.pruned:
                log.info("let_go", authority=self._authority_id, erased=gone.erased, pruned=gone.pruned)
            if gone.erased and self._on_news is not None:
                self._on_news("personal-data-erased", {"count": gone.erased})

        await keep_at(
            work, unless="nothing_let_go", authority_id=self._authority_id, every_s=retention.EVERY_S
        )

    async def _read(self) -> None:
        """Read the streams that the registry grants, and begin anew when it grants others."""
        await run_with_current(
            lambda: reader_streams(self._registry(), self._authority_id),
            lambda _: self.subscriber.run(),
            every_s=AGAIN_S,
            on_change=lambda: log.info("granted_streams_changed", authority=self._authority_id),
        )
