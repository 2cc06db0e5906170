"""`tocsin doctor`: what is wrong on this machine and with this identity, each line with the command that repairs it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus import health
from bus import server as broker
from bus.cli import frame
from bus.cli.frame import Answer, App, NotFoundError, Table, command, private_folder
from bus.errors import ConfigError
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.health import Condition, Report

PROBE_BYTES = 1024 * 1024
LOOK_S = 3.0
WORDS = {"ok": "ok", "warning": "warn", "bad": "FAIL"}


@command()
@click.option(
    "--forget",
    metavar="PROGRAM",
    help="delete the state of a program that will not run here again",
)
async def doctor(app: App, *, forget: str | None) -> Answer:
    """Check this machine, the settings, and all of the chosen identity now; no program needs to run.

    Keys, grants and outbox are judged by the code that publish uses. The reports of the identity's running programs
    are shown too. Exits 9 when a condition is bad.
    """
    app.logs(errors_only=True)
    if forget is not None:
        return _forget(app, forget)
    here = (*_machine(), *_settings(app))
    facts = await _looked_at(app)
    facts = msgspec.structs.replace(facts, more=here)
    report = health.judge(facts, app.now())
    ordered = _in_order(report, here)
    rows = [
        (WORDS[each.level], each.name, each.detail, "" if each.code == "ok" else each.code, each.remedy)
        for each in ordered
    ]
    return Answer(
        msgspec.structs.replace(report, conditions=ordered),
        table=Table(("", "looked at", "found", "code", "do next"), rows),
        code=frame.code_of(report),
    )


def _in_order(report: Report, first: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Machine and settings before the identity, which depends on them."""
    return (*first, *(each for each in report.conditions if each not in first))


def _forget(app: App, program: str) -> Answer:
    if not health.forget(app.state_folder(), program):
        raise NotFoundError(
            f"this identity has no ended program {program!r} here", remedy="tocsin doctor lists them"
        )
    return Answer({"forgotten": program}, notes=[f"the state of {program} is deleted"])


async def _looked_at(app: App) -> health.Facts:
    """Facts about the chosen identity; empty when none can be chosen, which other lines report."""
    try:
        if not app.loaded.settings.contexts:
            return health.Facts()
        app.context()
    except ConfigError:
        return health.Facts()
    return await frame.looked_at(app, app.timeout(LOOK_S))


def _machine() -> Iterator[Condition]:
    version = sys.version.split()[0]
    is_new = sys.version_info >= (3, 11)
    yield _condition("python", is_new, version, code="python-old", remedy="install Python 3.11 or newer")
    server = _look("nats-server", _server, "pip install 'tocsin[server]', or set TOCSIN_NATS_SERVER")
    # Most publishers and readers have no nats-server, and need none.
    yield server if server.code == "ok" else msgspec.structs.replace(server, level=health.Level.WARNING)


def _settings(app: App) -> Iterator[Condition]:
    yield _look(
        "settings",
        lambda: f"{len(app.loaded.settings.contexts)} contexts in {app.loaded.home}",
        "tocsin config show --origin",
    )
    try:
        if not app.loaded.settings.contexts:
            return
    except Exception:  # noqa: BLE001 (reported by the line above)
        return
    yield _look("context", lambda: app.context()[0], "tocsin context ls, then --context NAME")
    with contextlib.suppress(Exception):
        app.context()
        yield _look(
            "state folder",
            lambda: _writable(app),
            "make room on its disk, and let only yourself enter the folder: chmod 700",
        )


def _look(name: str, question: Callable[[], str], remedy: str) -> Condition:
    try:
        return _condition(name, True, question())
    except OSError as exc:
        code = "store-full" if exc.errno in (errno.ENOSPC, errno.EDQUOT) else "file"
        return _condition(name, False, f"{exc.filename}: {exc.strerror}", code=code, remedy=remedy)
    except TocsinError as exc:
        return _condition(name, False, str(exc), code=exc.reason, remedy=remedy)
    except click.ClickException as exc:
        return _condition(name, False, str(exc), code="usage", remedy=remedy)


def _condition(
    name: str, is_ok: bool, detail: str, *, code: str = "ok", remedy: str = ""
) -> health.Condition:
    if is_ok:
        return health.Condition(name=name, level=health.Level.OK, code="ok", detail=detail)
    return health.Condition(name=name, level=health.Level.BAD, code=code, detail=detail, remedy=remedy)


def _server() -> str:
    binary = broker.find_binary(None, os.environ)
    return f"{broker.check_version(binary)} at {binary}"


def _writable(app: App) -> str:
    """The state folder, after a test that a file of some size can be written in it."""
    folder = private_folder(app.state_folder())
    probe = folder / ".writable"
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(folder)) from None
    finally:
        with contextlib.suppress(OSError):
            Path(probe).unlink(missing_ok=True)
    return str(folder)
