"""The log of the library: nothing is imported before something is said, and it is set up by then."""

from __future__ import annotations

import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from bus import logs
from tests.support.waiting import longest

SETS_UP = (
    "import sys; from bus import logs\n"
    "def work():\n"
    "    import structlog; structlog.configure(processors=[lambda _, name, event: 'said ' + event['event']])\n"
    "log = logs.logger(); logs.plainly(); logs.set_up(work); print('structlog' in sys.modules)\n"
)


@pytest.mark.parametrize(
    "says", ["log.warning('it')", "logs.load(); import structlog; structlog.get_logger().info('it')"]
)
def test_it_is_set_up_before_the_first_event(says: str) -> None:
    """By what a program asked for, also for others that log by themselves; and it loads nothing that draws tracebacks."""
    program = SETS_UP + says + "\nprint('rich' in sys.modules, sys.modules.get('rich'))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=longest(), check=True
    )
    assert done.stdout.splitlines() == ["False", "said it", "False None"]


def test_what_is_said_goes_where_the_log_goes_then() -> None:
    """A logger that a module made long ago heeds how the log stands now."""
    log = logs.logger()
    with capture_logs() as heard:
        log.bind(stream="s").warning("it", number=1)
    assert heard == [{"event": "it", "number": 1, "stream": "s", "log_level": "warning"}]


def test_a_log_that_is_there_is_set_up_at_once() -> None:
    """Whoever imports structlog first hears the program's settings too."""
    done: list[str] = []
    logs.set_up(lambda: done.append("done"))
    assert done == ["done"]
    logs.load()
    assert done == ["done"]
