"""What a producer or consumer process shares with the driver: a start signal, stamps on one clock, a report."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path

TEXT = (
    "Observed beaconing from compromised edge appliances to the listed hosts. Traffic is TLS on unusual ports with a "
    "self-signed certificate; the implant persists in the start-up configuration. Search flow logs of the last thirty "
    "days and isolate matching hosts before rotating credentials. Further indicators follow as an update."
)


class Role:
    """One process of a run."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("role", choices=["producer", "consumer"])
        parser.add_argument("--way", default="", help="which form of it, where a module has several")
        parser.add_argument("--n", type=int, required=True)
        parser.add_argument("--rate", type=float, default=0.0)
        parser.add_argument("--url", required=True)
        parser.add_argument("--world", default="")
        self.options = parser.parse_args()
        self.n: int = self.options.n
        self.url: str = self.options.url
        self.way: str = self.options.way
        self.stamps = array("q")
        self._began = 0
        self._cpu = 0.0

    def go(self) -> None:
        """Say that everything is set up, and wait for the start."""
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        if sys.stdin.readline().strip() != "GO":
            sys.exit("the driver has gone")
        self._cpu = _cpu()
        self._began = time.monotonic_ns()

    async def pace(self, n: int) -> None:
        """Stamp bulletin `n` with when it is due, and wait until then."""
        if not self.options.rate:
            self.stamps.append(time.monotonic_ns())
            return
        due = self._began + int(n * 1e9 / self.options.rate)
        wait = (due - time.monotonic_ns()) / 1e9
        if wait > 0:
            await asyncio.sleep(wait)
        self.stamps.append(due)

    def got(self, count: int = 1) -> None:
        """Stamp `count` bulletins as handled."""
        self.stamps.extend([time.monotonic_ns()] * count)

    def done(self) -> None:
        """Report and end at once: CPU seconds since the start, seconds, the largest resident memory in MB, stamps."""
        report = {
            "cpu": _cpu() - self._cpu,
            "seconds": (time.monotonic_ns() - self._began) / 1e9,
            "rss": _peak(),
            "stamps": self.stamps.tolist(),
        }
        sys.stdout.write("RESULT " + json.dumps(report) + "\n")
        sys.stdout.flush()
        os._exit(0)


def _peak() -> float:
    """The largest resident memory of this process in MB.

    Not `ru_maxrss`: Linux counts in it the memory of the process that started this one (getrusage(2), fork and exec).
    """
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(producer: Callable[[Role], Awaitable[None]], consumer: Callable[[Role], Awaitable[None]]) -> None:
    """Run the role that the driver asked for."""
    role = Role()
    work = producer if role.options.role == "producer" else consumer

    async def run() -> None:
        await work(role)

    asyncio.run(run())


def document(n: int) -> dict[str, object]:
    """A bulletin of about 1.5 kB for the peers, deterministic by its number."""
    return {
        "id": f"00000000-0000-7000-8000-{n:012x}",
        "seq": n,
        "issuer": "xa-csirt",
        "severity": ("minor", "moderate", "severe", "extreme")[n % 4],
        "tlp": "green",
        "status": "actual",
        "issued": "2027-05-23T18:00:00Z",
        "expires": "2027-06-23T18:00:00Z",
        "headline": f"Loader family {n:06x} active against edge appliances",
        "description": TEXT,
        "areas": [{"code": "XA", "name": "State XA"}, {"code": "XB", "name": "State XB"}],
        "indicators": [
            {
                "type": "ipv4",
                "value": f"192.0.2.{n % 256}",
                "confidence": 90,
                "first_seen": "2027-05-23T11:00:00Z",
            },
            {
                "type": "domain",
                "value": f"cdn-{n:010x}.example",
                "confidence": 80,
                "first_seen": "2027-05-23T11:05:00Z",
            },
            {
                "type": "url",
                "value": f"https://cdn-{n:010x}.example/gate/{n:08x}",
                "confidence": 75,
                "first_seen": "2027-05-23T11:05:00Z",
            },
            {"type": "sha256", "value": f"{n:064x}", "confidence": 95, "first_seen": "2027-05-23T04:12:00Z"},
        ],
        "references": [{"kind": "advisory", "url": f"https://advisories.example/2027/{n:06d}"}],
    }
