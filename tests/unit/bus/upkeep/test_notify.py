"""The messages of a program to its supervisor."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.upkeep import notify
from tests.support.supervisor import Supervisor


@pytest.fixture(params=["path", "abstract"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Supervisor]:
    """Both kinds of address that a supervisor may have."""
    path = str(tmp_path / "notify")
    listening = Supervisor(path if request.param == "path" else f"@tocsin-{secrets.token_hex(8)}")
    yield listening
    listening.close()


def test_a_supervisor_is_told(supervisor: Supervisor) -> None:
    """Each word in a datagram of its own, in the spelling of sd_notify(3)."""
    said = [
        notify.ready(supervisor.environment),
        notify.watchdog(supervisor.environment),
        notify.status("reads", supervisor.environment),
        notify.stopping(supervisor.environment),
    ]
    assert (said, supervisor.close()) == ([True] * 4, ["READY=1", "WATCHDOG=1", "STATUS=reads", "STOPPING=1"])


def test_a_status_is_one_line(supervisor: Supervisor) -> None:
    """A line break in it would be a word of its own; and it has an end."""
    notify.status("a\nMAINPID=1\x7f" + "x" * 1000, supervisor.environment)
    (line,) = supervisor.close()
    assert (line.startswith("STATUS=a MAINPID=1 x"), "\n" in line, len(line)) == (True, False, 307)


@pytest.mark.parametrize(
    "name", ["", "@", "/", "relative", "/nowhere/at/all", "@nobody-listens-here", "/x\0y"]
)
def test_without_one_nothing_fails(name: str) -> None:
    """Nobody there, or a name that is none."""
    environment = {"NOTIFY_SOCKET": name}
    assert not notify.ready(environment)
    assert not notify.watchdog(environment)
    assert not notify.ready({})


def test_one_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    """Once its queue is full a beat is left out."""
    supervisor = Supervisor(str(tmp_path / "deaf"), deaf=True)
    told = [notify.watchdog(supervisor.environment) for _ in range(5000)]
    assert told[0]
    assert not told[-1]
    supervisor.close()


@pytest.mark.parametrize(
    ("environment", "every"),
    [
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000"}, 10.0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 10.0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "0"}, None),
        ({"NOTIFY_SOCKET": "@x"}, None),
        ({"WATCHDOG_USEC": "30000000"}, None),
    ],
)
def test_how_often_a_beat_is_due(environment: dict[str, str], every: float | None) -> None:
    """Three in the time that the supervisor waits, where it means this process."""
    assert notify.watchdog_every(environment, pid=7) == every


async def test_what_is_not_alive_beats_no_more(supervisor: Supervisor) -> None:
    """The beats stop with the answer of `alive`, and come again with it."""
    answers = iter([True, True, False, False, False, True])
    done = asyncio.Event()

    def alive() -> bool:
        answer = next(answers, None)
        if answer is None:
            done.set()
        return bool(answer)

    environment = {**supervisor.environment, "WATCHDOG_USEC": "3000"}
    task = asyncio.create_task(notify.keep_telling(alive, environment))
    await done.wait()
    task.cancel()
    assert supervisor.close() == ["WATCHDOG=1"] * 3
