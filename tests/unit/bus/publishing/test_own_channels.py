"""An outbox beside its own channels: what a comparison asks for."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bus.publishing import own_channels
from bus.publishing.own_channels import Comparison, OwnChannels
from bus.transport import own_streams, status_of
from bus.transport.memory import MemoryBroker
from schemas.vocab import Status
from tests.support.publishers import keeping
from tests.support.world import shared_world

WORLD = shared_world()


async def _nothing(*_: object) -> AsyncIterator[Any]:
    """A stream that holds nothing."""
    for each in tuple[Any, ...]():
        yield each


async def test_heartbeats_are_compared_without_all_that_were_ever_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done each minute, and their stream misses none of them; of what other streams acknowledged it is asked."""
    asked: list[str] = []

    def stored_from(_: sqlite3.Connection, stream: str, __: int) -> list[sqlite3.Row]:
        asked.append(stream)
        return []

    monkeypatch.setattr(own_channels, "stored_from", stored_from)
    monkeypatch.setattr(own_channels, "read_back", _nothing)
    streams = own_streams(WORLD.registry, "xa-csirt")
    async with keeping(tmp_path / "o.db") as (_, outbox):
        own = OwnChannels(
            endpoint=MemoryBroker().endpoint("xa-csirt"),
            outbox=outbox,
            registry=lambda: WORLD.registry,
            clock=lambda: WORLD.now,
        )
        connection: Any = None
        for stream, consumer in streams:
            assert await own.compare(connection, stream, consumer) == Comparison(strange=0, lost=())
    others = [stream for stream, _ in streams if status_of(stream) != Status.BEAT]
    assert asked == others
    assert len(others) < len(streams)
