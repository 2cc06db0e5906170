"""Whole programs in two countries and a union, looked after as a service manager does, and everything that can be asked of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bus.demo.federation import free_port
from tests.faults.checker import PROMISES, Verdict, judge
from tests.faults.history import Accepted, AnyEvent, Fault, History, Kept, Mended, Reads, read
from tests.faults.looking import OutboxLook, StoreLook, opened
from tests.programs import judging
from tests.programs.founding import COUNTRIES, PLACES, UNION, Ground, channels_of, founded, place_of
from tests.programs.judging import Outcome, Spared
from tests.programs.line import Line
from tests.programs.process import ROOT, Ended, Program
from tests.support.disks import NoDiskError, small_disk
from tests.support.waiting import eventually, longest, patience, stretched
from tests.support.world import draft

HUBS = ("xa-hub", "xb-hub")
AUTHORS = ("xa-csirt", "xa-dpa", "xb-dsc")
"""Who publishes by command; xa-csirt has a heartbeat program beside."""
READER = "xb-csirt"
"""Whose documents an adapter reads."""
EVERYBODY = (*AUTHORS, READER)
NETWORKS = {"xa-csirt": "eu-csirts", "xa-dpa": "eu-dpas", "xb-dsc": "eu-dsc"}
ON_SMALL_DISKS = ("xa-csirt", "xb-hub")
DISK_BYTES = 48 * 1024**2
"""Of a small disk: twice what a store, an outbox and their two logs take, of which a log alone takes 8 MB before it is put back."""
IDENTITIES = {"heartbeat": "xa-csirt", "adapter": READER}
"""Whose a program is that has not the name of its identity."""
VIEWS = (("doctor",), ("hub", "status"), ("picture",), ("channels",))
"""What says whether all is well, by its exit code; of an author the first alone."""
LOOK_S = 0.1
LOOKS, PAUSE_S = 150, 0.2
"""So often, and with such pauses, is looked whether programs have come to terms with what was done to them."""
AGAIN_S = 0.5
"""After so long a program that has ended is started again."""
TRIES = 8
"""So often in a row; then what stands in its way is removed, and that is held against it."""
END_S = 5.0
ENDED_BY_US = -signal.SIGKILL
DOCUMENT = """{"Event": {"uuid": "0190a0b1-2c3d-4e5f-8a9b-%012x", "info": "Flood, case %d", "date": "2026-11-20",
 "timestamp": "1795000000", "threat_level_id": "1", "analysis": "1", "Orgc": {"name": "CSIRT"},
 "Tag": [{"name": "tlp:green"}, {"name": "rsit:availability=\\"ddos\\""}],
 "Attribute": [{"type": "domain", "category": "Network activity", "value": "c%d.stresser.example", "to_ids": true,
  "timestamp": "1795000000"}]}}"""


async def comes(condition: Callable[[], object], looks: int = LOOKS) -> bool:
    """Whether something comes true within so many looks, more where the machine is slow; who asks says what is amiss."""
    for _ in range(int(looks * min(patience(), 3.0))):
        if condition():
            return True
        await asyncio.sleep(PAUSE_S)
    return False


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


class Stage:
    """The programs of a run, and what may be done to them and asked of them."""

    def __init__(self, ground: Ground, lines: dict[str, Line], rng: random.Random) -> None:
        self.ground, self.lines, self.rng = ground, lines, rng
        self.folder = ground.folder
        self.logs = self.folder / "logs"
        self.programs: dict[str, Program] = {}
        self.ended: list[Ended] = []
        self.green: list[str] = []
        self.unsaid: list[str] = []
        self.clinging: list[str] = []
        self.views: list[str] = []
        self.spared: list[Spared] = []
        self.excused: dict[str, int] = {}
        """How many faults are in force that may end a program, by the name of the program."""
        self.offered = 0
        self.disks: dict[str, Path] = {}
        self.talking: set[asyncio.subprocess.Process] = set()
        """The `publish` commands that run."""
        self._ids: dict[str, str] = {}
        """The ids of what `publish` has printed, by digest."""
        self._quiet = asyncio.Lock()
        self._speaking = 0
        self._said = 0
        self._commands: set[asyncio.subprocess.Process] = set()
        told = self.folder / "history"
        told.mkdir()
        self.logs.mkdir()
        self.history = History(told / "stage.jsonl")
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
            "TOCSIN_HOME": str(self.folder / "home"),
            "XDG_STATE_HOME": str(self.folder / "states"),
            "NO_COLOR": "1",
            "TOCSIN_CONSOLE": "off",
            "PYTHONPATH": str(ROOT),
        }
        self.outboxes = {
            who: OutboxLook(ground.outbox(who), who, self.history, only="actual.") for who in EVERYBODY
        }
        self.stores = {
            hub: StoreLook(ground.store(hub), hub, self.history, only="/actual.", late=True) for hub in HUBS
        }
        for hub in HUBS:
            self.history.tell(Reads(hub=hub, channels=channels_of(hub)))

    # -- programs -------------------------------------------------------------------------------------------

    def cast(self) -> None:
        """Name the programs; none is started."""
        federated = ("--federation", str(self.ground.federation))
        for place in PLACES:
            context = UNION if place == UNION else f"{place}-csirt"
            port = str(self.ground.ports[place])
            self._add(
                f"server-{place}",
                "server",
                "run",
                str(self.ground.broker(place)),
                *("--port", port, *federated, "--as", place, "--context", context),
            )
        for hub in HUBS:
            self._add(hub, "hub", "run", "--context", hub)
        self._add("heartbeat", "heartbeat", "run", "--context", "xa-csirt")
        keys = self.folder / "keys"
        self._add(
            "keeper",
            *("registry", "keep", "--context", UNION),
            *("--key", str(keys / "beacon.pem"), "--passphrase-file", str(keys / "pass")),
            *("--provisioner", str(self.ground.broker(UNION) / "provisioner.nk")),
        )
        spool = self.folder / "spool"
        for name in ("in", "new"):
            (spool / name).mkdir(parents=True)
        self._add("adapter", "adapter", "run", "cyber", "--spool", str(spool), "--context", READER)

    def _add(self, name: str, *words: str) -> None:
        self.programs[name] = Program(name, words, self.logs, self.env)

    async def start(self) -> None:
        """Start everything, and wait until each hub has heard each author."""
        for program in self.programs.values():
            program.start()
        for place in PLACES:
            await self.says(f"server-{place}", "serving ")
        self.offer(1)
        for who in AUTHORS:
            await self.say(who, 1)
        await eventually(self.at_rest, pause_s=0.3, describe=self.describe)

    async def says(self, name: str, text: str) -> None:
        """Wait until a program has said something."""
        program = self.programs[name]
        await eventually(lambda: text in program.said(100_000), pause_s=0.1, describe=program.said)

    async def look_after(self) -> None:
        """Start again what has ended, and note what ended without a reason; goes on until it is cancelled."""
        tries = dict.fromkeys(self.programs, 0)
        since = dict.fromkeys(self.programs, 0.0)
        while True:
            for name, program in self.programs.items():
                if program.runs and time.monotonic() - since[name] > 5 * AGAIN_S:
                    tries[name] = 0
                if (found := program.found()) is None:
                    continue
                if not self.excused.get(name) or found.code == 0:
                    self.ended.append(found)
                tries[name] += 1
                if tries[name] == TRIES and name.startswith("server-"):
                    self._end_orphan(name.removeprefix("server-"))
                await asyncio.sleep(AGAIN_S)
                if program.wanted:
                    program.start()
                    since[name] = time.monotonic()
            await asyncio.sleep(LOOK_S)

    def _end_orphan(self, place: str) -> None:
        if (pid := self.ground.nats_pid(place)) is not None:
            self.unsaid.append(f"the nats-server of {place} was neither adopted nor ended")
            os.kill(pid, signal.SIGKILL)

    @contextmanager
    def fault(self, kind: str, target: str, *ends: str) -> Iterator[None]:
        """Break and mend, both told; meanwhile, and until they run again, programs in `ends` may end with an error."""
        self.history.tell(Fault(kind=kind, target=target))
        for name in ends:
            self.excused[name] = self.excused.get(name, 0) + 1
        try:
            yield
        finally:
            self.history.tell(Mended(kind=kind, target=target))
            for name in ends:
                self.excused[name] -= 1

    async def restart(self, name: str, seconds: float = 0.0) -> None:
        """Kill -9 a program; start it again after a while."""
        program = self.programs[name]
        program.kill()
        await asyncio.sleep(seconds)
        program.start()

    # -- commands -------------------------------------------------------------------------------------------

    async def command(self, *words: str, clock_s: float = 0.0, stdin: bytes | None = None) -> Done:
        """One command that ends by itself."""
        done, _ = await self._run(words, clock_s=clock_s, stdin=stdin, among=self._commands)
        return done

    async def _run(
        self,
        words: Sequence[str],
        *,
        among: set[asyncio.subprocess.Process],
        clock_s: float = 0.0,
        stdin: bytes | None = None,
    ) -> tuple[Done, asyncio.subprocess.Process]:
        program = Program("command", words, self.logs, self.env)
        program.clock_s = clock_s
        process = await asyncio.create_subprocess_exec(
            *program.command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env=self.env,
            start_new_session=True,
        )
        among.add(process)
        self._commands.add(process)
        try:
            async with asyncio.timeout(2 * longest()):
                out, err = await process.communicate(stdin or b"")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            among.discard(process)
            self._commands.discard(process)
        assert process.returncode is not None
        done = Done(process.returncode, out.decode(), err.decode())
        with (self.logs / "commands.log").open("a") as log:
            shown = " ".join(word for word in words if not word.endswith(".json"))
            log.write(f"{time.time():.2f} tocsin {shown}: exit code {done.code}\n{done.err}")
        return done, process

    def drafts(self, count: int) -> list[str]:
        """So many files of drafts, each with a text of its own."""
        found = []
        folder = self.folder / "drafts"
        folder.mkdir(exist_ok=True)
        for _ in range(count):
            self._said += 1
            path = folder / f"{self._said}.json"
            path.write_bytes(msgspec.json.encode(draft(f"number {self._said}")))
            found.append(str(path))
        return found

    async def say(self, who: str, count: int, *options: str, clock_s: float = 0.0) -> Done:
        """`publish`: what it prints is what was acknowledged."""
        if count > 1 and not options and who in NETWORKS and self.rng.random() < 0.3:
            options = ("--audience", NETWORKS[who], "--tlp", "amber+strict")
        words = ("publish", *self.drafts(count), "--json", "--again", "--context", who, *options)
        done, _ = await self._run(words, clock_s=clock_s, among=self.talking)
        for line in done.out.splitlines():
            told = msgspec.json.decode(line)
            self._ids[told["digest"]] = told["id"]
            self.history.tell(Accepted(channel=told["channel"], seq=told["seq"], digest=told["digest"]))
        return done

    @asynccontextmanager
    async def silence(self) -> AsyncIterator[None]:
        """Nobody but the fault itself speaks by command meanwhile; what was begun is first brought to its end."""
        async with self._quiet:
            await eventually(lambda: not self._speaking)
            yield

    async def kill_talking(self, rng: random.Random) -> None:
        """Kill -9 one of the `publish` commands that run."""
        running = sorted(self.talking, key=lambda each: each.pid)
        if running:
            with contextlib.suppress(ProcessLookupError):
                rng.choice(running).kill()

    def offer(self, count: int) -> None:
        """Lay documents into the adapter's folder, each whole at once."""
        for _ in range(count):
            self.offered += 1
            new = self.folder / "spool" / "new" / f"{self.offered}.misp.json"
            new.write_text(DOCUMENT % (self.offered, self.offered, self.offered))
            new.rename(self.folder / "spool" / "in" / new.name)

    async def speak(self, who: str, rate: float) -> None:
        """Publish now and then, until it is cancelled."""
        while True:
            while self._quiet.locked():
                await asyncio.sleep(LOOK_S)
            self._speaking += 1
            try:
                await self.say(who, self.rng.choice((1, 1, 2, 3)))
            finally:
                self._speaking -= 1
            await asyncio.sleep(self.rng.expovariate(rate))

    async def feed(self, rate: float) -> None:
        """Offer documents now and then, until it is cancelled."""
        while True:
            self.offer(1)
            await asyncio.sleep(self.rng.expovariate(rate))

    # -- judgement ------------------------------------------------------------------------------------------

    def look(self) -> list[AnyEvent]:
        """The history up to now."""
        looks = [each.look for each in self.outboxes.values()] + [each.look for each in self.stores.values()]
        for look in looks:
            with contextlib.suppress(sqlite3.Error):  # damaged, deleted, or just being made
                look()
        return list(read((self.folder / "history").glob("*.jsonl")))

    def verdict(self, events: list[AnyEvent]) -> Verdict:
        """What a history comes to; what was lost and said is not owed."""
        return judging.sparing(judge(events, PROMISES), self.spared)

    def at_rest(self) -> bool:
        """Whether no hub lacks anything, and nothing has still to go out."""
        verdict = self.verdict(self.look())
        return (
            not verdict.lost
            and not any(self.waiting().values())
            and not list((self.folder / "spool" / "in").glob("*.json"))
        )

    def waiting(self) -> dict[str, int]:
        """What has still to go out, by authority."""
        found = dict.fromkeys(EVERYBODY, 1)
        for who in EVERYBODY:
            with contextlib.suppress(sqlite3.Error), opened(self.ground.outbox(who)) as db:
                (found[who],) = db.execute("SELECT count(*) FROM outbox WHERE state = 'kept'").fetchone()
        return found

    def is_up(self, name: str) -> bool:
        """Whether a program has told of itself since it was last started."""
        folder = self.ground.state(IDENTITIES.get(name, name)) / "health"
        program = self.programs[name]
        return program.runs and any(
            f":{program.pid}:" in path.read_text("utf-8", "replace") for path in folder.glob("*.json")
        )

    def lacks(self, hub: str) -> list[str]:
        """What a hub may read, was said, and is not held by it yet."""
        return [each for each in self.verdict(self.look()).lost if each.startswith(f"{hub}:")]

    def look_at_outbox(self, who: str) -> None:
        """Tell what an outbox holds now, as far as it can be read."""
        with contextlib.suppress(sqlite3.Error):
            self.outboxes[who].look()

    def gone_from(self, who: str) -> set[str]:
        """What an authority has said, and neither its outbox nor any hub holds."""
        events = self.look()
        said = {
            each.digest
            for each in events
            if isinstance(each, Accepted | Kept) and each.channel.startswith(f"{who}/")
        }
        held = {digest for hub in HUBS for _, _, digest in judging.held_by(events, hub)}
        with contextlib.suppress(sqlite3.Error), opened(self.ground.outbox(who)) as db:
            held |= {digest for (digest,) in db.execute("SELECT digest FROM outbox")}
        return said - held

    def spare_restamped(self, who: str, told: str) -> None:
        """What `outbox recover` stamped anew, under the same id, or set aside, and told so, is not owed as it was."""
        gone = self.gone_from(who)
        with opened(self.ground.outbox(who)) as db:
            there = {found for (found,) in db.execute("SELECT id FROM outbox WHERE state != 'superseded'")}
            aside = {found for (found,) in db.execute("SELECT digest FROM outbox WHERE state = 'superseded'")}
        anew = {digest for digest in gone if self._ids.get(digest) in there}
        if anew or aside:
            self.spared.append(Spared(digests=frozenset(anew | aside), reason=told))

    async def must_not_be_green(self, name: str, how: str) -> None:
        """While a program is dead or stopped, nothing that judges its identity may say that all is well."""
        who = IDENTITIES.get(name, name)
        views = VIEWS if name in HUBS else VIEWS[:1]
        done = await asyncio.gather(*(self.command(*words, "--context", who) for words in views))
        self.green += [
            f"{' '.join(words)} of {who} while {name} is {how}"
            for words, each in zip(views, done, strict=True)
            if each.code == 0
        ]

    async def must_see(self, who: str, name: str, what: str) -> None:
        """`doctor` of an identity must not find one of its conditions well while something is known to be wrong."""
        done = await self.command("doctor", "--json", "--again", "--context", who)
        found = [
            each["level"] for each in msgspec.json.decode(done.out)["conditions"] if each["name"] == name
        ]
        if found in ([], ["ok"]):
            self.green.append(f"doctor of {who} finds its {name} well, though {what}")

    def describe(self) -> str:
        """What is not at rest, for a failure."""
        verdict = self.verdict(self.look())
        said = {name: each.said(300) for name, each in self.programs.items()}
        return f"lost {verdict.lost[:3]} of {len(verdict.lost)}; waiting {self.waiting()}; {said}"

    async def finish(self) -> Outcome:
        """Let everything go out and come to rest, compare the views, end every program, and say what it came to."""
        await asyncio.gather(*(self._drain(who) for who in AUTHORS))
        await comes(self.at_rest)  # the outcome says what is missing
        await asyncio.sleep(1.0)  # a real delay: nothing tells that something is not to come
        await asyncio.gather(*(self._compare_views(hub) for hub in HUBS))
        events = self.look()
        await comes(lambda: not any(self.waiting().values()))  # heartbeats are on their way now and then
        waiting = self.waiting()
        await self.end_all()
        made = sum(
            len(found)
            for found in [
                {seq for channel, seq, _ in judging.held_by(events, HUBS[0]) if channel.startswith(READER)}
            ]
        )
        return Outcome(
            verdict=self.verdict(events),
            ended=tuple(self.ended),
            traces=tuple(
                path.name
                for path in sorted(self.logs.glob("*.log"))
                if judging.TRACEBACK in path.read_text("utf-8", "replace")
            ),
            views=tuple(self.views),
            green=tuple(self.green),
            unsaid=tuple(self.unsaid),
            clinging=tuple(self.clinging),
            waiting=waiting,
            offered=self.offered,
            made=made,
        )

    async def _drain(self, who: str) -> None:
        """One bulletin more, until the bus has it and so all before it."""
        done = await self.say(who, 1, "--wait", "stored=20")
        for _ in range(TRIES):
            if done.code == 0:
                return
            done = await self.say(who, 1, "--wait", "stored=20")
        self.unsaid.append(f"{who} cannot publish: exit code {done.code}: {judging.last_line(done.err)}")

    async def _compare_views(self, hub: str) -> None:
        """What `watch` and `bulletin list` show against what the store holds."""
        held = [digest for _, _, digest in judging.held_by(self.look(), hub)]
        shown = await self.command("watch", "--since", "all", "--no-follow", "--json", "--context", hub)
        found = [msgspec.json.decode(line)["digest"] for line in shown.out.splitlines()]
        self.views += judging.differences(f"watch at {hub}", found, held, ordered=True)
        listed = await self.command("bulletin", "list", "--limit", "100000", "--json", "--context", hub)
        rows = [row for line in listed.out.splitlines() for row in _rows(msgspec.json.decode(line))]
        self.views += judging.differences(f"bulletin list at {hub}", rows, held, ordered=False)

    async def end_all(self) -> None:
        """SIGTERM to everything, the brokers last; each must end in time, with exit code 0."""
        brokers = [each for name, each in self.programs.items() if name.startswith("server-")]
        others = [each for each in self.programs.values() if each not in brokers]
        for group in (others, brokers):
            codes = await asyncio.gather(*(self.told_to_end(each) for each in group))
            self.clinging += [
                f"{each.name}: {'killed, 5 s after SIGTERM' if code is None else f'exit code {code}'}"
                for each, code in zip(group, codes, strict=True)
                if code != 0
            ]

    async def told_to_end(self, program: Program) -> int | None:
        """SIGTERM; its exit code, or None when it had to be killed. The bound is the promise, stretched as the machine is slow."""
        return await asyncio.to_thread(program.end, stretched(END_S))

    def kill_all(self) -> None:
        """End what is left, by its id."""
        for program in self.programs.values():
            program.kill()
            program.close()
        for process in list(self._commands):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for place in PLACES:
            if (pid := self.ground.nats_pid(place)) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _rows(answer: Any) -> list[str]:
    """The digests in an answer of `bulletin list`, one object a line or a list of them."""
    return [row["digest"] for row in (answer if isinstance(answer, list) else [answer])]


@asynccontextmanager
async def staged(folder: Path, seed: int, *, disks: bool = False, lines: bool = True) -> AsyncIterator[Stage]:
    """Found two countries and a union, start every program, and end them all whatever happens.

    Args:
        folder: of the run, not there yet.
        seed: of everything that is drawn.
        disks: whether some have small disks of their own, where this machine mounts them.
        lines: whether everybody reaches the brokers over lines that can be hurt.
    """
    rng = random.Random(seed)
    ports = {place: free_port() for place in PLACES}
    ways: dict[str, Line] = {}
    async with AsyncExitStack() as stack:
        for name in (*HUBS, *EVERYBODY, UNION) if lines else ():
            ways[name] = Line(ports[place_of(name)], random.Random(rng.random()))
            await ways[name].open()
            stack.push_async_callback(ways[name].close)

        def url_of(who: str) -> str:
            port = ways[who].port if who in ways else ports[place_of(who)]
            return f"nats://127.0.0.1:{port}"

        folder.mkdir(parents=True)  # noqa: ASYNC240 (nothing else runs yet)
        mounted = {}
        if disks:
            with contextlib.suppress(NoDiskError):
                for who in ON_SMALL_DISKS:
                    mounted[who] = stack.enter_context(small_disk(folder / "state" / who, DISK_BYTES))
                    mounted[who].chmod(0o700)
        stage = Stage(founded(folder, ports, url_of), ways, rng)
        stage.disks = mounted
        stack.callback(_save, mounted, folder / "saved")
        stack.enter_context(stage.history)
        stack.callback(stage.kill_all)
        stage.cast()
        tending = asyncio.create_task(stage.look_after())
        stack.push_async_callback(_cancel, [tending])
        await stage.start()
        yield stage


def _save(mounted: Mapping[str, Path], folder: Path) -> None:
    """What lies on small disks is kept for whoever looks into it, before they are gone."""
    for who, disk in mounted.items():
        shutil.copytree(disk, folder / who, ignore=shutil.ignore_patterns("ballast"))


@asynccontextmanager
async def traffic(stage: Stage, rate: float, authors: Iterable[str] = AUTHORS) -> AsyncIterator[None]:
    """Everybody speaks meanwhile."""
    tasks = [asyncio.create_task(stage.speak(who, rate)) for who in authors]
    tasks.append(asyncio.create_task(stage.feed(rate)))
    try:
        yield
    finally:
        await _cancel(tasks)


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


__all__ = ["AUTHORS", "COUNTRIES", "HUBS", "Done", "Stage", "staged", "traffic"]
