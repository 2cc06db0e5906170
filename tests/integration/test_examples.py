"""The examples, run as a newcomer would."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bus.federation.plan import Federation
from bus.keys.signatures import thumbprint
from schemas.envelope import SIG_HEADER, unb64u
from tests.support.places import ROOT
from tests.vectors.admission import LAYER
from tests.vectors.scene import SECOND

VECTORS = ROOT / "schemas" / "vectors"
EXAMPLE = (str(VECTORS / "example.tocsin.json"), str(VECTORS / "example.jwk.json"))


def test_joserfc_verifies_a_bulletin() -> None:
    """Three lines of Python."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "verify_with_joserfc.py", *EXAMPLE],
        capture_output=True,
        text=True,
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
        )
        assert ("DDoS on the results portal" in done.stdout, done.returncode == 0) == (verified, verified)


def test_node_verifies_a_bulletin(tmp_path: Path) -> None:
    """The npm package jose, where Node and the npm registry are there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    shutil.copytree(ROOT / "examples" / "verify_in_node", tmp_path / "node")
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    if subprocess.run(install, cwd=tmp_path / "node", capture_output=True).returncode:
        pytest.skip("the npm registry does not answer")
    done = subprocess.run(
        ["node", "verify.mjs", *EXAMPLE], cwd=tmp_path / "node", capture_output=True, text=True, timeout=30
    )
    assert "xa-csirt: DDoS" in done.stdout, done.stderr
    key = json.loads(Path(EXAMPLE[1]).read_bytes())
    named = {**key, "kid": thumbprint({name: key[name] for name in ("kty", "crv", "x")})}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [named]}))
    command = ["node", "verify.mjs", EXAMPLE[0], str(tmp_path / "keys.json")]
    done = subprocess.run(command, cwd=tmp_path / "node", capture_output=True, text=True)
    assert "xa-csirt: DDoS" in done.stdout, done.stderr


def test_java_judges_the_signatures_of_every_vector() -> None:
    """A verifier that shares no line with ours: the same verdict, the same reason; ML-DSA-65 is left out and counted."""
    if shutil.which("javac") is None:
        pytest.skip("there is no JDK")
    vectors = VECTORS / "admission_vectors.json"
    program = ROOT / "examples" / "verify_in_java" / "Verify.java"
    done = subprocess.run(["java", program, vectors], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    expected = {}
    for case in json.loads(vectors.read_text("utf-8"))["testGroups"][0]["tests"]:
        verdict = f"refuse {case['reason']}" if case["reason"] in LAYER else "accept"
        entries = [entry for name, text in case["headers"] if name == SIG_HEADER for entry in text.split(",")]
        if case["comment"].startswith("two signatures required") and any(map(_by_second, entries)):
            verdict = "skip"
        expected[str(case["tcId"])] = verdict
    assert said == expected
    assert set(expected.values()) == {"accept", "skip", *(f"refuse {reason}" for reason in LAYER)}


def _by_second(entry: str) -> bool:
    """Whether an entry names the vectors' ML-DSA-65 key."""
    return bool(json.loads(unb64u(entry.split("..", maxsplit=1)[0]))["kid"] == SECOND.kid)


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


def test_three_countries_lose_nothing_when_one_is_cut_off() -> None:
    """`examples/federation`: everybody publishes, a country is cut off for two seconds, and everything is everywhere."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "federation" / "cuts.py", "--cut", "2"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "0 lost, 0 twice, 0 channels out of order" in done.stdout


def test_the_example_of_a_federation_s_file_is_one() -> None:
    """What an operator copies is read without a complaint."""
    raw = (ROOT / "examples" / "federation" / "federation.toml").read_bytes()
    assert Federation.parse(raw).upstreams("xa") == ("east", "xb")
