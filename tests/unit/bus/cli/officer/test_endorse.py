"""Co-signatures by command: who may endorse what, and what `verify` then says."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from bus.keys.signatures import FileSigner
from schemas.bulletin import Bulletin
from schemas.codec import encode
from schemas.envelope import SIG_HEADER, parse_header, read_signed, write_signed
from tests.support.office import Desk
from tests.support.world import World, bulletin, make_world, sign, within

FILE = "case.tocsin.json"


@pytest.fixture
def world() -> World:
    """Two countries as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> Desk:
    """A bulletin of xa-csirt that names xb-csirt as co-issuer, and the settings of both."""
    made = Desk(tmp_path, monkeypatch)
    (tmp_path / "registry.tocsin.json").write_bytes(world.raw)
    for name in ("xa-csirt", "xb-csirt"):
        made.hold(name, world.signers[name])
        made.run(
            "context", "add", name, "--authority", name, "--domain", "test", "--pin", world.pin, "--registry",
            "registry.tocsin.json", "--key", f"{name}.pem", "--passphrase-file", f"{name}.pass",
        )  # fmt: skip
    made.hold("stranger", FileSigner.generate())
    keep(tmp_path, world, bulletin(world, co_issuers=(world.registry.issuer("xb-csirt"),)))
    return made


def keep(folder: Path, world: World, made: Bulletin) -> None:
    """The signed file of a bulletin."""
    message = sign(world, made)
    entries = parse_header(dict(message.headers)[SIG_HEADER], within())
    (folder / FILE).write_bytes(write_signed(encode(made), entries))


def verified(desk: Desk) -> dict[str, object]:
    """What `verify` says."""
    found: dict[str, object] = json.loads(desk.run("--context", "xa-csirt", "verify", FILE, "--json"))
    return found


def test_an_endorsement_confirms_a_co_issuer_and_changes_nothing_else(desk: Desk, world: World) -> None:
    """Named before, confirmed after; the payload and the issuer's signature are the same bytes; twice is once."""
    before = read_signed((desk.folder / FILE).read_bytes(), within())
    assert verified(desk)["co_issuers"] == [{"id": "xb-csirt", "confirmed": False}]
    assert "named, not confirmed" in desk.run("--context", "xa-csirt", "verify", FILE)
    for _ in range(2):
        desk.run("--context", "xb-csirt", "bulletin", "endorse", FILE)
    found = verified(desk)
    assert found["co_issuers"] == [{"id": "xb-csirt", "confirmed": True}]
    assert (found["endorsers"], found["labels"]) == (["xb-csirt"], [])
    after = read_signed((desk.folder / FILE).read_bytes(), within())
    assert (after.payload, after.entries[0]) == (before.payload, before.entries[0])
    assert [each.header.kid for each in after.entries[1:]] == [world.signers["xb-csirt"].kid]


def test_what_may_not_be_endorsed_is_left_as_it_was(desk: Desk) -> None:
    """One's own, with a key that is not one's own, or what does not stand."""
    before = (desk.folder / FILE).read_bytes()
    assert "only another" in desk.run("--context", "xa-csirt", "bulletin", "endorse", FILE, code=2)
    stranger = ("--key", "stranger.pem", "--passphrase-file", "stranger.pass")
    assert "[not-your-key]" in desk.run(
        "--context", "xb-csirt", "bulletin", "endorse", FILE, *stranger, code=5
    )
    assert (desk.folder / FILE).read_bytes() == before
    file = json.loads(before)
    file["signatures"][0]["signature"] = "A" * 86
    (desk.folder / FILE).write_text(json.dumps(file))
    assert "[bad-signature]" in desk.run("--context", "xb-csirt", "bulletin", "endorse", FILE, code=6)
