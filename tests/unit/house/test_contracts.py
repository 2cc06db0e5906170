"""The contracts of the house hold against the two ways to break it: a file without a room, an import past a door."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import passed_by
from tests.support.places import ROOT

OFFERS = {
    "bus": frozenset[str](),
    "bus.trust": frozenset({"VerifiedRegistry", "ceremony"}),
    "bus.hub": frozenset({"HubService", "picture"}),
    "bus.hub.picture": frozenset({"summary"}),
    "bus.hub.watch": frozenset({"alarms"}),
}


@pytest.mark.parametrize(
    ("importer", "imported", "door"),
    [
        ("bus.admission.steps", "bus.trust", ""),
        ("bus.admission.steps", "bus.trust.ceremony", ""),
        ("bus.admission.steps", "bus.trust.registry", "bus.trust"),
        ("bus.trust.rules", "bus.trust.registry", ""),
        ("bus.trust", "bus.trust.registry", ""),
        ("bus.cli.officer.publish", "bus.errors", ""),
        ("adapters.sdk", "bus.plugin", ""),
        ("adapters.sdk", "bus.trust.registry", "bus.trust"),
        ("bus.cli.analyst.picture", "bus.hub.picture.summary", ""),
        ("bus.cli.analyst.picture", "bus.hub.picture.trace", "bus.hub.picture"),
        ("bus.cli.analyst.picture", "bus.hub.watch.alarms", "bus.hub"),
        ("bus.hub.service", "bus.hub.watch.alarms", ""),
        ("bus.hub.service", "bus.hub.watch.holdings", "bus.hub.watch"),
        ("bus.trustee", "bus.trust.registry", "bus.trust"),
    ],
)
def test_a_door_is_passed_where_it_does_not_name_the_way(importer: str, imported: str, door: str) -> None:
    """An import names the first package whose door it passes by, or none."""
    assert passed_by(importer, imported, "bus", OFFERS) == door


@pytest.mark.parametrize(
    ("path", "line", "told"),
    [
        ("bus/stray.py", "", "stray"),
        ("bus/trust/rules.py", "from bus.publishing import Publisher", "bus.publishing"),
        ("bus/drills/score.py", "from bus.trust.registry import VerifiedRegistry", "bus.trust.registry"),
        ("bus/hub/stray.py", "", "stray"),
    ],
    ids=[
        "a file without a room",
        "an import upwards",
        "an import past a door",
        "a file without a floor of the hub",
    ],
)
def test_the_check_refuses_it(tmp_path: Path, path: str, line: str, told: str) -> None:
    """`lint-imports` ends with 1 and names what is wrong."""
    for package in ("schemas", "bus", "adapters"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "tests/__init__.py", "tests/house.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout
    assert told in done.stdout
