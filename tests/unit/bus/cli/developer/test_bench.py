"""`tocsin bench`: every step is measured, without a bus, a context or a file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.support.office import TOCSIN

STEPS = {
    *("verify Ed25519", "sign Ed25519"),
    *("admit, Ed25519", "admit, ES256", "admit, hybrid (Ed25519 and ML-DSA-65)"),
    *(f"seal for {count}" for count in (1, 10, 30)),
    *(f"open, of {count}" for count in (1, 10, 30)),
    *(f"open a registry of {count} authorities" for count in (60, 2000)),
    "judge a chain of 10 000 when a key is revoked",
}


def test_every_step_has_its_price(tmp_path: Path) -> None:
    """Each step costs time, is told once, and as a multiple of a bare verification."""
    done = subprocess.run(
        [TOCSIN, "bench", "--rounds", "1", "--json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    prices = json.loads(done.stdout)["prices"]
    assert {each["step"] for each in prices} == STEPS
    assert len(prices) == len(STEPS)
    assert all(each["microseconds"] > 0 for each in prices)
    (verify,) = (each["microseconds"] for each in prices if each["step"] == "verify Ed25519")
    assert all(abs(each["verifications"] * verify / each["microseconds"] - 1) < 1e-9 for each in prices)
    assert list(tmp_path.iterdir()) == []
