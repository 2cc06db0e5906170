"""How a program that runs on ends: in its own way, cancelled, given up, or at once. Tried in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from bus.cli.frame.exit_codes import DONE, FAILURE, INTERRUPTED
from tests.support.places import ROOT
from tests.support.waiting import longest

BEGINNING = """
import asyncio, os, sys, threading, time
from bus.cli.frame import running
from bus.cli.frame.app import App
from bus.cli.frame.programs import ended
from bus.tasks import LAST_ACTS, background

running.PRESS_S, running.GRACE_S, running.CLOSE_S = 0.2, 0.6, 0.4
running.LOOK_S = running.ASKED_LOOK_S = 0.05
LAST_ACTS.add(lambda: print("last act", flush=True))

async def stuck():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

async def died():
    raise ValueError("a task died")
"""
ENDING = """
app = App()
try:
    code = running.run_on(app, work(), 75)
except Exception as exc:
    print(f"{exc}", flush=True)
    code = 1
app.outlets.close()
sys.exit(code or 0)
"""
WAY = {
    "in its own way": (
        "async def work():\n print('up', flush=True)\n await ended()\n print('bye', flush=True)",
        DONE,
        "bye",
    ),
    "cancelled": (
        "async def work():\n print('up', flush=True)\n try:\n  await asyncio.Event().wait()\n finally:\n  print('tidy', flush=True)",
        75,
        "tidy",
    ),
    "pressed": (
        "async def work():\n print('up', flush=True)\n await ended()\n await asyncio.Event().wait()",
        75,
        "given up, because it takes too long to end",
    ),
    "given up": (
        "async def work():\n print('up', flush=True)\n async with background() as tasks:\n  tasks.start(stuck(), 'the stuck one')\n  await ended()",
        INTERRUPTED,
        "some tasks have not ended within 1 s; they are given up: the stuck one",
    ),
    "the loop stands still": (
        "async def work():\n print('up', flush=True)\n while True:\n  time.sleep(0.01)",
        INTERRUPTED,
        "last act",
    ),
    "a thread never ends": (
        "async def work():\n print('up', flush=True)\n await asyncio.to_thread(threading.Event().wait)",
        INTERRUPTED,
        "last act",
    ),
}
FAILS = {
    "a task dies": (
        "async def work():\n async with background() as tasks:\n  tasks.start(died(), 'x')\n  await ended()",
        "a task died",
    ),
    "a task dies and another is stuck": (
        "async def work():\n async with background() as tasks:\n  tasks.start(stuck(), 'the stuck one')\n  tasks.start(died(), 'x')\n  await ended()",
        "it failed, and some tasks have not ended 0 s later: the stuck one",
    ),
}


def begun(work: str) -> subprocess.Popen[str]:
    """A process that runs a program."""
    code = f"{BEGINNING}\n{work}\n{ENDING}"
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.parametrize("name", WAY)
def test_a_program_that_is_asked_ends(name: str, signum: signal.Signals) -> None:
    """Whatever it is at, with the code for that, and what was given up is said."""
    if signum is signal.SIGINT and name not in ("in its own way", "cancelled"):
        pytest.skip("one signal is heard as the other")
    work, code, said = WAY[name]
    with begun(work) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        program.send_signal(signum)
        out, _ = program.communicate(timeout=longest())
    assert (program.returncode, said in out) == (code, True), out


def test_the_last_word_of_a_program_is_what_ended_it() -> None:
    """Inside, it is only cancelled when one of its tasks has failed; its state is to say which error it was."""
    work = "async def work():\n app.last_word = lambda why: print(f'last word: {why}', flush=True)"
    work += "\n async with background() as tasks:\n  tasks.start(died(), 'x')\n  await ended()"
    with begun(work) as program:
        out, _ = program.communicate(timeout=longest())
    assert "last word: a task died" in out


@pytest.mark.parametrize("name", FAILS)
def test_a_program_whose_task_died_ends_with_a_failure(name: str) -> None:
    """It never lives on without it; nor does what cannot be tidied up hold it."""
    work, said = FAILS[name]
    with begun(work) as program:
        out, _ = program.communicate(timeout=longest())
    assert (program.returncode, said in out) == (FAILURE, True), out
