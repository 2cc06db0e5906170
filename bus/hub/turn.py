"""Decides which process reads into a store: the hub with the lease works, any other waits for it.

Between a hub and a `watch` the hub reads; between two hubs the first one. A failed renewal of the lease does not end a
hub. It waits while a store is full or busy, because no other process can write it either. A process that was stopped or
starved for longer than the lease finds that another has it, and waits.
"""

from __future__ import annotations

import asyncio

import msgspec

from bus.errors import StoreError
from bus.hub.periodic import Problem
from bus.logs import logger
from bus.storage import LEASE_S, Lease

STAND_BY_S = 1.0
"""Seconds between two questions of a waiting process whether it may read."""
LOOKS = 3
"""Checks between two renewals whether another process has taken the lease."""

log = logger()


class LeaseLostError(Exception):
    """Another process has the lease now."""


class Turn(msgspec.Struct):
    """The turn of one hub.

    Attributes:
        authority_id: the hub's authority.
        lease: the lease of its store.
        is_quiet: whether waiting is normal and needs no warning.
        is_ours: whether this process reads now.
    """

    authority_id: str
    lease: Lease
    is_quiet: bool = False
    is_ours: bool = False
    _problem: Problem = msgspec.field(default_factory=lambda: Problem("lease_not_renewed"))

    async def try_for_it(self) -> bool:
        """Take the lease if it is free. Returns whether it is ours.

        Raises:
            StoreError: the store has failed.
        """
        self.is_ours = await self._taken(otherwise=False)
        return self.is_ours

    async def come(self) -> None:
        """Wait for the lease. Log when another process has it, and when that ends.

        Raises:
            StoreError: the store has failed.
        """
        if self.is_ours or await self.try_for_it():
            return
        self._say("standing_by", because="another process reads into this store")
        while not await self.try_for_it():  # noqa: ASYNC110 (the store is asked, which other processes write)
            await asyncio.sleep(STAND_BY_S)
        self._say("reading_taken_over")

    async def keep(self) -> None:
        """Hold the lease until it is lost.

        Raises:
            LeaseLostError: another process has it.
            StoreError: the store has failed.
        """
        while True:
            if not await self._taken(otherwise=True):
                raise LeaseLostError
            for _ in range(LOOKS):
                await asyncio.sleep(LEASE_S / 3 / LOOKS)
                if await self._is_lost():
                    raise LeaseLostError

    def lost(self) -> None:
        """Note that the lease is lost; log that another process has it."""
        self.is_ours = False
        self._say("lease_lost")

    async def _taken(self, *, otherwise: bool) -> bool:
        """Take or renew the lease; while the store cannot write, return the assumed state."""
        try:
            taken = await self.lease.is_ours()
        except (StoreError, MemoryError) as exc:
            _must_pass(exc)
            self._problem.is_there(exc, self.authority_id)
            return otherwise
        self._problem.is_over(self.authority_id)
        return taken

    async def _is_lost(self) -> bool:
        try:
            return await self.lease.is_lost()
        except (StoreError, MemoryError) as exc:
            _must_pass(exc)
            return False

    def _say(self, event: str, **facts: str) -> None:
        say = log.info if self.is_quiet else log.warning
        say(event, authority=self.authority_id, **facts)


def _must_pass(exc: StoreError | MemoryError) -> None:
    """Raise a lasting error of the store."""
    if isinstance(exc, StoreError) and not exc.is_passing:
        raise exc
