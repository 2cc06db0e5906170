"""Relays the registry between the brokers of a federation: read at the unions, verified, published at home.

The registrar publishes a version or a beacon at each union; each country's carrier reads it there
(`bus.subscribing.registry_feed`), takes it in if it is valid, and publishes it on its own broker. A revocation
statement also goes the other way: from its authority's country to the unions and neighbours, and from there home to the
others. Only verified files are passed on, so a flood of a union's streams stays there.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack

import msgspec

from bus.errors import BrokerError, DeniedError, StoreError, UnreachableError
from bus.federation.ledger import Ledger
from bus.logs import logger
from bus.subscribing import EVERY_S, RegistryFeed, publish_trust
from bus.transport import Connection, Endpoint, country_of
from bus.trust import RegistryStore, speaker_of
from schemas.codec import digest

log = logger()


class RegistryRelay(msgspec.Struct, frozen=True, kw_only=True):
    """Passes on versions, beacons and statements, once to each place; call `run`.

    Attributes:
        country: the country of its broker.
        held: takes in valid files from any place.
        endpoints: the carrier's endpoints; its own broker's by the country's name.
        ledger: the record of published files.
        clock: the present, aware.
        every: seconds between two looks.
    """

    country: str
    held: RegistryStore
    endpoints: Mapping[str, Endpoint]
    ledger: Ledger
    clock: Callable[[], dt.datetime]
    every: float = EVERY_S

    async def run(self) -> None:
        """Read and pass on until cancelled.

        Raises:
            StoreError: `store-failed`; the ledger takes nothing more until it is opened again.
        """
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            for name, endpoint in self.endpoints.items():
                if name != self.country:
                    tasks.create_task(RegistryFeed(self.held, endpoint, every=self.every).run())
                connection = await stack.enter_async_context(Connection.open(endpoint))
                tasks.create_task(self._tell(name, connection))

    async def _tell(self, place: str, connection: Connection) -> None:
        problem = ""
        while True:
            try:
                if connection.connected:
                    await self._say(place, connection)
                    if problem:
                        log.warning("trust_passed_on_again", place=place)
                    problem = ""
            except (StoreError, UnreachableError, BrokerError, DeniedError) as exc:
                if isinstance(exc, StoreError) and not exc.is_passing:
                    raise
                if problem != str(exc):
                    problem = str(exc)
                    log.warning("trust_not_passed_on", place=place, problem=problem)
            await asyncio.sleep(self.every)

    async def _say(self, place: str, connection: Connection) -> None:
        """Publish all files not yet published there, versions in their order."""
        items = {digest(raw): raw for raw in self._items(place)}
        known = await self.ledger.known(_book(place), list(items))
        for name, raw in items.items():
            if name not in known:
                await publish_trust(connection, raw)
                await self.ledger.note_said(_book(place), name, self.clock().timestamp())
                log.info("trust_passed_on", place=place, digest=name)

    def _items(self, place: str) -> Iterator[bytes]:
        if place == self.country:
            yield from self.held.versions()[1:]  # everybody has the pinned one already
            if (beacon := self.held.beacon()) is not None:
                yield beacon
        domain = self.held().domain
        for raw in self.held.statements():
            if place == self.country or country_of(speaker_of(raw, domain)) == self.country:
                yield raw


def _book(place: str) -> str:
    """The ledger's name for the trust files published at a place."""
    return f"trust:{place}"
