"""The examples, run as a newcomer would."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bus.signing import thumbprint

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


def test_joserfc_takes_a_set_of_keys(tmp_path: Path) -> None:
    """What `tocsin registry export --jwks` prints; a set without the key verifies nothing."""
    key = json.loads(Path(EXAMPLE[1]).read_bytes())
    for keys, verified in (([key], True), ([], False)):
        (tmp_path / "keys.json").write_text(json.dumps({"keys": keys}))
        done = subprocess.run(
            [
                sys.executable,
                ROOT / "examples" / "verify_with_joserfc.py",
                EXAMPLE[0],
                tmp_path / "keys.json",
            ],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert ("DDoS on the results portal" in done.stdout, done.returncode == 0) == (verified, verified)


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
    key = json.loads(Path(EXAMPLE[1]).read_bytes())
    named = {**key, "kid": thumbprint({name: key[name] for name in ("kty", "crv", "x")})}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [named]}))
    command = ["node", "verify.mjs", EXAMPLE[0], str(tmp_path / "keys.json")]
    done = subprocess.run(command, cwd=tmp_path / "node", capture_output=True, text=True, timeout=30)
    assert "xa-csirt: DDoS" in done.stdout, done.stderr


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("story", "end"),
    [
        ("stolen_key/evening.py", "23:00  Both hubs hold exactly the honest history"),
        (
            "hostile_broker/attacks.py",
            "16:00  Nothing was ever shown that a key of its author had not signed",
        ),
    ],
)
def test_a_story_comes_true(story: str, end: str) -> None:
    """Each sentence of it holds, on a real server, to its last one."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / story], capture_output=True, text=True, timeout=140
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert end in done.stdout
    assert done.stderr == ""
