"""The log that every room writes to: structlog, imported with the first event.

Most commands say nothing, and what says it is a tenth of what they load. So a room has `log = logger()` and no import of
structlog, and a program that wants its log otherwise than structlog has it says so by `set_up`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


_WARNING = 30  # as in logging, which nothing here needs


class _Setting:
    """What is still to be done before the first event."""

    def __init__(self) -> None:
        self.work: Callable[[], None] | None = None
        self.plain = False
        self.lock = threading.RLock()


_SETTING = _Setting()


class _Log:
    """A logger that is made for each event, as the log stands then."""

    def __getattr__(self, name: str) -> Any:
        load()
        import structlog

        return getattr(structlog.get_logger(), name)


_LOG = _Log()


def logger() -> FilteringBoundLogger:
    """The log; importing it costs nothing until something is said."""
    return cast("FilteringBoundLogger", _LOG)


def set_up(work: Callable[[], None]) -> None:
    """Have the log set up by `work`, before the first event; at once where structlog is there already. The last one counts."""
    with _SETTING.lock:
        _SETTING.work = work
        if "structlog" in sys.modules:
            load()


def quietly() -> None:
    """Have warnings and worse written to standard error, unless the program has set structlog or the log up itself.

    For a library within a program of others: structlog by itself writes everything to standard output.
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
    """Have structlog imported without rich: tocsin does not bring it, structlog loads it where it is, for tracebacks nobody is shown."""
    _SETTING.plain = True


def load() -> None:
    """Import structlog and set the log up, before code that logs by itself, such as an adapter of others."""
    with _SETTING.lock:
        if "structlog" not in sys.modules:
            _import(plain=_SETTING.plain)
        work, _SETTING.work = _SETTING.work, None
        if work is not None:
            work()


def _import(*, plain: bool) -> None:
    modules: dict[str, Any] = sys.modules
    if hide := plain and "rich" not in modules:
        modules["rich"] = None  # a module that is None cannot be imported
    try:
        import structlog  # noqa: F401
    finally:
        if hide:
            del modules["rich"]
