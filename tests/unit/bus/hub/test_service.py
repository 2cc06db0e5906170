"""A hub has one reader for a store, and one end for all its tasks. A missing broker ends nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bus.cli.frame import FAILURE, exit_code
from bus.errors import StoreError
from bus.hub import periodic, turn
from bus.hub.picture import ringing
from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.storage import lease, single
from bus.subscribing import subscriber
from bus.subscribing.inbox import Inbox
from bus.transport.connection import Endpoint
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.coordination import Rfi
from tests.support.hubs import judged
from tests.support.waiting import eventually
from tests.support.world import NOW, bulletin, draft, shared_world, sign

WORLD = shared_world()
NOWHERE = Endpoint(
    url="nats://127.0.0.1:9",
    authority_id="xb-hub",
    nkey_seed=WORLD.nkeys["xb-hub"][0],
    name="nobody is there",
)


def hub(
    store: Inbox,
    *,
    gives_way: bool = False,
    registry: Callable[[], VerifiedRegistry] = lambda: WORLD.registry,
    clock: Callable[[], dt.datetime] = lambda: NOW,
) -> AbstractAsyncContextManager[HubService]:
    """A hub over a store."""
    return HubService.open(
        authority_id="xb-hub",
        store=store,
        registry=registry,
        endpoint=NOWHERE,
        clock=clock,
        gives_way=gives_way,
    )


async def owner(store: Inbox) -> str | None:
    """The holder of the store's lease."""
    row = await store.read(lambda db: db.execute("SELECT owner FROM lease").fetchone())
    return row and str(row["owner"])


async def test_a_store_has_one_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second hub stands by, and says so once; when the first has ended it takes over."""
    monkeypatch.setattr(turn, "STAND_BY_S", 0.01)
    async with open_store(tmp_path / "store.db") as store:
        with capture_logs() as logs:
            async with hub(store) as one:
                first = await owner(store)
                second = hub(store)
                other = await second.__aenter__()
                await eventually(lambda: said(logs, "standing_by"))
                assert (one.standing, other.standing) == ("reading", "standing-by")
                assert await owner(store) == first
            await eventually(lambda: other.standing == "reading")
            assert await owner(store) not in (None, first)
            await second.__aexit__(None, None, None)
        assert await owner(store) is None
        assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
            "standing_by",
            "reading_taken_over",
        ]


async def test_who_gives_way_loses_the_store_to_a_hub_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It then waits quietly until that hub has ended; another that gives way waits too."""
    monkeypatch.setattr(turn, "STAND_BY_S", 0.01)
    monkeypatch.setattr(turn, "LEASE_S", 0.09)
    async with open_store(tmp_path / "store.db") as store:
        with capture_logs() as logs:
            async with hub(store, gives_way=True) as watch, hub(store, gives_way=True) as later:
                assert (watch.standing, later.standing) == ("reading", "standing-by")
                async with hub(store) as theirs:
                    assert theirs.standing == "reading"
                    await eventually(lambda: watch.standing == "standing-by")
                await eventually(lambda: "reading" in (watch.standing, later.standing))
        assert not [line for line in logs if line["log_level"] == "warning"]


def said(logs: list[Any], event: str) -> bool:
    """Whether something was logged."""
    return any(line["event"] == event for line in logs)


def taken_by(name: str) -> Callable[[sqlite3.Connection], None]:
    """Another process takes the lease from any holder."""

    def work(db: sqlite3.Connection) -> None:
        db.execute(
            "REPLACE INTO lease VALUES (1, ?, ?)", (name, (NOW + dt.timedelta(seconds=10)).timestamp())
        )

    return work


async def test_who_stands_by_stands_by_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that was lost is waited for once more, and the reading goes on with it."""
    monkeypatch.setattr(turn, "LEASE_S", 0.03)
    monkeypatch.setattr(turn, "STAND_BY_S", 0.01)
    thief = lease.owner_name()
    async with open_store(tmp_path / "store.db") as store:
        with capture_logs() as logs:
            async with hub(store) as ours:
                await store.write(taken_by(thief))
                await eventually(lambda: said(logs, "lease_lost"))
                assert ours.standing == "standing-by"
                assert await owner(store) == thief
                await store.write(lambda db: lease.drop(db, thief))
                await eventually(lambda: ours.standing == "reading")


PASSING = [
    StoreError("no room", reason="store-full"),
    StoreError("in use", reason="store-busy"),
    StoreError("no memory", reason="store-memory"),
    MemoryError(),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda each: getattr(each, "reason", "MemoryError"))
async def test_a_lease_that_cannot_be_renewed_ends_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """It reads on, says once what is wrong, and once that it is over; nor does one that stands by end."""
    monkeypatch.setattr(turn, "LEASE_S", 0.03)
    monkeypatch.setattr(turn, "STAND_BY_S", 0.01)
    asked = 0

    async def fails(*_: object) -> bool:
        nonlocal asked
        asked += 1
        raise fault

    async with open_store(tmp_path / "store.db") as store:
        with capture_logs() as logs:
            async with hub(store) as ours:
                with monkeypatch.context() as patch:
                    patch.setattr(store, "take_lease", fails)
                    await eventually(lambda: asked > 5)
                    assert ours.standing == "reading"
                    assert [line["event"] for line in logs].count("lease_not_renewed") == 1
                await eventually(lambda: said(logs, "lease_not_renewed_ended"))
        monkeypatch.setattr(store, "take_lease", fails)
        async with hub(store) as waiting:
            seen = asked
            await eventually(lambda: asked > seen + 5)
            assert waiting.standing == "standing-by"
            monkeypatch.undo()
            await eventually(lambda: waiting.standing == "reading")


@pytest.mark.parametrize("fault", PASSING, ids=lambda each: getattr(each, "reason", "MemoryError"))
async def test_a_store_that_takes_nothing_for_a_while_ends_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """None of its tasks, whatever each writes; afterwards they go on."""
    monkeypatch.setattr(turn, "LEASE_S", 0.03)
    monkeypatch.setattr(periodic, "AGAIN_S", 0.01)
    monkeypatch.setattr(subscriber, "TICK_S", 0.01)
    asked = 0

    async def fails(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise fault

    async with open_store(tmp_path / "store.db") as store, hub(store) as ours:
        with monkeypatch.context() as patch:
            for name in ("write", "read"):
                patch.setattr(store, name, fails)
            await eventually(lambda: asked > 100)
        assert ours.standing == "reading"
        row = await store.read(lambda db: db.execute("SELECT until FROM lease").fetchone())
        assert row["until"] >= NOW.timestamp()
        await eventually(lambda: "connect" in ours.subscriber.problem)  # of the bus alone


async def test_a_store_that_has_failed_ends_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the store's own error, of which the program ends with a code that has a supervisor start it again."""
    monkeypatch.setattr(turn, "LEASE_S", 0.03)
    failure = StoreError("the disk is gone", reason="store-failed")

    async def fails(*_: object) -> bool:
        raise failure

    async def broken(store: Inbox) -> None:
        async with hub(store):
            monkeypatch.setattr(store, "take_lease", fails)
            await asyncio.Event().wait()

    async with open_store(tmp_path / "store.db") as store:
        with pytest.raises(StoreError) as ended:
            await broken(store)
        assert ended.value is failure
        assert exit_code(failure) == FAILURE


@pytest.mark.parametrize("how", ["returns", "is cancelled from within"])
async def test_a_task_that_ends_by_itself_ends_the_hub(tmp_path: Path, how: str) -> None:
    """One that has lost its reading without an error would look healthy."""

    async def ends() -> None:
        if how != "returns":
            raise asyncio.CancelledError

    async with open_store(tmp_path / "store.db") as store:

        async def broken() -> None:
            async with hub(store) as ours:
                ours.subscriber.run = ends  # type: ignore[method-assign]
                await asyncio.Event().wait()

        with pytest.raises(RuntimeError, match="'reading' of this hub has ended by itself"):
            await broken()


async def test_a_task_that_fails_ends_the_hub_with_its_error(tmp_path: Path) -> None:
    """One of the hub's own as one beside it; and the store is free again."""
    calls = 0

    def registry() -> VerifiedRegistry:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise LookupError("the registry is gone")
        return WORLD.registry

    async def fails() -> None:
        raise LookupError("beside")

    async def beside() -> None:
        async with hub(store) as running:
            running.beside(fails(), "fails")
            await asyncio.Event().wait()

    async with open_store(tmp_path / "store.db") as store:
        with pytest.raises(LookupError, match="the registry is gone"):
            async with hub(store, registry=registry):
                await asyncio.Event().wait()
        with pytest.raises(LookupError, match="beside"):
            await beside()
        assert await owner(store) is None


async def test_a_hub_that_cannot_read_runs_on(tmp_path: Path) -> None:
    """Without a broker it says why, and ends only when it is told to."""
    async with open_store(tmp_path / "store.db") as store, hub(store) as running:

        async def problem() -> bool:
            return bool(running.subscriber.problem)

        await eventually(problem)
        assert not running.subscriber.caught_up()


async def test_a_hub_makes_clocks_as_it_takes_in_and_lets_them_ring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the transaction that takes a bulletin in; once its time is over it is told once, also by a hub that was started again."""
    monkeypatch.setattr(ringing, "EVERY_S", 0.01)
    now = [NOW]
    asks = Rfi(question="Which?", respond_by=NOW + dt.timedelta(hours=1), to=("xb-csirt",))
    made = sign(WORLD, bulletin(WORLD, say=draft("asked", body=asks), issued=NOW - dt.timedelta(minutes=5)))

    async def count(store: Inbox, sql: str) -> int:
        return await store.read(lambda db: single(db, sql))

    rung = "SELECT count(*) FROM events WHERE what = 'clock-late'"
    async with open_store(tmp_path / "store.db", hold_s=0.0) as store:
        async with hub(store, clock=lambda: now[0]):
            await store.settle([judged(made, WORLD.registry)], None, None, NOW)
            assert await count(store, "SELECT count(*) FROM clocks WHERE rule = 'rfi'") == 1
            await eventually(lambda: count(store, "SELECT rung IS NOT NULL FROM clock_upto"))
            now[0] = NOW + dt.timedelta(hours=2)
            await eventually(lambda: count(store, rung))
        now[0] = NOW + dt.timedelta(hours=3)
        async with hub(store, clock=lambda: now[0]):
            place = {"seq": 2, "prev": made.digest, "issued": NOW}
            late = sign(WORLD, bulletin(WORLD, say=draft("late", body=asks), **place))  # type: ignore[arg-type]
            await store.settle([judged(late, WORLD.registry, now[0])], None, None, now[0])
            upto = f"SELECT rung >= {now[0].timestamp()} FROM clock_upto"
            await eventually(lambda: count(store, upto))
            assert await count(store, rung) == 1  # what was late when it came is no news
