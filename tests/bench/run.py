"""`make bench`: tocsin beside its peers in one run, interleaved: processor time, rate, latency, catching up; docs/performance.md explains it.

Absolute figures tell about this machine; the ratios tell about the code. Each contestant is a producer, a consumer and a real
nats-server of its own. Processor time comes first, for it alone bears other load; a run during which other processes took a
tenth of the processors or more is repeated, and where it is not quiet then either, its round does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import structlog

from bus.keys import nkeys
from bus.keys.files import save_signer
from bus.server import NatsServer, ServerSettings, provision, render_conf
from tests.bench import table
from tests.bench.catch_up import AUTHORS
from tests.bench.machine import cpu_of, load, share_of_others
from tests.support.world import make_world

OPEN_CONF = 'listen: "127.0.0.1:-1"\nhttp: "127.0.0.1:-1"\nports_file_dir: "."\nmax_payload: 1048576\njetstream {{ store_dir: "js"{sync} }}\n'
ALWAYS = ", sync_interval: always"
RATE = 200.0
MOST_OF_OTHERS = 0.10
"""The share of the machine's processors that other processes may take during a run that counts."""


class Contestant(NamedTuple):
    """A module of this folder, the form of it, and how its server syncs; None is tocsin's own server."""

    module: str
    way: str = ""
    sync: str | None = ""
    paced: bool = True
    """Whether its latency at a fixed rate is asked for."""


CONTESTANTS = {
    table.RAW: Contestant("raw"),
    table.RAW_ALWAYS: Contestant("raw", sync=ALWAYS),
    table.UNSIGNED: Contestant("faststream_peers", "unsigned"),
    table.PLAIN: Contestant("plain"),
    table.JWS: Contestant("faststream_peers", "jws"),
    table.EACH: Contestant("ours", "publish", None),
    table.MANY: Contestant("ours", "publish_many", None, paced=False),
    table.FLOOR: Contestant("floor", sync=None, paced=False),
}
CATCH_UP = {"batch": (table.BATCHED_YARD, table.BATCHED), "single": (table.SINGLE_YARD, table.SINGLE)}
"""How the bulletins are signed: the yardstick, and ours."""


class Tally:
    """The runs of all rounds, and how many runs may still be repeated because they were not quiet."""

    def __init__(self, tries: int) -> None:
        self.rounds: list[dict[str, dict[str, float]]] = []
        self.left, self.repeated = tries, 0

    async def add_round(self, runs: dict[str, Callable[[], Awaitable[dict[str, float]]]]) -> None:
        """Run each in turn, again while others take too much of the machine and repeats are left."""
        found = {}
        for name, run in runs.items():
            found[name] = await run()
            while found[name]["others"] >= MOST_OF_OTHERS and self.left:
                self.left, self.repeated = self.left - 1, self.repeated + 1
                found[name] = await run()
            _tell(f"{name}: {found[name]['cpu']:.3f} s per 1 000, others {found[name]['others']:.0%}")
        self.rounds.append(found)

    def counting(self) -> list[dict[str, dict[str, float]]]:
        """The rounds that were quiet in each of their runs."""
        return [each for each in self.rounds if all(run["others"] < MOST_OF_OTHERS for run in each.values())]


def main() -> None:
    """Run all contestants, interleaved, then the catch-up, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--bulletins",
        type=int,
        default=20_000,
        help="of each run of a burst; in a short run the start weighs more",
    )
    parser.add_argument(
        "--paced", type=int, default=800, help="bulletins at 200/s, for latency; 0 leaves it out"
    )
    parser.add_argument("--catch-up", type=int, default=100_000, help="stored bulletins; 0 leaves it out")
    parser.add_argument("--tries", type=int, default=20, help="so many runs are repeated when not quiet")
    parser.add_argument("--only", default="", help="contestants with this in their name")
    parser.add_argument(
        "--gate", action="store_true", help="exit 1 when a gate is not reached, or no round counts"
    )
    parser.add_argument("--json", action="store_true", help="every run, for programs")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    began = time.monotonic()
    tallies = asyncio.run(_all(options))
    if options.json:
        rounds = {part: tally.rounds for part, tally in tallies.items()}
        sys.stdout.write(json.dumps(rounds) + "\n")
    found, is_quiet = _counted(tallies)
    if not options.json:
        _print(tallies, found, options, time.monotonic() - began)
    if options.gate and not (is_quiet and all(each.reached for each in table.judged(found))):
        sys.exit(1)


def _counted(tallies: dict[str, Tally]) -> tuple[dict[str, list[dict[str, float]]], bool]:
    """The runs of each contestant in the rounds that count; of all rounds where none of that part does."""
    found: dict[str, list[dict[str, float]]] = {}
    for tally in tallies.values():
        for each in tally.counting() or tally.rounds:
            for name, run in each.items():
                found.setdefault(name, []).append(run)
    return found, all(tally.counting() for tally in tallies.values())


def _print(
    tallies: dict[str, Tally],
    found: dict[str, list[dict[str, float]]],
    options: argparse.Namespace,
    seconds: float,
) -> None:
    out = sys.stdout
    for part, tally in tallies.items():
        quiet = len(tally.counting())
        out.write(
            f"{part}: {quiet} of {len(tally.rounds)} rounds count; {tally.repeated} runs were repeated\n"
        )
        if not quiet:
            out.write(f"{part}: OTHER PROCESSES TOOK A TENTH OR MORE IN EVERY ROUND; trust no rate below\n")
    out.write(f"{options.bulletins} bulletins a run; medians (least to most); {seconds / 60:.0f} minutes\n\n")
    out.write("\n".join([*table.lines(found), "", *table.gate_lines(found)]) + "\n")


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{line}\n")


async def _all(options: argparse.Namespace) -> dict[str, Tally]:
    tallies = {}
    burst = {name: each for name, each in CONTESTANTS.items() if options.only in name}
    if burst:
        tallies["burst"] = tally = Tally(options.tries)
        for _ in range(options.rounds):
            await tally.add_round({name: _bursting(each, options) for name, each in burst.items()})
    for way, (yardstick, ours) in CATCH_UP.items():
        if options.catch_up and options.only in ours:
            tallies[ours] = tally = Tally(options.tries)
            with tempfile.TemporaryDirectory() as name:
                async with _served(Path(name), None) as server:
                    await _stored(server, Path(name), way, options.catch_up)
                    for _ in range(options.rounds):
                        await tally.add_round(
                            {
                                yardstick: _catching_up(server, Path(name), "yardstick", options.catch_up),
                                ours: _catching_up(server, Path(name), "ours", options.catch_up),
                            }
                        )
    return tallies


def _bursting(each: Contestant, options: argparse.Namespace) -> Callable[[], Awaitable[dict[str, float]]]:
    async def run() -> dict[str, float]:
        found = await _fresh(each, options.bulletins, 0.0)
        del found["p50"], found["p99"]  # of a burst they only say how long it is
        if options.paced and each.paced:
            late = await _fresh(each, options.paced, RATE)
            found |= {"p50": late["p50"], "p99": late["p99"], "others": max(found["others"], late["others"])}
        return found

    return run


def _catching_up(
    server: NatsServer, folder: Path, way: str, count: int
) -> Callable[[], Awaitable[dict[str, float]]]:
    async def run() -> dict[str, float]:
        return await _measure(
            [_start("catch_up", "consumer", way, count, 0.0, server, folder)], server, count
        )

    return run


async def _stored(server: NatsServer, folder: Path, way: str, count: int) -> None:
    """Have five authors store `count` bulletins."""
    await _measure([_start("catch_up", "producer", way, count, 0.0, server, folder)], server, count)


async def _fresh(each: Contestant, count: int, rate: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        async with _served(Path(name), each.sync) as server:
            processes = [
                _start(each.module, role, each.way, count, rate, server, Path(name))
                for role in ("consumer", "producer")
            ]
            return await _measure(processes, server, count)


@asynccontextmanager
async def _served(folder: Path, sync: str | None) -> AsyncIterator[NatsServer]:
    """A server of its own: as a peer's user has it, or as tocsin configures and fills it, with its keys in the folder."""
    if sync is not None:
        async with NatsServer(folder / "server", OPEN_CONF.format(sync=sync)) as server:
            yield server
        return
    world = make_world(dt.datetime.now(dt.UTC))
    (folder / "registry.tocsin.json").write_bytes(world.raw)
    (folder / "nkeys.json").write_text(json.dumps({name: seed for name, (seed, _) in world.nkeys.items()}))
    for author in AUTHORS:
        save_signer(folder / f"{author}.pem", world.signers[author], b"bench")
    seed, public = nkeys.generate()
    conf = render_conf(world.registry, settings=ServerSettings(), provisioner_nkey=public)
    async with NatsServer(folder / "server", conf) as server:
        await provision(server.url, seed, world.registry)
        yield server


def _start(
    module: str, role: str, way: str, count: int, rate: float, server: NatsServer, folder: Path
) -> subprocess.Popen[str]:
    arguments = {"way": way, "n": count, "rate": rate, "url": server.url, "world": folder}
    return subprocess.Popen(
        [
            sys.executable, "-m", f"tests.bench.{module}", role,
            *(f"--{name}={value}" for name, value in arguments.items()),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip


async def _measure(
    processes: list[subprocess.Popen[str]], server: NatsServer, count: int
) -> dict[str, float]:
    """Start a consumer and a producer, or one of them, together; take their reports: CPU by part, rate, memory, delays."""
    for each in processes:
        await asyncio.to_thread(_wait, each, "READY")
    broker, machine, own = cpu_of(server.pid), load(), time.process_time()
    for each in processes:
        if each.stdin is not None:
            each.stdin.write("GO\n")
            each.stdin.flush()
    said = await asyncio.gather(*(asyncio.to_thread(_wait, each, "RESULT ") for each in processes))
    broker, after, own = cpu_of(server.pid) - broker, load(), time.process_time() - own
    reports = [json.loads(line.removeprefix("RESULT ")) for line in said]
    consumer, producer = (*reports, {"cpu": 0.0})[:2]
    spent = consumer["cpu"] + producer["cpu"] + broker
    found = {
        "cpu": spent / count * 1000,
        "consumer": consumer["cpu"] / count * 1000,
        "producer": producer["cpu"] / count * 1000,
        "broker": broker / count * 1000,
        "per_s": count / consumer["seconds"],
        "rss": consumer["rss"],
        "others": share_of_others(machine, after, spent + own),
    }
    if len(reports) > 1:
        delays = sorted((b - a) / 1e6 for a, b in zip(producer["stamps"], consumer["stamps"], strict=True))
        found["per_s"] = count / ((consumer["stamps"][-1] - producer["stamps"][0]) / 1e9)
        found |= {"p50": delays[len(delays) // 2], "p99": delays[int(len(delays) * 0.99)]}
    return found


def _wait(process: subprocess.Popen[str], prefix: str) -> str:
    if process.stdout is not None:
        for line in process.stdout:
            if line.startswith(prefix):
                return line
    raise RuntimeError(f"{process.args!r} ended with {process.wait()}")


if __name__ == "__main__":
    main()
