"""The guide of the key ceremony, command by command as it is written there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.guides import Reader, blocks
from tests.support.office import Desk
from tests.support.tokens import MODULE, real


def commands(*, of_token: bool) -> list[str]:
    """The lines of the guide's blocks, those for a token or all others."""
    found = [
        line
        for block in blocks("key-ceremony.md")
        for line in block.text.splitlines()
        if (block.word == "token") is of_token
    ]
    assert len(found) > 4
    return found


def test_the_guide_founds_changes_ends_and_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command succeeds, and what they make is what the guide says: five versions, one ended key, a record."""
    desk = Desk(tmp_path, monkeypatch)
    reader = Reader(desk)
    for line in commands(of_token=False):
        reader.follow(line)
    held = json.loads(desk.run("registry", "verify", "--json"))
    assert (held["version"], held["pinned"], held["authorities"]) == (5, True, 2)
    document = json.loads(desk.run("registry", "show", "registry.tocsin.json", "--json"))
    csirt = document["authorities"]["xa-csirt"]["keys"]
    assert [kid for kid, key in csirt.items() if key.get("revoked_since")] == [reader.shown["KID"]]
    assert len(csirt) == 2
    assert len(document["root"]["keys"]) == 3
    assert len(document["authorities"]["xa-hub"]["seal_keys"]) == 1
    assert document["audiences"]["community"]["seal"] == "cross-border"
    record = [json.loads(line)["event"] for line in desk.run("audit", "show", "--json").splitlines()]
    assert record.count("registry-accepted") == 4
    assert record.count("revocation-accepted") == 1


@real
def test_the_part_about_tokens(token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in a real PKCS#11 token, wherever its module lies here."""
    desk = Desk(tmp_path, monkeypatch)
    shutil.copy(token / "pin", tmp_path / "pin")
    reader = Reader(desk)
    for line in commands(of_token=False):
        if "root-b." in line and line.startswith("tocsin key"):
            reader.follow(line)
    for line in commands(of_token=True):
        reader.follow(line.replace("/usr/lib/softhsm/libsofthsm2.so", str(MODULE)))
    assert json.loads(desk.run("registry", "verify", "token.tocsin.json", "--json"))["version"] == 1
