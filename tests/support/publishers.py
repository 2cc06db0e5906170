"""Publishers over their own outboxes, on a bus or without one."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bus.keys.signatures import Signer
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.storage.layout import Layout
from bus.transport.connection import Endpoint
from bus.trust.registry import VerifiedRegistry
from schemas.bulletin import Defaults
from tests.support.world import DEFAULTS, World, shared_world


@asynccontextmanager
async def publishing(
    path: Path,
    world: World,
    identity: str = "xa-csirt",
    *,
    endpoint: Endpoint | None = None,
    registry: Callable[[], VerifiedRegistry] | None = None,
    signer: Signer | None = None,
    clock: Callable[[], dt.datetime] | None = None,
    defaults: Defaults = DEFAULTS,
    tables: Iterable[Layout] = (),
    **options: Any,
) -> AsyncIterator[Publisher]:
    """A publisher over its own outbox; without an endpoint it only keeps.

    Args:
        path: the outbox's file.
        world: the registry, the keys and the time, where no other is given.
        identity: who publishes.
        endpoint: its place on the bus.
        registry: another than the world's.
        signer: another key than the world's.
        clock: another than the world's, which stands.
        defaults: the markings of a draft that has none.
        tables: another room's tables in the outbox's file.
        options: further arguments of `Publisher.open`.
    """
    async with (
        Outbox.open(path, tables=tables) as outbox,
        Publisher.open(
            authority_id=identity,
            outbox=outbox,
            registry=registry or (lambda: world.registry),
            signers=(signer or world.signers[identity],),
            endpoint=endpoint,
            defaults=defaults,
            clock=clock or (lambda: world.now),
            rng=secrets.token_bytes,
            **options,
        ) as publisher,
    ):
        yield publisher


@asynccontextmanager
async def keeping(
    path: Path, world: World | None = None, *, tables: Iterable[Layout] = ()
) -> AsyncIterator[tuple[Publisher, Outbox]]:
    """A publisher of xa-csirt that only keeps, and its outbox."""
    async with publishing(path, world or shared_world(), tables=tables) as publisher:
        yield publisher, publisher.outbox
