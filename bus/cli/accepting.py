"""`tocsin registry accept`: the next version, or a revocation statement, into this identity's settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli.app import App, command
from bus.cli.ceremony import kept_name, previous_of, read, replace, say
from bus.cli.session import open_registry, revocations_of

if TYPE_CHECKING:
    from bus.config import Context
    from bus.trust import VerifiedRegistry


@command(None, "accept")
@click.argument("file", type=click.Path(path_type=Path))
def accept(app: App, file: Path) -> None:
    """Take FILE into this context: the next version of its registry, or a revocation statement.

    Everything is checked against what the context holds. A next version is kept beside the registry and becomes the
    pin of every context that had the same; a statement is kept in the folder `revocations` beside it. Programs that
    run read both when they are started again.
    """
    from schemas.envelope import TYP_REVOKE, read_signed
    from schemas.errors import EnvelopeError
    from schemas.registry import MAX_REVOKE_BYTES

    raw = read(file)
    try:
        read_signed(raw, typ=TYP_REVOKE, max_bytes=MAX_REVOKE_BYTES)
    except EnvelopeError:
        _version(app, file, raw)
    else:
        _statement(app, raw)


def _statement(app: App, raw: bytes) -> None:
    from schemas.codec import digest
    from schemas.envelope import TYP_REVOKE, read_signed
    from schemas.registry import MAX_REVOKE_BYTES

    _, context = app.context()
    held = open_registry(context, app.now())
    found = held.with_revocation(raw, app.now())
    folder = revocations_of(context)
    name = digest(read_signed(raw, typ=TYP_REVOKE, max_bytes=MAX_REVOKE_BYTES).payload)
    path = folder / f"{name}.tocsin.json"
    if found is held:
        say(app, path, "nothing changes: these keys are revoked since then or earlier already")
        return
    folder.mkdir(parents=True, exist_ok=True)
    replace(path, raw)
    statement = found.revocations[-1]
    say(
        app,
        path,
        f"revoked, since {statement.since:%Y-%m-%d %H:%M:%S} UTC, of {statement.authority}: "
        f"{', '.join(statement.kids)}; start again what runs",
    )


def _version(app: App, file: Path, raw: bytes) -> None:
    from bus.config import save_contexts

    name, context = app.context()
    own = _own(app, name)
    held = _held(context)
    found = held.update(raw, app.now())
    if found is held and context.pin == found.digest:
        say(app, context.registry, f"version {found.version} is held already")
        return
    target = context.registry
    if file.absolute() != target:
        plain = target.with_name(re.sub(r"\.v\d+(?=\.|$)", "", target.name))
        target = kept_name(plain, found.version)
        replace(target, raw)
    moved = {
        each: msgspec.structs.replace(one, registry=target, pin=found.digest)
        for each, one in app.loaded.settings.contexts.items()
        if each in own
        and (one.registry, one.pin, one.domain) == (context.registry, context.pin, context.domain)
    }
    save_contexts(app.loaded.home, moved)
    say(
        app,
        target,
        f"version {found.version} is now the registry of {', '.join(sorted(moved))}; start again what runs",
    )


def _held(context: Context) -> VerifiedRegistry:
    """What the context holds; its file may have been covered by the next version, with the old one kept beside it."""
    from bus import ceremony
    from bus.errors import TrustError
    from bus.trust import VerifiedRegistry

    raw = read(context.registry)
    try:
        return VerifiedRegistry.open(raw, pin=context.pin, domain=context.domain)
    except TrustError as exc:
        kept = previous_of(context.registry, ceremony.document_of(raw)) if exc.reason == "pin" else None
        if kept is None or (kept.digest, kept.domain) != (context.pin, context.domain):
            raise
        return kept


def _own(app: App, name: str) -> frozenset[str]:
    """The contexts of the user's own file; one of another file would go on with its old pin."""
    from bus.errors import ConfigError

    own = str(app.loaded.home / "config.toml")
    origins = {row.key: row.origin for row in app.loaded.origins}
    if (where := origins[f"contexts.{name}.pin"]) != own:
        raise ConfigError(
            f"context {name} is set in {where}, which is not changed from here; change its registry and pin there",
            reason="config-elsewhere",
        )
    return frozenset(each for each in app.loaded.settings.contexts if origins[f"contexts.{each}.pin"] == own)
