"""The log that every room writes to: structlog, imported with the first event.

Most commands log nothing, and structlog is a tenth of what they would load. So a room uses `log = logger()` without
importing structlog. A program that wants another configuration than structlog's default calls `set_up`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


_WARNING = 30  # as in `logging`, which is not imported here


class _Setting:
    """The setup still to do before the first event."""

    def __init__(self) -> None:
        self.work: Callable[[], None] | None = None
        self.plain = False
        self.lock = threading.RLock()


_SETTING = _Setting()


class _Log:
    """A logger made for each event, with the configuration of that moment."""

    def __getattr__(self, name: str) -> Any:
        load()
        import structlog

        return getattr(structlog.get_logger(), name)


_LOG = _Log()


def logger() -> FilteringBoundLogger:
    """A logger; it imports structlog only with the first event."""
    return cast("FilteringBoundLogger", _LOG)


def set_up(work: Callable[[], None]) -> None:
    """Register `work` to set up the log before the first event; runs at once if structlog is loaded. The last call counts."""
    with _SETTING.lock:
        _SETTING.work = work
        if "structlog" in sys.modules:
            load()


def quietly() -> None:
    """Write warnings and errors to standard error, unless the program has configured structlog or the log itself.

    For use as a library: by default structlog writes everything to standard output.
    """
    with _SETTING.lock:
        if _SETTING.work is None and not (
            "structlog" in sys.modules and sys.modules["structlog"].is_configured()
        ):
            set_up(_warnings)


def _warnings() -> None:
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(_WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def plainly() -> None:
    """Import structlog without rich, which tocsin does not install and structlog would load for tracebacks that are never shown."""
    _SETTING.plain = True


def load() -> None:
    """Import structlog and set up the log, before foreign code that logs, such as an adapter."""
    with _SETTING.lock:
        if "structlog" not in sys.modules:
            _import(plain=_SETTING.plain)
        work, _SETTING.work = _SETTING.work, None
        if work is not None:
            work()


def _import(*, plain: bool) -> None:
    modules: dict[str, Any] = sys.modules
    if hide := plain and "rich" not in modules:
        modules["rich"] = None  # a module entry of None blocks the import
    try:
        import structlog  # noqa: F401
    finally:
        if hide:
            del modules["rich"]
