"""Opening what a context names: its registry, its keys, its outbox, its store, its place on the bus."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bus.cli.frame.app import App
from bus.config import Context
from bus.errors import ConfigError
from schemas.bulletin import Defaults
from schemas.errors import TocsinError
from schemas.vocab import Pap, Posture, Tlp

if TYPE_CHECKING:
    from bus.audit import Fact
    from bus.keys.hpke import OpeningKey
    from bus.keys.signatures import Signer
    from bus.policy.deadlines import Deadlines
    from bus.publishing.outbox import Outbox
    from bus.publishing.publisher import Publisher
    from bus.subscribing.inbox import Inbox
    from bus.transport.connection import Endpoint
    from bus.transport.tls import Tls
    from bus.trust.registry import VerifiedRegistry
    from bus.trust.store import HeldRegistry

V = TypeVar("V", Tlp, Pap, Posture)

OUTBOX_FILE = "outbox.db"
STORE_FILE = "store.db"


def open_registry(context: Context, now: dt.datetime) -> VerifiedRegistry:
    """The context's registry as it stands, for a command that ends at once.

    Raises:
        ConfigError, TrustError: see `HeldRegistry`.
    """
    return held_registry(context, lambda: now)()


def held_registry(context: Context, clock: Callable[[], dt.datetime]) -> HeldRegistry:
    """The context's registry, for a program that goes on: it follows what is taken in meanwhile.

    Raises:
        ConfigError, TrustError: see `HeldRegistry`.
    """
    from bus.trust.store import HeldRegistry

    return HeldRegistry(
        context.registry, pin=context.pin, domain=context.domain, beacon=context.beacon, clock=clock
    )


def open_signer(context: Context) -> Signer:
    """The context's signing key."""
    from bus.keys.files import read_secret
    from bus.keys.loading import open_key

    if context.key is None:
        raise ConfigError(
            f"{context.authority} has no signing key in this context; publish as an authority",
            reason="no-key",
        )
    passphrase = read_secret(context.passphrase_file) if context.passphrase_file else None
    signer = open_key(context.key, passphrase)
    if context.certificate is None:
        return signer
    from bus.keys.certificates import certified

    return certified(signer, context.certificate.read_bytes())


def pings(app: App) -> Callable[[], int]:
    """How often the connections of a program ping that follows the phase (`bus.cli.frame.calendars`)."""
    from bus.policy.phases import PACES

    return lambda: app.ping_s or PACES["none"].ping_s


def endpoint(context: Context, name: str, *, ping_s: Callable[[], int] | None = None) -> Endpoint:
    """Where and as whom the context connects, and how often it pings."""
    from bus.keys.nkeys import load_nkey
    from bus.transport.connection import Endpoint

    if context.server is None or context.nkey is None:
        raise ConfigError("this context names no server or no transport key", reason="no-server")
    tls = tls_of(context)
    if tls is not None:
        tls.context()  # what is wrong with its files is said now, not at each try to connect
    found = Endpoint(
        url=context.server,
        authority_id=context.authority,
        nkey_seed=load_nkey(context.nkey),
        name=name,
        tls=tls,
    )
    return found if ping_s is None else msgspec.structs.replace(found, ping_s=ping_s)


def tls_of(context: Context, *, host: str | None = None) -> Tls | None:
    """With which certificates the context connects; None where it does not demand TLS."""
    from bus.config import demands_tls
    from bus.transport.tls import Tls

    if not demands_tls(context):
        return None
    return Tls(ca=context.tls_ca, cert=context.tls_cert, key=context.tls_key, host=host)


def defaults(context: Context) -> Defaults:
    """What a draft leaves out and the context fills in."""
    return Defaults(
        tlp=member_of(Tlp, context.tlp, "tlp"),
        pap=member_of(Pap, context.pap, "pap") or Pap.GREEN,
        audience=context.audience,
    )


def member_of(vocabulary: type[V], value: str | None, field: str) -> V | None:
    """The word of a vocabulary that a setting names.

    Raises:
        ConfigError: `config-malformed`, with the words there are.
    """
    if value is None:
        return None
    try:
        return vocabulary(value)
    except ValueError:
        raise ConfigError(
            f"{field} {value!r} is none of: {', '.join(vocabulary)}", reason="config-malformed"
        ) from None


def open_seal_keys(
    app: App, file: Path | None = None, passphrase_file: Path | None = None
) -> list[OpeningKey]:
    """The private seal keys of the chosen context, or those in a file or folder; old ones too."""
    from bus.cli.registrar.key import read_passphrase
    from bus.keys.files import load_opening_key

    context = app.context()[1]
    place = file or context.seal_keys
    if place is None:
        raise ConfigError(
            "this context names no seal key; name one: --seal-key FILE, or tocsin context add ... --seal-keys",
            reason="no-seal-key",
        )
    files = sorted(place.glob("*.pem")) if place.is_dir() else [place]
    if not files:
        raise ConfigError(
            f"no *.pem file is in {place}; make one: tocsin key new --seal", reason="no-seal-key"
        )
    passphrase = read_passphrase(app, passphrase_file or context.passphrase_file)
    return [load_opening_key(each, passphrase) for each in files]


@asynccontextmanager
async def open_publisher(
    app: App,
    *,
    offline: bool = False,
    seal: bool = False,
    without: Sequence[str] = (),
    receipts: bool = False,
) -> AsyncIterator[Publisher]:
    """The publisher of the chosen context over its own outbox; sends in the background unless `offline`.

    It seals what the audience's policy wants sealed, or with `seal` everything, leaving out the readers in `without`.
    With `receipts` it reads those for what it has said.
    """
    from bus.cli.frame.calendars import at_hand
    from bus.publishing.outbox import Outbox
    from bus.publishing.publisher import Publisher
    from bus.sealing.sealer import Sealer

    name, context = app.context()
    folder = private_folder(app.state_folder())
    registry = held_registry(context, app.now)
    signer = open_signer(context)
    async with (
        Outbox.open(folder / OUTBOX_FILE) as outbox,
        at_hand(app) as calendars,
        Publisher.open(
            authority_id=context.authority,
            outbox=outbox,
            registry=registry,
            signers=(signer,),
            endpoint=None if offline else endpoint(context, f"{name} publish", ping_s=pings(app)),
            defaults=defaults(context),
            clock=app.now,
            rng=secrets.token_bytes,
            seal=Sealer((signer,), secrets.token_bytes, everything=seal, without=without),
            on_refused=lambda exc: record_refusal(app, exc),
            deadlines=deadlines_of(app) if receipts else None,
            calendars=calendars.own,
        ) as publisher,
    ):
        yield publisher


def deadlines_of(app: App) -> Deadlines:
    """By when hubs must have answered, as the settings say."""
    from bus.policy.deadlines import changed

    return changed(app.loaded.settings.deadlines)


@asynccontextmanager
async def open_outbox(app: App) -> AsyncIterator[Outbox]:
    """The outbox of the chosen context."""
    app.logs()
    from bus.publishing.outbox import Outbox

    async with Outbox.open(private_folder(app.state_folder()) / OUTBOX_FILE) as outbox:
        yield outbox


@asynccontextmanager
async def open_store(app: App, *, hold_s: float = 30.0) -> AsyncIterator[Inbox]:
    """The reader's store of the chosen context, with the hub's projection in it; `hold_s` as in `Inbox.open`."""
    app.logs()
    from bus.hub.picture.projection import Projection
    from bus.subscribing.inbox import Inbox

    path = private_folder(app.state_folder()) / STORE_FILE
    async with Inbox.open(path, projector=Projection(), hold_s=hold_s) as store:
        yield store


async def until_first(*works: Coroutine[object, object, None]) -> None:
    """Do several things at once until the first of them ends, and end the others; its error is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def follow_trust(app: App) -> None:
    """Take in what the bus says of the registry, for as long as the program runs; its own registry follows by file."""
    from bus.subscribing.registry_feed import TrustFeed

    name, context = app.context()
    await TrustFeed(
        held_registry(context, app.now),
        endpoint(context, f"{name} trust", ping_s=pings(app)),
        on_news=recorder(app),
    ).run()


def private_folder(path: Path) -> Path:
    """The folder, made for its owner alone when it was not there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def audit_file(app: App) -> Path:
    """Where this identity's audit record lies: with its state, or, where no context is chosen, with the settings."""
    from bus.audit import AUDIT_FILE
    from bus.config import home_of

    try:
        return app.state_folder() / AUDIT_FILE
    except ConfigError:  # a registrar or a root keeper needs no context
        return home_of(os.environ) / AUDIT_FILE


def record(app: App, event: str, **facts: Fact) -> None:
    """Add one entry to this identity's audit record, on the disk when this returns.

    Raises:
        AuditError, OSError: it could not be recorded.
    """
    _append(app, audit_file(app), event, facts)


def record_context(app: App, name: str, made: Context, before: Context | None) -> None:
    """Add an entry to the record of the context itself: that it was made or changed, and by which pin it trusts.

    Raises:
        AuditError, OSError: it could not be recorded.
    """
    from bus.audit import AUDIT_FILE
    from bus.config import state_of

    facts: dict[str, Fact] = {
        "name": name,
        "authority": made.authority,
        "domain": made.domain,
        "pin": made.pin or "",
    }
    if before is not None and before.pin != made.pin:
        facts["pin_before"] = before.pin or ""
    event = "context-added" if before is None else "context-changed"
    _append(app, state_of(name, made, os.environ) / AUDIT_FILE, event, facts)


def _append(app: App, path: Path, event: str, facts: Mapping[str, Fact]) -> None:
    from bus import audit

    private_folder(path.parent)
    audit.append(path, event, facts, app.now())


def recorder(app: App) -> Callable[[str, Mapping[str, Fact]], None]:
    """Adds entries for a program that goes on; when it cannot, it says so, and the program is not stopped by it."""

    def add(event: str, facts: Mapping[str, Fact]) -> None:
        try:
            record(app, event, **facts)
        except (TocsinError, OSError) as trouble:
            app.note(f"{event!r} is not in the audit record: {trouble}")

    return add


def record_refusal(app: App, exc: TocsinError) -> None:
    """Record a refusal by its reason and place, never its text, which may quote the draft. Says so when it cannot."""
    recorder(app)("refused", {"reason": exc.reason, "path": getattr(exc, "path", "")})
