"""Opening what a context names: its registry, its keys, its outbox, its store, its place on the bus."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bus.cli.app import App
from bus.config import Context
from bus.errors import ConfigError
from schemas.bulletin import Defaults
from schemas.vocab import Pap, Tlp

if TYPE_CHECKING:
    from bus.connection import Endpoint
    from bus.inbox import Inbox
    from bus.outbox import Outbox
    from bus.publisher import Publisher
    from bus.signing import FileSigner
    from bus.trust import VerifiedRegistry

V = TypeVar("V", Tlp, Pap)

OUTBOX_FILE = "outbox.db"
STORE_FILE = "store.db"


def open_registry(context: Context, now: dt.datetime) -> VerifiedRegistry:
    """The context's registry, verified from its pin, with the beacon when there is a good one.

    Raises:
        ConfigError: a file is missing.
        TrustError: the registry does not verify, or is another domain's.
    """
    from bus.errors import TrustError
    from bus.trust import VerifiedRegistry

    raw = _bytes(context.registry, "registry")
    registry = VerifiedRegistry.open(raw, pin=context.pin, domain=context.domain)
    if context.beacon is not None and context.beacon.is_file():
        try:
            registry = registry.with_beacon(context.beacon.read_bytes(), now)
        except TrustError as exc:
            if exc.reason == "fork":
                raise
            # An old or damaged beacon makes trust stale, which every output says; it never deafens a reader.
    return registry


def open_signer(context: Context) -> FileSigner:
    """The context's signing key."""
    from bus.keyfiles import load_signer, read_secret

    if context.key is None:
        raise ConfigError(
            f"{context.authority} has no signing key in this context; publish as an authority",
            reason="no-key",
        )
    passphrase = read_secret(context.passphrase_file) if context.passphrase_file else None
    return load_signer(context.key, passphrase)


def endpoint(context: Context, name: str) -> Endpoint:
    """Where and as whom the context connects."""
    from bus.connection import Endpoint
    from bus.nkey import load_nkey

    if context.server is None or context.nkey is None:
        raise ConfigError("this context names no server or no transport key", reason="no-server")
    return Endpoint(
        url=context.server, authority_id=context.authority, nkey_seed=load_nkey(context.nkey), name=name
    )


def defaults(context: Context) -> Defaults:
    """What a draft leaves out and the context fills in."""
    return Defaults(
        tlp=_member(Tlp, context.tlp, "tlp"),
        pap=_member(Pap, context.pap, "pap") or Pap.GREEN,
        audience=context.audience,
    )


def _member(vocabulary: type[V], value: str | None, field: str) -> V | None:
    if value is None:
        return None
    try:
        return vocabulary(value)
    except ValueError:
        raise ConfigError(
            f"{field} {value!r} is none of: {', '.join(vocabulary)}", reason="config-malformed"
        ) from None


@asynccontextmanager
async def open_publisher(app: App, *, offline: bool = False) -> AsyncIterator[Publisher]:
    """The publisher of the chosen context over its own outbox; sends in the background unless `offline`."""
    from bus.outbox import Outbox
    from bus.publisher import Publisher

    name, context = app.context()
    folder = private_folder(app.state_folder())
    registry = open_registry(context, app.now())
    signer = open_signer(context)
    async with (
        Outbox.open(folder / OUTBOX_FILE) as outbox,
        Publisher.open(
            authority_id=context.authority,
            outbox=outbox,
            registry=lambda: registry,
            signers=(signer,),
            endpoint=None if offline else endpoint(context, f"{name} publish"),
            defaults=defaults(context),
            clock=app.now,
            rng=secrets.token_bytes,
        ) as publisher,
    ):
        yield publisher


@asynccontextmanager
async def open_outbox(app: App) -> AsyncIterator[Outbox]:
    """The outbox of the chosen context."""
    app.logs()
    from bus.outbox import Outbox

    async with Outbox.open(private_folder(app.state_folder()) / OUTBOX_FILE) as outbox:
        yield outbox


@asynccontextmanager
async def open_store(app: App) -> AsyncIterator[Inbox]:
    """The reader's store of the chosen context, with the hub's projection in it."""
    app.logs()
    from bus.hub.projection import Projection
    from bus.inbox import Inbox

    async with Inbox.open(private_folder(app.state_folder()) / STORE_FILE, projector=Projection()) as store:
        yield store


def private_folder(path: Path) -> Path:
    """The folder, made for its owner alone when it was not there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"the {what} file {path} is not there; ask your registrar for it", reason="file-missing"
        ) from None
    except OSError as exc:
        raise ConfigError(
            f"cannot read the {what} file {path}: {exc.strerror}", reason="file-unreadable"
        ) from None
