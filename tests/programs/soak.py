"""`make soak`: an hour of traffic over whole programs, with bounds on memory, descriptors and files.

Five publishers, two hubs, three brokers, two carriers (inside `server run`), two watches of which one is read slowly.
Exit code 1 when a bound or a promise is broken; the folder with every log is kept, the state only then.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bus.publishing.outbox import CACHE_KB
from schemas.codec import digest
from tests.faults.checker import PROMISES, judge
from tests.faults.history import Accepted, Admitted, AnyEvent, Reads
from tests.faults.looking import opened
from tests.programs import samples
from tests.programs.founding import PLACES, channels_of
from tests.programs.judging import TRACEBACK
from tests.programs.process import Program
from tests.programs.samples import Bounds, Sample
from tests.programs.stage import HUBS, Stage, staged
from tests.support.countries import MEMBERS
from tests.support.warden import keep_watch

SPEAKERS = ("xa-csirt", "xa-dpa", "xa-emb", "xb-csirt", "xb-dsc")
EVERY_S = 10.0
SLOW_BYTES_PER_S = 2048
LOOK_S = 3.0
LOOKS = 400
"""After the end of all speaking it is looked so often whether each hub holds everything."""
SETTLED_S = 3000.0
"""In a shorter run the cache of an outbox, 16 MB, fills after the second quarter has begun."""
OURS = Bounds(most_mb=150.0, grows_mb_per_hour=12.0)
"""A program of tocsin: its memory does not depend on how much has gone through it. The reader once leaked 800 MB an hour."""
BROKER = Bounds(most_mb=1200.0, grows_mb_per_hour=1200.0, settles_mb=200.0, more_files=10_000)
"""nats-server keeps the ids of 24 hours in memory, about 1 kB each, and writes its blocks into files."""
SERVER = Bounds(most_mb=150.0, grows_mb_per_hour=12.0, more_files=10_000)
"""`server run`: its folder is that of its nats-server."""


def bounds_of(names: list[str], ends: float) -> dict[str, Bounds]:
    """The bounds of each program in a run of so many seconds."""
    ours = (
        OURS
        if ends >= SETTLED_S
        else msgspec.structs.replace(OURS, settles_mb=OURS.settles_mb + CACHE_KB / 1024)
    )

    def bound(name: str) -> Bounds:
        if name.startswith("nats-"):
            return BROKER
        return SERVER if name.startswith("server-") else ours

    return {name: bound(name) for name in names}


class Soak:
    """Traffic over a stage, watched."""

    def __init__(self, stage: Stage, rate: float) -> None:
        self.stage, self.rate = stage, rate
        self.began = time.monotonic()
        self.samples: list[Sample] = []
        self.speakers: dict[str, Program] = {}
        self.watches: dict[str, Program] = {}
        self._slow = -1

    def start(self) -> None:
        """Start the publishers and the watches."""
        each = self.rate / len(SPEAKERS)
        for who in SPEAKERS:
            speaker = Program(f"publisher-{who}", (who, f"{each:g}"), self.stage.logs, self.stage.env)
            speaker.module = "tests.programs.publisher"
            self.speakers[who] = speaker
        for name, hub in (("watch", "xa-hub"), ("slow-watch", "xb-hub")):
            self.watches[name] = Program(
                name, ("watch", "--since", "now", "--json", "--context", hub), self.stage.logs, self.stage.env
            )
        self._slow, there = os.pipe()
        os.set_blocking(self._slow, False)
        self.watches["slow-watch"].output = there
        null = os.open(os.devnull, os.O_WRONLY)
        self.watches["watch"].output = null
        for program in (*self.speakers.values(), *self.watches.values()):
            program.start()
        os.close(there)
        os.close(null)

    def take(self) -> None:
        """A sample of everything."""
        at = time.monotonic() - self.began
        places: dict[str, tuple[int | None, Path | None]] = {
            name: (program.process.pid if program.process else None, self._folder_of(name))
            for name, program in (*self.stage.programs.items(), *self._others())
        }
        for place in PLACES:
            places[f"nats-{place}"] = (self.stage.ground.nats_pid(place), self.stage.ground.broker(place))
        for name, (pid, folder) in places.items():
            if pid is not None and (sample := samples.taken(at, name, pid, folder)) is not None:
                self.samples.append(sample)

    def _others(self) -> Iterator[tuple[str, Program]]:
        yield from ((program.name, program) for program in self.speakers.values())
        yield from self.watches.items()

    def _folder_of(self, name: str) -> Path | None:
        ground = self.stage.ground
        if name in HUBS:
            return ground.state(name)
        if name.startswith("publisher-"):
            return ground.state(name.removeprefix("publisher-"))
        if name.startswith("server-"):
            return ground.broker(name.removeprefix("server-"))
        return None

    async def run(self, seconds: float) -> None:
        """Let it go on for so long, and read the slow watch slowly."""
        took = -EVERY_S
        while (at := time.monotonic() - self.began) < seconds:
            with contextlib.suppress(BlockingIOError):
                os.read(self._slow, SLOW_BYTES_PER_S)
            if at - took >= EVERY_S:
                took = at
                await asyncio.to_thread(self.take)
                if int(at / EVERY_S) % 30 == 0:
                    say(f"{at:6.0f} s  {await asyncio.to_thread(self.counts)}")
            await asyncio.sleep(1.0)

    def said(self) -> int:
        """How many bulletins stand in the outboxes."""
        total = 0
        for path in filter(Path.exists, map(self.stage.ground.outbox, SPEAKERS)):
            with opened(path) as db:
                total += _one(db.execute("SELECT count(*) FROM outbox WHERE channel LIKE 'actual.%'"))
        return total

    def held(self, hub: str) -> int:
        """How many actual bulletins a hub holds."""
        with opened(self.stage.ground.store(hub)) as db:
            return _one(db.execute("SELECT count(*) FROM admitted WHERE channel LIKE '%/actual.%'"))

    def counts(self) -> str:
        """How far everything is, in one line."""
        return f"said {self.said()}; " + ", ".join(f"{hub} {self.held(hub)}" for hub in HUBS)

    async def finish(self, ends: float) -> list[str]:
        """End the speaking, let it come to rest, and say what did not hold."""
        found = [
            f"{program.name} ended by itself, exit code {program.process.returncode}: {program.said(300)}"
            for _, program in self._others()
            if program.process is not None and not program.runs
        ]
        codes = await asyncio.gather(
            *(asyncio.to_thread(program.end, 120.0) for program in self.speakers.values())
        )
        told = [program.said(200).split()[-1:] for program in self.speakers.values()]
        accepted = sum(int(each[0]) for each in told if each and each[0].isdigit())
        said = self.said()
        say(f"publishers ended with {codes}; accepted {accepted}, in their outboxes {said}")
        began = time.monotonic()
        for _ in range(LOOKS):
            if all([await asyncio.to_thread(self.held, hub) >= said for hub in HUBS]):
                break
            await asyncio.sleep(LOOK_S)
        say(
            f"at rest after {time.monotonic() - began:.0f} s: "
            + ", ".join(f"{h} {self.held(h)}" for h in HUBS)
        )
        for program in self.watches.values():
            code = await self.stage.told_to_end(program)
            if code not in (0, 130):
                found.append(
                    f"{program.name}: {'killed after SIGTERM' if code is None else f'exit code {code}'}"
                )
        verdict = await asyncio.to_thread(judge, self.events(), PROMISES)
        found += verdict.broken(PROMISES)
        await self.stage.end_all()
        found += [f"did not end well: {each}" for each in self.stage.clinging]
        found += [f"{each.name} ended by itself, exit code {each.code}" for each in self.stage.ended]
        found += [
            f"a traceback in {path.name}"
            for path in self.stage.logs.glob("*.log")
            if TRACEBACK in path.read_text("utf-8", "replace")
        ]
        names = [*self.stage.programs, *(name for name, _ in self._others()), *(f"nats-{p}" for p in PLACES)]
        return found + samples.broken(self.samples, ends, bounds_of(names, ends))

    def events(self) -> Iterator[AnyEvent]:
        """What the checker judges: what stands in the outboxes, and what in the stores."""
        for hub in HUBS:
            yield Reads(at=0.0, hub=hub, channels=channels_of(hub))
        for who in (member.id for member in MEMBERS):
            path = self.stage.ground.outbox(who)
            if not path.exists():
                continue
            with opened(path) as db:
                for channel, seq, found in db.execute(
                    "SELECT channel, seq, digest FROM outbox WHERE channel LIKE 'actual.%'"
                ):
                    yield Accepted(at=0.0, channel=f"{who}/{channel}", seq=seq, digest=found)
        for hub in HUBS:
            with opened(self.stage.ground.store(hub)) as db:
                for row, channel, seq, found, payload in db.execute(
                    "SELECT row, channel, seq, digest, payload FROM admitted WHERE channel LIKE '%/actual.%'"
                ):
                    shown = found if digest(payload) == found else "damaged"
                    yield Admitted(at=0.0, hub=hub, row=row, channel=channel, seq=seq, digest=shown)


def _one(cursor: object) -> int:
    (count,) = cursor.fetchone()  # type: ignore[attr-defined]
    return int(count)


async def run(folder: Path, minutes: float, rate: float) -> list[str]:
    """Speak for so long, then judge."""
    async with staged(folder, 1, lines=False) as stage:
        soak = Soak(stage, rate)
        try:
            soak.start()
            soak.began = time.monotonic()
            await soak.run(minutes * 60.0)
            ends = time.monotonic() - soak.began
            found = await soak.finish(ends)
        finally:
            for program in (*soak.speakers.values(), *soak.watches.values()):
                program.kill()
        say(samples.table(soak.samples, ends))
        (folder / "samples.json").write_bytes(msgspec.json.encode(soak.samples))
        return found


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run, print the table, and say whether every bound held."""
    parser = argparse.ArgumentParser(prog="make soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=145.0, help="bulletins a second of all five publishers")
    chosen = parser.parse_args(arguments)
    keep_watch()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-soak-")) / "run"
    say(f"again: make soak ARGS='--minutes {chosen.minutes:g} --rate {chosen.rate:g}'\nfolder: {folder}")
    broken = asyncio.run(run(folder, chosen.minutes, chosen.rate))
    for each in broken:
        say(f"BROKEN  {each}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
