"""A hub, running: the one reader of its store, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable

import structlog

from bus.connection import Endpoint
from bus.errors import StoreError
from bus.inbox import Inbox
from bus.lease import LEASE_S, owner_name
from bus.subscriber import Subscriber
from bus.trust import VerifiedRegistry

log = structlog.get_logger()


class HubService:
    """Holds the lease of a store and runs its subscriber."""

    def __init__(
        self,
        *,
        authority_id: str,
        store: Inbox,
        registry: Callable[[], VerifiedRegistry],
        endpoint: Endpoint,
        clock: Callable[[], dt.datetime],
    ) -> None:
        """Prepare; see `Subscriber` for the arguments."""
        self.subscriber = Subscriber(
            authority_id=authority_id, inbox=store, registry=registry, endpoint=endpoint, clock=clock
        )
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
        reading = asyncio.create_task(self.subscriber.run(), name="subscriber")
        try:
            while not reading.done():
                await asyncio.wait({reading}, timeout=LEASE_S / 3)
                if not await self._store.take_lease(self._owner, self._clock().timestamp()):
                    raise StoreError("another process has taken over this store", reason="lease-held")
            reading.result()
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            with contextlib.suppress(StoreError):
                await self._store.drop_lease(self._owner)
