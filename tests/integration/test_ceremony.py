"""The operator's guide, followed from nothing: keys, a registry signed by two of three, a broker, a hub, a publisher."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bus.demo.federation import free_port
from tests.support.office import Desk
from tests.support.places import ROOT
from tests.support.waiting import COMMAND_PAUSE_S, eventually_sync


@pytest.mark.slow
def test_the_guide_leads_to_a_working_federation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the operator's guide, in order, and a bulletin through it all; what goes on running is a process."""
    office = Desk(tmp_path, monkeypatch)
    for name in ("root-a", "root-b", "root-c", "beacon", "xa-csirt"):
        office.key(name)
    nkeys = {
        name: office.run("key", "new", "--transport", f"{name}.nk").strip() for name in ("xa-csirt", "xa-hub")
    }
    roots = [part for name in ("root-a", "root-b", "root-c") for part in ("--root", f"{name}.jwk")]
    base = ("registry", "init", "registry.tocsin.json", *roots, "--threshold", "2", "--beacon", "beacon.jwk")
    assert "demo-" in office.run(*base, "--domain", "demo-mine", code=2)
    office.run(*base, "--domain", "nations")
    office.run(
        "registry", "add", "registry.tocsin.json", "xa-csirt", "--name", "CSIRT of XA", "--kind", "csirt",
        "--domain", "cyber", "--country", "XA", "--key", "xa-csirt.jwk", "--nkey", nkeys["xa-csirt"], "--member-of", "community",
    )  # fmt: skip
    office.run(
        "registry", "add", "registry.tocsin.json", "xa-hub", "--name", "Hub of XA", "--kind", "hub",
        "--domain", "coord", "--country", "XA", "--nkey", nkeys["xa-hub"], "--member-of", "community",
    )  # fmt: skip
    office.run("registry", "grant", "registry.tocsin.json", "xa-csirt", "--publish", "green:community")
    office.run("registry", "grant", "registry.tocsin.json", "xa-hub", "--read", "green:community")
    office.sign("root-a")
    assert "threshold" in office.run("registry", "verify", "registry.tocsin.json", code=6)
    office.sign("root-b")
    found = json.loads(office.run("registry", "verify", "registry.tocsin.json", "--json"))
    assert (found["version"], found["authorities"]) == (1, 2)
    office.run(
        *["registry", "beacon", "registry.tocsin.json", "--key", "beacon.pem"],
        *["--passphrase-file", "beacon.pass", "--out", "beacon.tocsin.json"],
    )
    port = free_port()
    shared = (
        *("--domain", "nations", "--pin", found["digest"], "--registry", "registry.tocsin.json"),
        *("--beacon", "beacon.tocsin.json", "--server", f"nats://127.0.0.1:{port}"),
    )
    office.run(
        "context", "add", "xa-csirt", "--authority", "xa-csirt", *shared, "--key", "xa-csirt.pem", "--passphrase-file", "xa-csirt.pass",
        "--nkey", "xa-csirt.nk", "--state", "state-csirt", "--use",
    )  # fmt: skip
    office.run(
        *["context", "add", "xa-hub", "--authority", "xa-hub", "--nkey", "xa-hub.nk", "--state", "state-hub"],
        *shared,
    )
    with office.serving(port):
        office.run("doctor")
        checks = json.loads(office.run("server", "check", "broker", "--json"))
        assert all(check["ok"] for check in checks if check["hard"]), checks
        with office.running("hub", "run", "--context", "xa-hub"):
            draft = str(ROOT / "examples" / "drafts" / "cyber.json")
            sent = json.loads(
                office.run("publish", draft, "--again", "--tlp", "green", "--audience", "community", "--json")
            )
            assert sent["state"] == "stored"
            seen = ("--context", "xa-hub", "watch", "--since", "all", "--no-follow", "--json")
            eventually_sync(
                lambda: sent["digest"] in office.view(*seen),
                describe=(tmp_path / "hub.log").read_text,
                pause_s=COMMAND_PAUSE_S,
            )


def test_a_change_is_the_next_version_under_both_quorums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Editing a standing registry makes a proposal of the next version, which `verify --previous` accepts once signed."""
    office = Desk(tmp_path, monkeypatch)
    for name in ("root-a", "root-b", "beacon"):
        office.key(name)
    office.run(
        "registry", "init", "registry.tocsin.json", "--domain", "nations", "--root", "root-a.jwk", "--root", "root-b.jwk",
        "--threshold", "2", "--beacon", "beacon.jwk",
    )  # fmt: skip
    office.sign("root-a")
    office.sign("root-b")
    (tmp_path / "v1.tocsin.json").write_bytes((tmp_path / "registry.tocsin.json").read_bytes())
    office.run(
        *[
            "registry",
            "add",
            "registry.tocsin.json",
            "xa-emb",
            "--name",
            "EMB",
            "--kind",
            "emb",
            "--domain",
            "electoral",
            "--country",
            "XA",
        ]
    )
    office.run("registry", "verify", "registry.tocsin.json", "--previous", "v1.tocsin.json", code=6)
    office.sign("root-a")
    office.sign("root-b")
    found = json.loads(
        office.run("registry", "verify", "registry.tocsin.json", "--previous", "v1.tocsin.json", "--json")
    )
    assert found["version"] == 2
    assert (
        json.loads(office.run("registry", "show", "registry.tocsin.json", "--authority", "xa-emb", "--json"))[
            "kind"
        ]
        == "emb"
    )
    office.run("registry", "show", "registry.tocsin.json", "--authority", "xa-nobody", code=3)


@pytest.mark.parametrize(
    "kind", ["cyber-incident", "data-breach", "election-calendar", "fimi", "stratcom", "post-election-report"]
)
def test_a_begun_draft_is_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """What `bulletin draft` prints is a file that `bulletin check` reads, and asks only for what is left to fill in."""
    import tomllib

    office = Desk(tmp_path, monkeypatch)
    text = office.run("bulletin", "draft", kind)
    assert tomllib.loads(text)["body"]["kind"] == kind
    assert "tocsin publish FILE" in text
