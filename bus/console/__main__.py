"""The console's process: reads its settings from standard input, serves until that ends. `python -m bus.console`; a hub starts it."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import uvicorn

from bus import desk, logs
from bus.console import lines
from bus.console.application import app
from bus.console.asked import clearance_of_hub
from bus.console.asking import NOBODY, Line
from bus.console.child import MOST_LINE, Place, Told, decoded
from bus.console.demonstration import Demonstration
from bus.console.desks import DeskPeople
from bus.console.doing import Hub
from bus.console.people import People
from bus.console.reading import Reading, Shelf
from bus.console.signing import Closed, Oidc, Passkeys, Provider, Way, read_oidc
from bus.errors import ConfigError
from bus.hub import picture
from bus.storage import write_atomically
from bus.trust import RegistryStore, VerifiedRegistry
from schemas.errors import TocsinError

SETUP_FILE = "console-setup.txt"
TIDY_S = 3600.0


def main() -> int:
    """Serve until standard input ends. Returns the exit code."""
    logs.quietly()
    place = decoded(sys.stdin.buffer.readline(MOST_LINE))
    try:
        return asyncio.run(serve(place))
    except (TocsinError, OSError) as exc:
        _say(Told(problem=str(exc)))
        return 1


async def serve(place: Place) -> int:
    """Serve one console.

    Raises:
        ConfigError, TrustError: the registry cannot be read.
        StoreError: the file of the people cannot be opened.
        OSError: nothing can listen there.
    """
    registry = RegistryStore(
        place.registry, pin=place.pin, domain=place.domain, beacon=place.beacon, clock=_now
    )
    contacts = picture.read_contacts(place.contacts) if place.contacts is not None else None
    shelf = Shelf(authority=place.authority, registry=registry, contacts=contacts, files=place.store.parent)
    listening = lines.listening(place.host, place.port, else_any=place.else_any)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/"
    async with (
        Reading.open(place.store, shelf) as reading,
        _people(place, registry(), place.public.address if place.public else address) as (people, ways),
        _hub(place) as hub,
    ):
        hosts = place.public.hosts if place.public is not None else (f"{shown}:{port}", f"localhost:{port}")
        is_behind = place.public is not None
        console = app(reading, people, _now, hub=hub, hosts=hosts, is_behind=is_behind, ways=ways)
        gc.collect()
        gc.freeze()  # what stays for good: a full collection, during which no page is made, no longer looks at it
        config = uvicorn.Config(
            console, http=lines.protocol_of(lines.room()),
            log_config=None, access_log=False, server_header=False, proxy_headers=False, ws="none", lifespan="on",
            timeout_keep_alive=15, timeout_graceful_shutdown=1, h11_max_incomplete_event_size=16 * 1024, backlog=lines.BACKLOG,
        )  # fmt: skip
        server = uvicorn.Server(config)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listening]))
            ending = tasks.create_task(_ended())
            _say(Told(address=address))
            await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            ending.cancel()
    return 0


@asynccontextmanager
async def _hub(place: Place) -> AsyncIterator[Hub]:
    """The hub that signs, over the file that it has handed down."""
    if place.hub < 0:
        yield NOBODY
        return
    async with Line.open(socket.socket(fileno=place.hub)) as line:
        yield line


@asynccontextmanager
async def _people(
    place: Place, registry: VerifiedRegistry, address: str
) -> AsyncIterator[tuple[People, tuple[Way, ...]]]:
    """Who may look, and how they sign in beside a password.

    Where nobody has been added, the first one's address to set a password is written to a file.
    """
    everything = clearance_of_hub(registry, place.authority)
    if place.demonstration:
        async with desk.Desk.open(place.desk, os.urandom) as held:
            roles = (desk.Role.ANALYST, desk.Role.DUTY, desk.Role.PUBLISHER, desk.Role.APPROVER)
            yield Demonstration(everything, secrets.token_bytes, tuple(map(str, roles)), held), ()
        return
    async with desk.Desk.open(place.desk, os.urandom) as held, asyncio.TaskGroup() as tasks:
        people = DeskPeople(held, os.urandom)
        token = await people.first_token(_now(), everything)
        file = place.desk.with_name(SETUP_FILE)
        if token is None:
            file.unlink(missing_ok=True)
        else:
            write_atomically(file, f"{address}set-password?token={token}\n".encode(), mode=0o600)
            _say(Told(setup=str(file)))
        tidying = tasks.create_task(_tidy(held))
        try:
            yield people, _ways(place, held)
        finally:
            tidying.cancel()


def _ways(place: Place, held: desk.Desk) -> tuple[Way, ...]:
    """The ways to sign in that are set up; one that does not work is told, and keeps nobody from the others."""
    ways: list[Way] = [Passkeys(held, _now, os.urandom)] if Passkeys.is_installed() else []
    if place.oidc is not None:
        try:
            ways.append(Oidc(Provider(read_oidc(place.oidc)), held, _now, os.urandom))
        except ConfigError as problem:
            _say(Told(note=f"the console offers no single sign-on: {problem}; {problem.remedy}"))
            ways.append(Closed("the single sign-on"))
    return tuple(ways)


async def _tidy(held: desk.Desk) -> None:
    while True:
        await held.tidy(_now().timestamp())
        await asyncio.sleep(TIDY_S)


async def _ended() -> None:
    """Wait until standard input ends: then the hub has."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def _say(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
