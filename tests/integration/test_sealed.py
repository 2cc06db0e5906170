"""Sealing from the command line: keys, registry, policy, a real broker, and a reader that opens what it was sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bus.demo.federation import free_port
from schemas.codec import digest
from schemas.envelope import read_claims
from tests.support.office import Desk, Office
from tests.support.places import ROOT
from tests.support.waiting import COMMAND_PAUSE_S, eventually_sync

pytestmark = pytest.mark.timeout(180)

REGISTRY = "registry.tocsin.json"
DRAFT = str(ROOT / "examples" / "drafts" / "cyber.json")
SECTION_WORDS = "Where the flood comes from"
MARKED = (DRAFT, "--tlp", "amber+strict", "--audience", "eu-few")


def seal_key(office: Office, name: str) -> None:
    """A seal key with its passphrase and public half."""
    (office.folder / name).mkdir()
    secret = ("--passphrase-file", f"{name}.seal.pass")
    office.run("key", "new", f"{name}/seal.pem", "--seal", *secret, "--new-passphrase")
    public = office.run("key", "export", f"{name}/seal.pem", "--seal", *secret)
    assert json.loads(public)["alg"] == "HPKE-9-KE"
    (office.folder / f"{name}.seal.jwk").write_text(public)


def federation(office: Office) -> dict[str, str]:
    """A signed registry: xa-csirt speaks to eu-few; a hub and a commission read it, the hub with a seal key."""
    for name in ("root", "beacon", "xa-csirt"):
        office.key(name)
    nkeys = {
        name: office.run("key", "new", "--transport", f"{name}.nk").strip()
        for name in ("xa-csirt", "xb-hub", "xa-emb")
    }
    office.run(
        "registry", "init", REGISTRY, "--domain", "nations", "--root", "root.jwk", "--threshold", "1", "--beacon", "beacon.jwk",
    )  # fmt: skip
    for name, kind, domain, extra in (
        ("xa-csirt", "csirt", "cyber", ("--key", "xa-csirt.jwk")),
        ("xb-hub", "hub", "coord", ()),
        ("xa-emb", "emb", "electoral", ()),
    ):
        office.run(
            "registry", "add", REGISTRY, name, "--name", name, "--kind", kind, "--domain", domain,
            "--country", name[:2].upper(), "--nkey", nkeys[name], "--member-of", "eu-few", *extra,
        )  # fmt: skip
    office.run("registry", "grant", REGISTRY, "xa-csirt", "--publish", "amber+strict:eu-few")
    for name in ("xb-hub", "xa-emb"):
        office.run("registry", "grant", REGISTRY, name, "--read", "amber+strict:eu-few")
    seal_key(office, "xb-hub")
    office.run("registry", "seal-key", REGISTRY, "xb-hub", "--key", "xb-hub.seal.jwk", "--days", "30")
    office.run("registry", "seal-key", REGISTRY, "xb-hub", "--key", "xb-hub.seal.jwk", "--days", "91", code=2)
    office.run("registry", "seal-key", REGISTRY, "xa-nobody", "--key", "xb-hub.seal.jwk", code=6)
    office.run("registry", "seal-key", REGISTRY, "xa-emb", "--key", "xa-csirt.jwk", code=6)
    office.run("registry", "seal-key", REGISTRY, "xb-hub", "--key", "xb-hub.seal.jwk", code=6)
    office.run("registry", "seal-key", REGISTRY, "xb-hub", code=2)
    office.run("registry", "seal-key", REGISTRY, "xb-hub", "--revoke", "A" * 43, code=6)
    office.run("registry", "seal-policy", REGISTRY, "eu-few", "cross-border")
    office.run("registry", "seal-policy", REGISTRY, "eu-none", "always", code=6)
    office.run("registry", "sign", REGISTRY, "--key", "root.pem", "--passphrase-file", "root.pass")
    found: dict[str, str] = json.loads(office.run("registry", "verify", REGISTRY, "--json"))
    return found


def sections(office: Office) -> dict[str, Any]:
    """What `publish` answers for a draft with a section; the policy seals the rest of it too."""
    draft = json.loads(Path(DRAFT).read_text())
    info = [{"lang": "en", "headline": SECTION_WORDS, "summary": "One provider."}]
    draft["sections"] = [{"label": "indicators", "audience": "eu-few", "info": info}]
    (office.folder / "parts.json").write_text(json.dumps(draft))
    marked = ("parts.json", *MARKED[1:])
    seen = json.loads(office.run("preview", *marked, "--json"))
    assert seen["sections"] == [
        {"label": "indicators", "channel": "actual.amber-strict.eu-few", "readers": ["xa-emb", "xb-hub"], "without_seal_key": ["xa-emb"]}
    ]  # fmt: skip
    assert "[no-seal-key]" in office.run("publish", *marked, code=5)
    made: dict[str, Any] = json.loads(office.run("publish", *marked, "--without", "xa-emb", "--json"))
    assert made["sections"] == [{"label": "indicators", "sealed_to": ["xb-hub"]}]
    assert made["state"] == "stored"
    return made


def test_what_is_sealed_is_read_by_its_recipients_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the key to the reader's screen, over a real broker."""
    office = Desk(tmp_path, monkeypatch)
    found = federation(office)
    office.run(
        "registry", "beacon", REGISTRY, "--key", "beacon.pem", "--passphrase-file", "beacon.pass", "--out", "beacon.tocsin.json",
    )  # fmt: skip
    port = free_port()
    shared = (
        "--domain", "nations", "--pin", found["digest"], "--registry", REGISTRY,
        "--beacon", "beacon.tocsin.json", "--server", f"nats://127.0.0.1:{port}",
    )  # fmt: skip
    office.run(
        "context", "add", "xa-csirt", "--authority", "xa-csirt", *shared, "--key", "xa-csirt.pem",
        "--passphrase-file", "xa-csirt.pass", "--nkey", "xa-csirt.nk", "--state", "state-csirt", "--use",
    )  # fmt: skip
    office.run(
        "context", "add", "xb-hub", "--authority", "xb-hub", *shared, "--nkey", "xb-hub.nk", "--state", "state-hub",
        "--seal-keys", "xb-hub", "--passphrase-file", "xb-hub.seal.pass",
    )  # fmt: skip
    refused = office.run("publish", *MARKED, code=5)
    assert "xa-emb has no valid seal key" in refused
    assert "[no-seal-key]" in refused
    seal = ("bulletin", "seal", *MARKED, "--again", "--without", "xa-emb", "--json")
    rehearsed = json.loads(office.run(*seal, "--dry-run"))
    assert (rehearsed["seq"], rehearsed["sealed_to"], rehearsed["digest"]) == (1, ["xb-hub"], "")
    assert "[file-missing]" in office.run("bulletin", "open", "nothing.json", code=3)
    seen = ("--context", "xb-hub", "watch", "--since", "all", "--no-follow", "--json")
    log = tmp_path / "hub.log"
    with office.serving(port):
        office.run("doctor")
        with office.running("hub", "run", "--context", "xb-hub"):
            sent = json.loads(office.run(*seal))
            assert sent["state"] == "stored"
            assert ".sealed." in sent["subject"]
            eventually_sync(
                lambda: sent["digest"] in office.view(*seen), describe=log.read_text, pause_s=COMMAND_PAUSE_S
            )
            shown = office.view(*seen)
            parts = sections(office)
            eventually_sync(
                lambda: parts["digest"] in office.view(*seen), describe=log.read_text, pause_s=COMMAND_PAUSE_S
            )
            headline = json.loads(Path(DRAFT).read_text())["info"][0]["headline"]
            assert json.loads(shown)["bulletin"]["info"][0]["headline"] != headline
            assert json.loads(shown)["inside"]["bulletin"]["info"][0]["headline"] == headline
            opened = json.loads(office.run("--context", "xb-hub", "bulletin", "open", sent["id"], "--json"))
            assert opened["bulletin"]["info"][0]["headline"] == headline
            assert opened["recipients"] == ["xb-hub"]
            assert (opened["bulletin"]["id"], opened["outer_digest"]) == (sent["id"], sent["digest"])
    stored = b"".join(each.read_bytes() for each in (tmp_path / "state-hub").iterdir() if each.is_file())
    assert sent["digest"].encode() in stored
    assert headline.encode() not in stored
    assert SECTION_WORDS.encode() not in stored
    found = json.loads(office.run("--context", "xb-hub", "bulletin", "open", parts["id"], "--json"))
    assert found["bulletin"]["info"][0]["headline"] == headline
    assert found["sections"][0]["content"]["info"][0]["headline"] == SECTION_WORDS
    inside = office.run("--context", "xb-hub", "bulletin", "open", sent["id"], "--raw")
    (tmp_path / "inside.tocsin.json").write_text(inside)
    assert digest(read_claims(inside.encode(), max_bytes=100_000).payload) == opened["digest"]
    assert "[unknown-type]" in office.run("verify", "inside.tocsin.json", code=6)
    outside = office.run("--context", "xb-hub", "bulletin", "show", sent["id"], "--raw")
    (tmp_path / "outside.tocsin.json").write_text(outside)
    again = office.run("--context", "xb-hub", "bulletin", "open", "outside.tocsin.json")
    assert headline in again
    assert "[no-seal-key]" in office.run("bulletin", "open", sent["id"], code=2)
    seal_key(office, "xa-emb")
    stranger = ("--seal-key", "xa-emb/seal.pem", "--passphrase-file", "xa-emb.seal.pass")
    assert "[not-a-recipient]" in office.run("bulletin", "open", sent["id"], *stranger, code=6)
    assert "[unknown-type]" in office.run("bulletin", "open", "inside.tocsin.json", *stranger, code=6)
    sealed = [json.loads(line) for line in office.run("audit", "show", "--json").splitlines()]
    # One of parts and one of the whole; the dry run overrode nothing.
    assert [each["facts"]["what"] for each in sealed if each["event"] == "override"] == ["sealed-without"] * 2
    assert "no-seal-key" in {each["facts"]["reason"] for each in sealed if each["event"] == "refused"}
    openings = [
        json.loads(line) for line in office.run("--context", "xb-hub", "audit", "show", "--json").splitlines()
    ]
    assert {each["event"] for each in openings} == {"context-added", "opened", "exported"}
    asked = [
        each["facts"] for each in openings if each["event"] == "opened" and "shown_by" not in each["facts"]
    ]
    assert [facts["digest"] for facts in asked] == [sent["digest"], parts["digest"], *[sent["digest"]] * 2]
    assert asked[1]["parts"] == ["bulletin", "indicators"]
    assert {each["facts"].get("shown_by") for each in openings} == {None, "watch"}
    exported = [each["facts"]["digest"] for each in openings if each["event"] == "exported"]
    assert exported == [sent["digest"]]
    assert headline not in json.dumps([*sealed, *openings])
