"""Opens what a context names: registry, keys, outbox, store, and its place on the bus."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bus import api, delivery, desk, keys, policy, publishing, subscribing, transport, trust
from bus.cli.frame.app import App
from bus.cli.frame.files import read_passphrase
from bus.cli.frame.patience import once_open
from bus.config import DESK_FILE, OUTBOX_FILE, STORE_FILE, Context, private_folder
from bus.errors import ConfigError
from bus.hub import picture
from schemas.bulletin import Defaults
from schemas.vocab import Pap, Posture, Tlp

if TYPE_CHECKING:
    import sqlite3

    from bus.keys import OpeningKey, Signer
    from bus.subscribing import Inbox
    from bus.trust import VerifiedRegistry


S = TypeVar("S")
T = TypeVar("T")
V = TypeVar("V", Tlp, Pap, Posture)


def open_registry(app: App, now: dt.datetime | None = None) -> VerifiedRegistry:
    """The chosen context's registry at `now` (default: the present), for a command that ends at once.

    Raises:
        ConfigError, TrustError: see `RegistryStore`.
    """
    return registry_store(app, now)()


def present_registry(app: App) -> tuple[VerifiedRegistry, dt.datetime]:
    """(the chosen context's registry now, the present time).

    Raises:
        ConfigError, TrustError: see `RegistryStore`.
    """
    now = app.now()
    return open_registry(app, now), now


def registry_store(app: App, now: dt.datetime | None = None) -> trust.RegistryStore:
    """The chosen context's registry, for a program that runs until Ctrl-C: it follows each accepted version.

    Raises:
        ConfigError, TrustError: see `RegistryStore`.
    """
    return api.opening.registry_of(app.identity, app.now if now is None else lambda: now)


def open_signer(context: Context) -> Signer:
    """The context's signing key."""
    return api.opening.signer_of(context)


def signer_of(app: App, key_file: Path | None, passphrase_file: Path | None) -> Signer:
    """The signer in a key file, with its passphrase from a file or a person; without a key file, the context's."""
    if key_file is None:
        return open_signer(app.identity)
    return keys.open_key(key_file, read_passphrase(app, passphrase_file))


def endpoint(app: App, purpose: str, *, by_phase: bool = False) -> transport.Endpoint:
    """The server and identity with which the chosen context connects.

    Args:
        app: this invocation.
        purpose: part of the connection's name.
        by_phase: whether the ping interval follows the phase (`bus.cli.frame.calendars`).

    Raises:
        ConfigError: `no-server`, `tls-file`.
    """
    place = api.opening.endpoint_of(*app.context(), purpose)
    if not by_phase:
        return place
    return msgspec.structs.replace(place, ping_s=lambda: app.ping_s or policy.PACES["none"].ping_s)


def defaults(context: Context) -> Defaults:
    """The context's values for fields that a draft leaves out."""
    return api.opening.defaults_of(context)


def open_seal_keys(
    app: App, file: Path | None = None, passphrase_file: Path | None = None
) -> list[OpeningKey]:
    """The private seal keys of the chosen context, or those in a file or folder; also old ones."""
    context = app.identity
    place = file or context.seal_keys
    if place is None:
        raise ConfigError(
            "this context names no seal key",
            remedy="name one: --seal-key FILE, or tocsin context add ... --seal-keys",
            reason="no-seal-key",
        )
    files = sorted(place.glob("*.pem")) if place.is_dir() else [place]
    if not files:
        raise ConfigError(
            f"no *.pem file is in {place}", remedy="make one: tocsin key new --seal", reason="no-seal-key"
        )
    passphrase = read_passphrase(app, passphrase_file or context.passphrase_file)
    return [keys.load_opening_key(each, passphrase) for each in files]


@asynccontextmanager
async def open_outbox(app: App) -> AsyncIterator[publishing.Outbox]:
    """The outbox of the chosen context, with the receipts in it. If there is none, an empty one, and a note says so."""
    app.logs()

    path = private_folder(app.state_folder()) / OUTBOX_FILE
    missing = not (path.exists() or publishing.heads_path(path).exists())
    with _instead(app, path, "outbox: no bulletin was published here", missing=missing) as there:
        async with once_open(app, lambda: publishing.Outbox.open(there, tables=delivery.TABLES)) as outbox:
            yield outbox


@asynccontextmanager
async def open_store(app: App, *, hold_s: float = 30.0, make: bool = False) -> AsyncIterator[Inbox]:
    """The reader's store of the chosen context, with the hub's projection in it; `hold_s` as in `Inbox.open`.

    If there is none: with `make` it is made, as for programs that read; otherwise it is an empty one, no file is made, and a note says so.
    """
    app.logs()

    path = private_folder(app.state_folder()) / STORE_FILE
    missing = not make and not path.exists()
    with _instead(
        app,
        path,
        "store: no program has read here yet; start one: tocsin hub run, or tocsin watch",
        missing=missing,
    ) as there:
        async with once_open(app, lambda: picture.projection.open_store(there, hold_s=hold_s)) as store:
            yield store


@asynccontextmanager
async def open_desk(app: App, *, make: bool = False) -> AsyncIterator[desk.Desk]:
    """What people do at the hub of the chosen context; a console may have the file open too.

    Where there is none it is made with `make`; else it is an empty one, nothing is made, and it is said.
    """
    app.logs()

    path = private_folder(app.state_folder()) / DESK_FILE
    missing = not make and not path.exists()
    with _instead(app, path, "desk: nobody was added here (tocsin people add)", missing=missing) as there:
        async with once_open(app, lambda: desk.Desk.open(there, os.urandom)) as store:
            yield store


@contextmanager
def _instead(app: App, path: Path, what: str, *, missing: bool) -> Iterator[Path]:
    """An existing file, or a temporary place for one, removed at the end."""
    if not missing:
        yield path
        return
    app.note(f"there is no {what}")
    with TemporaryDirectory() as empty:
        yield Path(empty) / path.name


def within(opened: AbstractAsyncContextManager[S], work: Callable[[S], Awaitable[T]]) -> T:
    """Open something, do one thing with it, close it; for a command that is not a coroutine.

    A command that asks a person must not be a coroutine: there the first Ctrl-C does not end a question.
    """
    import asyncio

    async def run() -> T:
        async with opened as it:
            return await work(it)

    return asyncio.run(run())


def query_store(app: App, question: Callable[[sqlite3.Connection], T]) -> T:
    """The answer of one pure read of the chosen context's store."""
    return within(open_store(app), lambda store: store.read(question))


def admitted_row(db: sqlite3.Connection, wanted: str) -> sqlite3.Row | None:
    """The row of an admitted bulletin, by its id or digest."""
    return subscribing.bodies.admitted_row(db, wanted)
