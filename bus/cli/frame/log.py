"""The library's log on standard error: one safe line an event, in words, without colour."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

from bus.cli.frame.text import safe

# structlog loads rich, when it is installed, to draw tracebacks that are never drawn here: a tenth of a second of
# every command. A module that is None cannot be imported.
_modules: dict[str, Any] = sys.modules
if _hide := "rich" not in _modules:
    _modules["rich"] = None
import structlog  # noqa: E402

if _hide:
    del _modules["rich"]

DEBUG, WARNING, ERROR, CRITICAL = 10, 30, 40, 50
# A connection that is still being made is no news; it is, once there is a reason why it is not.
_STILL_CONNECTING = "not connected yet"


def configure(verbosity: int, *, errors_only: bool = False) -> None:
    """Log to standard error.

    Args:
        verbosity: above 0 everything, 0 warnings and worse, below 0 nothing but what ends the program.
        errors_only: for a command that tells itself how the bus is, in its own words.
    """
    usual = ERROR if errors_only else WARNING
    level = DEBUG if verbosity > 0 else usual if verbosity == 0 else CRITICAL
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """`17:59:04 warning: document refused: reason misp-shape, detail ...`."""
    if event.get("problem") == _STILL_CONNECTING:
        raise structlog.DropEvent
    when, level = event.pop("timestamp", ""), event.pop("level", "")
    what, trace = str(event.pop("event", "")).replace("_", " "), event.pop("exception", "")
    details = ", ".join(f"{name.replace('_', ' ')} {safe(value)}" for name, value in event.items())
    line = safe(f"{when} {level}: {what}") + (f": {details}" if details else "")
    return "\n".join([line, *(safe(each) for each in str(trace).splitlines())])
