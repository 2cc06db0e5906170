"""Two `tocsin hub run` over one store, as processes: one reads, the other stands by and takes over, and nothing is said twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.publishing.publisher import Publisher
from bus.storage.lease import LEASE_S
from schemas.bodies.system import Receipt
from schemas.codec import decode
from tests.support.clocks import utc_now
from tests.support.hubs import office_at, store_of
from tests.support.office import TOCSIN, Office
from tests.support.stage import Bus, serving, speaking
from tests.support.waiting import eventually, longest
from tests.support.world import draft, make_world

pytestmark = pytest.mark.timeout(600)
HUB, AUTHOR = "xb-hub", "xa-csirt"


class Pair(msgspec.Struct, kw_only=True):
    """An office with two hubs over one store, and an author who says things.

    Attributes:
        bus: the broker.
        office: where both hubs run.
        author: who says things, over an outbox of its own.
        hubs: the processes, by the names of their logs.
        said: the digests of what was said.
    """

    bus: Bus
    office: Office
    author: Publisher
    hubs: dict[str, subprocess.Popen[bytes]] = {}
    said: list[str] = []

    def start(self, name: str) -> None:
        """Begin a hub."""
        with (self.office.folder / f"{name}.log").open("ab") as out:
            self.hubs[name] = subprocess.Popen(
                [TOCSIN, "hub", "run"], cwd=self.office.folder, env=self.office.env, stdout=out, stderr=out
            )

    def log(self, name: str) -> str:
        """What a hub has said."""
        return (self.office.folder / f"{name}.log").read_text("utf-8", "replace")

    async def says(self, name: str, text: str, count: int = 1) -> None:
        """Wait until a hub has said something so often; it must live until then."""

        def look() -> bool:
            assert self.hubs[name].poll() is None, self.log(name)
            return self.log(name).count(text) >= count

        await eventually(look, describe=lambda: self.log(name))

    async def say(self, count: int) -> None:
        """Say things, and wait until the store has all that was ever said."""
        for n in range(count):
            self.said.append((await self.author.publish(draft(f"number {len(self.said)} {n}"))).digest)
        await eventually(lambda: set(self.said) <= set(self.admitted()), describe=self.logs)

    def logs(self) -> str:
        """All logs."""
        return "\n".join(f"{name}:\n{self.log(name)}" for name in self.hubs)

    def admitted(self) -> list[str]:
        """The digests in the store, in order."""
        return [row[0] for row in self.ask("store.db", "SELECT digest FROM admitted ORDER BY row")]

    def ask(self, file: str, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a file of the hub's; none while there is no such file or table."""
        path = store_of(self.office.folder, HUB).with_name(file)
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as db,
        ):
            return db.execute(sql).fetchall()
        return []

    def holder(self) -> str:
        """The name of the hub that has the lease."""
        pids = {process.pid: name for name, process in self.hubs.items()}
        for (owner,) in self.ask("store.db", "SELECT owner FROM lease"):
            return pids.get(int(str(owner).split(":")[1]), "")
        return ""

    def receipts(self) -> Counter[str]:
        """How often the hub has answered for each bulletin; its own chains have no hole and no fork."""
        rows = self.ask("outbox.db", "SELECT channel, seq, payload FROM outbox ORDER BY channel, seq")
        numbers: dict[str, list[int]] = {}
        answered: Counter[str] = Counter()
        for channel, seq, payload in rows:
            numbers.setdefault(channel, []).append(seq)
            body = decode(payload).body
            if isinstance(body, Receipt):
                answered.update(item.digest for item in body.items)
        assert all(each == list(range(1, len(each) + 1)) for each in numbers.values())
        return answered


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """One hub that reads, and one that stands by."""
    async with pair_in(tmp_path) as both:
        yield both


@asynccontextmanager
async def pair_in(folder: Path) -> AsyncIterator[Pair]:
    """The same in a folder."""
    world = make_world(utc_now())
    async with (
        serving(folder / "server", world) as bus,
        speaking(bus, folder / "author.db", AUTHOR, clock=utc_now) as author,
    ):
        office = office_at(folder / "office", world, bus.server.url, HUB)
        both = Pair(bus=bus, office=office, author=author)
        try:
            both.start("one")
            await eventually(lambda: both.holder() == "one", describe=both.logs)
            both.start("two")
            await both.says("two", "standing by")
            yield both
        finally:
            for process in both.hubs.values():
                process.kill()
                process.wait()


async def test_a_standby_takes_over_when_the_hub_is_killed(pair: Pair) -> None:
    """Within seconds, for its process is known to be gone; what was said is admitted once and answered for once."""
    await pair.say(5)
    assert pair.holder() == "one"
    pair.hubs["one"].kill()
    pair.hubs["one"].wait()
    await pair.says("two", "reading taken over")
    await pair.say(5)
    pair.start("one")
    await pair.says("one", "standing by")
    pair.hubs["two"].terminate()
    assert await asyncio.to_thread(pair.hubs["two"].wait, longest()) == 0
    await pair.says("one", "reading taken over")
    await pair.say(5)
    await eventually(lambda: set(pair.receipts()) >= set(pair.said), describe=pair.logs)
    assert [each for each in pair.admitted() if each in pair.said] == pair.said
    assert set(pair.receipts().values()) == {1}


@pytest.mark.faults
async def test_a_hub_that_was_stopped_stands_by_when_it_goes_on(pair: Pair) -> None:
    """The other reads meanwhile; neither ends, nothing is taken in or answered for twice, nobody is accused."""
    await pair.say(3)
    os.kill(pair.hubs["one"].pid, signal.SIGSTOP)
    try:
        await pair.says("two", "reading taken over")
        await pair.say(3)
    finally:
        os.kill(pair.hubs["one"].pid, signal.SIGCONT)
    await pair.says("one", "lease lost")
    await pair.says("one", "standing by")
    await pair.say(3)
    await eventually(lambda: set(pair.receipts()) >= set(pair.said), describe=pair.logs)
    assert [each for each in pair.admitted() if each in pair.said] == pair.said
    assert set(pair.receipts().values()) == {1}
    assert pair.ask("store.db", "SELECT * FROM alarms WHERE reason = 'silent'") == []
    assert LEASE_S == 10.0  # what the guide says of how long a stopped hub is waited for


@pytest.mark.faults
async def test_a_hub_may_be_watched(pair: Pair) -> None:
    """A watch beside it shows what it admits, and ends nothing."""
    with pair.office.running("watch", "--json"):
        await eventually((pair.office.folder / "watch.log").exists)
        await pair.say(1)

        def shown() -> bool:
            return pair.said[-1] in (pair.office.folder / "watch.log").read_text()

        async def says() -> bool:
            if shown():
                return True
            await pair.say(1)
            return False

        await eventually(says, pause_s=1.0)
        assert pair.holder() == "one"
    assert all(process.poll() is None for process in pair.hubs.values())
