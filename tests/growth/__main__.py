"""`python -m tests.growth [--rows 1000 100000 1000000]`: what things cost with a past of so many bulletins, as multiples of the first.

CPU of this process, user and system, all threads. Rows are written as `tests.growth.rows` and `tests.growth.said` say: a few
bulletins through the intake and the publisher, then copies with bytes, digests and places of their own. Nothing is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import structlog

from bus.hub import retention
from bus.hub.picture import open_store, tallies
from bus.hub.watch import holdings
from bus.publishing import Outbox
from bus.subscribing import Inbox
from tests.growth.looks import Look, looks
from tests.growth.rows import fill
from tests.growth.said import AUTHOR, publish_past
from tests.support.clocks import utc_now
from tests.support.hubs import STREAM, hub_desk, judged, store_of
from tests.support.office import TOCSIN
from tests.support.publishers import publishing
from tests.support.world import World, chain, draft, make_world

MORE = 1.5
ALLOWED_MS = 0.05
"""Less than so much is no difference: the CPU clock and the caches of this machine make as much."""
MOST_MB = 150.0
ROUNDS = 15
BATCHES, EACH = 12, 50
DRAFT = """tlp = "green"
audience = "community"
[[info]]
lang = "en"
headline = "Flood against results.example"
summary = "Sources in 192.0.2.0/24."
[body]
kind = "cyber-threat"
title = "Flood against results.example"
"""


def main(arguments: list[str]) -> int:
    """Print a line for each thing that is measured; 1 when any costs more than 1.5 times as much with a longer past."""
    parser = argparse.ArgumentParser(prog="python -m tests.growth", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    world = make_world(utc_now())
    if given.memory:
        asyncio.run(_start(given.memory, world))
        write(f"{_peak():.1f}")
        return 0
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="tocsin-growth-") as folder:
        for rows in given.rows:
            found[rows] = _measured(Path(folder) / f"{rows}", world, rows)
            made = found[rows]["(making the past, s)"]
            sys.stderr.write(f"{rows} rows: made in {made:.0f} s, and measured\n")
            shutil.rmtree(Path(folder) / f"{rows}")
    return _report(found)


def _report(found: dict[int, dict[str, float]]) -> int:
    first = found[min(found)]
    broken = []
    write("what | " + " | ".join(f"{rows} rows" for rows in found) + " | times")
    for name, least in first.items():
        costs = [each[name] for each in found.values()]
        ratio = max(costs) / least if least else 1.0
        write(f"{name} | " + " | ".join(f"{cost:.2f}" for cost in costs) + f" | {ratio:.2f}")
        if name.endswith("MB"):
            is_more = name.startswith("memory") and max(costs) > MOST_MB
        else:
            is_more = ratio > MORE and max(costs) - least > ALLOWED_MS and not name.startswith("(")
        if is_more:
            broken.append(name)
    for name in broken:
        write(f"grows with the past: {name}")
    return 1 if broken else 0


def _measured(folder: Path, world: World, rows: int) -> dict[str, float]:
    """Milliseconds of CPU, or megabytes, by what was measured. In parentheses: what making the past took."""
    folder.mkdir()
    store, outbox = folder / "store.db", folder / "outbox.db"
    found: dict[str, float] = {}
    began, wall = time.process_time(), time.monotonic()
    asyncio.run(fill(store, world, rows))
    asyncio.run(publish_past(outbox, world, rows))
    found["(making the past, s of CPU)"] = time.process_time() - began
    found["(making the past, s)"] = time.monotonic() - wall
    found["store, MB"], found["outbox, MB"] = store.stat().st_size / 1e6, outbox.stat().st_size / 1e6
    found |= asyncio.run(_of_store(store, world))
    found |= asyncio.run(_of_outbox(outbox, world))
    found["cold publish --wait accepted, ms"] = _cold(folder, world, outbox)
    words = [sys.executable, "-m", "tests.growth", "--memory", str(store)]
    found["memory of a hub that looks at it, MB"] = float(subprocess.check_output(words, text=True))
    return found


async def _of_store(path: Path, world: World) -> dict[str, float]:
    async def opened() -> None:
        async with open_store(path):
            pass

    found = {
        "open a store, ms": await _cost(opened),
        "start of a hub, ms": await _cost(lambda: _start(path, world)),
    }
    async with open_store(path, hold_s=0.0) as store:
        for name, look in looks(world).items():
            found[f"{name}, ms"] = await _cost(lambda look=look: _looked(store, look))  # type: ignore[misc]  # bound now
        messages = [
            judged(each, world.registry, world.now) for each in chain(world, BATCHES * EACH, "xa-emb")
        ]
        costs = []
        for start in range(0, len(messages), EACH):
            began = time.process_time()
            await store.settle(messages[start : start + EACH], STREAM, None, world.now)
            costs.append((time.process_time() - began) * 1000 / EACH)
        found["admit one, in batches of 50, ms"] = min(costs)
    return found


async def _start(path: Path, world: World) -> None:
    """What a hub does to its store when it begins: it lets go, rolls, and looks for the first time."""
    async with open_store(path) as store:
        moment = world.now.timestamp()
        await store.write(lambda db: holdings.let_lapse(db, moment))
        await store.write(lambda db: tallies.roll(db, moment))
        await store.write(lambda db: retention.erase_and_prune(db, world.now))
        for name, look in looks(world).items():
            if not name.startswith("pages"):  # these are asked by people
                await store.read(look)


async def _looked(store: Inbox, look: Look) -> None:
    await store.read(look)


async def _of_outbox(path: Path, world: World) -> dict[str, float]:
    async def opened() -> None:
        async with Outbox.open(path):
            pass

    found = {"open an outbox, ms": await _cost(opened)}
    async with publishing(path, world, AUTHOR) as publisher:
        costs = []
        for n in range(40):
            began = time.process_time()
            await publisher.publish(draft(f"more {n}"))
            costs.append((time.process_time() - began) * 1000)
        found["publish one, ms"] = min(costs)
        costs = []
        for n in range(8):
            began = time.process_time()
            await publisher.publish_many([draft(f"many {n} {each}") for each in range(EACH)])
            costs.append((time.process_time() - began) * 1000 / EACH)
        found["publish one of fifty, ms"] = min(costs)
    return found


def _cold(folder: Path, world: World, outbox: Path) -> float:
    """CPU of `tocsin publish` as a process, over an outbox with this past, no broker being there."""
    with pytest.MonkeyPatch.context() as patch:
        desk = hub_desk(folder / "desk", patch, world, AUTHOR)
        there = store_of(desk.folder, AUTHOR).with_name("outbox.db")
        there.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for each in sorted(outbox.parent.glob("outbox*")):
            shutil.move(each, there.with_name(each.name))
        (desk.folder / "draft.toml").write_text(DRAFT)
        words = [TOCSIN, "publish", "draft.toml", "--again", "--wait", "accepted", "--context", AUTHOR]
        costs = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(words, cwd=desk.folder, env={**os.environ}, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{words}: {done.stderr}")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(costs) * 1000


def _peak() -> float:
    """The largest memory that this process has had, in MB."""
    status = Path("/proc/self/status").read_text("ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


async def _cost(work: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds of CPU: the least of some rounds, after one that warms up; what else the machine does only adds."""
    costs = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        await work()
        costs.append((time.process_time() - began) * 1000)
    return min(costs[1:])


def write(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
