"""`make bench`: tocsin beside its peers in one run; throughput, latency at a fixed rate, CPU; figures and ratios.

Absolute figures tell about this machine; the ratios tell about the code. Each contestant is two processes and a real
nats-server; peers run as their users would (page cache), ours with everything fsynced.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import structlog

from bus.keys import nkeys
from bus.keys.files import save_signer
from bus.server import NatsServer, ServerSettings, provision, render_conf
from tests.support.world import World, make_world

OPEN_CONF = 'listen: "127.0.0.1:-1"\nhttp: "127.0.0.1:-1"\nports_file_dir: "."\nmax_payload: 1048576\njetstream {{ store_dir: "js"{sync} }}\n'
CONTESTANTS: dict[str, tuple[str, str, int]] = {
    "raw JetStream": ("raw", "", 20_000),
    "raw JetStream, sync always": ("raw", ", sync_interval: always", 6_000),
    "plain signed (msgspec + Ed25519)": ("plain", "", 6_000),
    "FastStream + pydantic + JWS": ("faststream_jws", "", 4_000),
    "tocsin": ("ours", "tocsin", 6_000),
}
RATE = 200.0
RATE_N = 800


def main() -> None:
    """Run all contestants, interleaved, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(options.rounds):
        for name, (module, mode, count) in CONTESTANTS.items():
            burst = asyncio.run(_run(module, mode, count, 0.0))
            paced = asyncio.run(_run(module, mode, RATE_N, RATE))
            rows[name].append({**burst, "p50": paced["p50"], "p99": paced["p99"]})
    found = {name: {key: median(row[key] for row in each) for key in each[0]} for name, each in rows.items()}
    base = found["tocsin"]["per_s"]
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    sys.stdout.write(
        f"{'contestant':<34}{'bulletins/s':>12}{'tocsin is':>11}{'CPU s/1000':>12}{'p50 ms':>8}{'p99 ms':>8}\n"
    )
    for name, each in found.items():
        sys.stdout.write(
            f"{name:<34}{each['per_s']:>12.0f}{base / each['per_s']:>10.2f}x{each['cpu']:>12.2f}{each['p50']:>8.1f}{each['p99']:>8.1f}\n"
        )
    sys.stdout.write(f"medians of {options.rounds} interleaved rounds; latency at {RATE:.0f}/s\n")


async def _run(module: str, mode: str, count: int, rate: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if mode != "tocsin":
            async with NatsServer(folder / "server", OPEN_CONF.format(sync=mode)) as server:
                return await _measure(module, server, folder, count, rate)
        world = _write_world(folder)
        seed, public = nkeys.generate()
        conf = render_conf(world.registry, settings=ServerSettings(), provisioner_nkey=public)
        async with NatsServer(folder / "server", conf) as server:
            await provision(server.url, seed, world.registry)
            return await _measure(module, server, folder, count, rate)


def _write_world(folder: Path) -> World:
    import datetime as dt

    world = make_world(dt.datetime.now(dt.UTC))
    (folder / "registry.tocsin.json").write_bytes(world.raw)
    (folder / "nkeys.json").write_text(json.dumps({name: seed for name, (seed, _) in world.nkeys.items()}))
    save_signer(folder / "xa-csirt.pem", world.signers["xa-csirt"], b"bench")
    return world


async def _measure(
    module: str, server: NatsServer, folder: Path, count: int, rate: float
) -> dict[str, float]:
    def start(role: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"tests.bench.{module}",
                role,
                "--n",
                str(count),
                "--rate",
                str(rate),
                "--url",
                server.url,
                "--world",
                str(folder),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    consumer = start("consumer")
    await asyncio.to_thread(_wait, consumer, "READY")
    producer = start("producer")
    await asyncio.to_thread(_wait, producer, "READY")
    before = _cpu_of(server.pid)
    for process in (consumer, producer):
        if process.stdin is not None:
            process.stdin.write("GO\n")
            process.stdin.flush()
    sent, taken = await asyncio.gather(
        asyncio.to_thread(_wait, producer, "RESULT "), asyncio.to_thread(_wait, consumer, "RESULT ")
    )
    broker = _cpu_of(server.pid) - before
    first, second = json.loads(sent[7:]), json.loads(taken[7:])
    delays = sorted((b - a) / 1e6 for a, b in zip(first["stamps"], second["stamps"], strict=True))
    span = (second["stamps"][-1] - first["stamps"][0]) / 1e9
    return {
        "per_s": count / span,
        "cpu": (first["cpu"] + second["cpu"] + broker) / count * 1000,
        "p50": delays[len(delays) // 2],
        "p99": delays[int(len(delays) * 0.99)],
    }


def _wait(process: subprocess.Popen[str], prefix: str) -> str:
    if process.stdout is not None:
        for line in process.stdout:
            if line.startswith(prefix):
                return line
    raise RuntimeError(f"{process.args!r} ended with {process.wait()}")


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
