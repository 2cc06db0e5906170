"""`python -m tests.bench.console [--rows 100000] [--clients 500]`: what the console costs with a long past and many who look.

A store with a past as `tests.growth.rows` makes it, and the console as a process over it. For each page the time until its first byte, of
many requests one after the other, and the processor time of the console; for searches and files the same; then, with many live readers,
the time from a bulletin's commit until each of them has its event, and the memory of the process before and with them. Times are of a
wall clock: run it on a quiet machine. `make bench` runs it at its end.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from bus.console import NOBODY, Child, Place
from bus.console.asked import clearance_of_hub
from bus.desk import Role
from bus.hub.picture import open_store
from tests.bench.machine import cpu_of
from tests.growth import rows
from tests.growth.rows import fill
from tests.support import desks
from tests.support.clocks import utc_now
from tests.support.hubs import STREAM, judged
from tests.support.world import World, chain, make_world

HUB = "xb-hub"
SESSIONS = 25
"""So many people are signed in; requests and live lines are shared among them, as each has a rate and may hold twenty lines."""
ROWS, IN_FORCE, CLIENTS, ROUNDS = 100_000, 14_000, 500, 40
PUSHED, EVERY_S = 40, 0.25
PAGES = (
    "/", "/b", "/b?order=time&ended=1", "/b?q=issuer:xa-csirt", "/b/{id}", "/i", "/clocks", "/channels", "/publish", "/approvals",
    "/e", "/drills", "/handover", "/quarantine", "/feeds", "/people", "/audit", "/me", "/system", "/help", "/wall", "/picture.json", "/b.json",
)  # fmt: skip
FILES = (
    "/b.csv", "/b.atom", "/i.csv", "/i.atom", "/clocks.csv", "/clocks.atom", "/clocks.ics", "/channels.csv", "/channels.atom", "/e.csv", "/e.atom", "/e.ics",
    "/drills.csv", "/drills.atom", "/quarantine.csv", "/quarantine.atom",
)  # fmt: skip
SEARCHES = ("/b?q=flood", "/b?q=n900", "/b?q=res*", "/b?q=observable:203.0.113.7")
FIRST_BYTE_MS = ((100_000, 50.0), (10_000_000, 150.0))
"""Up to so many rows, so many milliseconds at the 95th percentile; of searches at the 99th."""
PUSH_MS, MORE_MB = 500.0, 80.0
"""At the 99th percentile; and what readers may cost."""


class Times(NamedTuple):
    """Milliseconds: the median, the 95th and the 99th percentile until the first byte; the median until the last; processor time of the console."""

    median: float
    p95: float
    p99: float
    whole: float
    cpu: float


class Measured(NamedTuple):
    """What was found: of each page, of live readers by what was measured, and the names of broken bounds."""

    pages: Mapping[str, Times]
    live: Mapping[str, float]
    broken: Sequence[str]

    def plain(self) -> dict[str, object]:
        """The same for programs."""
        return self._asdict() | {"pages": {path: each._asdict() for path, each in self.pages.items()}}


def main(arguments: list[str]) -> int:
    """Print a line for each thing that is measured; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.console", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--in-force", type=int, default=IN_FORCE, help="of these, so many are in force")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(arguments)
    found = measured(given.rows, given.in_force, given.clients, given.rounds)
    sys.stdout.write("\n".join([*lines(found), ""]))
    return 1 if found.broken else 0


def measured(
    count: int = ROWS, in_force: int = IN_FORCE, clients: int = CLIENTS, rounds: int = ROUNDS
) -> Measured:
    """Measure a console.

    Args:
        count: so many bulletins are kept.
        in_force: of these, so many are in force.
        clients: so many listen to the live log; with 0 that is not measured.
        rounds: so many requests of each page.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-console-") as folder:
        return asyncio.run(_measured(Path(folder), count, in_force, clients, rounds))


def lines(found: Measured) -> Iterator[str]:
    """Two tables in Markdown, and a line for each broken bound."""
    yield f"| page | median ms | p95 ms | p99 ms | whole ms | CPU ms | (load {os.getloadavg()[0]:.1f})"
    yield "|---|---|---|---|---|---|"
    for path, each in found.pages.items():
        yield f"| `{path}` | {each.median:.1f} | {each.p95:.1f} | {each.p99:.1f} | {each.whole:.1f} | {each.cpu:.1f} |"
    yield ""
    yield "| live readers | |"
    yield "|---|---|"
    for name, value in found.live.items():
        yield f"| {name} | {value:.0f} |"
    for name in found.broken:
        yield f"above its bound: {name}"


async def _measured(folder: Path, count: int, in_force: int, clients: int, rounds: int) -> Measured:
    world = make_world(utc_now())
    rows.IN_FORCE = min(in_force, count)
    store = folder / "store.db"
    await fill(store, world, count)
    most = next(bound for size, bound in FIRST_BYTE_MS if count <= size)
    async with _console(folder, world) as child:
        place = urlsplit(child.address).netloc
        cookies = [await asyncio.to_thread(_signed_in, place, f"visitor-{n}") for n in range(SESSIONS)]
        newest = await asyncio.to_thread(_newest, place, cookies[0])
        pages = {
            path: await asyncio.to_thread(_asked, child, cookies, path.format(id=newest), rounds)
            for path in (*PAGES, *FILES, *SEARCHES)
        }
        broken = [path for path, each in pages.items() if (each.p99 if path in SEARCHES else each.p95) > most]
        live = await _live(child, store, world, cookies, clients) if clients else {}
    bounds = {PUSH_P99: PUSH_MS, MORE: MORE_MB, LOST: 0.0}
    broken += [name for name, bound in bounds.items() if live.get(name, 0.0) > bound]
    return Measured(pages, live, broken)


PUSH_P99, MORE, LOST = "push, p99 ms", "memory that readers cost, MB", "events that did not come"


async def _live(
    child: Child, store: Path, world: World, cookies: Sequence[str], clients: int
) -> dict[str, float]:
    """Push to many readers."""
    address, pid = urlsplit(child.address), child.pid
    assert pid is not None
    before = _memory(pid)
    heard: dict[str, list[float]] = {}
    readers = [
        asyncio.create_task(_listen(address.netloc, cookies[n % len(cookies)], heard)) for n in range(clients)
    ]
    await asyncio.sleep(3.0)
    said: dict[str, float] = {}
    async with open_store(store, hold_s=0.0) as inbox:
        for message in chain(world, PUSHED, "xa-emb"):
            verdict = judged(message, world.registry, world.now)
            await inbox.settle([verdict], STREAM, None, world.now)
            said[message.bulletin.id] = time.monotonic()
            await asyncio.sleep(EVERY_S)
    await asyncio.sleep(3.0)
    after = _memory(pid)
    for each in readers:
        each.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    late = [(at - said[id_]) * 1000 for id_, times in heard.items() if id_ in said for at in times]
    return {
        "readers": clients,
        "push, median ms": statistics.median(late),
        PUSH_P99: _share(late, 99),
        LOST: PUSHED * clients - len(late),
        "memory before, MB": before,
        MORE: after - before,
    }


async def _listen(place: str, cookie: str, heard: dict[str, list[float]]) -> None:
    """One reader: notes when each event has come."""
    host, _, port = place.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET /events HTTP/1.1\r\nhost: {place}\r\ncookie: {cookie}\r\n\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                for id_ in re.findall(rb'"what":"new".*"about":"([^"]+)"', line):
                    heard.setdefault(id_.decode(), []).append(time.monotonic())
    finally:
        writer.close()


@asynccontextmanager
async def _console(folder: Path, world: World) -> AsyncIterator[Child]:
    """The console as a process, with people who have every role."""
    limits = clearance_of_hub(world.registry, HUB)
    async with desks.open_desk(folder) as desk:
        for n in range(SESSIONS):
            await desks.add(
                desk, f"visitor-{n}", *Role, at=world.now.timestamp(), ceiling=limits.ceiling, audiences=limits.audiences
            )  # fmt: skip
    registry = folder / "registry.tocsin.json"
    registry.write_bytes(world.raw)
    place = Place(
        host="127.0.0.1", port=0, else_any=True, authority=HUB, store=folder / "store.db", desk=folder / "desk.db",
        registry=registry, pin=world.pin, domain=world.registry.domain,
    )  # fmt: skip
    child = Child(place, _write, NOBODY.ask)
    running = asyncio.create_task(child.run())
    try:
        while not child.address:
            await asyncio.sleep(0.05)
        yield child
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _signed_in(place: str, name: str) -> str:
    """Sign in by the page; the cookie."""
    line = http.client.HTTPConnection(place)
    line.request("GET", "/sign-in")
    answer = line.getresponse()
    form = re.search(r'name="form" value="([0-9a-f]+)"', answer.read().decode())
    own = (answer.getheader("set-cookie") or "").partition(";")[0]
    assert form is not None
    body = urlencode({"form": form[1], "name": name, "password": desks.PASSWORD, "next": "/"})
    kind = {"content-type": "application/x-www-form-urlencoded", "cookie": own}
    line.request("POST", "/sign-in", body, kind)
    answer = line.getresponse()
    answer.read()
    line.close()
    if answer.status != 303:
        raise RuntimeError(f"signing in gave {answer.status}")
    given = answer.headers.get_all("set-cookie") or []
    return next(each.partition(";")[0] for each in given if "=;" not in each and '=""' not in each)


def _newest(place: str, cookie: str) -> str:
    line = http.client.HTTPConnection(place)
    line.request("GET", "/b", headers={"cookie": cookie})
    found = re.search(r'href="/b/([^"?]+)"', line.getresponse().read().decode())
    line.close()
    assert found is not None
    return found[1]


def _asked(child: Child, cookies: Sequence[str], path: str, rounds: int) -> Times:
    """The times of a page, after two requests that warm up."""
    line, pid = http.client.HTTPConnection(urlsplit(child.address).netloc), child.pid
    assert pid is not None
    times, wholes, spent = [], [], 0.0
    for n in range(rounds + 2):
        if n == 2:
            spent = cpu_of(pid)
        began = time.perf_counter()
        line.request("GET", path, headers={"cookie": cookies[n % len(cookies)]})
        answer = line.getresponse()
        times.append((time.perf_counter() - began) * 1000)
        answer.read()
        wholes.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path} gave {answer.status}")
    line.close()
    cpu = (cpu_of(pid) - spent) / rounds * 1000
    found, whole = times[2:], statistics.median(wholes[2:])
    return Times(statistics.median(found), _share(found, 95), _share(found, 99), whole, cpu)


def _share(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
