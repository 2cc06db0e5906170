"""`kill -9` in the middle of a spool: each document still gives each of its bulletins once, and is accounted for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.authorities.cyber import ADAPTER
from adapters.conformance import COUNTRY, NOW
from adapters.conformance.rehearsal import Rehearsal
from tests.support.places import ROOT
from tests.unit.adapters.dying import POINTS
from tests.unit.adapters.formats.making import event

DOCUMENTS = 3


def _work(folder: Path, point: str) -> int:
    """Run the spool's process; gives its exit code, which is negative for a signal."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.unit.adapters.dying", str(folder), point],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, -signal.SIGKILL), ran.stderr
    return ran.returncode


def _fill(folder: Path) -> list[str]:
    """Documents of two events each, and one that is poison; gives the headlines that must come out."""
    incoming = folder / "spool" / "in"
    incoming.mkdir(parents=True)
    headlines = [f"Attack {n}{part}" for n in range(DOCUMENTS) for part in "ab"]
    for n in range(DOCUMENTS):
        events = [
            {"Event": event(info=f"Attack {n}{part}", uuid=f"0190a0b1-2c3d-4e5f-8a9b-00000000000{2 * n + k}")}
            for k, part in enumerate("ab")
        ]
        (incoming / f"{n}.json").write_text(json.dumps({"response": events}))
    (incoming / "1-poison.json").write_bytes(b"\x00 poison")
    return headlines


@pytest.mark.parametrize("point", POINTS)
async def test_a_killed_process_loses_and_doubles_nothing(point: str, tmp_path: Path) -> None:
    """Killed at any step, then started again: every bulletin once, in order, without a reference to itself; no file is left."""
    headlines = _fill(tmp_path)
    assert _work(tmp_path, point) == (0 if point == "never" else -signal.SIGKILL)
    assert _work(tmp_path, "never") == 0
    async with Rehearsal.open(ADAPTER.manifest, tmp_path, country=COUNTRY, clock=lambda: NOW) as rehearsal:
        found = await rehearsal.bulletins()
    assert [each.info[0].headline for each in found] == headlines
    assert not any(each.references for each in found)
    spool = tmp_path / "spool"
    assert not any((spool / "in").iterdir())
    reports = [json.loads(path.read_text()) for path in sorted((spool / "done").glob("*.report.json"))]
    told = {identifier for report in reports for identifier in report["bulletins"]}
    assert told == {each.id for each in found}
    assert json.loads((spool / "refused" / "1-poison.json.reason.json").read_text())["reason"]
