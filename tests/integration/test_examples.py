"""The examples, run as a newcomer would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
VECTORS = ROOT / "schemas" / "vectors"
EXAMPLE = (str(VECTORS / "example.tocsin.json"), str(VECTORS / "example.jwk.json"))


def test_joserfc_verifies_a_bulletin() -> None:
    """Three lines of Python."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "verify_with_joserfc.py", *EXAMPLE],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "DDoS on the results portal" in done.stdout, done.stderr


@pytest.mark.timeout(120)
def test_node_verifies_a_bulletin(tmp_path: Path) -> None:
    """The npm package jose, where Node and the npm registry are there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    shutil.copytree(ROOT / "examples" / "verify_in_node", tmp_path / "node")
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    if subprocess.run(install, cwd=tmp_path / "node", capture_output=True, timeout=100).returncode:
        pytest.skip("the npm registry does not answer")
    done = subprocess.run(
        ["node", "verify.mjs", *EXAMPLE], cwd=tmp_path / "node", capture_output=True, text=True, timeout=30
    )
    assert "xa-csirt: DDoS" in done.stdout, done.stderr


@pytest.mark.timeout(60)
def test_an_authority_survives_the_theft_of_its_key() -> None:
    """The evening of `examples/stolen_key`: each step holds, on a real server, to the honest history at its end."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "stolen_key" / "evening.py"],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "23:00  Both hubs hold exactly the honest history" in done.stdout
    assert done.stderr == ""
