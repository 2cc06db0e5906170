"""A hub as a process, and what every view says of it.

`doctor`, `hub status` and `picture` are commands that look; `/healthz` is the hub's own word. `TOCSIN_BAD_STATES` names a file
to which a line is added for each state, with what each view said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.households import Household, world_of_now
from tests.support.stage import Bus, serving
from tests.support.waiting import COMMAND_PAUSE_S, eventually_sync, longest
from tests.support.world import World

HUB = "xa-hub"
OK, NOT_RELIABLE = 0, 9
COMMANDS = {"doctor": ("doctor",), "hub status": ("hub", "status"), "picture": ("picture",)}


class View(NamedTuple):
    """How one view ended, and the report in it; None where nobody answered."""

    code: int
    report: dict[str, Any] | None

    @property
    def codes(self) -> set[str]:
        """What is not well, by its code."""
        conditions = self.report["conditions"] if self.report else ()
        return {each["code"] for each in conditions if each["level"] != "ok"}


class Hub:
    """A hub that runs, and what each view says of it."""

    def __init__(self, house: Household, bus: Bus) -> None:
        """Nothing runs yet."""
        self.house, self.bus = house, bus
        self.at = ""

    def begin(self) -> subprocess.Popen[bytes]:
        """Begin `hub run`, and wait until it can be asked."""
        log = self.house.log(HUB)
        before = log.stat().st_size if log.exists() else 0
        process = self.house.start(HUB, "hub", "run", "--health", "127.0.0.1:0")

        def address() -> re.Match[str] | None:
            assert process.poll() is None, log.read_text()
            return re.search(r"health at (http://\S+)", log.read_bytes()[before:].decode())

        eventually_sync(address, describe=log.read_text)
        found = address()
        assert found is not None
        self.at = found[1]
        return process

    def reads(self) -> subprocess.Popen[bytes]:
        """Begin, and wait until all is well; a test's disk may be small."""
        process = self.begin()
        self.until(lambda view: view.code == 200 and view.codes <= {"disk-short"})
        return process

    def healthz(self) -> View:
        """What the hub itself says."""
        try:
            with urllib.request.urlopen(self.at, timeout=longest()) as answer:  # noqa: S310 (an address of ours)
                return View(answer.status, json.load(answer))
        except urllib.error.HTTPError as exc:
            return View(exc.code, json.load(exc))
        except OSError:
            return View(0, None)

    def until(self, condition: Callable[[View], bool]) -> None:
        """Wait for something that the hub says of itself."""
        eventually_sync(lambda: condition(self.healthz()), describe=self.healthz)

    def views(self) -> dict[str, View]:
        """What every view says now."""

        def look(command: Sequence[str]) -> View:
            told = self.house.told(HUB, *command, "--json", "--timeout", "3")
            assert told.out, told.err
            report = told.json()
            return View(told.code, report.get("health", report))

        with ThreadPoolExecutor() as pool:
            found = dict(zip(COMMANDS, pool.map(look, COMMANDS.values()), strict=True))
        return {**found, "/healthz": self.healthz()}


def write_down(state: str, views: dict[str, View]) -> None:
    """Add a line for a state to the file that the environment names."""
    if not (path := os.environ.get("TOCSIN_BAD_STATES")):
        return
    cells = [f"{name}: {view.code} {' '.join(sorted(view.codes)) or '-'}" for name, view in views.items()]
    with Path(path).open("a") as file:
        file.write(f"{state} | {' | '.join(cells)}\n")


def all_say(hub: Hub, state: str, code: str, *, level: str = "bad", silent: bool = False) -> None:
    """Every view names the code at this level, with one verdict and its exit code; a hub that is gone says nothing."""
    views: dict[str, View] = {}

    def says(view: View) -> bool:
        # Beside what is asked for there may for a moment be more: a link that is only just made again.
        return view.report is None or (code in view.codes and view.report["verdict"] == level)

    def agree() -> bool:
        nonlocal views
        views = {"/healthz": hub.healthz()}
        if not says(views["/healthz"]):
            return False  # the hub has not noticed yet; three commands that look cost more than this question
        views = hub.views()
        return all(map(says, views.values()))

    eventually_sync(agree, describe=lambda: views, pause_s=COMMAND_PAUSE_S)
    write_down(state, views)
    is_bad = level == "bad"
    for name, view in views.items():
        if name == "/healthz":
            assert view.code == (0 if silent else 503 if is_bad else 200), (name, view)
        else:
            assert view.code == (NOT_RELIABLE if is_bad else OK), (name, view)
        if view.report is not None:
            found = {each["level"] for each in view.report["conditions"] if each["code"] == code}
            assert found == {level}, (name, view)
            assert view.report["verdict"] == level, (name, view)
    assert silent is (views["/healthz"].report is None)


@contextlib.contextmanager
def household(folder: Path, bus: Bus, *more: str) -> Iterator[Hub]:
    """The home of a hub at this broker."""
    house = Household(folder, bus.world, bus.server.url, HUB, *more)
    try:
        yield Hub(house, bus)
    finally:
        house.close()


async def played(tmp_path: Path, play: Callable[[Hub], None], world: World | None = None, *more: str) -> None:
    """Play a scene against a broker of its own."""
    async with serving(tmp_path / "server", world or world_of_now()) as bus:

        def scene() -> None:
            with household(tmp_path / "house", bus, *more) as hub:
                play(hub)

        await asyncio.to_thread(scene)
