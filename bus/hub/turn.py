"""Whose turn it is to read into a store: a hub that has the lease works, any other stands by until it can have it.

Of a hub beside a `watch` the hub reads, of two hubs the one that came first. Nothing that keeps a lease from being renewed
ends a hub: a store that is full or busy is waited out, for it can be written by nobody else either; a process that was
stopped or starved for longer than the lease lasts finds that another has it, and stands by.
"""

from __future__ import annotations

import asyncio

import msgspec

from bus.errors import StoreError
from bus.hub.periodic import Problem
from bus.logs import logger
from bus.storage import LEASE_S, Lease

STAND_BY_S = 1.0
"""So often, in seconds, one that stands by asks whether it may read."""
LOOKS = 3
"""So many times between two renewals it is asked whether another has taken the lease."""

log = logger()


class LeaseLostError(Exception):
    """Another process has the lease now."""


class Turn(msgspec.Struct):
    """The turn of one hub.

    Attributes:
        authority_id: the hub's authority.
        lease: the lease of its store.
        is_quiet: whether standing by is the usual thing, and is not worth a warning.
        is_ours: whether this process reads now.
    """

    authority_id: str
    lease: Lease
    is_quiet: bool = False
    is_ours: bool = False
    _problem: Problem = msgspec.field(default_factory=lambda: Problem("lease_not_renewed"))

    async def try_for_it(self) -> bool:
        """Take the lease if it can be had. Returns whether it is ours.

        Raises:
            StoreError: the store has failed.
        """
        self.is_ours = await self._taken(otherwise=False)
        return self.is_ours

    async def come(self) -> None:
        """Wait for the lease. That another has it is said when it is found so, and when it is over.

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
        """Stop calling it ours; said when another has it."""
        self.is_ours = False
        self._say("lease_lost")

    async def _taken(self, *, otherwise: bool) -> bool:
        """Take or renew the lease; what is assumed while the store can write nothing."""
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
    """Raise an error of the store that does not pass."""
    if isinstance(exc, StoreError) and not exc.is_passing:
        raise exc
