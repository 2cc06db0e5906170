"""Embargo and retention over a real broker: readers have it at once, strangers not before its time, nobody after its last day."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from bus.bundle import OF_STORE, choose, hold
from bus.errors import PermitError
from bus.hub.retention import LetGo, erase_and_prune
from bus.subscribing import erasure
from bus.subscribing.inbox import Inbox
from schemas.errors import RuleError
from schemas.parts import Action, Handling
from schemas.subject import Interest
from schemas.vocab import Pap
from tests.support.clocks import Clock
from tests.support.stage import Bus, admitted, has, reading, speaking, stored
from tests.support.waiting import eventually, longest
from tests.support.world import draft

DAY = dt.timedelta(days=1)


async def held(store: Inbox, bus: Bus, now: dt.datetime, to: str | None = None) -> str:
    """The reason for which what a hub holds may not leave it; empty where it may."""

    def ask(db: sqlite3.Connection) -> None:
        hold(db, OF_STORE, choose(db, OF_STORE, Interest(), (), None), to, bus.world.registry, now)

    try:
        await store.read(ask)
    except PermitError as exc:
        return exc.reason
    return ""


async def test_readers_have_it_at_once_and_strangers_from_its_moment_on(bus: Bus, tmp_path: Path) -> None:
    """Sent before its time, admitted by the hub of the other country, and held there until then."""
    until = bus.world.now + DAY
    async with (
        speaking(bus, tmp_path / "outbox.db") as publisher,
        reading(bus, tmp_path / "store.db") as (store, _),
    ):
        await publisher.publish(draft("under embargo", handling=Handling(embargo_until=until)))
        await eventually(lambda: has(store, 1))
        assert await held(store, bus, bus.world.now) == "embargoed"
        assert await held(store, bus, bus.world.now, to="xa-hub") == ""
        assert await held(store, bus, until) == ""


async def test_what_was_erased_stays_so_though_the_stream_has_it(bus: Bus, tmp_path: Path) -> None:
    """After its last day the hub has its place, digest and reason; read once more it is recognised, and not taken in again."""
    clock = Clock(bus.world.now)
    says = draft("for three days", handling=Handling(retention_days=3), expires=bus.world.now + DAY)
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        gone = await publisher.publish(says)
        stays = await publisher.publish(draft("for good"))
        assert await publisher.settled(stays.digest, longest()) == "stored"
    async with reading(bus, tmp_path / "store.db", clock=clock, picture=True) as (store, _):
        await eventually(lambda: has(store, 2))
        assert await store.write(lambda db: erase_and_prune(db, clock())) == LetGo(erased=0, pruned=0)
        clock.pass_(4 * 86_400)
        assert await store.write(lambda db: erase_and_prune(db, clock())) == LetGo(erased=1, pruned=0)
    assert len(await stored(bus, 2)) == 2
    await bus.lose("WORLD_ACTUAL")  # it is copied anew from the author's stream, and read from its beginning
    async with reading(bus, tmp_path / "store.db", clock=clock, picture=True) as (store, service):
        await eventually(lambda: service.subscriber.counts["duplicate"] >= 2)
        assert [digest for _, _, digest in await admitted(store)] == [stays.digest]
        tomb = await store.read(lambda db: erasure.of(db, gone.digest))
    assert tomb is not None
    assert (tomb.seq, tomb.why) == (1, erasure.RETENTION)


async def test_an_action_that_its_pap_forbids_is_never_signed(bus: Bus, tmp_path: Path) -> None:
    """The author's own outbox refuses it, and the next one takes its number."""
    block = (Action(kind="block-indicator", to=("csirt",), text="Block it."),)
    async with (
        speaking(bus, tmp_path / "outbox.db") as publisher,
        reading(bus, tmp_path / "store.db") as (store, _),
    ):
        with pytest.raises(RuleError) as refused:
            await publisher.publish(draft("look only", pap=Pap.AMBER, actions=block))
        assert [each.rule for each in refused.value.violations] == ["R70"]
        await publisher.publish(draft("act on it", pap=Pap.GREEN, actions=block))
        await eventually(lambda: has(store, 1))
        assert [seq for _, seq, _ in await admitted(store)] == [1]
