"""Hubs that watch a channel over a real broker, and hubs that also tell, ask and help each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bus.delivery.ledger import TABLES
from bus.delivery.tracker import DeliveryTracker
from bus.hub.exchange.signed_files import contradictions
from bus.hub.watch.alarms import recorded_alarms
from bus.hub.watch.channels import channel_rows
from bus.hub.watch.holdings import Holdings
from bus.policy import deadlines
from bus.publishing.heartbeat import Heartbeat, Holding, Intervals
from bus.publishing.publisher import Publisher
from bus.subscribing.inbox import Inbox
from schemas.vocab import Phase
from tests.support.clocks import Clock
from tests.support.stage import Stage, admitted, reading, speaking

ME = "xa-csirt/actual.green.community"
"""The channel that is watched where no other is named."""


class Hub:
    """A hub that watches, and what it says."""

    def __init__(self, stage: Stage, store: Inbox, clock: Callable[[], dt.datetime]) -> None:
        self._stage = stage
        self.store = store
        self.clock = clock

    async def reasons(self, channel: str = ME, *, ended: bool = False) -> list[str]:
        """The alarms of a channel that stand, or all there were."""
        rows = await self.store.read(lambda db: recorded_alarms(db, ended=ended))
        return [row.reason for row in rows if row.channel == channel]

    async def state(self, channel: str = ME) -> str:
        """How it sees a channel."""
        rows = await self.store.read(
            lambda db: channel_rows(db, self.clock(), self._stage.world.registry, "xb-hub")
        )
        return next(str(row.state) for row in rows if row.name == channel)

    async def is_(self, state: str) -> bool:
        """Whether it sees the channel so."""
        return await self.state() == state

    async def has(self, *reasons: str, channel: str = ME) -> bool:
        """Whether exactly these alarms stand."""
        return await self.reasons(channel) == list(reasons)

    async def numbers(self) -> list[int]:
        """Which bulletins of the channel it holds."""
        return sorted(seq for channel, seq, _ in await admitted(self.store) if channel == ME)

    async def holds(self, *numbers: int) -> bool:
        """Whether it holds exactly these."""
        return await self.numbers() == list(numbers)

    async def holds_first(self, count: int) -> bool:
        """Whether it holds exactly so many, from number 1 on."""
        return await self.holds(*range(1, count + 1))


class PeerHub(Hub):
    """A hub whole: it reads, watches, says what it holds, asks, and helps."""

    def __init__(
        self,
        stage: Stage,
        store: Inbox,
        clock: Callable[[], dt.datetime],
        publisher: Publisher,
        beats: Heartbeat,
    ) -> None:
        super().__init__(stage, store, clock)
        self.publisher = publisher
        self.beats = beats

    async def stands(self, *reasons: str) -> bool:
        """Whether there are alarms for exactly these now."""
        return set(await self.reasons()) == set(reasons)

    async def alarmed(self) -> set[str]:
        """For what there ever was an alarm on the channel."""
        return set(await self.reasons(ended=True))

    async def waits_for(self, number: int) -> bool:
        """Whether this one is held back for want of the one before it."""
        rows = await self.store.read(lambda db: db.execute("SELECT seq FROM held_back").fetchall())
        return [row["seq"] for row in rows] == [number]

    async def has_heard(self) -> bool:
        """Whether another hub has told it what it holds."""
        rows = await self.store.read(lambda db: db.execute("SELECT 1 FROM holdings").fetchall())
        return len(rows) > 0

    async def proofs(self) -> list[bytes]:
        """The contradictions it can prove."""
        return await self.store.read(lambda db: [raw for _, raw in contradictions(db, ME)])


@asynccontextmanager
async def watching(stage: Stage, path: Path, clock: Callable[[], dt.datetime]) -> AsyncIterator[Hub]:
    """The hub of XB over its own store."""
    async with reading(stage, path, clock=clock, picture=True, look_s=0.1) as (store, _):
        yield Hub(stage, store, clock)


@asynccontextmanager
async def voice(stage: Stage, path: Path, identity: str, clock: Clock) -> AsyncIterator[Publisher]:
    """A publisher that heeds what is said to it."""
    async with (
        speaking(stage, path, identity, clock=clock, tables=TABLES) as publisher,
        DeliveryTracker.open(publisher, deadlines.DEFAULTS),
    ):
        yield publisher


@asynccontextmanager
async def peer(stage: Stage, folder: Path, identity: str, clock: Clock) -> AsyncIterator[PeerHub]:
    """A hub over files that outlive it, which compares, asks and helps."""
    store_file, outbox_file = (folder / f"{identity}.{name}.db" for name in ("store", "outbox"))
    async with (
        voice(stage, outbox_file, identity, clock) as publisher,
        reading(
            stage,
            store_file,
            identity,
            clock=clock,
            picture=True,
            hold_s=0.5,
            publisher=publisher,
            intervals=None,  # a test says when
            look_s=0.1,
            every_s=0.05,
            patience_s=0.0,
        ) as (store, _),
    ):
        yield PeerHub(stage, store, clock, publisher, beats_of(publisher, Holdings(identity, store)))


def beats_of(publisher: Publisher, holding: Holding | None = None) -> Heartbeat:
    """Its heartbeats, in a polling phase, with what it holds of others' where it is a hub."""

    async def phase(_: dt.datetime) -> Phase:
        return Phase.POLLING

    return Heartbeat(publisher, pace=Intervals(during=10), phase=phase, holding=holding)
