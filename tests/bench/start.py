"""What it costs to begin: `tocsin --help`, and `tocsin publish --wait accepted` from nothing; processor and wall time.

    python -m tests.bench.start [--rounds 10] [--beside OTHER/.venv/bin/python]

With the interpreter of another checkout both have their turn in each round, so that they are compared in one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec
import pytest

from schemas.codec import encode
from schemas.vocab import Pap, Tlp
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk
from tests.support.world import draft, make_world

COMMANDS = {
    "--help": ["--help"],
    "publish --wait accepted": ["publish", "draft.json", "--again", "--wait", "accepted"],
}


def main() -> None:
    """Print the median of each command, with the least and the most."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--beside", help="the interpreter of another checkout")
    options = parser.parse_args()
    pythons = [each for each in (options.beside, sys.executable) if each]
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name) / "desk"
        desk = hub_desk(folder, patch, make_world(utc_now()), "xa-csirt")
        say = msgspec.structs.replace(draft(), tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
        (folder / "draft.json").write_bytes(encode(say))
        env = {name: value for name, value in desk.env.items() if name != "PYTHONDONTWRITEBYTECODE"}
        for round_ in range(options.rounds + 1):
            for python in pythons:
                for what, arguments in COMMANDS.items():
                    spent = _spent([str(Path(python).parent / "tocsin"), *arguments], folder, env)
                    if round_:  # the first one writes byte code and fills the page cache
                        found.setdefault((what, python), []).append(spent)
    for (what, python), spent_all in found.items():
        cpu, wall = ([f"{value:.3f}" for value in _spread(each)] for each in zip(*spent_all, strict=True))
        sys.stdout.write(
            f"{what:<26}CPU {cpu[1]} s ({cpu[0]} to {cpu[2]})  wall {wall[1]} s ({wall[0]} to {wall[2]})  {python}\n"
        )


def _spent(command: list[str], folder: Path, env: dict[str, str]) -> tuple[float, float]:
    """Seconds of processor, user and system, and of wall, that a process takes from its start to its end."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began


def _spread(values: tuple[float, ...]) -> tuple[float, float, float]:
    return min(values), median(values), max(values)


if __name__ == "__main__":
    main()
