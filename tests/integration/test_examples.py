"""The examples, run as a newcomer would."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.federation.plan import Federation
from bus.keys.signatures import thumbprint
from schemas.codec import encode
from schemas.envelope import SIG_HEADER, TYP_BEACON, TYP_SEALED_BULLETIN, file_form, unb64u, write_signed
from tests.support.places import ROOT
from tests.support.publishers import keeping
from tests.support.waiting import stretched
from tests.support.world import draft, shared_world
from tests.vectors.admission import LAYER, by_layer
from tests.vectors.scene import DOMAIN, KEY, SECOND, example, signed

VECTORS = ROOT / "schemas" / "vectors"
EXAMPLE = (str(VECTORS / "example.tocsin.json"), str(VECTORS / "example.jwk.json"), DOMAIN)
FILES = ("example.tocsin.json", "batched.tocsin.json")


def joserfc(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`verify_with_joserfc.py`, run."""
    command = [sys.executable, ROOT / "examples" / "verify_with_joserfc.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("name", FILES)
def test_joserfc_verifies_a_bulletin(name: str) -> None:
    """Signed alone, and in a batch."""
    done = joserfc(VECTORS / name, *EXAMPLE[1:])
    assert "DDoS on the results portal" in done.stdout, done.stderr


async def published(folder: Path) -> tuple[Path, Path, str]:
    """A bulletin that a publisher said among others, cut out; the key of its author, and the domain."""
    world = shared_world()
    async with keeping(folder / "outbox.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(5)])
        row = next(row for row in await outbox.rows() if row.seq == 4)
    (folder / "cut_out.tocsin.json").write_bytes(file_form(row.payload, row.header_map()[SIG_HEADER]))
    (folder / "key.json").write_text(json.dumps(world.signers["xa-csirt"].jwk))
    return folder / "cut_out.tocsin.json", folder / "key.json", world.registry.domain


def test_joserfc_verifies_what_a_publisher_writes(tmp_path: Path) -> None:
    """One of a batch, by itself."""
    done = joserfc(*asyncio.run(published(tmp_path)))
    assert "number 3" in done.stdout, done.stderr


def wrong(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Files that a stock library verifies or nearly does, the domain they are asked for, and what is said of them."""
    payload = encode(example())
    for name, entries in (
        ("beacon", signed(payload, KEY, typ=TYP_BEACON)),
        ("inside of a seal", signed(payload, KEY, typ=TYP_SEALED_BULLETIN)),
        ("elsewhere", signed(payload, KEY, domain="elsewhere")),
    ):
        path = folder / f"{name}.json"
        path.write_bytes(write_signed(payload, entries))
        yield path, DOMAIN, "not as a bulletin of vectors"
    for name in FILES:
        yield VECTORS / name, "elsewhere", "not as a bulletin of elsewhere"
    moved = json.loads((VECTORS / "batched.tocsin.json").read_bytes())
    moved["signatures"][0]["header"]["index"] = 2
    (folder / "moved.json").write_text(json.dumps(moved))
    yield folder / "moved.json", DOMAIN, "the path does not lead to the root"


def test_joserfc_and_the_context(tmp_path: Path) -> None:
    """A signature for something else, of another federation or at another place of its tree is refused."""
    for path, domain, words in wrong(tmp_path):
        done = joserfc(path, EXAMPLE[1], domain)
        assert (done.stdout, done.returncode, words in done.stderr) == ("", 1, True), (path, done.stderr)


def test_joserfc_takes_a_set_of_keys(tmp_path: Path) -> None:
    """What `tocsin registry export --jwks` prints; a set without the key verifies nothing."""
    key = json.loads(Path(EXAMPLE[1]).read_bytes())
    for keys, verified in (([key], True), ([], False)):
        (tmp_path / "keys.json").write_text(json.dumps({"keys": keys}))
        done = joserfc(EXAMPLE[0], tmp_path / "keys.json", DOMAIN)
        assert ("DDoS on the results portal" in done.stdout, done.returncode == 0) == (verified, verified)


def test_node_verifies_a_bulletin(tmp_path: Path) -> None:
    """The npm package jose, where Node and the npm registry are there: alone, in a batch, with a set of keys, in its context."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    shutil.copytree(ROOT / "examples" / "verify_in_node", tmp_path / "node")
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    if subprocess.run(install, cwd=tmp_path / "node", capture_output=True).returncode:
        pytest.skip("the npm registry does not answer")

    def node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["node", "verify.mjs", *arguments]
        return subprocess.run(command, cwd=tmp_path / "node", capture_output=True, text=True)

    key = json.loads(Path(EXAMPLE[1]).read_bytes())
    named = {**key, "kid": thumbprint({name: key[name] for name in ("kty", "crv", "x")})}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [named]}))
    for name in FILES:
        for keys in (EXAMPLE[1], tmp_path / "keys.json"):
            done = node(VECTORS / name, keys, DOMAIN)
            assert "xa-csirt: DDoS" in done.stdout, done.stderr
    done = node(*asyncio.run(published(tmp_path)))
    assert "xa-csirt: number 3" in done.stdout, done.stderr
    for path, domain, words in wrong(tmp_path):
        done = node(path, EXAMPLE[1], domain)
        assert (done.stdout, done.returncode, words in done.stderr) == ("", 1, True), (path, done.stderr)


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
        verdict = f"refuse {case['reason']}" if by_layer(case) else "accept"
        entries = [entry for name, text in case["headers"] if name == SIG_HEADER for entry in text.split(",")]
        if case["comment"].startswith("two signatures required") and any(map(_by_second, entries)):
            verdict = (
                verdict if case["reason"] == "malformed-envelope" and _at_two_places(entries) else "skip"
            )
        expected[str(case["tcId"])] = verdict
    assert said == expected
    assert set(expected.values()) == {"accept", "skip", *(f"refuse {reason}" for reason in LAYER)}


def test_java_verifies_a_bulletin(tmp_path: Path) -> None:
    """Alone, in a batch, and cut out of what a publisher wrote; not for something else, nor at another place of its tree."""
    if shutil.which("javac") is None:
        pytest.skip("there is no JDK")
    program = ROOT / "examples" / "verify_in_java" / "Verify.java"
    subprocess.run(["javac", "-d", tmp_path / "classes", program], check=True)

    def java(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["java", "-cp", tmp_path / "classes", "Verify", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    for name in FILES:
        done = java(VECTORS / name, *EXAMPLE[1:])
        assert "xa-csirt: DDoS" in done.stdout, done.stderr
    done = java(*asyncio.run(published(tmp_path)))
    assert "xa-csirt: number 3" in done.stdout, done.stderr
    for path, domain, _ in wrong(tmp_path):
        done = java(path, EXAMPLE[1], domain)
        assert (done.stdout, done.returncode) == ("", 1), (path, done.stderr)
        assert done.stderr.removeprefix("refused: ").strip() in LAYER, (path, done.stderr)


def _by_second(entry: str) -> bool:
    """Whether an entry names the vectors' ML-DSA-65 key."""
    return bool(json.loads(unb64u(entry.partition(".")[0]))["kid"] == SECOND.kid)


def _at_two_places(entries: list[str]) -> bool:
    """Whether entries of a batch are at several places, which is seen before any key is asked."""
    return len({(entry.split(".")[1], entry.partition("~")[2]) for entry in entries if "~" in entry}) > 1


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.short_faults
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
        [sys.executable, ROOT / "examples" / story], capture_output=True, text=True, timeout=stretched(140)
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
