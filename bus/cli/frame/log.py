"""The library's log on standard error: one safe line for each event, in words, without colour."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any, NoReturn

from bus import logs, transport
from bus.cli.frame.text import safe

DEBUG, WARNING, ERROR, CRITICAL = 10, 30, 40, 50
LINES_EACH = 60
WINDOW_S = 60.0
MAX_LINE = 4000
TRACE_LINES, TRACE_LINE = 40, 400
"""Of a trace, only the last lines are shown, each cut to this many characters: it may hold text of a stranger."""
LIBRARIES = ("nats", "asyncio")


def configure(verbosity: int, *, errors_only: bool = False) -> None:
    """Log to standard error.

    Args:
        verbosity: above 0 everything, 0 warnings and worse, below 0 only errors that end the program.
        errors_only: for a command that reports the state of the bus itself.
    """
    usual = ERROR if errors_only else WARNING
    level = DEBUG if verbosity > 0 else usual if verbosity == 0 else CRITICAL
    logs.set_up(partial(to_stderr, level))
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.handlers, library.propagate = [Passed()], False
        library.setLevel(level)


def to_stderr(level: int) -> None:
    """Write events of this level or worse to standard error."""
    import structlog

    structlog.configure(
        processors=[
            Share(time.monotonic),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


class Passed(logging.Handler):
    """Passes log records of other libraries to this log, which bounds them and makes them safe."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record (the protocol of `logging.Handler`)."""
        logs.logger().log(
            record.levelno,
            "library_report",
            library=record.name.partition(".")[0],
            problem=record.getMessage(),
            exc_info=record.exc_info,
        )


class Share:
    """Passes at most `LINES_EACH` lines of one kind in `WINDOW_S` seconds, so that a stranger cannot fill the disk.

    The last line says that more are left out; the first line of the next window gives their number.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Count from now on, by a clock in seconds."""
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The event, or no event (structlog's protocol of a processor)."""
        kind, now = str(event["event"]), self._clock()
        began, count = self._windows.get(kind, (now, 0))
        if now - began >= WINDOW_S:
            if count > LINES_EACH:
                event["left_out_before"] = count - LINES_EACH
            began, count = now, 0
        self._windows[kind] = began, count + 1
        if count >= LINES_EACH:
            _drop()
        if count == LINES_EACH - 1:
            event["more"] = f"left out for {WINDOW_S - (now - began):.0f} s"
        return event


def _drop() -> NoReturn:
    import structlog

    raise structlog.DropEvent


def render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """`17:59:04 warning: document refused: reason misp-shape, detail ...`."""
    # "Not connected yet" is not logged; it is logged only once the cause is known.
    if "problem" in event and event["problem"] == transport.NOT_YET:
        _drop()
    when, level = event.pop("timestamp", ""), event.pop("level", "")
    what, trace = str(event.pop("event", "")).replace("_", " "), event.pop("exception", "")
    details = ", ".join(f"{name.replace('_', ' ')} {safe(value)}" for name, value in event.items())
    line = (safe(f"{when} {level}: {what}") + (f": {details}" if details else ""))[:MAX_LINE]
    traced = str(trace).splitlines()
    if len(traced) > TRACE_LINES:
        traced = [f"... {len(traced) - TRACE_LINES} more lines", *traced[-TRACE_LINES:]]
    return "\n".join([line, *(safe(each[:TRACE_LINE]) for each in traced)])
