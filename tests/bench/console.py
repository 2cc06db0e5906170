"""`python -m tests.bench.console [--rows 100000] [--clients 500]`: what the console costs with a long past and many who look.

A store with a past as `tests.growth.rows` makes it, and the console as a process over it. For each page the time until its first byte, of
many requests one after the other; for searches the same; then, with many live readers, the time from a bulletin's commit until
each of them has its event, and the memory of the process before and with them. Times are of a wall clock: run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from bus.console import NOBODY, Child, Place
from bus.hub.picture import open_store
from tests.growth import rows
from tests.growth.rows import fill
from tests.support.clocks import utc_now
from tests.support.hubs import STREAM, judged
from tests.support.world import World, chain, make_world

HUB = "xb-hub"
SESSIONS = 20
"""So many people are signed in; requests are shared among them, as each has a rate."""
PUSHED, EVERY_S = 40, 0.25
PAGES = (
    "/", "/b", "/b?order=time&ended=1", "/b?q=issuer:xa-csirt", "/b/{id}", "/i", "/clocks", "/channels", "/e", "/drills",
    "/quarantine", "/system", "/handover", "/wall", "/picture.json", "/b.json",
)  # fmt: skip
SEARCHES = ("/b?q=flood", "/b?q=n900", "/b?q=res*", "/b?q=observable:203.0.113.7")
FIRST_BYTE_MS = ((100_000, 50.0), (10_000_000, 150.0))
"""Up to so many rows, so many milliseconds at the 95th percentile; of searches at the 99th."""
PUSH_MS, MORE_MB = 500.0, 80.0
"""At the 99th percentile; and what readers may cost."""


def main(arguments: list[str]) -> int:
    """Print a line for each thing that is measured; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.console", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--in-force", type=int, default=14_000, help="of these, so many are in force")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tocsin-console-") as folder:
        return asyncio.run(_measured(Path(folder), given))


async def _measured(folder: Path, given: argparse.Namespace) -> int:
    world = make_world(utc_now())
    rows.IN_FORCE = min(given.in_force, given.rows)
    store = folder / "store.db"
    await fill(store, world, given.rows)
    broken: list[str] = []
    most = next(bound for size, bound in FIRST_BYTE_MS if given.rows <= size)
    async with _console(folder, world) as child:
        address = urlsplit(child.address)
        cookies = [
            await asyncio.to_thread(_signed_in, address.netloc, f"Visitor {n}") for n in range(SESSIONS)
        ]
        found = await asyncio.to_thread(_newest, address.netloc, cookies[0])
        _write(f"what, {given.rows} rows of which {rows.IN_FORCE} are in force | median ms | p95 ms | p99 ms")
        for path in (*PAGES, *SEARCHES):
            times = await asyncio.to_thread(
                _asked, address.netloc, cookies, path.format(id=found), given.rounds
            )
            _write(
                f"{path} | {statistics.median(times):.1f} | {_share(times, 95):.1f} | {_share(times, 99):.1f}"
            )
            if _share(times, 99 if path in SEARCHES else 95) > most:
                broken.append(path)
        if given.clients:
            broken += await _live(child, store, world, cookies, given.clients)
    for name in broken:
        _write(f"above its bound: {name}")
    return 1 if broken else 0


async def _live(child: Child, store: Path, world: World, cookies: Sequence[str], clients: int) -> list[str]:
    """Push to many readers; returns the names of broken bounds."""
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
    lost = PUSHED * clients - len(late)
    _write(
        f"push to {clients} readers | {statistics.median(late):.0f} | {_share(late, 95):.0f} | {_share(late, 99):.0f}"
    )
    _write(f"events that did not come | {lost}")
    _write(f"memory, MB: before {before:.0f}, with {clients} readers {after:.0f}, more {after - before:.0f}")
    broken = {"push": _share(late, 99) > PUSH_MS, "memory": after - before > MORE_MB, "lost events": lost > 0}
    return [name for name, is_broken in broken.items() if is_broken]


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
    """The console as a process, with people who need no password."""
    registry = folder / "registry.tocsin.json"
    registry.write_bytes(world.raw)
    place = Place(
        host="127.0.0.1", port=0, else_any=True, authority=HUB, store=folder / "store.db", desk=folder / "desk.db",
        registry=registry, pin=world.pin, domain=world.registry.domain, demonstration=True,
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
    body = urlencode({"form": form[1], "name": name, "next": "/"})
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


def _asked(place: str, cookies: Sequence[str], path: str, rounds: int) -> list[float]:
    """Milliseconds until the first byte, after two requests that warm up."""
    line = http.client.HTTPConnection(place)
    times = []
    for n in range(rounds + 2):
        began = time.perf_counter()
        line.request("GET", path, headers={"cookie": cookies[n % len(cookies)]})
        answer = line.getresponse()
        times.append((time.perf_counter() - began) * 1000)
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} gave {answer.status}")
    line.close()
    return times[2:]


def _share(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
