"""Files in use: a program that runs on waits for them and says so, a command does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from bus.cli.frame import patience
from bus.cli.frame.app import App
from bus.cli.frame.patience import once_open
from bus.errors import StoreError

BUSY = StoreError("it is in use", reason="store-busy")


def opening(*troubles: StoreError) -> Callable[[], AbstractAsyncContextManager[str]]:
    """A file that cannot be opened as often as there are troubles."""
    left = list(troubles)

    @asynccontextmanager
    async def opened() -> AsyncIterator[str]:
        if left:
            raise left.pop(0)
        yield "open"

    return opened


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> App:
    """A program that runs on, and waits for nothing in this test."""
    monkeypatch.setattr(patience, "AGAIN_S", 0.0)
    running = App()
    running.runs_on = True
    return running


async def test_what_passes_is_waited_out_and_said_once(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    """One line when it begins, one when it is over."""
    full = StoreError("the disk is full", reason="store-full")
    async with once_open(app, opening(BUSY, full, BUSY)) as it:
        assert it == "open"
    assert capsys.readouterr().err.splitlines() == [
        "waiting: it is in use",
        "the fault is over; the program continues",
    ]


async def test_nothing_is_said_of_a_file_that_opens(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    """As nearly always."""
    async with once_open(app, opening()):
        pass
    assert capsys.readouterr().err == ""


async def test_what_does_not_pass_ends_a_program_too(app: App) -> None:
    """A damaged file is not waited for."""
    with pytest.raises(StoreError, match="damaged"):
        async with once_open(app, opening(StoreError("damaged", reason="store-corrupt"))):
            pass


async def test_memory_is_waited_for_and_not_for_ever(app: App) -> None:
    """What others take for a moment passes; a limit of the program itself does not, and it ends."""
    starved = StoreError("no memory", reason="store-memory")
    async with once_open(app, opening(*[starved] * patience.MOST_WITHOUT_MEMORY)) as it:
        assert it == "open"
    with pytest.raises(StoreError, match="no memory"):
        async with once_open(app, opening(*[starved] * (patience.MOST_WITHOUT_MEMORY + 1))):
            pass


async def test_a_command_does_not_wait(app: App) -> None:
    """A person who waits is told at once."""
    app.runs_on = False
    with pytest.raises(StoreError, match="in use"):
        async with once_open(app, opening(BUSY)):
            pass
