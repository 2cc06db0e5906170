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
from tests.faults.forgeries import Forger
from tests.faults.history import Accepted, Admitted, Forged, History, Kept, Refused, Stored, Withdrawn, read
from tests.faults.world import SPEAKERS, WAYS, Place, channel_of
from tests.support.clocks import utc_now
from tests.support.waiting import longest
from tests.support.world import DEFAULTS, draft

LOOK_S = 0.2


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
        told = _Outbox(place, history)
        while not place.is_over():
            audience = rng.choice(list(WAYS))
            try:
                accepted = await speaking.publish(
                    draft(f"number {secrets.token_hex(4)}", tlp=WAYS[audience], audience=audience)
                )
            except BusError as exc:  # its key has ended, or its outbox is behind until that was looked at
                structlog.get_logger().warning("not_said", reason=exc.reason, problem=str(exc))
                await asyncio.sleep(LOOK_S)
            else:
                channel = channel_of(place.identity, audience)
                history.tell(Accepted(channel=channel, seq=accepted.seq, digest=accepted.digest))
            told.look()
            await asyncio.sleep(rng.expovariate(place.rate))
        while not await speaking.idle(LOOK_S):
            told.look()
        await asyncio.sleep(2 * LOOK_S)  # the last acknowledgements are noted with the sender's next turn
        told.look()


class _Outbox:
    """What an outbox holds, told as it comes: its file is the truth, whoever died before telling."""

    def __init__(self, place: Place, history: History) -> None:
        self._db = sqlite3.connect(outbox_of(place), isolation_level=None)
        self._issuer = place.identity
        self._history = history
        self._n, self._stored_at = 0, 0.0

    def look(self) -> None:
        """Tell what is new."""
        for n, channel, seq, found in self._db.execute(
            "SELECT n, channel, seq, digest FROM outbox WHERE n > ? ORDER BY n", (self._n,)
        ).fetchall():
            self._history.tell(Kept(channel=f"{self._issuer}/{channel}", seq=seq, digest=found))
            self._n = n
        for found, at in self._db.execute(
            "SELECT digest, stored_at FROM outbox WHERE stored_at > ? ORDER BY stored_at", (self._stored_at,)
        ).fetchall():
            self._history.tell(Stored(digest=found, at=at))
            self._stored_at = at


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
            stand_by=True,
        ),
    ):
        told = _Store(place, history)
        while True:
            told.look()
            await asyncio.sleep(LOOK_S)


class _Store:
    """What a hub's store holds, told as it comes; and what it no longer holds."""

    def __init__(self, place: Place, history: History) -> None:
        self._hub, self._history = place.identity, history
        self._db = sqlite3.connect(place.folder / f"{place.identity}.store.db", isolation_level=None)
        self._rows: set[int] = set()
        self._n = 0
        for event in read([place.history()]):
            if isinstance(event, Admitted):
                self._rows.add(event.row)
            elif isinstance(event, Withdrawn):
                self._rows.discard(event.row)

    def look(self) -> None:
        """Tell what is new, or gone."""
        after = max(self._rows, default=0)
        gone = self._rows - {row for (row,) in self._db.execute("SELECT row FROM admitted")}
        self._history.tell(*(Withdrawn(hub=self._hub, row=row) for row in sorted(gone)))
        self._rows -= gone
        for row, at, channel, seq, found in self._db.execute(
            "SELECT row, admitted_at, channel, seq, digest FROM admitted WHERE row > ? ORDER BY row", (after,)
        ).fetchall():
            self._history.tell(
                Admitted(at=at, hub=self._hub, row=row, channel=channel, seq=seq, digest=found)
            )
            self._rows.add(row)
        for n, found, reason in self._db.execute(
            "SELECT n, digest, reason FROM quarantine WHERE n > ? ORDER BY n", (self._n,)
        ).fetchall():
            self._history.tell(Refused(hub=self._hub, digest=found, reason=reason))
            self._n = n


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
