"""The running parts of a run: brokers, a proxy before them, publishers, hubs and a forger, each a process to be hurt."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from bus.demo.federation import free_port
from bus.server import NatsServer
from bus.transport.streams import origin_stream
from schemas.vocab import Status
from tests.faults import cluster, world
from tests.faults.checker import Bounds, Verdict, judge
from tests.faults.history import Accepted, Admitted, Event, Fault, History, Mended, Reads, Revoked, read
from tests.support.waiting import eventually, longest

MORE = 10
END_FACTOR = 2
PROXY = "proxy"
FORGER = "forger"


class Program:
    """A role in a process of its own."""

    def __init__(self, role: str, place: world.Place) -> None:
        self.role, self.place = role, place
        self._file = place.folder / f"{place.identity}.place.json"
        self._file.write_bytes(msgspec.json.encode(place, enc_hook=str))
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.place.folder / f"{self.place.identity}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.faults.program", self.role, str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL, also while it is stopped."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it again over the same files."""
        self.process = self._start()

    def must_run(self) -> None:
        """Nobody but the nemesis ends a program."""
        if (ended := self.process.poll()) is not None:
            said = (self.place.folder / f"{self.place.identity}.log").read_text("utf-8", "replace")
            raise RuntimeError(f"{self.place.identity} has ended by itself ({ended}): {said[-2000:]}")


class Stage:
    """Everything of a run, with what can be done to it."""

    def __init__(
        self, country: world.Country, servers: dict[str, NatsServer], programs: dict[str, Program]
    ) -> None:
        self.country, self.servers, self.programs = country, servers, programs
        self.history = History(country.folder / "history" / "nemesis.jsonl")

    def of_role(self, role: str) -> list[str]:
        """The names of the programs of a role."""
        return sorted(name for name, each in self.programs.items() if each.role == role)

    def leader(self) -> str:
        """The broker that leads the stream which everybody speaks to; any, when none says so."""
        name = origin_stream(min(world.SPEAKERS), Status.ACTUAL)
        for server in self.servers.values():
            found = server.monitor("jsz?accounts=1&streams=1")
            for account in found.get("account_details") or ():
                for stream in account.get("stream_detail") or ():
                    if stream["name"] == name and (lead := stream.get("cluster", {}).get("leader")):
                        return str(lead)
        return min(self.servers)

    @asynccontextmanager
    async def fault(self, kind: str, target: str) -> AsyncIterator[None]:
        """Break and mend, both told."""
        self.history.tell(Fault(kind=kind, target=target))
        try:
            yield
        finally:
            self.history.tell(Mended(kind=kind, target=target))

    async def kill_server(self, kind: str, name: str, seconds: float, *, wipe: bool = False) -> None:
        """Kill -9 a broker, start it again later; or with nothing left in its store."""
        async with self.fault(kind, name):
            self.servers[name].kill()
            if wipe:
                shutil.rmtree(self.servers[name].folder / "jetstream")
            await asyncio.sleep(seconds)
            await self.servers[name].restart()

    async def kill_program(self, kind: str, name: str, seconds: float) -> None:
        """Kill -9 a program, start it again later."""
        async with self.fault(kind, name):
            self.programs[name].kill()
            await asyncio.sleep(seconds)
            self.programs[name].start()

    async def pause(self, kind: str, name: str, seconds: float) -> None:
        """SIGSTOP a broker or a program for a while."""
        async with self.stopped(kind, name):
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def stopped(self, kind: str, name: str) -> AsyncIterator[None]:
        """A broker or a program is stopped meanwhile."""
        pid = self.servers[name].pid if name in self.servers else self.programs[name].process.pid
        async with self.fault(kind, name):
            os.kill(pid, signal.SIGSTOP)
            try:
                yield
            finally:
                os.kill(pid, signal.SIGCONT)

    def revoke(self, identity: str) -> None:
        """End an authority's key, for everybody."""
        self.country.revoke(identity)
        self.history.tell(Revoked(authority=identity))

    async def finish(self) -> None:
        """Nobody speaks any more, nor forges; wait until every outbox is empty and every hub has come to rest.

        Raises:
            RuntimeError: a program ended by itself, or a publisher or the forger did not come to its end.
        """
        for each in self.programs.values():
            each.must_run()
        (self.country.folder / "ENOUGH").touch()
        speakers = [self.programs[name] for role in ("publisher", "forger") for name in self.of_role(role)]
        try:
            codes = await asyncio.gather(
                *(asyncio.to_thread(each.process.wait, END_FACTOR * longest()) for each in speakers)
            )
        except subprocess.TimeoutExpired as exc:
            raise RuntimeError(
                "a publisher still has unsent bulletins, or the forger goes on, long after the last fault"
            ) from exc
        if any(codes):
            raise RuntimeError(f"publishers and forger ended with {codes}")
        await self._rest()

    def verdict(self) -> Verdict:
        """What the history comes to so far."""
        return judge(read((self.country.folder / "history").glob("*.jsonl")), Bounds())

    async def _rest(self) -> None:
        """Until no hub lacks anything, or may no longer; and a little longer, for what comes that should not."""

        def is_at_rest() -> bool:
            for name in self.of_role("hub"):
                self.programs[name].must_run()
            verdict = self.verdict()
            return not verdict.lost and not verdict.unnoticed

        with contextlib.suppress(AssertionError):  # the checker says what is missing
            await eventually(is_at_rest, pause_s=0.5)
        await asyncio.sleep(1.0)  # a real delay: nothing tells that something is not to come

    def count(self, name: str, kind: type[Event]) -> int:
        """How often a program has told of an event."""
        path = self.country.folder / "history" / f"{name}.jsonl"
        return sum(isinstance(event, kind) for event in read([path])) if path.exists() else 0

    async def tells(self, name: str, kind: type[Event], more: int = MORE) -> None:
        """Wait until a program has told of an event so many times more."""
        enough = self.count(name, kind) + more
        await eventually(lambda: self.count(name, kind) >= enough, pause_s=0.1)

    async def begun(self) -> None:
        """Wait until every author has spoken, and the first hub has heard of it."""
        for name in self.of_role("publisher"):
            await self.tells(name, Accepted)
        await self.tells(self.of_role("hub")[0], Admitted)


@asynccontextmanager
async def staged(
    folder: Path, *, nodes: int, speakers: Iterable[str], rate: float, forged: float
) -> AsyncIterator[Stage]:
    """Start everything, and end it whatever happens.

    Args:
        folder: of the run, not there yet.
        nodes: one broker, or a cluster of three.
        speakers: which authorities publish.
        rate: how many bulletins each says in a second.
        forged: how many forgeries come in a second.
    """
    country = world.founded(folder)
    names = [f"n{n}" for n in range(1, nodes + 1)]
    async with AsyncExitStack() as stack:
        servers, _ = await stack.enter_async_context(cluster.nodes(folder, country.world.registry, names))
        doors = {free_port(): int(server.url.rsplit(":", 1)[1]) for server in servers.values()}
        url = ",".join(f"nats://127.0.0.1:{port}" for port in doors)
        stage = Stage(country, servers, {})
        stack.enter_context(stage.history)
        stack.callback(_end, stage.programs)

        def start(role: str, name: str, **fields: object) -> None:
            seeds = {
                each: country.world.nkeys[each][0]
                for each in ([name] if role != FORGER else world.SPEAKERS)
                if each in country.world.nkeys
            }
            place = world.Place(identity=name, url=url, nkeys=seeds, folder=folder)
            stage.programs[name] = Program(role, msgspec.structs.replace(place, **fields))

        start(PROXY, PROXY, url=",".join(f"{here}:{there}" for here, there in doors.items()))
        for name in speakers:
            start("publisher", name, rate=rate)
        for name, audiences in world.HUBS.items():
            owed = tuple(world.channel_of(who, each) for who in world.SPEAKERS for each in audiences)
            stage.history.tell(Reads(hub=name, channels=owed))
            start("hub", name)
        start(FORGER, FORGER, rate=forged)
        yield stage


def _end(programs: dict[str, Program]) -> None:
    for each in programs.values():
        each.kill()
