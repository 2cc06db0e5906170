"""Repeated work: a problem is logged once at its begin and once at its end, and only a lasting error ends the work."""

from __future__ import annotations

import asyncio
import errno

import pytest
from structlog.testing import capture_logs

from bus.errors import PermitError, StoreError
from bus.hub import periodic
from bus.hub.periodic import repeat
from schemas.errors import TocsinError


class Time:
    """A clock that stands still but for what is slept and what the work takes; so many pauses, and it is over."""

    def __init__(self, pauses: int) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._pauses = pauses

    def __call__(self) -> float:
        """The present."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let so much pass."""
        self.slept.append(seconds)
        self.now += seconds
        if len(self.slept) == self._pauses:
            raise asyncio.CancelledError


async def repeated(
    outcomes: list[Exception | None],
    *,
    takes_s: float = 0.0,
    rest: float = 0.0,
    survives: type[Exception] = TocsinError,
) -> tuple[Time, list[tuple[str, str, str]]]:
    """Work that ends so, one time after the other; how it was paced, and what was logged: level, event, problem."""
    time, left = Time(len(outcomes)), iter(outcomes)

    async def work() -> None:
        time.now += takes_s
        if (error := next(left)) is not None:
            raise error

    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await repeat(
            work,
            failing="not_done",
            authority_id="xa-hub",
            every_s=5.0,
            rest=rest,
            sleep=time.sleep,
            monotonic=time,
            survives=survives,
        )
    assert all(line["authority"] == "xa-hub" for line in logs)
    return time, [(line["log_level"], line["event"], line.get("problem", "")) for line in logs]


async def test_a_problem_is_said_when_it_begins_changes_and_ends() -> None:
    """Once each, however often the work fails; it is tried again after every pause."""
    texts = ["", "no grant", "no grant", "no key", "no key", "", "", "no grant"]
    time, logged = await repeated([PermitError(text) if text else None for text in texts])
    assert logged == [
        ("warning", "not_done", "no grant"),
        ("warning", "not_done", "no key"),
        ("info", "not_done_ended", ""),
        ("warning", "not_done", "no grant"),
    ]
    assert time.slept == [5.0] * 8


@pytest.mark.parametrize(("takes_s", "pause"), [(0.0, 5.0), (0.25, 5.0), (2.0, 40.0)])
async def test_work_that_takes_long_rests_long(takes_s: float, pause: float) -> None:
    """With a rest of 20 it takes at most a twenty-first of the time."""
    time, _ = await repeated([None, None], takes_s=takes_s, rest=20.0)
    assert time.slept == [pause, pause]


@pytest.mark.parametrize("reason", ["store-failed", "store-closed"])
async def test_a_store_that_has_failed_ends_it(reason: str) -> None:
    """Nothing is tried again on a store that takes nothing more."""
    with pytest.raises(StoreError):
        await repeated([StoreError("the disk has failed", reason=reason)])


PASSING = [
    StoreError("full", reason="store-full"),
    StoreError("busy", reason="store-busy"),
    StoreError("no memory", reason="store-memory"),
    MemoryError(),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EMFILE, "Too many open files"),
]


@pytest.mark.parametrize("fault", PASSING, ids=repr)
async def test_what_the_machine_lacks_passes(fault: Exception) -> None:
    """It is said when it begins and when it ends, as a warning: a disk, memory, descriptors."""
    _, logged = await repeated([fault, fault, None])
    assert [(level, event) for level, event, _ in logged] == [
        ("warning", "not_done"),
        ("info", "not_done_ended"),
    ]
    assert logged[0][2]


async def test_what_is_done_seldom_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of once an hour that has failed waits half a minute."""
    monkeypatch.setattr(periodic, "AGAIN_S", 2.0)
    time, _ = await repeated([MemoryError(), None])
    assert time.slept == [2.0, 5.0]


async def test_a_fault_ends_it_unless_it_is_to_be_survived() -> None:
    """An unexpected error is raised; if it is to be survived, it is logged as an error, once."""
    with pytest.raises(ZeroDivisionError):
        await repeated([ZeroDivisionError("fault")])
    _, logged = await repeated([ZeroDivisionError("fault"), ZeroDivisionError("fault")], survives=Exception)
    assert logged == [("error", "not_done", "ZeroDivisionError('fault')")]
