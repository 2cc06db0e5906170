"""Two countries and a union as their operators start them: every part a process of its own, everything said by commands."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.test_ceremony import ROOT, free_port
from tests.office import TOCSIN, Desk, Office

pytestmark = pytest.mark.timeout(120)
REGISTRY = "registry.tocsin.json"
PLACES = ("east", "xa", "xb")
IDENTITIES = {"xa": "xa-csirt", "xb": "xb-hub", "east": "xb-hub"}
"""Whose context the operator of each broker uses."""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A registry of a team in XA and a hub in XB, and the file that joins their brokers over a union."""
    desk = Desk(tmp_path, monkeypatch)
    for name in ("root-a", "root-b", "beacon", "xa-csirt", "xb-hub"):
        desk.key(name)
    nkeys = {
        name: desk.run("key", "new", "--transport", f"{name}.nk").strip() for name in ("xa-csirt", "xb-hub")
    }
    roots = ("--root", "root-a.jwk", "--root", "root-b.jwk", "--threshold", "2")
    desk.run("registry", "init", REGISTRY, *roots, "--beacon", "beacon.jwk", "--domain", "nations")
    for name, kind, domain in (("xa-csirt", "csirt", "cyber"), ("xb-hub", "hub", "coord")):
        desk.run(
            "registry", "add", REGISTRY, name, "--name", name.upper(), "--kind", kind, "--domain", domain,
            "--country", name[:2].upper(), "--key", f"{name}.jwk", "--nkey", nkeys[name], "--member-of", "community",
        )  # fmt: skip
    desk.run("registry", "grant", REGISTRY, "xa-csirt", "--publish", "green:community")
    desk.run("registry", "grant", REGISTRY, "xb-hub", "--read", "green:community")
    desk.run("registry", "grant", REGISTRY, "xb-hub", "--receipts")
    desk.sign("root-a")
    desk.sign("root-b")
    beacon = ("--key", "beacon.pem", "--passphrase-file", "beacon.pass", "--out", "beacon.tocsin.json")
    desk.run("registry", "beacon", REGISTRY, *beacon)
    pin = json.loads(desk.run("registry", "verify", REGISTRY, "--json"))["digest"]
    ports = {place: free_port() for place in PLACES}
    for place in ("xa", "xb"):
        name = IDENTITIES[place]
        desk.run(
            "context", "add", name, "--authority", name, "--domain", "nations", "--pin", pin, "--registry", REGISTRY,
            "--beacon", "beacon.tocsin.json", "--server", f"nats://127.0.0.1:{ports[place]}", "--key", f"{name}.pem",
            "--passphrase-file", f"{name}.pass", "--nkey", f"{name}.nk", "--state", f"state-{name}",
        )  # fmt: skip
    carriers = "".join(
        f'[countries.{place}]\ncarrier = "{desk.run("server", "carrier-key", place).strip()}"\n'
        for place in ("xa", "xb")
    )
    (tmp_path / "federation.toml").write_text(
        f'[unions.east]\nnodes = [{{ url = "nats://127.0.0.1:{ports["east"]}" }}]\n{carriers}'
    )
    (tmp_path / "ports.json").write_text(json.dumps(ports))
    return desk


def joined(place: str) -> tuple[str, ...]:
    """What every operator adds."""
    return "--federation", "federation.toml", "--as", place


@contextmanager
def running(office: Office, *commands: tuple[str, ...]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """These in the background; each that still runs is ended as a service manager does, and ends well."""
    started = [office.start(*command) for command in commands]
    try:
        yield started
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(20) for process in started]
    assert codes == [0] * len(commands), (office.folder / "server.log").read_text()


def test_a_bulletin_goes_abroad_and_its_receipt_comes_back(desk: Desk) -> None:
    """`publish --wait received` in one country returns when the hub of the other, three processes away, has said so."""
    ports = json.loads((desk.folder / "ports.json").read_text())
    servers = [
        ("server", "run", place, "--port", str(ports[place]), "--context", IDENTITIES[place], *joined(place))
        for place in PLACES
    ]
    with running(desk, *servers), running(desk, ("hub", "run", "--context", "xb-hub")):
        deadline = time.monotonic() + 60
        for place in PLACES:
            url = ("--url", f"nats://127.0.0.1:{ports[place]}", "--context", IDENTITIES[place])
            check = ["server", "check", place, *url, *joined(place), "--json"]
            while not _sound(desk, check):
                assert time.monotonic() < deadline, (desk.folder / "server.log").read_text()
                time.sleep(0.2)
        said = json.loads(
            desk.run(
                "publish", str(ROOT / "examples" / "drafts" / "cyber.json"), "--tlp", "green", "--audience", "community",
                "--context", "xa-csirt", "--wait", "received=60", "--json",
            )
        )  # fmt: skip
        assert said["state"] == "received"
        seen = desk.run("watch", "--context", "xb-hub", "--since", "all", "--no-follow", "--json")
        assert said["digest"] in seen


def _sound(desk: Desk, check: list[str]) -> bool:
    done = subprocess.run(
        [TOCSIN, *check], cwd=desk.folder, env=desk.env, capture_output=True, text=True, timeout=60
    )
    return done.returncode == 0


MISTAKES = {
    "a file and no name": (("--federation", "federation.toml"), 2, "--as NAME"),
    "a name and no file": (("--as", "xa"), 2, "--federation FILE"),
    "a place that is not in the file": (("--federation", "federation.toml", "--as", "xz"), 2, "xz"),
    "a node that it does not have": ((*joined("east"), "--node", "2"), 2, "no node 2"),
    "no such file": (("--federation", "nowhere.toml", "--as", "xa"), 2, "nowhere.toml"),
    "a file that is none": (("--federation", "registry.tocsin.json", "--as", "xa"), 2, "federation"),
    "another's folder": (("--federation", "federation.toml", "--as", "xa"), 2, "another key than the one in"),
}


def test_a_mistake_is_said_before_anything_is_started(desk: Desk) -> None:
    """One sentence with what is wrong, and nothing written."""
    for name, (options, code, expected) in MISTAKES.items():
        folder = desk.folder / ("xb" if name == "another's folder" else "xa")
        before = sorted(path.name for path in folder.iterdir())
        told = desk.run("server", "run", folder.name, "--context", "xa-csirt", *options, code=code)
        assert expected in told, name
        assert told.count("\n") == 1, name
        assert sorted(path.name for path in folder.iterdir()) == before, name
