"""The audit record as people meet it: what commands write into it, and what they read of it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from bus.keys.signatures import FileSigner
from tests.support.office import Desk, Office
from tests.support.places import EXAMPLES
from tests.support.world import World, make_world

FILE = "registry.tocsin.json"
DRAFT = EXAMPLES / "drafts" / "cyber.json"
SECRET = "correct horse"


@pytest.fixture
def world() -> World:
    """Two countries whose registry stands as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> Office:
    """xa-csirt's folder, with the root keepers' keys in it."""
    made = Desk(tmp_path, monkeypatch)
    (tmp_path / FILE).write_bytes(world.raw)
    for name, signer in zip(("root-a", "root-b", "root-c"), world.roots, strict=True):
        made.hold(name, signer)
    made.hold("csirt", world.signers["xa-csirt"])
    made.hold("new", FileSigner.generate())
    made.run(
        "context", "add", "xa-csirt", "--authority", "xa-csirt", "--domain", world.registry.domain, "--pin", world.pin,
        "--registry", FILE, "--key", "csirt.pem", "--passphrase-file", "csirt.pass", "--state", "state", "--use",
    )  # fmt: skip
    return made


def entries(office: Office, *arguments: str) -> list[dict[str, Any]]:
    """The record as `audit show --json` prints it."""
    return [json.loads(line) for line in office.run("audit", "show", "--json", *arguments).splitlines()]


def test_the_life_of_a_registry_is_on_record(office: Office, world: World) -> None:
    """Made, exported, proposed, signed twice, accepted, revoked, exported: each by name, none with a secret."""
    secret = ("--passphrase-file", "more.pass")
    office.run("key", "new", "more.pem", *secret, "--new-passphrase")
    office.run("key", "export", "more.pem", *secret)
    office.run("key", "new", "more.seal.pem", "--seal", *secret)
    office.run("key", "new", "more.nk", "--transport")
    office.run("registry", "rotate", FILE, "xb-csirt", "--key", "new.jwk", "--out", "next.tocsin.json")
    for root in ("root-a", "root-b"):
        office.run("registry", "sign", "next.tocsin.json", "--key", f"{root}.pem", "--passphrase-file", f"{root}.pass", "--previous", FILE)  # fmt: skip
    office.run("registry", "accept", "next.tocsin.json")
    office.run("key", "revoke", "--out", "end.tocsin.json", "--yes", "--reason", "key-lost")
    office.run("registry", "accept", "end.tocsin.json")
    office.run("registry", "export", "--jwks", "--out", "keys.json")
    found = entries(office)
    assert [each["event"] for each in found] == [
        "context-added",
        "key-made",
        "key-exported",
        "key-made",
        "key-made",
        "registry-proposed",
        "registry-signed",
        "registry-signed",
        "registry-accepted",
        "keys-revoked",
        "revocation-accepted",
        "registry-exported",
    ]
    assert found.pop(0)["facts"]["pin"] == world.pin
    assert [each["facts"]["use"] for each in found[:4]] == ["signing", "signing", "seal", "transport"]
    assert [each["facts"]["by"] for each in found[5:7]] == [world.roots[0].kid, world.roots[1].kid]
    digests = {each["facts"]["digest"] for each in found[4:8]}
    assert len(digests) == 1
    assert found[8]["facts"]["keys"] == [world.signers["xa-csirt"].kid]
    raw = (office.folder / "state" / "audit.jsonl").read_text()
    assert SECRET not in raw
    assert (office.folder / "more.pass").read_text().strip() not in raw
    assert (office.folder / "more.nk").read_text().strip() not in raw


def test_a_refusal_before_signing_is_on_record_without_a_word_of_the_draft(office: Office) -> None:
    """The reason and the place alone; a dry run refuses nothing that anybody meant."""
    draft = json.loads(DRAFT.read_text())
    word = draft["info"][0]["headline"]
    refused = ("publish", str(DRAFT), "--tlp", "green", "--audience", "nobody-there", "--wait", "accepted")
    office.run(*refused, "--dry-run", code=5)
    office.run(*refused, code=5)
    (_, entry) = entries(office)
    assert (entry["event"], entry["facts"]["reason"]) == ("refused", "not-permitted")
    assert word not in (office.folder / "state" / "audit.jsonl").read_text()


def test_by_which_pin_a_context_trusts_is_on_record(office: Office, world: World) -> None:
    """In the record of the very context: that it was made, that it was changed, and both pins when the pin was."""
    parts = (
        "--authority",
        "xa-csirt",
        "--domain",
        world.registry.domain,
        "--registry",
        FILE,
        "--state",
        "state",
    )
    office.run("context", "add", "xa-csirt", *parts, "--pin", world.pin, "--server", "nats://127.0.0.1:9")
    office.run("context", "add", "xa-csirt", *parts, "--pin", "B" * 43)
    found = [
        (each["event"], each["facts"]["pin"], each["facts"].get("pin_before")) for each in entries(office)
    ]
    assert found == [
        ("context-added", world.pin, None),
        ("context-changed", world.pin, None),
        ("context-changed", "B" * 43, world.pin),
    ]


def test_a_signed_file_that_goes_out_is_on_record(office: Office) -> None:
    """`bulletin show --raw` by the digest; showing it on the screen is no export."""
    sent = office.run(
        "publish", str(DRAFT), "--tlp", "green", "--audience", "community", "--wait", "accepted", "--json"
    )
    said = json.loads(sent)
    office.run("bulletin", "show", said["id"])
    office.run("bulletin", "show", said["id"], "--raw")
    out = [each["facts"] for each in entries(office) if each["event"] == "exported"]
    assert out == [{"digest": said["digest"]}]


def test_a_refusal_is_told_even_where_it_cannot_be_recorded(office: Office) -> None:
    """The draft's own refusal keeps its exit code; that the record failed is said beside it."""
    path = office.folder / "state" / "audit.jsonl"
    path.write_text("not a record\n")
    said = office.run(
        "publish", str(DRAFT), "--tlp", "green", "--audience", "nobody-there", "--wait", "accepted", code=5
    )
    assert "[not-permitted]" in said
    assert "'refused' is not in the audit record" in said


def test_a_record_is_verified_and_its_head_proves_its_end(office: Office) -> None:
    """`head` is what one writes down; later it shows that nothing up to it was changed or cut off."""
    (office.folder / "state" / "audit.jsonl").unlink()
    missing = office.run("audit", "verify", code=6)
    assert "[audit-missing]" in missing
    for name in ("one", "two", "three"):
        office.run("key", "new", f"{name}.nk", "--transport")
    head = office.run("audit", "head").strip()
    assert len(head) == 43
    assert json.loads(office.run("audit", "head", "--json")) == {"head": head, "entries": 3}
    office.run("key", "new", "four.nk", "--transport")
    found = json.loads(office.run("audit", "verify", "--head", head, "--json"))
    assert (found["verified"], found["entries"], found["head_given"]) == (True, 4, True)
    assert "verified: 4 entries" in office.run("audit", "verify")
    path = office.folder / "state" / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    office.run("audit", "verify")
    assert "[audit-head]" in office.run("audit", "verify", "--head", head, code=6)
    path.write_bytes(lines[0] + lines[1].replace(b"two.nk", b"too.nk") + lines[2])
    assert "line 2 was changed" in office.run("audit", "verify", code=6)
    assert "[audit-prev]" in office.run("audit", "show", code=6)
    assert "[audit-prev]" in office.run("audit", "head", code=6)


def test_the_record_is_shown_since_a_time_and_safely(office: Office) -> None:
    """A span, a time or all; what would steer a terminal is an escape."""
    office.run("key", "new", "fi\u202ele\x1b[2J.nk", "--transport")
    shown = office.run("audit", "show")
    assert "key-made" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(entries(office, "--since", "2h")) == len(entries(office, "--since", "all")) == 2
    assert len(entries(office, "--since", "2020-01-01T00:00:00Z")) == 2
    assert entries(office, "--since", "2999-01-01T00:00:00Z") == []
    assert "neither all" in office.run("audit", "show", "--since", "yesterday", code=2)


def test_without_a_context_the_record_lies_with_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A root keeper has no context, and a record all the same."""
    office = Desk(tmp_path, monkeypatch)
    office.run("key", "new", "root.nk", "--transport")
    assert [each["event"] for each in entries(office)] == ["key-made"]
    assert (tmp_path / "home" / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    assert entries(office, "--file", "home/audit.jsonl") == entries(office)
