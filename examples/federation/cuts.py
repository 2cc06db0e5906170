"""Three countries and a union on one machine; a country's connection is cut and restored. Run it: `python cuts.py`.

All countries publish all the time. After each cut the script shows how long the others waited for the country's
bulletins of that time, and the country for theirs. It counts lost, doubled and disordered bulletins in each hub. Exit
code 1 if there is one, or if a wait was longer than promised.

The number of bulletins counts for catching up, not the time: `--backlog 3600` cuts until each country has published
that many, as in an hour at one a second.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import logging
import secrets
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import structlog

from bus.demo import COUNTRIES, Joined, found, joined
from bus.hub import HubService
from bus.publishing import Outbox, Publisher
from bus.subscribing import Inbox
from bus.tasks import background
from schemas.bodies.cyber import CyberThreat
from schemas.bulletin import Defaults, Draft
from schemas.parts import Info
from schemas.vocab import Pap, Tlp

CUT_OFF = "xa"
EVERY_S = 0.05
CATCH_UP_S = 15.0  # the promised seconds (ADR-013) ...
PROMISED = 12_000  # ... for at most this many bulletins; an hour at one a second in each country is 10 800
PATIENCE_S = 120.0
DEFAULTS = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")


class Count(msgspec.Struct, kw_only=True):
    """The final count of published bulletins in a hub."""

    lost: int = 0
    twice: int = 0
    disordered: int = 0

    def add(self, said: list[str], held: list[str]) -> None:
        """Compare one channel."""
        spoken, kept = set(said), set(held)
        self.lost += len(spoken - kept)
        self.twice += len(held) - len(kept)
        self.disordered += [each for each in held if each in spoken] != [
            each for each in said if each in kept
        ]


class Country:
    """A national team that publishes, and a hub that reads."""

    def __init__(self, publisher: Publisher, store: Inbox) -> None:
        self.said: list[str] = []
        self._publisher = publisher
        self._store = store

    async def speak(self, enough: asyncio.Event, every_s: float) -> None:
        """Publish one bulletin every `every_s` seconds until `enough` is set."""
        while not enough.is_set():
            await self.say(1)
            await asyncio.sleep(every_s)

    async def say(self, count: int) -> None:
        """Publish `count` bulletins, one after the other."""
        for _ in range(count):
            text = f"Scans of results.example, number {len(self.said) + 1}"
            draft = Draft(
                info=(Info(lang="en", headline=text, summary="From 192.0.2.0/24."),),
                body=CyberThreat(title=text),
            )
            said = await self._publisher.publish(draft)
            self.said.append(said.digest)

    async def has(self, digest: str) -> bool:
        """Whether its hub holds a bulletin, and so all earlier ones on the channel."""
        rows = await self._store.read(
            lambda db: db.execute("SELECT 1 FROM admitted WHERE digest = ?", (digest,)).fetchall()
        )
        return bool(rows)

    async def holds(self, country: str) -> list[str]:
        """The digests of a country's bulletins, in the order they were admitted."""
        channel = f"{country}-csirt/actual.green.community"
        return await self._store.read(
            lambda db: [
                row["digest"]
                for row in db.execute(
                    "SELECT digest FROM admitted WHERE channel = ? ORDER BY row", (channel,)
                )
            ]
        )


async def open_country(stack: AsyncExitStack, joins: Joined, name: str, folder: Path) -> Country:
    """Open its two programs, at its own server."""
    registry = joins.founded.registry
    outbox = await stack.enter_async_context(Outbox.open(folder / f"{name}-outbox.db"))
    store = await stack.enter_async_context(Inbox.open(folder / f"{name}-store.db", hold_s=PATIENCE_S))
    speaker, reader = f"{name}-csirt", f"{name}-hub"
    publisher = await stack.enter_async_context(
        Publisher.open(
            authority_id=speaker,
            outbox=outbox,
            registry=lambda: registry,
            signers=(joins.founded.signers[speaker],),
            endpoint=joins.endpoint(speaker),
            defaults=DEFAULTS,
            clock=clock,
            rng=secrets.token_bytes,
        )
    )
    await stack.enter_async_context(
        HubService.open(
            authority_id=reader,
            store=store,
            registry=lambda: registry,
            endpoint=joins.endpoint(reader),
            clock=clock,
        )
    )
    return Country(publisher, store)


async def current(country: Country, others: list[Country]) -> float:
    """Wait until a hub holds all bulletins that others had published at the call. Returns the seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(PATIENCE_S):
        for last in [other.said[-1] for other in others]:
            while not await country.has(last):  # noqa: ASYNC110 (a hub's store is asked again and again, as a person would)
                await asyncio.sleep(0.05)
    return loop.time() - began


async def main(cuts: list[float], backlogs: list[int], every_s: float) -> int:
    """Cut and restore, for each number of seconds and each backlog; print the waits and counts."""
    failed = False
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        joins = await stack.enter_async_context(joined(folder, found(clock())))
        countries = {name: await open_country(stack, joins, name, folder) for name in COUNTRIES}
        enough = asyncio.Event()
        tasks = await stack.enter_async_context(background())
        speaking = [
            tasks.start(each.speak(enough, every_s), f"speaker of {name}") for name, each in countries.items()
        ]
        away, here = countries[CUT_OFF], [countries[name] for name in COUNTRIES if name != CUT_OFF]
        await asyncio.sleep(1.0)
        await asyncio.gather(current(away, here), *(current(each, [away]) for each in here))
        print(f"{'cut, s':>8}{'said meanwhile':>16}{'it is current, s':>18}{'others are, s':>15}", flush=True)
        for seconds, backlog in [*((each, 0) for each in cuts), *((0.0, each) for each in backlogs)]:
            before = sum(len(each.said) for each in countries.values())
            began = asyncio.get_running_loop().time()
            await joins.cut(CUT_OFF)
            await asyncio.gather(asyncio.sleep(seconds), *(each.say(backlog) for each in countries.values()))
            await joins.mend(CUT_OFF)
            cut_s = asyncio.get_running_loop().time() - began
            said = sum(len(each.said) for each in countries.values()) - before
            found_s, *told_s = await asyncio.gather(
                current(away, here), *(current(each, [away]) for each in here)
            )
            print(f"{cut_s:>8.0f}{said:>16}{found_s:>18.1f}{max(told_s):>15.1f}", flush=True)
            failed = failed or (said <= PROMISED and max(found_s, *told_s) > CATCH_UP_S)
        enough.set()
        await asyncio.gather(*speaking)
        count = Count()
        for reader in countries.values():
            await current(reader, list(countries.values()))
            for name, speaker in countries.items():
                count.add(speaker.said, await reader.holds(name))
        total = sum(len(each.said) for each in countries.values())
        print(
            f"{total} bulletins in each of {len(countries)} hubs: {count.lost} lost, {count.twice} twice, "
            f"{count.disordered} channels out of order"
        )
        return int(failed or bool(count.lost or count.twice or count.disordered))


def clock() -> dt.datetime:
    """The present."""
    return dt.datetime.now(dt.UTC)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cut", type=float, nargs="*", default=[20.0, 60.0], metavar="SECONDS")
    parser.add_argument(
        "--backlog",
        type=int,
        nargs="+",
        default=[],
        metavar="NUMBER",
        help="cut until each country has published this many",
    )
    parser.add_argument(
        "--every",
        type=float,
        default=EVERY_S,
        metavar="SECONDS",
        help="seconds between two bulletins of each country",
    )
    chosen = parser.parse_args()
    sys.exit(asyncio.run(main(chosen.cut, chosen.backlog, chosen.every)))
