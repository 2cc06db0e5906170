"""Writes the entries of commands into the audit record."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bus import audit
from bus.audit import AUDIT_FILE
from bus.cli.frame.app import App
from bus.config import Context, home_of, private_folder, state_of
from bus.errors import ConfigError
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.audit import Fact


def audit_file(app: App) -> Path:
    """The file of this identity's audit record: in its state folder, or, without a context, in the folder of the settings."""
    try:
        return app.state_folder() / AUDIT_FILE
    except ConfigError:  # a registrar or a root keeper has no context
        return home_of(os.environ) / AUDIT_FILE


def record(app: App, event: str, **facts: Fact) -> None:
    """Add one entry to this identity's audit record; it is on the disk when this returns.

    Raises:
        AuditError, OSError: the entry could not be written.
    """
    _append(app, audit_file(app), event, facts)


def record_context(app: App, name: str, made: Context, before: Context | None) -> None:
    """Record in the context's own audit record that it was made, or which settings changed, and its pin.

    Raises:
        AuditError, OSError: the entry could not be written.
    """
    facts: dict[str, Fact] = {
        "name": name,
        "authority": made.authority,
        "domain": made.domain,
        "pin": made.pin or "",
    }
    if before is not None and before.pin != made.pin:
        facts["pin_before"] = before.pin or ""
    if before is not None:
        facts["changed"] = ", ".join(
            field for field in made.__struct_fields__ if getattr(made, field) != getattr(before, field)
        )
    event = "context-added" if before is None else "context-changed"
    _append(app, state_of(name, made, os.environ) / AUDIT_FILE, event, facts)


def _append(app: App, path: Path, event: str, facts: Mapping[str, Fact]) -> None:
    private_folder(path.parent)
    audit.append(path, event, facts, app.now())


def recorder(app: App) -> Callable[[str, Mapping[str, Fact]], None]:
    """A recorder for a program that runs until Ctrl-C: a failed entry is reported on standard error and does not end the program."""

    def add(event: str, facts: Mapping[str, Fact]) -> None:
        try:
            record(app, event, **facts)
        except (TocsinError, OSError) as trouble:
            app.note(f"{event!r} is not in the audit record: {trouble}")

    return add


def record_refusal(app: App, exc: TocsinError) -> None:
    """Record a refusal by reason and place; not its text, which may quote the draft. Reports on standard error if this fails."""
    recorder(app)("refused", {"reason": exc.reason, "path": getattr(exc, "path", "")})
