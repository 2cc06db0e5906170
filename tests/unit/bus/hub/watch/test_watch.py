"""The watch over a store, by clocks that a test moves on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.hub.picture.projection import open_store
from bus.hub.watch import alarms
from bus.hub.watch import watch as watch_module
from bus.hub.watch.channels import ChannelRow
from bus.hub.watch.liveness import Alarm, Liveness, Reason
from bus.hub.watch.watch import AGAIN_S, BLIND_S, OWN, Watch
from bus.subscribing.inbox import Inbox
from bus.subscribing.progress import FRESH_S, Moment, Progress, Reading, reading
from bus.subscribing.subscriber import Subscriber
from bus.transport.connection import Endpoint
from bus.transport.pull_consumer import Received
from bus.transport.states import ConsumerInfo, Delivered
from tests.support.clocks import Clock
from tests.support.stage import running
from tests.support.waiting import eventually
from tests.support.world import NOW, shared_world

WORLD = shared_world()
ME = "xa-csirt/actual.green.community"
GAP = Alarm(channel=ME, reason=Reason.GAP, detail="number 2 is missing")


class Monotonic:
    """Seconds since the machine began."""

    now = 1000.0

    def __call__(self) -> float:
        """The present."""
        return self.now


class Watched:
    """A watch whose hub has not connected, so that what is on record stays as it is."""

    def __init__(self, store: Inbox) -> None:
        self.store = store
        self.time = Monotonic()
        self.subscriber = Subscriber(
            authority_id="xb-hub",
            inbox=store,
            registry=lambda: WORLD.registry,
            endpoint=Endpoint(
                url="nats://127.0.0.1:9",
                authority_id="xb-hub",
                nkey_seed=WORLD.nkeys["xb-hub"][0],
                name="unused",
            ),
            clock=lambda: NOW,
        )
        self.watch = Watch(
            authority_id="xb-hub",
            store=store,
            registry=lambda: WORLD.registry,
            subscriber=self.subscriber,
            clock=lambda: NOW,
            monotonic=self.time,
        )

    async def reads_again(self, seconds: float) -> set[str]:
        """The streams that a look so much later has the hub read again."""
        self.time.now += seconds
        self.subscriber._again.clear()
        await self.watch.look()
        return set(self.subscriber._again)


async def test_a_stream_with_a_gap_is_read_again_less_and_less(tmp_path: Path) -> None:
    """It is read at once, then after doubling waits by a clock that is never set; not again when the gap is filled."""
    async with open_store(tmp_path / "store.db") as store:
        await store.write(lambda db: alarms.record_alarms(db, [GAP], [], NOW.timestamp()))
        hub = Watched(store)
        assert await hub.reads_again(0) == {"WORLD_ACTUAL"}
        assert await hub.reads_again(AGAIN_S[0] - 1) == set()
        assert await hub.reads_again(1) == {"WORLD_ACTUAL"}
        assert await hub.reads_again(2 * AGAIN_S[0] - 1) == set()
        assert await hub.reads_again(1) == {"WORLD_ACTUAL"}
        await store.write(lambda db: alarms.record_alarms(db, [], [(ME, Reason.GAP)], NOW.timestamp()))
        assert await Watched(store).reads_again(0) == set()


async def test_a_hub_is_blind_once_it_has_been_for_a_while(tmp_path: Path) -> None:
    """Not at the first look that finds it so; by the same clock."""
    async with open_store(tmp_path / "store.db") as store:
        hub = Watched(store)
        for seconds, expected in ((0.0, []), (BLIND_S - 1, []), (1.0, [(OWN, "blind")])):
            await hub.reads_again(seconds)
            standing = await store.read(lambda db: alarms.recorded_alarms(db, ended=False))
            assert [(row.channel, row.reason) for row in standing] == expected


@pytest.mark.parametrize(("liar", "times"), [("xc-hub", 7), (None, 96)])
async def test_who_lies_about_one_authority_after_the_other_is_one_culprit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, liar: str | None, times: int
) -> None:
    """A hub, each quarter of an hour; while a stream is read again it is blind. What authorities say of themselves is theirs."""
    reading_ = Reading(
        attached=True, behind=0, lag_s=0.0, heard_at=NOW, as_of=NOW, caught_up=True, broker_ahead_s=None,
        problem="", problem_reason="",
    )  # fmt: skip
    async with open_store(tmp_path / "store.db") as store:
        hub = Watched(store)
        names = iter(range(96))

        def look_at(*_: object) -> watch_module.Seen:
            me = f"xa-o{next(names)}"
            row = ChannelRow(
                authority=me,
                channel="actual.green.community",
                state=Liveness.LIVE,
                announced=7,
                by=liar or me,
            )
            alarm = Alarm(channel=row.name, reason=Reason.TAIL, detail="")
            return watch_module.Seen(rows=(row,), alarms=(alarm,), conditions={})

        monkeypatch.setattr(watch_module, "look_at", look_at)
        monkeypatch.setattr(hub.subscriber, "reading", lambda: reading_)
        again = [await hub.reads_again(AGAIN_S[0]) for _ in range(96)]
        assert sum(map(len, again)) == times


BEATS = "xa-csirt/system.green.community"
EVERY_S = 5.0  # an authority that says so often that it is there


class Starved:
    """A hub that reads the heartbeats of one honest authority when it comes to it, and a watch that looks whenever it likes."""

    def __init__(self, store: Inbox) -> None:
        self.store = store
        self.clock = Clock(NOW)
        self.progress = Progress()
        self.progress.attach(0)
        self.said: list[float] = []
        self.taken = 0
        self.watch = Watch(
            authority_id="xb-hub",
            store=store,
            registry=lambda: WORLD.registry,
            subscriber=self,  # type: ignore[arg-type]  # of a subscriber, a watch asks for the reading alone
            clock=self.clock,
            monotonic=lambda: self.tick,
        )

    @property
    def tick(self) -> float:
        """Seconds since the beginning."""
        return (self.clock.now - NOW).total_seconds()

    def reading(self) -> object:
        """As `Subscriber.reading`."""
        return reading([self.progress], Moment(self.clock.now, self.tick), None, ("", ""))

    def read_again(self, stream: str) -> None:
        """As `Subscriber.read_again`; nothing is missing here."""
        raise AssertionError(stream)

    def wait(self, seconds: float) -> None:
        """Time passes, the authority goes on, and the hub does nothing."""
        self.clock.pass_(seconds)
        while not self.said or self.said[-1] + EVERY_S <= self.tick:
            self.said.append(self.said[-1] + EVERY_S if self.said else 0.0)

    async def read(self, most: int) -> None:
        """Take in some of what waits."""
        if batch := self.said[self.taken : self.taken + most]:
            self.taken += len(batch)
            await self.store.execute(
                "REPLACE INTO channels VALUES (?, 'xa-csirt', 1, ?2, ?2, 1, 0, 1, 'up', ?3)",
                BEATS, NOW.timestamp() + batch[-1], int(EVERY_S),
            )  # fmt: skip
            self.progress.took(received(self.taken, len(self.said) - self.taken))

    def ask(self) -> None:
        """Ask the broker how far the stream goes."""
        now, count = Moment(self.clock.now, self.tick), len(self.said)
        delivered = Delivered(consumer_seq=self.taken, stream_seq=self.taken)
        self.progress.look(
            now, now, ConsumerInfo(config={}, delivered=delivered, num_pending=count - self.taken)
        )

    async def look(self) -> set[str]:
        """Look, and return the present alarms."""
        await self.watch.look()
        return {
            str(row.reason)
            for row in await self.store.read(lambda db: alarms.recorded_alarms(db, ended=False))
        }


def received(number: int, pending: int) -> Received:
    """The message that a consumer counts so, when so many are left."""
    return Received(
        subject="x",
        block=b"",
        payload=b"",
        stream_seq=number,
        consumer_seq=number,
        stored_ns=0,
        pending=pending,
    )


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.5, 2.0, 5.0, 14.0, 16.0, 25.0, 60.0, 3600.0])),
    st.tuples(st.just("read"), st.integers(1, 400)),
    st.tuples(st.just("ask"), st.none()),
    st.tuples(st.just("look"), st.none()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=40))
async def test_nobody_is_accused_whose_heartbeats_wait_unread(steps: list[tuple[str, float]]) -> None:
    """This holds while the hub lags, is starved, or is stopped and continues; if that lasts, it raises `blind`."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(Path(folder) / "store.db") as store:
            hub = Starved(store)
            hub.wait(0.0)
            for what, size in steps:
                match what:
                    case "wait":
                        hub.wait(size)
                    case "read":
                        await hub.read(int(size))
                    case "ask":
                        hub.ask()
                    case "look":
                        assert await hub.look() <= {"blind"}
            # An honest end: it is stopped for long, is blind, reads everything, and nobody was silent.
            await hub.look()
            hub.wait(FRESH_S + BLIND_S + 1)
            await hub.look()
            hub.wait(BLIND_S)
            assert await hub.look() == {"blind"}
            await hub.read(10**6)
            hub.ask()
            assert await hub.look() == set()


async def test_who_falls_silent_is_found_by_a_hub_that_lags_and_catches_up(tmp_path: Path) -> None:
    """Judging as of what was seen hides nothing for longer than it takes to look."""
    async with open_store(tmp_path / "store.db") as store:
        hub = Starved(store)
        hub.wait(0.0)
        await hub.read(1)
        hub.ask()
        assert await hub.look() == set()
        hub.clock.pass_(3 * EVERY_S)  # and nothing is said
        assert await hub.look() == set()  # not yet asked
        hub.ask()
        assert await hub.look() == {"silent"}


async def test_alarms_that_stand_stay_while_a_hub_is_blind(tmp_path: Path) -> None:
    """Alarms neither end nor begin; when the hub has caught up, they are judged again."""
    async with open_store(tmp_path / "store.db") as store:
        hub = Starved(store)
        hub.wait(0.0)
        await hub.read(1)
        hub.clock.pass_(3 * EVERY_S)
        hub.ask()
        assert await hub.look() == {"silent"}
        hub.clock.pass_(FRESH_S + 1)
        assert await hub.look() == {"silent"}
        hub.wait(BLIND_S)
        assert await hub.look() == {"silent", "blind"}
        await hub.read(10**6)
        hub.ask()
        assert await hub.look() == set()


async def test_a_blind_hub_says_how_far_it_is_behind(tmp_path: Path) -> None:
    """In bulletins, when it knows."""
    async with open_store(tmp_path / "store.db") as store:
        hub = Starved(store)
        hub.wait(100 * EVERY_S)
        hub.ask()
        await hub.look()
        hub.wait(BLIND_S)
        await hub.look()
        (row,) = await store.read(lambda db: alarms.recorded_alarms(db, ended=False))
        assert "101 bulletins wait to be read" in row.detail


async def test_a_watch_that_fails_makes_a_hub_blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on looking; once it has looked without a fault that is over."""
    looks = 0
    monkeypatch.setattr(watch_module, "REST", 0.0)

    def fails(*_: object) -> None:
        nonlocal looks
        looks += 1
        raise LookupError("a fault of ours")

    async with open_store(tmp_path / "store.db") as store:
        hub = Starved(store)
        hub.wait(0.0)
        await hub.read(1)
        hub.ask()
        hub.watch.look_s = 0.01
        with monkeypatch.context() as patch:
            patch.setattr(watch_module, "look_at", fails)
            async with running(hub.watch.run()):
                await eventually(lambda: looks > 3)
                (row,) = await store.read(lambda db: alarms.recorded_alarms(db, ended=False))
        assert (row.channel, row.reason) == (OWN, "blind")
        assert "a fault of ours" in row.detail
        assert await hub.look() == set()


@pytest.mark.parametrize("seconds", [1.0, 600.0])
async def test_the_time_in_which_a_hub_was_blind_is_not_counted(tmp_path: Path, seconds: float) -> None:
    """Uptime is of judged time; and it is judged up to what was seen."""
    async with open_store(tmp_path / "store.db") as store:
        hub = Starved(store)
        hub.wait(0.0)
        await hub.read(1)
        hub.ask()
        await hub.look()
        hub.wait(FRESH_S + seconds)
        await hub.look()
        spans = await store.query("SELECT max(until) AS until FROM spans")
        assert spans[0]["until"] is None or spans[0]["until"] <= NOW.timestamp()
