"""A supervisor hears that a program is alive for as long as it can look at itself."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
from pathlib import Path

import pytest

from bus.cli.frame.app import App
from bus.cli.frame.programs import MUTE_S, ended
from bus.cli.frame.running import run_on
from tests.support.supervisor import Supervisor
from tests.support.waiting import eventually

NOW = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("ago", "beats"), [(None, True), (MUTE_S - 1, True), (MUTE_S + 1, False), (-5.0, True)]
)
def test_one_that_cannot_look_at_itself_is_not_called_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ago: float | None, beats: bool
) -> None:
    """Whatever else its loop still does; one that tells nothing of itself, or whose clock was set back, is alive."""
    supervisor = Supervisor.at(tmp_path / "notify", waits_s=0.03)
    for name, value in supervisor.environment.items():
        monkeypatch.setenv(name, value)
    app = App()
    monkeypatch.setattr(app, "now", lambda: NOW)
    if ago is not None:
        app.told_at = lambda: NOW - dt.timedelta(seconds=ago)

    async def work() -> int | None:
        waiting = asyncio.create_task(ended())
        await eventually(lambda: "READY=1" in supervisor.heard())
        if beats:
            await eventually(lambda: supervisor.heard().count("WATCHDOG=1") > 2)
        os.kill(os.getpid(), signal.SIGTERM)
        await waiting
        return 0

    assert run_on(app, work(), 0) == 0
    said = supervisor.close()
    assert ("WATCHDOG=1" in said, said[-1]) == (beats, "STOPPING=1")
