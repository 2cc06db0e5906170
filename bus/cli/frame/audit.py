"""What a command writes into the audit record."""

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
    """Where this identity's audit record lies: with its state, or, where no context is chosen, with the settings."""
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
    """Add an entry to the record of the context itself: that it was made, or what was changed, and by which pin it trusts.

    Raises:
        AuditError, OSError: it could not be recorded.
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
    """Adds entries for a program that runs on: an entry that cannot be written is told on standard error, and ends nothing."""

    def add(event: str, facts: Mapping[str, Fact]) -> None:
        try:
            record(app, event, **facts)
        except (TocsinError, OSError) as trouble:
            app.note(f"{event!r} is not in the audit record: {trouble}")

    return add


def record_refusal(app: App, exc: TocsinError) -> None:
    """Record a refusal by its reason and place, never its text, which may quote the draft. Says so when it cannot."""
    recorder(app)("refused", {"reason": exc.reason, "path": getattr(exc, "path", "")})
