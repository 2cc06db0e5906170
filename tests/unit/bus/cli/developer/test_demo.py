"""The folder of a demonstration."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from pathlib import Path

import pytest

from bus.demo import Demo, founding
from bus.demo.founding import prepare
from bus.errors import TrustError
from tests.support.waiting import longest


def test_the_folder_of_another_version_is_named_with_what_to_do(tmp_path: Path) -> None:
    """A registry that is not read here does not leave its reader alone with a sentence about headers."""
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "registry.tocsin.json").write_text('{"payload": "e30", "signatures": []}')
    with pytest.raises(TrustError, match="made by another version") as refused:
        prepare(tmp_path, now=dt.datetime.now(dt.UTC))
    assert str(tmp_path) in str(refused.value)
    assert str(refused.value).endswith("delete that folder, or name another")


def test_a_founding_ends_between_two_keys_and_is_done_anew(tmp_path: Path) -> None:
    """What is called between them may end it: no further key is made, and no registry stands; the next call founds one."""
    calls = 0

    def third_ends() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise InterruptedError

    now = dt.datetime.now(dt.UTC)
    with pytest.raises(InterruptedError):
        prepare(tmp_path, now=now, between=third_ends)
    assert calls == 3
    assert sorted(path.name for path in (tmp_path / "registry").iterdir()) == [
        "root-1.pass",
        "root-1.pem",
        "root-2.pass",
        "root-2.pem",
    ]
    assert prepare(tmp_path, now=now).version == 1


async def test_a_demonstration_that_is_given_up_makes_no_further_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while it founds: its thread ends with the key that it is at."""
    at_work, go_on = threading.Event(), threading.Event()
    made = []

    def slow(key: Path) -> None:
        made.append(key)
        at_work.set()
        go_on.wait()

    monkeypatch.setattr(founding, "new_signing_key", slow)

    async def begun() -> None:
        async with Demo.open(tmp_path / "demo", port=-1, clock=lambda: dt.datetime.now(dt.UTC)):
            pass

    task = asyncio.create_task(begun())
    assert await asyncio.to_thread(at_work.wait, longest())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert len(made) == 1
