"""The tests' own waiting: patient by count, then by the clock, and it says what it last saw."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bus.errors import BrokerError, UnreachableError
from tests.support import waiting
from tests.support.waiting import FACTOR, eventually, eventually_sync, patience


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three looks, and no time."""
    monkeypatch.setattr(waiting, "LOOKS", 3)
    monkeypatch.setattr(waiting, "WAIT_S", 0.0)
    monkeypatch.setattr(waiting, "PAUSE_S", 0.0)


@pytest.mark.usefixtures("hasty")
async def test_what_does_not_come_true_fails_with_what_was_seen_last() -> None:
    """After the looks are used up, with the value and what the caller adds; a coroutine is awaited at each."""
    seen = iter([[], 0, ""])

    async def condition() -> object:
        return next(seen)

    with pytest.raises(AssertionError, match=r"^\'\' at the last of 3 looks in 0 s; the log$"):
        await eventually(condition, describe=lambda: "the log", pause_s=0.0)


@pytest.mark.usefixtures("hasty")
async def test_a_broker_that_does_not_answer_is_asked_again() -> None:
    """It may be reloading; when it never answers, that is what was seen last. Any other error fails at once."""
    answers: Iterator[object] = iter([UnreachableError("connection closed"), True])

    async def condition() -> object:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    await eventually(condition, pause_s=0.0)
    answers = iter([UnreachableError("connection closed")] * 3)
    with pytest.raises(AssertionError, match=r"connection closed.* at the last of 3 looks"):
        await eventually(condition, pause_s=0.0)
    answers = iter([BrokerError("no such stream")])
    with pytest.raises(BrokerError):
        await eventually(condition, pause_s=0.0)


@pytest.mark.usefixtures("hasty")
def test_what_comes_true_at_the_last_look_is_no_failure() -> None:
    """The condition is looked at as often as was promised."""
    seen = iter([False, False, True])
    eventually_sync(lambda: next(seen))


def test_the_clock_alone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that is up leaves the looks that are left, as on a machine that hardly runs this process."""
    monkeypatch.setattr(waiting, "WAIT_S", 0.0)
    monkeypatch.setattr(waiting, "PAUSE_S", 0.0)
    seen = iter([False] * (waiting.LOOKS - 1) + [True])
    eventually_sync(lambda: next(seen))


def test_patience_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """TOCSIN_PATIENCE wins over measuring, which never finds less than 1."""
    assert waiting.slowness() >= 1.0
    monkeypatch.setenv(FACTOR, "7.5")
    patience.cache_clear()
    assert patience() == 7.5
    patience.cache_clear()
