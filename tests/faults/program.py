"""One program of a run, in a process of its own, that may be killed at any moment: a publisher, a hub, a forger or a proxy.

Run as `python -m tests.faults.program ROLE PLACE.json`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from bus.demo.federation import Cable
from bus.errors import BusError
from bus.hub.service import HubService
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.subscribing.inbox import Inbox
from bus.transport.connection import Connection
from bus.transport.jetstream import publish
from schemas.errors import TocsinError
from tests.faults.forgeries import Forger
from tests.faults.history import Accepted, Forged, History
from tests.faults.looking import OutboxLook, StoreLook
from tests.faults.world import SPEAKERS, WAYS, Place, channel_of
from tests.support.clocks import utc_now
from tests.support.waiting import longest
from tests.support.world import DEFAULTS, draft

LOOK_S = 0.2
GROUPS = (1, 1, 2, 5, 9)
"""So many bulletins are said at once: alone, or in groups, which are signed in batches."""


async def publisher(place: Place, history: History) -> None:
    """Speak on every channel until it is enough, then until everything is stored."""
    rng = random.Random()
    async with (
        Outbox.open(outbox_of(place)) as outbox,
        Publisher.open(
            authority_id=place.identity,
            outbox=outbox,
            registry=place.registry(),
            signers=(place.signer(),),
            endpoint=place.endpoint(),
            defaults=DEFAULTS,
            clock=utc_now,
            rng=secrets.token_bytes,
        ) as speaking,
    ):
        told = OutboxLook(outbox_of(place), place.identity, history)
        while not place.is_over():
            ways = rng.choices(list(WAYS), k=rng.choice(GROUPS))
            outcomes = await speaking.publish_many(
                [draft(f"number {secrets.token_hex(4)}", tlp=WAYS[way], audience=way) for way in ways]
            )
            for audience, outcome in zip(ways, outcomes, strict=True):
                if isinstance(
                    outcome, TocsinError
                ):  # its key has ended, or its outbox is behind until that was looked at
                    structlog.get_logger().warning("not_said", reason=outcome.reason, problem=str(outcome))
                    await asyncio.sleep(LOOK_S)
                else:
                    channel = channel_of(place.identity, audience)
                    history.tell(Accepted(channel=channel, seq=outcome.seq, digest=outcome.digest))
            told.look()
            await asyncio.sleep(len(ways) * rng.expovariate(place.rate))
        while not await speaking.idle(LOOK_S):
            told.look()
        await asyncio.sleep(2 * LOOK_S)  # the last acknowledgements are noted with the sender's next turn
        told.look()


async def hub(place: Place, history: History) -> None:
    """Read for ever, and tell every row of the store that was not told in an earlier life."""
    async with (
        Inbox.open(place.folder / f"{place.identity}.store.db") as store,
        HubService.open(
            authority_id=place.identity,
            store=store,
            registry=place.registry(),
            endpoint=place.endpoint(),
            clock=utc_now,
        ),
    ):
        told = StoreLook(
            place.folder / f"{place.identity}.store.db", place.identity, history, place.history()
        )
        while True:
            told.look()
            await asyncio.sleep(LOOK_S)


async def forger(place: Place, history: History) -> None:
    """Send forgeries in everybody's name, and once in a while what was truly said, again."""
    rng = random.Random()
    makers = {
        victim: Forger(place.registry()(), victim, place.signer(_accomplice(victim)), rng, utc_now)
        for victim in SPEAKERS
    }
    while not place.is_over():
        victim = rng.choice(sorted(makers))
        try:
            async with Connection.open(place.endpoint(victim)) as stolen:
                await stolen.until_connected(longest())
                for _ in range(10):
                    if place.is_over():
                        break
                    if rng.random() < 0.2 and await _replay(place, stolen, victim):
                        continue
                    kind, made = makers[victim].make()
                    await publish(stolen, made.subject, made.payload, dict(made.headers))
                    channel = channel_of(victim, "community")
                    history.tell(Forged(kind=kind, channel=channel, digest=made.digest))
                    await asyncio.sleep(rng.expovariate(place.rate))
        except (BusError, sqlite3.OperationalError):  # cut off; or an outbox that is just being made
            await asyncio.sleep(LOOK_S)


async def _replay(place: Place, stolen: Connection, victim: str) -> bool:
    """Say again, without a message id, what an outbox has said."""
    path = outbox_of(place, victim)
    if not path.exists():
        return False  # nobody speaks as this one today
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT subject, headers, payload FROM outbox ORDER BY random() LIMIT 1"
        ).fetchone()
    if found is None:
        return False
    headers = msgspec.json.decode(found[1], type=dict[str, str])
    headers.pop("Nats-Msg-Id", None)
    await publish(stolen, found[0], found[2], headers)
    return True


def outbox_of(place: Place, identity: str | None = None) -> Path:
    """The file of an authority's outbox."""
    return place.folder / f"{identity or place.identity}.outbox.db"


def _accomplice(victim: str) -> str:
    return next(name for name in SPEAKERS if name != victim)


async def proxy(place: Place, history: History) -> None:
    """Carry connections from its ports to the brokers': killed, it cuts them; stopped, it leaves them half open."""
    for pair in place.url.split(","):
        here, there = map(int, pair.split(":"))
        cable = Cable(there)
        cable.port = here
        await cable.mend()
    await asyncio.Event().wait()


ROLES: dict[str, Callable[[Place, History], Awaitable[None]]] = {
    each.__name__: each for each in (publisher, hub, forger, proxy)
}


def main(role: str, file: str) -> None:
    """Run a role until it ends or is ended."""
    place = msgspec.json.decode(Path(file).read_bytes(), type=Place, dec_hook=lambda kind, text: kind(text))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with History(place.history()) as history:
        asyncio.run(ROLES[role](place, history))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
