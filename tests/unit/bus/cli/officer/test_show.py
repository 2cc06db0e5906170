"""`tocsin bulletin show` writes out what belongs together."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from schemas.codec import encode
from schemas.links import Link, Thing
from schemas.parts import Observable
from schemas.vocab import PersonalFlag, Tlp
from tests.support.office import Desk
from tests.support.world import draft, make_world

SITE = Observable(type="domain-name", personal=PersonalFlag.NONE, value="mirror.example")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An authority that can sign, with an outbox of its own."""
    world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
    made = Desk(tmp_path, monkeypatch)
    (tmp_path / "registry.tocsin.json").write_bytes(world.raw)
    made.hold("csirt", world.signers["xa-csirt"])
    made.run(
        "context", "add", "desk", "--authority", "xa-csirt", "--domain", world.registry.domain, "--pin", world.pin,
        "--registry", "registry.tocsin.json", "--key", "csirt.pem", "--passphrase-file", "csirt.pass",
        "--state", "desk", "--use",
    )  # fmt: skip
    return made


def test_each_tie_is_a_line(desk: Desk) -> None:
    """Both ends in words and the type between them; with --json the fields alone."""
    said = draft(
        tlp=Tlp.GREEN,
        audience="community",
        observables=(SITE,),
        things=(Thing(kind="outlet", name="The Mirror"),),
        links=(Link(from_="observables/0", rel="impersonates", to="things/0"),),
    )
    (desk.folder / "draft.json").write_bytes(encode(said))
    desk.run("publish", "draft.json", "--wait", "accepted")
    listed = desk.run("bulletin", "list", "--mine", "--json")
    name = json.loads(listed.splitlines()[0])["id"]
    shown = " ".join(desk.run("bulletin", "show", name).split())
    assert "domain name mirror[.]example -> impersonates -> outlet The Mirror" in shown
    assert json.loads(desk.run("bulletin", "show", name, "--json"))["links"] == [
        {"from": "observables/0", "rel": "impersonates", "to": "things/0"}
    ]
